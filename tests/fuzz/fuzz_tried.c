// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is attached on trial. The input is the file `tried`, behind a '+' with its checksum put
 * right, behind anything else as it is. What can be read says what it must, and written anew it is
 * the same; what cannot is told, and nothing is on trial then.
 */
#include "fuzz.h"

#include <errno.h>
#include <zlib.h>

#include "tried.h"
#include "tried_parts.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	setenv("BPFPOL_STATE_DIR", fuzz_dir(), 1);
	setenv("BPFPOL_CONF_DIR", fuzz_dir(), 1);
	return 0;
}

static void put(const uint8_t *data, size_t size)
{
	char path[96], *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	REQUIRE(out, "no memory");
	fwrite(data + 1, 1, size - 1, out);
	if (*data == '+')
		fprintf(out, "end %08lx\n", crc32(0, data + 1, size - 1));
	fclose(out);
	snprintf(path, sizeof(path), "%s/tried", fuzz_dir());
	fuzz_put(path, text, len);
	free(text);
}

static void says_what_it_must(const struct tried *t)
{
	REQUIRE(t->confirm.seconds && t->confirm.seconds <= CONFIRM_MOST, "no time");
	for (char **line = t->lines; *line; line++)
		REQUIRE(!strncmp(*line, "word ", 5) || !strncmp(*line, "tried ", 6) ||
				!strncmp(*line, "kept ", 5),
			"%s", *line);
}

static void saves_the_same(const struct tried *t)
{
	struct tried again;
	struct diag diag = {};
	size_t n = 0;

	REQUIRE(!tried_save(t, &diag), "%s", diag.message);
	REQUIRE(!tried_load(&again, &diag), "%s", diag.message);
	for (; t->lines[n] && again.lines[n]; n++)
		REQUIRE(!strcmp(t->lines[n], again.lines[n]), "%s", t->lines[n]);
	REQUIRE(!t->lines[n] && !again.lines[n], "%zu lines", n);
	REQUIRE(t->commit == again.commit, "rules %llu", (unsigned long long)again.commit);
	REQUIRE(!t->before == !again.before, "interfaces");
	REQUIRE(!t->before || !strcmp(t->before, again.before), "%s", t->before);
	REQUIRE(t->confirm.by.boot == again.confirm.by.boot &&
			t->confirm.by.real == again.confirm.by.real &&
			!strcmp(t->confirm.by.boot_id, again.confirm.by.boot_id),
		"the time");
	tried_free(&again);
	diag_free(&diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diag diag = {};
	struct tried t = {};
	char *before;
	uint64_t left;
	int rc;

	if (!size)
		return -1;
	fuzz_dir_empty(fuzz_dir());
	put(data, size);
	rc = tried_load(&t, &diag);
	REQUIRE(!tried_before(&before), "no memory");
	REQUIRE(!tried_left(&left), "it can be read");
	if (rc) {
		REQUIRE(rc == -EBADMSG, "%d", rc);
		fuzz_told(rc, &diag);
		REQUIRE(!before && !left, "what cannot be read is not on trial");
	} else {
		REQUIRE(!before == !!left, "its time is over, or it is not");
		REQUIRE(!before || !strcmp(before, t.before ? t.before : ""), "%s", before);
		says_what_it_must(&t);
		saves_the_same(&t);
	}
	free(before);
	tried_free(&t);
	diag_free(&diag);
	return 0;
}
