// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policy files. The input is several files: the policy, then for each line "== NAME" the file of
 * that name, which the policy can include, or name as a list. A policy without flaws has a
 * canonical text that reads back as that policy; a flaw lies in its line.
 */
#include "fuzz.h"

#include <errno.h>

#include "fold.h"
#include "policy_text.h"
#include "spec.h"

#define MOST_FILES 8

struct files {
	int n;
	struct file {
		char *name, *text;
		size_t len;
	} v[MOST_FILES];
};

/* The text is cut in place. */
static void cut(char *text, size_t size, struct files *files)
{
	char *end = text + size, *at = text;

	*files = (struct files){ .n = 1, .v = { { "main", text, size } } };
	while (files->n < MOST_FILES && (at = memmem(at, end - at, "\n== ", 4))) {
		struct file *before = &files->v[files->n - 1];
		char *name = at + 4, *line = memchr(name, '\n', end - name);

		if (!line)
			return;
		before->len = at + 1 - before->text;
		*line = '\0';
		files->v[files->n++] = (struct file){ name, line + 1, end - line - 1 };
		at = line;
	}
}

static const struct file *find(const struct files *files, const char *name)
{
	for (int i = 1; i < files->n; i++)
		if (!strcmp(files->v[i].name, name))
			return &files->v[i];
	return NULL;
}

static int include(const char *from, const char *name, char **path, char **text, size_t *len,
	struct diag *diag, void *arg)
{
	const struct file *file = find(arg, name);

	if (!file)
		return diag_set(diag, DIAG_UNKNOWN, ENOENT, "there is no policy '%s'", name);
	REQUIRE(asprintf(path, "/p/%s.policy", name) > 0, "no memory");
	*text = fuzz_text(file->text, file->len);
	*len = file->len;
	return 0;
}

static int list(const char *from, struct end *end, struct diag *diag, void *arg)
{
	const struct file *file;
	char *path;
	int rc;

	if (end->kind != END_FILE || list_host(end->file))
		return 0;
	file = find(arg, end->file + (strncmp(end->file, "/p/", 3) ? 0 : 3));
	if (!file)
		return diag_set(diag, DIAG_USAGE, ENOENT, "there is no list '%s'", end->file);
	rc = spec_parse_list(file->name, file->text, file->len, &end->list, diag);
	if (rc || end->file[0] == '/')
		return rc;
	if (!text_is_printable(end->file))
		return diag_set(diag, DIAG_USAGE, EINVAL, "no name for a list");
	REQUIRE(asprintf(&path, "/p/%s", end->file) > 0, "no memory");
	free(end->file);
	end->file = path;
	return 0;
}

static struct policy_text *parse(const char *text, size_t len, struct files *files)
{
	const struct policy_reader reader = { include, list, files };
	struct policy_text *t = NULL;

	REQUIRE(!policy_text_parse(
			"/p/main.policy", fuzz_text(text, len), len, "main", &reader, &t),
		"no memory");
	return t;
}

static void policy_reads_back(const struct policy *policy, struct files *files)
{
	char *text = policy_text_print(policy), *again;
	struct policy_text *t = parse(text, strlen(text), files);

	REQUIRE(!t->n_flaws, "%s: %s", text, t->flaws[0].message);
	REQUIRE(t->policy->n == policy->n, "%s", text);
	again = policy_text_print(t->policy);
	REQUIRE(!strcmp(text, again), "%s---\n%s", text, again);
	free(again);
	free(text);
	policy_text_free(&t);
}

static void flaws_are_told(const struct policy_text *t)
{
	struct diag diag = {};

	for (size_t i = 0; i < t->n_flaws; i++) {
		const struct text_flaw *f = &t->flaws[i];

		REQUIRE(f->place.source < t->n_sources && f->place.line, "%s", f->message);
		REQUIRE(f->place.at <= t->sources[f->place.source].len, "%s", f->message);
		policy_text_diag(t, f, &diag);
		fuzz_told(-EINVAL, &diag);
		diag = (struct diag){};
	}
	if (t->n_flaws)
		fuzz_told(policy_text_fail(t, 3, &diag), &diag);
}

static char *same(const char *file, void *arg)
{
	return strdup(file);
}

/* Each rule goes out of the text, and comes back into it. */
static void folds(const char *text, const struct policy *policy)
{
	struct fold fold = { .policy = "main" };
	char *out = NULL;
	size_t len;

	for (size_t i = 0; i < policy->n && i < 4; i++)
		REQUIRE(!fold_add(&fold, i ? CHANGE_PUT : CHANGE_DEL, policy->rules[i]), "memory");
	fold.policy = strdup(fold.policy);
	REQUIRE(!fold_text(&fold, text, same, NULL, &out, &len), "no memory");
	REQUIRE(!out || strlen(out) == len, "%s", out);
	free(out);
	fold_free(&fold);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *first, *description = NULL;
	struct policy_text *t;
	struct files files;
	size_t rules;

	cut(text, size, &files);
	first = fuzz_text(files.v[0].text, files.v[0].len);
	t = parse(first, files.v[0].len, &files);
	flaws_are_told(t);
	if (!t->n_flaws)
		policy_reads_back(t->policy, &files);
	if (strlen(first) == files.v[0].len)
		folds(first, t->policy);
	REQUIRE(!policy_text_glance(first, &rules, &description), "no memory");
	free(description);
	policy_text_free(&t);
	free(first);
	free(text);
	return 0;
}
