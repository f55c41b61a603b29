// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of rules that the policies' files have not seen yet. They are gathered while journal and
 * commands are applied, and written down as fold.N with commit N, so that a command that dies
 * between the commit and the file, or a file that cannot be written, loses none of them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "policy_text.h"
#include "spec.h"
#include "store_parts.h"
#include "stream.h"

#define FOLD_HEAD "bpfpol fold 1\n"

/* The fold of that policy's file, made if there is none. NULL: no memory. */
static struct fold *fold_of(struct store *s, const char *policy)
{
	struct fold *v;

	for (size_t i = 0; i < s->n_folds; i++)
		if (!strcmp(s->folds[i].policy, policy))
			return &s->folds[i];
	v = reallocarray(s->folds, s->n_folds + 1, sizeof(*v));
	if (!v)
		return NULL;
	s->folds = v;
	v += s->n_folds;
	*v = (struct fold){ .policy = strdup(policy) };
	if (!v->policy)
		return NULL;
	s->n_folds++;
	return v;
}

int fold_note_of(struct store *s, const char *policy, enum change_op op, const struct rule *rule)
{
	struct fold *fold = fold_of(s, policy);

	return fold ? fold_add(fold, op, rule) : -ENOMEM;
}

int fold_note(struct store *s, enum change_op op, struct rule *rule)
{
	rule->own_line |= op == CHANGE_PUT && policy_has_line(rule);
	return fold_note_of(s, s->policy->name, op, rule);
}

int store_throw_away(struct store *s, const char *policy)
{
	struct fold *fold = fold_of(s, policy);

	if (!fold)
		return -ENOMEM;
	fold_cut(fold, fold->n);
	free(fold->text);
	fold->text = NULL;
	fold->gone = true;
	return 0;
}

static int replace(struct store *s, const char *policy, const char *text)
{
	struct fold *fold = fold_of(s, policy);
	char *copy = fold ? strdup(text) : NULL;

	if (!copy)
		return -ENOMEM;
	free(fold->text);
	fold->text = copy;
	return 0;
}

/* What is in force stays so until the next assignment. */
static void end_timed(struct policy *policy)
{
	for (size_t i = 0; i < policy->n; i++)
		if (!policy_has_line(policy->rules[i]))
			policy->rules[i]->lifetime = LIFETIME_REPLACED;
}

int store_replace(struct store *s, const char *policy, const char *text)
{
	if (s->policy && !strcmp(s->policy->name, policy))
		end_timed(s->policy);
	return replace(s, policy, text);
}

static struct fold *find_gone(const struct store *s, const char *policy)
{
	for (size_t i = 0; s && i < s->n_folds; i++)
		if (s->folds[i].gone && !strcmp(s->folds[i].policy, policy))
			return &s->folds[i];
	return NULL;
}

bool store_is_gone(const struct store *s, const char *policy)
{
	return find_gone(s, policy);
}

void fold_bring_back(struct store *s, const char *policy)
{
	struct fold *fold = find_gone(s, policy);

	if (fold)
		fold->gone = false;
}

void fold_unnote(struct store *s)
{
	for (size_t i = 0; s->policy && i < s->n_folds; i++)
		if (!strcmp(s->folds[i].policy, s->policy->name))
			fold_cut(&s->folds[i], s->n_step);
}

int store_want_file(struct store *s)
{
	/* A fold without any change has a file that is gone written from all rules. */
	return s->policy && !fold_of(s, s->policy->name) ? -ENOMEM : 0;
}

static char *fold_path(uint64_t commit)
{
	return state_path("fold.%" PRIu64, commit);
}

static int take_change(struct store *s, const char *policy, enum change_op op, const char *line)
{
	const struct spec_opts opts = { .action = -1 };
	struct diag ignored = {};
	struct rule *rule = NULL;
	struct fold *fold = policy ? fold_of(s, policy) : NULL;
	int rc = policy ? spec_parse_line(line, &opts, &rule, &ignored) : -EBADMSG;

	diag_free(&ignored);
	if (!rc)
		rc = fold ? fold_add(fold, op, rule) : -ENOMEM;
	rule_free(&rule);
	return rc;
}

