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

#define FOLD_HEAD "bpfpol fold 1\n"

static void change_free(struct change *c)
{
	free(c->text);
	free(c->line);
}

void fold_free(struct fold *fold)
{
	for (size_t i = 0; i < fold->n; i++)
		change_free(&fold->v[i]);
	free(fold->v);
	free(fold->policy);
}

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

/* Takes the change over. */
static int fold_add(struct fold *fold, struct change *change)
{
	if (!fold || !change->text) {
		change_free(change);
		return -ENOMEM;
	}
	if (fold->n == fold->room) {
		size_t room = fold->room ? fold->room * 2 : 16;
		struct change *more = reallocarray(fold->v, room, sizeof(*more));

		if (!more) {
			change_free(change);
			return -ENOMEM;
		}
		fold->v = more;
		fold->room = room;
	}
	fold->v[fold->n++] = *change;
	return 0;
}

int fold_note(struct store *s, enum change_op op, const struct rule *rule)
{
	struct change c = { .op = op, .text = spec_text(rule, SPEC_ACTION | SPEC_MATCH) };

	if (op != CHANGE_DEL && policy_has_line(rule)) {
		c.line = policy_rule_line(rule);
		if (!c.line) {
			free(c.text);
			return -ENOMEM;
		}
	}
	return fold_add(fold_of(s, s->policy->name), &c);
}

static int by_text(const void *a, const void *b)
{
	const struct change *const *x = a, *const *y = b;
	int order = strcmp((*x)->text, (*y)->text);

	return order ? order : *x < *y ? -1 : *x > *y;
}

/*
 * What two changes of one rule come to. A timed rule has no line: its coming and going leaves the
 * file alone, but a line that went before stays away.
 */
static void follow(struct change *first, const struct change *then)
{
	if (then->op == CHANGE_DEL) {
		*first = *then;
	} else if (then->line) {
		/* A line that went and came back is worded as it came. */
		bool anew = then->op == CHANGE_SET || first->op != CHANGE_ADD;

		*first = *then;
		first->op = anew ? CHANGE_SET : CHANGE_ADD;
	}
}

int fold_net(const struct fold *fold, struct change **out, size_t *n)
{
	const struct change **v = malloc((fold->n + 1) * sizeof(*v));
	struct change *net = malloc((fold->n + 1) * sizeof(*net));
	size_t kept = 0;

	if (!v || !net) {
		free(v);
		free(net);
		return -ENOMEM;
	}
	for (size_t i = 0; i < fold->n; i++)
		v[i] = &fold->v[i];
	if (fold->n)
		qsort(v, fold->n, sizeof(*v), by_text);
	for (size_t i = 0; i < fold->n; i++) {
		if (kept && !strcmp(net[kept - 1].text, v[i]->text))
			follow(&net[kept - 1], v[i]);
		else if (v[i]->op == CHANGE_DEL || v[i]->line)
			net[kept++] = *v[i];
	}
	free(v);
	*out = net;
	*n = kept;
	return 0;
}

static char *fold_path(uint64_t commit)
{
	return state_path("fold.%" PRIu64, commit);
}

static int take_change(struct store *s, const char *policy, enum change_op op, const char *line)
{
	const struct spec_opts opts = { .action = -1 };
	struct change c = { .op = op };
	struct diag ignored = {};
	struct rule *rule = NULL;
	int rc = policy ? spec_parse_line(line, &opts, &rule, &ignored) : -EBADMSG;

	diag_free(&ignored);
	if (!rc) {
		c.text = spec_text(rule, SPEC_ACTION | SPEC_MATCH);
		c.line = op == CHANGE_DEL ? NULL : strdup(line);
		rule_free(&rule);
		rc = op != CHANGE_DEL && !c.line ? -ENOMEM : 0;
		if (rc)
			free(c.text);
	}
	return rc ? rc : fold_add(fold_of(s, policy), &c);
}

static int take_line(struct store *s, const char **policy, char *line)
{
	static const char *const ops[] = { "add ", "del ", "set " };

	if (!strncmp(line, "policy ", 7)) {
		*policy = line + 7;
		return 0;
	}
	for (int op = CHANGE_ADD; op <= CHANGE_SET; op++)
		if (!strncmp(line, ops[op], 4))
			return take_change(s, *policy, op, line + 4);
	return -EBADMSG;
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
		rc = take_line(s, &policy, line);
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
	static const char *const ops[] = { "add", "del", "set" };
	struct change *v;
	size_t n;
	int rc = fold_net(fold, &v, &n);

	if (rc)
		return rc;
	if (n)
		fprintf(out, "policy %s\n", fold->policy);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s %s\n", ops[v[i].op], v[i].line ? v[i].line : v[i].text);
	*any |= n > 0;
	free(v);
	return 0;
}

int fold_save(const struct store *s, struct diag *diag)
{
	char *path = fold_path(s->commit), *text = NULL;
	size_t len;
	FILE *out = path ? open_memstream(&text, &len) : NULL;
	bool any = false;
	int rc = out ? 0 : -ENOMEM;

	if (out)
		fputs(FOLD_HEAD, out);
	for (size_t i = 0; i < s->n_folds && !rc; i++)
		rc = put_fold(out, &s->folds[i], &any);
	if (out) {
		sum_put(out, &text, &len);
		if (fclose(out))
			rc = -ENOMEM;
	}
	if (!rc && any)
		rc = file_write(path, text, len, diag);
	free(text);
	free(path);
	return rc;
}
