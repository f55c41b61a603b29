// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address lists: the user's files, and the copies of them that boot uses. A copy has a head and a
 * sum, which stand in comments: an older version reads past them, and what it has written has
 * neither.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "dirs.h"
#include "spec.h"
#include "store_parts.h"

#define COPY_HEAD "# bpfpol list 1\n"
#define COPY_END 15 /* characters of "# end 01234567\n" */

static char *copy_path(const struct rule *rule, const char *side)
{
	return path_join(
		dirs_get()->state, "lists/%" PRIu32 ".%" PRIu64 ".%s", rule->id, rule->lists, side);
}

/* The sum is of all before "end", as sum_check() wants it. */
static void put(FILE *out, const char *text, uint32_t *sum)
{
	*sum = crc32(*sum, (const Bytef *)text, strlen(text));
	fputs(text, out);
}

static void write_list(FILE *out, const void *arg)
{
	const struct prefixes *list = arg;
	uint32_t sum = crc32(0, NULL, 0);
	char buf[64];

	put(out, COPY_HEAD, &sum);
	for (size_t i = 0; i < list->n && !ferror(out); i++) {
		spec_prefix_text(&list->v[i], buf, sizeof(buf) - 1);
		strcat(buf, "\n");
		put(out, buf, &sum);
	}
	put(out, "# ", &sum);
	fprintf(out, "end %08" PRIx32 "\n", sum);
}

static int save(const struct end *end, const struct rule *rule, const char *side, struct diag *diag)
{
	char *path;
	int rc;

	if (end->kind != END_FILE)
		return 0;
	path = copy_path(rule, side);
	rc = path ? file_write_by(path, write_list, &end->list, diag) : -ENOMEM;
	free(path);
	return rc;
}

int lists_save(const struct rule *rule, struct diag *diag)
{
	char *dir = state_path("lists");
	int rc = dir ? 0 : -ENOMEM;

	if (!rc && (rule->from.kind == END_FILE || rule->to.kind == END_FILE))
		rc = dir_make(dir, diag);
	if (!rc)
		rc = save(&rule->from, rule, "from", diag);
	if (!rc)
		rc = save(&rule->to, rule, "to", diag);
	free(dir);
	return rc;
}

static int read_list(const char *path, struct prefixes *list, struct diag *diag)
{
	char *text;
	size_t len;
	int rc = file_read(path, &text, &len, diag);

	if (rc)
		return rc;
	rc = spec_parse_list(path, text, len, list, diag);
	free(text);
	return rc;
}

/* Whether it has a sum, or had one before it was cut. */
static bool copy_is_summed(const char *text, size_t len)
{
	size_t head = len < strlen(COPY_HEAD) ? len : strlen(COPY_HEAD);

	return !strncmp(text, COPY_HEAD, head) ||
	       (len >= COPY_END && !strncmp(text + len - COPY_END, "# end ", 6));
}

/* -EBADMSG without a diag: it is not what was written. */
static int read_copy(const char *path, struct prefixes *list, struct diag *diag)
{
	struct diag ignored = {};
	char *text;
	size_t len;
	int rc = kept_read(path, &text, &len, diag);

	if (rc)
		return rc;
	if (copy_is_summed(text, len)) {
		rc = sum_check(text, len) ? -EBADMSG : 0;
		len = strlen(text);
	}
	if (!rc && spec_parse_list(path, text, len, list, &ignored))
		rc = ignored.kind ? -EBADMSG : -ENOMEM;
	diag_free(&ignored);
	free(text);
	return rc;
}

static int load(struct end *end, const struct rule *rule, const char *side, struct diag *diag)
{
	char *path;
	int rc;

	if (end->kind != END_FILE)
		return 0;
	path = copy_path(rule, side);
	rc = path ? read_copy(path, &end->list, diag) : -ENOMEM;
	if (rc == -ENOENT || rc == -EBADMSG)
		rc = diag_set(diag, DIAG_SYSTEM, EBADMSG,
			"%s, the copy of the list %s%s of rule %" PRIu32
			", is %s; 'bpfpol restore' reads the list itself again",
			path, list_host(end->file) ? "" : "@", end->file, rule->id,
			rc == -ENOENT ? "gone" : "damaged");
	free(path);
	return rc;
}

int lists_load(struct rule *rule, struct diag *diag)
{
	int rc = load(&rule->from, rule, "from", diag);

	return rc ? rc : load(&rule->to, rule, "to", diag);
}

static bool is_copy(const struct policy *policy, uint32_t id, uint64_t lists)
{
	ptrdiff_t at = policy ? policy_find_id(policy, id) : -1;

	return at >= 0 && policy->rules[at]->lists == lists;
}

