// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files of the store. The input is several of them, each after a line "== NAME": as they are,
 * or after "=+ NAME" with the checksums put right, so that what they protect is read, too. A store
 * that can be read, written anew, is the same store; one that cannot is told, and can be salvaged
 * or is told again.
 */
#include "fuzz.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "store_parts.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
char *__real_realpath(const char *path, char *resolved);
char *__wrap_realpath(const char *path, char *resolved);

/* No file but those of the input is read, whatever list a rule names. */
char *__wrap_realpath(const char *path, char *resolved)
{
	const char *dir = fuzz_dir();

	if (!strncmp(path, dir, strlen(dir)) && !strstr(path, ".."))
		return __real_realpath(path, resolved);
	errno = ENOENT;
	return NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char *path = NULL;

	setenv("BPFPOL_STATE_DIR", fuzz_dir(), 1);
	setenv("BPFPOL_CONF_DIR", fuzz_dir(), 1);
	for (int i = 0; i < 2; i++) {
		REQUIRE(asprintf(&path, "%s/%s", fuzz_dir(), i ? "lists" : "policies") > 0, "mem");
		REQUIRE(!mkdir(path, 0700), "%s: %s", path, strerror(errno));
		free(path);
	}
	return 0;
}

static bool is_journal(const char *name)
{
	return strstr(name, "journal");
}

static void put_line(FILE *out, const char *line, size_t len, bool sum)
{
	if (sum)
		fprintf(out, "%08lx ", crc32(0, (const Bytef *)line, len));
	fwrite(line, 1, len, out);
	fputc('\n', out);
}

/* Checksums: of a journal, at the beginning of each line but the first; else at the end. */
static char *with_sums(const char *name, const char *text, size_t size, size_t *len)
{
	char *all = NULL;
	FILE *out = open_memstream(&all, len);
	const char *end;

	REQUIRE(out, "no memory");
	if (!is_journal(name)) {
		fwrite(text, 1, size, out);
		fprintf(out, "end %08lx\n", crc32(0, (const Bytef *)text, size));
	} else {
		for (bool first = true; (end = memchr(text, '\n', size)); first = false) {
			put_line(out, text, end - text, !first);
			size -= end + 1 - text;
			text = end + 1;
		}
	}
	fclose(out);
	return all;
}

/* Names of files that are read; no other is written. */
static bool is_name(const char *name)
{
	static const char *const names[] = { "state", "journal", "previous.1.state",
		"previous.1.journal", "previous.2.state", "previous.2.journal", "fold.1", "fold.2",
		"fold.3", "policies/p", "policies/p.policy", "lists/1.0.from", "lists/1.0.to",
		"lists/2.1.from", "lists/2.1.to", "lists/3.2.from", "list" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static void put_file(const char *name, bool sums, const char *text, size_t size)
{
	char *path, *all = NULL;

	if (!is_name(name))
		return;
	REQUIRE(asprintf(&path, "%s/%s", fuzz_dir(), name) > 0, "no memory");
	if (sums)
		all = with_sums(name, text, size, &size);
	fuzz_put(path, sums ? all : text, size);
	free(all);
	free(path);
}

static void put_files(char *text, size_t size)
{
	char *end = text + size, *next;

	for (; text && end - text > 3 && text[0] == '='; text = next) {
		char *line = memchr(text, '\n', end - text), *body;
		bool sums = text[1] == '+';

		if (!line)
			return;
		body = line + 1;
		*line = '\0';
		next = body < end && *body == '=' ? body - 1 : memmem(body, end - body, "\n=", 2);
		next = next ? next + 1 : NULL;
		put_file(text + 3, sums, body, (next ? next : end) - body);
	}
}

static char *state_now(const struct store *s, size_t *len)
{
	char *path = state_path("state"), *text = NULL;
	struct diag diag = {};
	int fd_size;
	FILE *in;

	REQUIRE(!state_write(s, &diag), "%s", diag.message);
	in = fopen(path, "r");
	REQUIRE(in, "%s", path);
	text = malloc(1 << 20);
	fd_size = fread(text, 1, (1 << 20) - 1, in);
	text[fd_size] = '\0';
	*len = fd_size;
	fclose(in);
	free(path);
	diag_free(&diag);
	return text;
}

/* What was read, written and read again is written the same; ids are skipped where a journal is
 * gone. */
static void writes_the_same(struct store *s)
{
	struct store *again = NULL;
	struct diag diag = {};
	size_t len, twice_len;
	char *text = state_now(s, &len), *twice;

	REQUIRE(!journal_reset(s, &diag), "%s", diag.message);
	REQUIRE(!store_load(&again, &diag), "%s%s", text, diag.message);
	twice = state_now(again, &twice_len);
	REQUIRE(len == twice_len && !memcmp(text, twice, len), "%s---\n%s", text, twice);
	store_free(&again);
	free(twice);
	free(text);
	diag_free(&diag);
}

static void goes_back(struct store *s)
{
	struct store *previous = NULL;
	struct diag diag = {};
	int rc = store_load_previous(s, &previous, &diag);

	if (rc)
		fuzz_told(rc, &diag);
	else
		REQUIRE(!store_go_back(s, previous), "no memory");
	store_free(&previous);
	diag_free(&diag);
}

static void load(void)
{
	struct store *s = NULL;
	struct diag diag = {};
	int rc = store_load(&s, &diag);

	if (rc) {
		fuzz_told(rc, &diag);
		return;
	}
	rc = store_read_copies(s, &diag);
	if (rc)
		fuzz_told(rc, &diag);
	diag_free(&diag);
	goes_back(s);
	store_free(&s);
	diag = (struct diag){};
	REQUIRE(!store_load(&s, &diag), "%s", diag.message);
	writes_the_same(s);
	store_free(&s);
	diag_free(&diag);
}

static void salvage(void)
{
	struct store *s = NULL;
	struct diag diag = {};
	int rc = store_salvage(false, &s, &diag);

	if (rc && rc != -ENOENT)
		fuzz_told(rc, &diag);
	if (!rc && s->policy)
		for (size_t i = 0; i < s->policy->n; i++)
			free(fuzz_reads_back(s->policy->rules[i]));
	store_free(&s);
	diag_free(&diag);
}

static void known(void)
{
	struct policy *policy = NULL;
	struct diag diag = {};
	int rc = known_load("p", &policy, &diag);

	if (rc)
		fuzz_told(rc, &diag);
	policy_free(&policy);
	diag_free(&diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size > 1 << 16)
		return 0;
	for (int i = 0; i < 2; i++) {
		text = fuzz_text(data, size);
		fuzz_dir_empty(fuzz_dir());
		put_files(text, size);
		free(text);
		i ? load() : salvage();
	}
	known();
	return 0;
}
