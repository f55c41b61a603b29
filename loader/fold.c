// SPDX-License-Identifier: GPL-2.0-only
#include "fold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_text.h"
#include "spec.h"
#include "stream.h"

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
	*fold = (struct fold){};
}

static int make_room(struct fold *fold)
{
	size_t room = fold->room ? fold->room * 2 : 16;
	struct change *more;

	if (fold->n < fold->room)
		return 0;
	more = reallocarray(fold->v, room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	fold->v = more;
	fold->room = room;
	return 0;
}

int fold_add(struct fold *fold, enum change_op op, const struct rule *rule)
{
	bool has_line = op != CHANGE_DEL && policy_has_line(rule);
	struct change c = { .op = op, .label = rule->label };
	int rc = make_room(fold);

	c.text = spec_text(rule, SPEC_ACTION | SPEC_MATCH);

	if (has_line)
		c.line = policy_rule_line(rule);
	if (!rc && (!c.text || (has_line && !c.line)))
		rc = -ENOMEM;
	if (rc)
		change_free(&c);
	else
		fold->v[fold->n++] = c;
	return rc;
}

static int by_text_and_age(const void *a, const void *b)
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
		qsort(v, fold->n, sizeof(*v), by_text_and_age);
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

/* A fold on its way into a text. */
struct folding {
	struct change *v; /* sorted by text */
	size_t n;
	bool *found; /* a line for it stands in the text */
	char *(*absolute)(const char *file, void *arg);
	void *arg;
	bool labelled;	  /* a `rule "LABEL"` holds at this line */
	bool crlf;	  /* lines end as on Windows */
	const char *held; /* a line `rule ""` of which it is not known yet whether it stays */
	bool emptied;	  /* lines after that one have gone, and no other has come */
	FILE *out;
};

/* In the text lists may be named from its directory on, in the store they are absolute. */
static void absolute_list(const struct folding *f, struct end *end)
{
	char *path;

	if (end->kind != END_FILE || end->file[0] == '/' || list_host(end->file))
		return;
	path = f->absolute(end->file, f->arg);
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

/* A line may be `rule "LABEL"`, or rule "" that ends the label: then true. */
static bool note_label(struct folding *f, const char *line)
{
	char label[2];

	if (sscanf(line, " rule \"%1[^\n]", label) != 1)
		return false;
	f->labelled = label[0] != '"';
	return !f->labelled;
}

/* What follows the rule on its line: blanks and a comment. "" for none. */
static const char *comment_of(const char *line)
{
	const char *end = line;
	bool quoted = false;

	for (const char *c = line; *c; c++) {
		bool blank = *c == ' ' || *c == '\t' || *c == '\r';

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

/* A rule without a label of its own must not get that of the lines above. */
static bool caught(const struct folding *f, const struct change *c)
{
	return f->labelled && !c->label;
}

/* What cannot stand here as it is to be goes to the end. */
static bool drops(const struct folding *f, const struct change *c)
{
	return c->op == CHANGE_DEL || (c->op == CHANGE_SET && caught(f, c));
}

/* A `rule ""` that stood before nothing but lines that go, goes with them. */
static void put_held(struct folding *f, bool last)
{
	if (f->held && !(last && f->emptied))
		fprintf(f->out, "%s\n", f->held);
	f->held = NULL;
}

static void fold_line(struct folding *f, const char *line)
{
	struct change *c = find_change(f, line);

	if (c && drops(f, c)) {
		f->emptied = true;
		return;
	}
	put_held(f, false);
	if (!c) {
		f->emptied = false;
		if (note_label(f, line))
			f->held = line;
		else
			fprintf(f->out, "%s\n", line);
		return;
	}
	f->found[c - f->v] = true;
	/* A line that was written by hand keeps its wording, unless its options changed. */
	if (c->op == CHANGE_SET)
		put_changed(f, c, line);
	else
		fprintf(f->out, "%s\n", line);
}

static void put_new(struct folding *f, const struct change *c)
{
	const char *end = f->crlf ? "\r\n" : "\n";

	if (caught(f, c)) {
		fprintf(f->out, "rule \"\"%s", end);
		f->labelled = false;
	}
	fprintf(f->out, "%s%s", c->line, end);
}

static void fold_lines(struct folding *f, char *text)
{
	static const char order_mark[] = "\xef\xbb\xbf";
	char *end = strchr(text, '\n');

	if (!strncmp(text, order_mark, strlen(order_mark))) {
		fputs(order_mark, f->out);
		text += strlen(order_mark);
	}
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
	for (size_t i = 0; i < f->n; i++) {
		if (!f->v[i].line || f->found[i])
			continue;
		put_held(f, false);
		put_new(f, &f->v[i]);
	}
	put_held(f, true);
}

int fold_text(const struct fold *fold, const char *old,
	char *(*absolute)(const char *file, void *arg), void *arg, char **text, size_t *len)
{
	struct folding f = { .absolute = absolute, .arg = arg };
	char *copy = strdup(old ? old : "");
	int rc = copy ? fold_net(fold, &f.v, &f.n) : -ENOMEM;

	if (!rc) {
		f.found = calloc(f.n + 1, sizeof(*f.found));
		f.out = f.found ? stream_open(text, len) : NULL;
		rc = f.out ? 0 : -ENOMEM;
	}
	if (!rc) {
		fold_lines(&f, copy);
		rc = stream_close(f.out) ? -ENOMEM : 0;
	}
	free(f.found);
	free(f.v);
	free(copy);
	return rc;
}
