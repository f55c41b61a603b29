// SPDX-License-Identifier: GPL-2.0-only
/*
 * NAME.policy: the text that people read and edit. Changes of single rules are folded into it, and
 * no other line is touched.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "policy_text.h"
#include "spec.h"
#include "store_parts.h"

/* A fold on its way into a text. */
struct folding {
	struct change *v; /* sorted by text */
	size_t n;
	bool *found;	 /* a line for it stands in the text */
	const char *dir; /* that the text's lists lie in */
	bool labelled;	 /* a `rule "LABEL"` holds at this line */
	bool crlf;	 /* lines end as on Windows */
	FILE *out;
};

static char *policies_dir(void)
{
	return path_join(dirs_get()->conf, "policies");
}

static char *policy_path(const char *name)
{
	return path_join(dirs_get()->conf, "policies/%s.policy", name);
}

/* In the text lists may be named from its directory on, in the store they are absolute. */
static void absolute_list(const struct folding *f, struct end *end)
{
	char *beside, *path;

	if (end->kind != END_FILE || end->file[0] == '/')
		return;
	beside = path_join(f->dir, "%s", end->file);
	path = beside ? realpath(beside, NULL) : NULL;
	if (!path)
		path = beside;
	else
		free(beside);
	if (path) {
		free(end->file);
		end->file = path;
	}
}

static int by_text(const void *key, const void *entry)
{
	return strcmp(key, ((const struct change *)entry)->text);
}

/* The change that speaks of the rule on this line; NULL: none does. */
static struct change *find_change(const struct folding *f, const char *line)
{
	const struct spec_opts opts = { .action = -1 };
	struct change *at = NULL;
	struct diag ignored = {};
	struct rule *rule = NULL;
	char *text;

	if (!spec_parse_line(line, &opts, &rule, &ignored)) {
		absolute_list(f, &rule->from);
		absolute_list(f, &rule->to);
		text = spec_text(rule, SPEC_ACTION | SPEC_MATCH);
		if (text)
			at = bsearch(text, f->v, f->n, sizeof(*f->v), by_text);
		free(text);
	}
	rule_free(&rule);
	diag_free(&ignored);
	return at;
}

/* A line may be `rule "LABEL"`, or rule "" that ends the label. */
static void note_label(struct folding *f, const char *line)
{
	char label[3];

	if (sscanf(line, " rule \"%2[^\n]", label) == 1)
		f->labelled = label[0] != '"';
}

/* What follows the rule on its line: blanks and a comment. "" for none. */
static const char *comment_of(const char *line)
{
	const char *end = line;
	bool quoted = false;

	for (const char *c = line; *c; c++) {
		bool blank = *c == ' ' || *c == '\t';

		if (*c == '\\' && quoted && c[1])
			c++;
		else if (*c == '"')
			quoted = !quoted;
		else if (*c == '#' && !quoted && (c == line || c[-1] == ' ' || c[-1] == '\t'))
			return end;
		if (!blank || quoted)
			end = c + 1;
	}
	return end;
}

static void put_changed(const struct folding *f, const struct change *c, const char *line)
{
	int indent = strspn(line, " \t");

	fprintf(f->out, "%.*s%s%s\n", indent, line, c->line, comment_of(line));
}

static void fold_line(struct folding *f, const char *line)
{
	struct change *c = find_change(f, line);

	if (!c) {
		note_label(f, line);
		fprintf(f->out, "%s\n", line);
		return;
	}
	if (c->op == CHANGE_DEL)
		return;
	f->found[c - f->v] = true;
	/* A line that was written by hand keeps its wording, unless its options changed. */
	if (c->op == CHANGE_SET)
		put_changed(f, c, line);
	else
		fprintf(f->out, "%s\n", line);
}

/* Rules without a label of their own must not get that of the lines above. */
static void put_new(struct folding *f, const char *line)
{
	const char *end = f->crlf ? "\r\n" : "\n";

	if (f->labelled && !strstr(line, " name \"")) {
		fprintf(f->out, "rule \"\"%s", end);
		f->labelled = false;
	}
	fprintf(f->out, "%s%s", line, end);
}

static void fold_text(struct folding *f, char *text)
{
	char *end = strchr(text, '\n');

	f->crlf = end && end > text && end[-1] == '\r';
	for (char *line = text; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end) {
			fold_line(f, line);
			break;
		}
		*end = '\0';
		fold_line(f, line);
	}
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].line && !f->found[i])
			put_new(f, f->v[i].line);
}

#define NEW_HEAD                                                                                   \
	"# Commands add rules to this file and take them out; the rest of it is yours. After an\n" \
	"# edit 'bpfpol policy assign NAME' puts it in force.\n"

static int write_whole(const struct fold *fold, const struct policy *policy, struct folding *f)
{
	char *text;

	fputs(NEW_HEAD, f->out);
	if (!policy || strcmp(policy->name, fold->policy)) {
		fprintf(f->out, "policy \"%s\"\n\n", fold->policy);
		fold_text(f, (char[]){ "" });
		return 0;
	}
	text = policy_text_print(policy);
	if (!text)
		return -ENOMEM;
	fputs(text, f->out);
	free(text);
	return 0;
}

static int fold_into(
	const struct fold *fold, const struct policy *policy, char *old, char **text, size_t *len)
{
	struct folding f = { .dir = dirs_get()->conf };
	char *dir = policies_dir();
	int rc = dir ? fold_net(fold, &f.v, &f.n) : -ENOMEM;

	if (!rc) {
		f.dir = dir;
		f.found = calloc(f.n + 1, sizeof(*f.found));
		f.out = f.found ? open_memstream(text, len) : NULL;
		rc = f.out ? 0 : -ENOMEM;
	}
	if (!rc) {
		if (old)
			fold_text(&f, old);
		else
			rc = write_whole(fold, policy, &f);
		if (fclose(f.out))
			rc = -ENOMEM;
		if (rc)
			free(*text);
	}
	free(f.found);
	free(f.v);
	free(dir);
	return rc;
}

static bool is_empty(const struct fold *fold)
{
	struct change *v = NULL;
	size_t n = 1;

	if (!fold->n)
		return true;
	if (!fold_net(fold, &v, &n))
		free(v);
	return !n;
}

int policy_file_fold(const struct fold *fold, const struct policy *policy, char **text, size_t *len,
	struct diag *diag)
{
	char *path, *old = NULL;
	size_t old_len;
	int rc;

	*text = NULL;
	if (is_empty(fold))
		return 0;
	path = policy_path(fold->policy);
	rc = path ? file_read(path, &old, &old_len, diag) : -ENOMEM;
	if (!rc || rc == -ENOENT)
		rc = fold_into(fold, policy, old, text, len);
	free(old);
	free(path);
	return rc;
}

static int make_dirs(struct diag *diag)
{
	char *dir = policies_dir();
	int rc = dir ? dir_make(dirs_get()->conf, diag) : -ENOMEM;

	if (!rc)
		rc = dir_make(dir, diag);
	free(dir);
	return rc;
}

int policy_file_write(const char *name, const char *text, size_t len, struct diag *diag)
{
	char *path = policy_path(name), *old = NULL;
	size_t old_len;
	int rc = path ? make_dirs(diag) : -ENOMEM;

	if (!rc)
		rc = file_read(path, &old, &old_len, diag);
	if (rc == -ENOENT || (!rc && (old_len != len || memcmp(old, text, len))))
		rc = file_write(path, text, len, diag);
	free(old);
	free(path);
	return rc;
}