static int take_line(struct store *s, const char **policy, char *line)
{
	if (!strncmp(line, "policy ", 7)) {
		*policy = line + 7;
		return fold_of(s, *policy) ? 0 : -ENOMEM;
	}
	if (!strcmp(line, "gone") && *policy)
		return store_throw_away(s, *policy);
	if (!strncmp(line, "del ", 4))
		return take_change(s, *policy, CHANGE_DEL, line + 4);
	/* `add` is an older version's. */
	if (!strncmp(line, "set ", 4) || !strncmp(line, "add ", 4))
		return take_change(s, *policy, CHANGE_PUT, line + 4);
	return -EBADMSG;
}

/* Its bytes follow the line, which says how many. *end: the newline behind what was read. */
static int take_file(struct store *s, const char *policy, const char *bytes, char **end)
{
	char *from = *end + 1;
	size_t n;

	if (!policy || sscanf(bytes, "%zu", &n) != 1 || n > strlen(from) || from[n] != '\n')
		return -EBADMSG;
	from[n] = '\0';
	*end = from + n;
	return replace(s, policy, from);
}

static int take_text(struct store *s, char *text, size_t len)
{
	const char *policy = NULL;
	int rc = 0;

	if (sum_check(text, len) || strncmp(text, FOLD_HEAD, strlen(FOLD_HEAD)))
		return -EBADMSG;
	text += strlen(FOLD_HEAD);
	for (char *line = text, *end; (end = strchr(line, '\n')) && !rc; line = end + 1) {
		*end = '\0';
		rc = strncmp(line, "text ", 5) ? take_line(s, &policy, line)
					       : take_file(s, policy, line + 5, &end);
	}
	return rc;
}

int fold_load(struct store *s, struct diag *diag)
{
	char *path = fold_path(s->commit), *text = NULL;
	size_t len;
	int rc = path ? file_read(path, &text, &len, diag) : -ENOMEM;

	if (!rc) {
		s->untidy = true;
		rc = take_text(s, text, len);
	}
	for (size_t i = 0; i < s->n_folds; i++)
		s->folds[i].waiting = s->folds[i].n;
	if (rc && rc != -ENOENT && rc != -ENOMEM) {
		if (diag->kind == DIAG_NONE)
			diag_set(diag, DIAG_SYSTEM, EBADMSG, "%s is damaged", path);
		diag_to_warning(diag, "the policy's file may not show the last changes");
		rc = 0; /* what is in force is not in doubt */
	}
	free(text);
	free(path);
	return rc == -ENOENT ? 0 : rc;
}

static int put_fold(FILE *out, const struct fold *fold, bool *any)
{
	static const char *const ops[] = { [CHANGE_PUT] = "set", [CHANGE_DEL] = "del" };
	struct change *v;
	bool named;
	size_t n;
	int rc = fold_net(fold, &v, &n);

	if (rc)
		return rc;
	named = n || fold->gone || fold->text || policy_file_is_gone(fold->policy);
	if (named)
		fprintf(out, "policy %s\n%s", fold->policy, fold->gone ? "gone\n" : "");
	if (fold->text)
		fprintf(out, "text %zu\n%s\n", strlen(fold->text), fold->text);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s %s\n", ops[v[i].op], v[i].line ? v[i].line : v[i].text);
	*any |= named;
	free(v);
	return 0;
}

/* waiting: of each fold only what waits. */
static int save(const struct store *s, bool waiting, struct diag *diag)
{
	char *path = fold_path(s->commit), *text = NULL;
	size_t len;
	FILE *out = path ? stream_open(&text, &len) : NULL;
	bool any = false;
	int rc = out ? 0 : -ENOMEM;

	if (out)
		fputs(FOLD_HEAD, out);
	for (size_t i = 0; i < s->n_folds && !rc; i++) {
		struct fold fold = s->folds[i];

		if (waiting && fold.n > fold.waiting)
			fold.n = fold.waiting;
		rc = put_fold(out, &fold, &any);
	}
	if (out) {
		sum_put(out, &text, &len);
		if (stream_close(out))
			rc = -ENOMEM;
	}
	/* One that is there is of a commit of that number that failed. */
	if (!rc)
		rc = any ? file_write(path, text, len, diag) : file_remove(path, diag);
	free(text);
	free(path);
	return rc;
}

int fold_save(const struct store *s, struct diag *diag)
{
	return save(s, false, diag);
}

int fold_save_waiting(const struct store *s, struct diag *diag)
{
	return save(s, true, diag);
}
