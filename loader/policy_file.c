// SPDX-License-Identifier: GPL-2.0-only
/* NAME.policy: the text that people read and edit. Only lines that changed are touched. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "spec.h"
#include "store_parts.h"

/* The last change of each text decides. Sorted by text. */
struct wanted {
	const struct change **v;
	size_t n;
	bool *found; /* a line for it stands in the file */
};

static int by_text(const void *a, const void *b)
{
	const struct change *const *x = a, *const *y = b;
	int order = strcmp((*x)->text, (*y)->text);

	return order ? order : *x < *y ? -1 : *x > *y;
}

static int by_text_only(const void *key, const void *entry)
{
	return strcmp(key, (*(const struct change *const *)entry)->text);
}

static int wanted_make(const struct store *s, struct wanted *w)
{
	size_t n = s->n_changes, kept = 0;

	*w = (struct wanted){
		.v = malloc((n + 1) * sizeof(*w->v)),
		.found = calloc(n + 1, sizeof(*w->found)),
	};
	if (!w->v || !w->found)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		w->v[i] = &s->changes[i];
	if (n)
		qsort(w->v, n, sizeof(*w->v), by_text);
	for (size_t i = 0; i < n; i++) {
		if (kept && !strcmp(w->v[kept - 1]->text, w->v[i]->text))
			w->v[kept - 1] = w->v[i];
		else
			w->v[kept++] = w->v[i];
	}
	w->n = kept;
	return 0;
}

static void wanted_free(struct wanted *w)
{
	free(w->v);
	free(w->found);
}

/* The change that speaks of the rule on this line; NULL: none does. */
static const struct change **find_change(const struct wanted *w, const char *line)
{
	const struct spec_opts opts = { .action = -1 };
	const struct change **at = NULL;
	struct diag ignored = {};
	struct rule *rule = NULL;
	char *text;

	if (!spec_parse_line(line, &opts, &rule, &ignored)) {
		text = spec_text(rule, SPEC_ACTION | SPEC_MATCH);
		if (text)
			at = bsearch(text, w->v, w->n, sizeof(*w->v), by_text_only);
		free(text);
	}
	rule_free(&rule);
	diag_free(&ignored);
	return at;
}

static void fold_line(struct wanted *w, const char *line, FILE *out)
{
	const struct change **at = find_change(w, line);

	if (!at) {
		fprintf(out, "%s\n", line);
		return;
	}
	if (!(*at)->line)
		return;
	/* A line that was written by hand keeps its wording, unless its options changed. */
	fprintf(out, "%s\n", (*at)->op == CHANGE_SET ? (*at)->line : line);
	w->found[at - w->v] = true;
}

static void fold_text(struct wanted *w, char *text, FILE *out)
{
	for (char *line = text, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end) {
			fold_line(w, line, out);
			break;
		}
		*end = '\0';
		fold_line(w, line, out);
	}
}

static int write_whole(const struct policy *policy, FILE *out)
{
	fprintf(out,
		"# Written by bpfpol: the rules as of its last commit. Single changes since then "
		"wait\n"
		"# in its journal; timed rules are kept elsewhere. It is not read back yet.\n"
		"policy \"%s\"\n\n",
		policy->name);
	for (size_t i = 0; i < policy->n; i++) {
		char *line = policy->rules[i]->deadline ? strdup("")
							: spec_text(policy->rules[i], SPEC_ALL);

		if (!line)
			return -ENOMEM;
		if (*line)
			fprintf(out, "%s\n", line);
		free(line);
	}
	return 0;
}

static int fold_into(const struct store *s, char *text, FILE *out)
{
	struct wanted w;
	int rc = wanted_make(s, &w);

	if (!rc) {
		fold_text(&w, text, out);
		for (size_t i = 0; i < w.n; i++)
			if (w.v[i]->line && !w.found[i])
				fprintf(out, "%s\n", w.v[i]->line);
	}
	wanted_free(&w);
	return rc;
}

/*
 * state/fold holds the text of the last commit until it stands in NAME.policy: "COMMIT\n", then
 * the text. -ENOENT: none, or of a commit that was not made.
 */
static int fold_read(const struct store *s, char **text, struct diag *diag)
{
	char *path = state_path("fold"), *whole = NULL, *body;
	uint64_t commit;
	size_t len;
	int rc = path ? file_read(path, &whole, &len, diag) : -ENOMEM;

	if (!rc) {
		body = strchr(whole, '\n');
		if (!body || sscanf(whole, "%" SCNu64, &commit) != 1 || commit != s->commit)
			rc = -ENOENT;
		else
			*text = strdup(body + 1);
		if (!rc && !*text)
			rc = -ENOMEM;
	}
	free(whole);
	free(path);
	return rc;
}

static char *policy_path(const struct store *s)
{
	return path_join(dirs_get()->conf, "policies/%s.policy", s->policy->name);
}

/* The file as it would be, had the last commit come to its end. */
static int current_text(const struct store *s, char **text, struct diag *diag)
{
	char *path = policy_path(s);
	size_t len;
	int rc = path ? fold_read(s, text, diag) : -ENOMEM;

	if (rc == -ENOENT)
		rc = file_read(path, text, &len, diag);
	free(path);
	return rc;
}

static int make_dirs(struct diag *diag)
{
	char *dir = path_join(dirs_get()->conf, "policies");
	int rc = dir ? dir_make(dirs_get()->conf, diag) : -ENOMEM;

	if (!rc)
		rc = dir_make(dir, diag);
	free(dir);
	return rc;
}

int policy_file_text(const struct store *s, char **text, size_t *len, struct diag *diag)
{
	char *old = NULL;
	FILE *out;
	int rc;

	if (!s->policy)
		return 0;
	rc = make_dirs(diag);
	if (!rc)
		rc = current_text(s, &old, diag);
	if (rc && rc != -ENOENT)
		return rc;
	out = open_memstream(text, len);
	rc = !out ? -ENOMEM : old ? fold_into(s, old, out) : write_whole(s->policy, out);
	if (out && fclose(out))
		rc = -ENOMEM;
	free(old);
	return rc;
}

int policy_file_prepare(const struct store *s, const char *text, size_t len, struct diag *diag)
{
	char *path = state_path("fold"), *whole = NULL;
	int head = asprintf(&whole, "%" PRIu64 "\n%s", s->commit, text);
	int rc = path && head > 0 ? file_write(path, whole, head, diag) : -ENOMEM;

	(void)len;
	if (head > 0)
		free(whole);
	free(path);
	return rc;
}

int policy_file_finish(const struct store *s, const char *text, size_t len, struct diag *diag)
{
	char *path = policy_path(s), *fold = state_path("fold"), *old = NULL;
	size_t old_len;
	int rc = path && fold ? file_read(path, &old, &old_len, diag) : -ENOMEM;

	if (rc == -ENOENT || (!rc && (old_len != len || memcmp(old, text, len))))
		rc = file_write(path, text, len, diag);
	if (!rc)
		rc = file_remove(fold, diag);
	free(old);
	free(fold);
	free(path);
	return rc;
}