/* Calls fn for each copy that is none of the policy's, until it returns true. */
static void each_left(
	const struct policy *policy, bool (*fn)(int dir, const char *name, void *arg), void *arg)
{
	char *dir = state_path("lists");
	DIR *d = dir ? opendir(dir) : NULL;
	struct dirent *entry;
	bool stop = false;

	while (d && !stop && (entry = readdir(d))) {
		uint64_t lists;
		uint32_t id;

		if (sscanf(entry->d_name, "%" SCNu32 ".%" SCNu64 ".", &id, &lists) == 2 &&
			!is_copy(policy, id, lists))
			stop = fn(dirfd(d), entry->d_name, arg);
	}
	if (d)
		closedir(d);
	free(dir);
}

static bool note_left(int dir, const char *name, void *arg)
{
	(void)dir;
	(void)name;
	*(bool *)arg = true;
	return true;
}

bool lists_left(const struct policy *policy)
{
	bool left = false;

	each_left(policy, note_left, &left);
	return left;
}

static bool sweep_left(int dir, const char *name, void *arg)
{
	uint64_t lists;
	uint32_t id;

	if (sscanf(name, "%" SCNu32 ".%" SCNu64 ".", &id, &lists) == 2 && !is_copy(arg, id, lists))
		unlinkat(dir, name, 0);
	return false;
}

void lists_sweep(const struct policy *policy, const struct policy *previous)
{
	each_left(policy, sweep_left, (void *)previous);
}

/* A rule outlives the directory that it was typed in, so the path becomes absolute. */
static char *absolute_path(const char *dir, const char *file, struct diag *diag)
{
	char *beside = dir && file[0] != '/' ? path_join(dir, "%s", file) : strdup(file);
	char *path = beside ? realpath(beside, NULL) : NULL;

	if (beside && !path)
		diag_set(diag, DIAG_USAGE, errno,
			"cannot read the address list '%s': %s; give the "
			"path of a file with one address or prefix a line",
			beside, strerror(errno));
	free(beside);
	return path;
}

static int read_end(const char *dir, struct end *end, struct names *names, struct diag *diag)
{
	const char *host = list_host(end->file);
	char *path;
	int rc;

	if (host)
		return names_read(names, host, &end->list, diag);
	path = absolute_path(dir, end->file, diag);
	if (!path)
		return diag->kind == DIAG_NONE ? -ENOMEM : -EINVAL;
	rc = read_list(path, &end->list, diag);
	if (rc && rc != -ENOMEM)
		diag->kind = DIAG_USAGE;
	if (!rc && !text_is_printable(path))
		rc = diag_set(diag, DIAG_USAGE, EINVAL,
			"the path of the address list '%s' holds characters that cannot be written "
			"down; copy the list to a place with a plain name",
			end->file);
	if (rc) {
		free(path);
		return rc;
	}
	free(end->file);
	end->file = path;
	return 0;
}

/* What is wrong in the list has a place there; all else is shown at the word that names it. */
int store_read_list(const char *dir, struct end *end, struct names *names, struct diag *diag)
{
	char *word;
	int rc;

	if (end->kind != END_FILE)
		return 0;
	rc = read_end(dir, end, names, diag);
	if (!rc || diag->kind != DIAG_USAGE || diag->file[0])
		return rc;
	if (asprintf(&word, "%s%s", list_host(end->file) ? "" : "@", end->file) < 0)
		return -ENOMEM;
	diag_place_word(diag, word);
	free(word);
	return rc;
}

int store_read_lists(struct rule *rule, struct names *names, struct diag *diag)
{
	int rc = store_read_list(NULL, &rule->from, names, diag);

	return rc ? rc : store_read_list(NULL, &rule->to, names, diag);
}

/* The old contents stay with the rule of which the copies are made. */
static int look_up_again(struct rule *rule, struct names *names, bool *changed, struct diag *diag)
{
	struct rule *now = NULL;
	int rc = rule_copy(rule, &now);

	if (!rc)
		rc = store_read_lists(now, names, diag);
	if (!rc && !rule_same_lists(rule, now)) {
		struct prefixes from = rule->from.list, to = rule->to.list;

		rule->from.list = now->from.list;
		rule->to.list = now->to.list;
		now->from.list = from;
		now->to.list = to;
		rule->lists = 0;
		*changed = true;
	}
	rule_free(&now);
	return rc;
}

int store_look_up(struct store *s, bool *changed, struct diag *diag)
{
	int rc = 0;

	*changed = false;
	for (size_t i = 0; i < s->policy->n && !rc; i++)
		if (rule_has_host(s->policy->rules[i]))
			rc = look_up_again(s->policy->rules[i], s->names, changed, diag);
	s->changed |= *changed;
	return rc;
}
