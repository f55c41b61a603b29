// SPDX-License-Identifier: GPL-2.0-only
#include "fold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy_text.h"
#include "spec_parts.h"
#include "stream.h"

static void change_free(struct change *c)
{
	free(c->text);
	free(c->line);
}

void fold_cut(struct fold *fold, size_t n)
{
	while (n-- && fold->n)
		change_free(&fold->v[--fold->n]);
}

void fold_free(struct fold *fold)
{
	fold_cut(fold, fold->n);
	free(fold->v);
	free(fold->text);
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
 * Of two changes of one rule the later counts. A timed rule has no line: its coming and going
 * leaves the file alone, but a line that went before stays away.
 */
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
		if (v[i]->op != CHANGE_DEL && !v[i]->line)
			continue;
		kept -= kept && !strcmp(net[kept - 1].text, v[i]->text);
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
	char *label;	  /* of the `rule "LABEL"` that holds at this line; NULL: none does */
	bool crlf;	  /* lines end as on Windows */
	const char *held; /* a line `rule ""` of which it is not known yet whether it stays */
	bool emptied;	  /* lines after that one have gone, and no other has come */
	FILE *out;
};

/* In the text lists may be named from its directory on, in the store they are absolute. */
static int absolute_list(const struct folding *f, struct end *end)
{
	char *path;

	if (end->kind != END_FILE || end->file[0] == '/' || list_host(end->file))
		return 0;
	path = f->absolute(end->file, f->arg);
	if (!path)
		return -ENOMEM;
	free(end->file);
	end->file = path;
	return 0;
}

static int by_text(const void *key, const void *entry)
{
	return strcmp(key, ((const struct change *)entry)->text);
}

/* A line's rule, and the change that speaks of it. */
struct match {
	struct change *change; /* NULL: none does */
	bool agrees;	       /* the line says already what the change has it say */
};

static int match_rule(const struct folding *f, struct rule *rule, struct match *match)
{
	char *text, *line;

	if (absolute_list(f, &rule->from) || absolute_list(f, &rule->to))
		return -ENOMEM;
	if (!rule->label && f->label) {
		rule->label = strdup(f->label);
		if (!rule->label)
			return -ENOMEM;
	}
	text = spec_text(rule, SPEC_ACTION | SPEC_MATCH);
	line = policy_rule_line(rule);
	if (text && line) {
		match->change = bsearch(text, f->v, f->n, sizeof(*f->v), by_text);
		match->agrees =
			match->change && match->change->line && !strcmp(match->change->line, line);
	}
	free(text);
	free(line);
	return text && line ? 0 : -ENOMEM;
}

/* Of a line that holds no rule, no change speaks. -ENOMEM. */
static int match_line(const struct folding *f, const char *line, struct match *match)
{
	const struct spec_opts opts = { .action = -1 };
	struct diag ignored = {};
	struct rule *rule = NULL;
	int rc = spec_parse_line(line, &opts, &rule, &ignored);

	*match = (struct match){};
	if (!rc)
		rc = match_rule(f, rule, match);
	rule_free(&rule);
	diag_free(&ignored);
	return rc == -ENOMEM ? rc : 0;
}

/* A line may be `rule "LABEL"`, or rule "" that ends the label: *ends. -ENOMEM. */
static int note_label(struct folding *f, const char *line, bool *ends)
{
	struct diag ignored = {};
	struct words words;
	int rc = words_of_line(&words, line, &ignored);

	*ends = false;
	if (!rc && words.n == 2 && span_is(words.v[0], "rule") && words.v[1].quoted) {
		free(f->label);
		f->label = words.v[1].len ? strdup(words.v[1].s) : NULL;
		*ends = !words.v[1].len;
		rc = *ends || f->label ? 0 : -ENOMEM;
	}
	words_free(&words);
	diag_free(&ignored);
	return rc == -ENOMEM ? rc : 0;
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
	return f->label && !c->label;
}

/* What cannot stand here as it is to be goes to the end. */
static bool drops(const struct folding *f, const struct change *c)
{
	return c->op == CHANGE_DEL || caught(f, c);
}

/* A `rule ""` that stood before nothing but lines that go, goes with them. */
static void put_held(struct folding *f, bool last)
{
	if (f->held && !(last && f->emptied))
		fprintf(f->out, "%s\n", f->held);
	f->held = NULL;
}

/* A line that was written by hand keeps its wording, unless it says something else. */
static int fold_line(struct folding *f, const char *line)
{
	struct match m;
	bool ends = false;
	int rc = match_line(f, line, &m);

	if (!rc && !m.change)
		rc = note_label(f, line, &ends);
	if (rc)
		return rc;
	if (m.change && drops(f, m.change)) {
		f->emptied = true;
		return 0;
	}
	put_held(f, false);
	if (m.change)
		f->found[m.change - f->v] = true;
	else
		f->emptied = false;
	if (ends)
		f->held = line;
	else if (m.change && !m.agrees)
		put_changed(f, m.change, line);
	else
		fprintf(f->out, "%s\n", line);
	return 0;
}

static void put_new(struct folding *f, const struct change *c)
{
	const char *end = f->crlf ? "\r\n" : "\n";

	if (caught(f, c)) {
		fprintf(f->out, "rule \"\"%s", end);
		free(f->label);
		f->label = NULL;
	}
	fprintf(f->out, "%s%s", c->line, end);
}

static int fold_lines(struct folding *f, char *text)
{
	static const char order_mark[] = "\xef\xbb\xbf";
	char *end = strchr(text, '\n');
	int rc = 0;

	if (!strncmp(text, order_mark, strlen(order_mark))) {
		fputs(order_mark, f->out);
		text += strlen(order_mark);
	}
	f->crlf = end && end > text && end[-1] == '\r';
	for (char *line = text; *line && !rc; line = end) {
		end = strchrnul(line, '\n');
		if (*end)
			*end++ = '\0';
		rc = fold_line(f, line);
	}
	for (size_t i = 0; i < f->n; i++) {
		if (!f->v[i].line || f->found[i])
			continue;
		put_held(f, false);
		put_new(f, &f->v[i]);
	}
	put_held(f, true);
	return rc;
}

int fold_text(const struct fold *fold, const char *old,
	char *(*absolute)(const char *file, void *arg), void *arg, char **text, size_t *len)
{
	struct folding f = { .absolute = absolute, .arg = arg };
	char *copy = strdup(old ? old : ""), *new = NULL;
	size_t new_len;
	int rc = copy ? fold_net(fold, &f.v, &f.n) : -ENOMEM;

	if (!rc) {
		f.found = calloc(f.n + 1, sizeof(*f.found));
		f.out = f.found ? stream_open(&new, &new_len) : NULL;
		rc = f.out ? 0 : -ENOMEM;
	}
	if (!rc) {
		rc = fold_lines(&f, copy);
		if (stream_close(f.out))
			rc = -ENOMEM;
	}
	if (!rc) {
		*text = new;
		*len = new_len;
		new = NULL;
	}
	free(new);
	free(f.label);
	free(f.found);
	free(f.v);
	free(copy);
	return rc;
}
