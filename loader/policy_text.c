// SPDX-License-Identifier: GPL-2.0-only
/*
 * The text of a policy, by lines:
 *
 *	policy "NAME"		what it is called, once
 *	description "TEXT"	once
 *	rule "LABEL"		the label of the rules from here to the next `rule`; "" ends it
 *	include "OTHER"		the rules of that policy, as if they stood here
 *	RULE			as spec.c reads it; a `name` of its own stands before the label
 *	# COMMENT
 *
 * An included text's own name and description are no part of this policy, and its labels end with
 * it. What was included once is not included again. Lines may end in CR LF, the text may begin
 * with a byte order mark: files come from Windows, too.
 */
#include "policy_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "spec_parts.h"

#define DEEPEST 32 /* includes within includes */

/* One source being read, and who included it. */
struct level {
	const struct level *above;
	uint32_t source;
	bool labelled; /* a `rule` stands above this line; else the includer's label holds */
	char *label;   /* NULL: none */
};

struct reading {
	struct policy_text *out;
	const struct policy_reader *reader;
	struct diag diag; /* of the line being read */
};

const char *policy_name_flaw(const char *name)
{
	static const char end[] = ".policy";
	size_t len = strlen(name);

	if (!len)
		return "a policy's name is not empty";
	if (len > POLICY_NAME_MOST)
		return "a policy's name has 200 bytes at most";
	if (!text_is_printable(name))
		return "a policy's name is UTF-8 text without control characters";
	if (strchr(name, '/'))
		return "a policy's name holds no slash: it is a name, not a path";
	if (strchr(name, '\\'))
		return "a policy's name holds no backslash";
	if (strpbrk(name, "\"'`"))
		return "a policy's name holds no quotes";
	if (name[0] == '.' || name[0] == '-')
		return "a policy's name does not begin with a dot or a hyphen";
	if (name[0] == ' ' || name[len - 1] == ' ')
		return "a policy's name does not begin or end with a blank";
	if (len >= sizeof(end) - 1 && !strcmp(name + len - (sizeof(end) - 1), end))
		return "a policy's name is that of its file without '.policy': leave it out";
	return NULL;
}

/* Doubles an array that has no room for one more. */
static int make_room(void **v, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 64;
	void *bigger;

	if (n < *room)
		return 0;
	bigger = reallocarray(*v, more, size);
	if (!bigger)
		return -ENOMEM;
	*v = bigger;
	*room = more;
	return 0;
}

/* What the diag says becomes a flaw of the line, the diag empty. */
static int flaw(struct reading *r, const struct text_place *place)
{
	struct policy_text *out = r->out;
	struct diag *d = &r->diag;
	char *message;

	if (make_room((void **)&out->flaws, out->n_flaws, &out->flaws_room, sizeof(*out->flaws)))
		return -ENOMEM;
	message = strdup(d->message);
	if (!message)
		return -ENOMEM;
	out->flaws[out->n_flaws++] = (struct text_flaw){
		.place = *place,
		.column = d->text ? d->column : 0,
		.width = d->text ? d->width : 0,
		.message = message,
	};
	diag_clear(d);
	return 0;
}

/* A result of what reads a line: errors in the text do not stop the reading. */
static int settle(struct reading *r, const struct text_place *place, int rc)
{
	return rc == -ENOMEM ? rc : rc ? flaw(r, place) : 0;
}

static bool is_word_of(const char *word, const char *file)
{
	if (list_host(file))
		return !strcasecmp(word, file);
	return word[0] == '@' &&
	       (!strcmp(word + 1, file) || (list_host(word + 1) && !strcmp(word + 1, file + 2)));
}

/* The word of the line that names the list, for the caret. */
static void point_at_list(struct reading *r, const char *line, const struct end *end)
{
	struct words words;
	struct diag ignored = {};

	if (!words_of_line(&words, line, &ignored)) {
		for (size_t i = 0; i < words.n; i++)
			if (is_word_of(words.v[i].s, end->file))
				diag_place(&r->diag, line, words.v[i].at, words.v[i].width);
	}
	words_free(&words);
	diag_free(&ignored);
}

/* Takes path and text over. */
static int add_source(struct policy_text *out, char *path, char *text, size_t len)
{
	struct text_source *v = realloc(out->sources, (out->n_sources + 1) * sizeof(*v));

	if (!v || !path) {
		out->sources = v ? v : out->sources;
		free(path);
		free(text);
		return -ENOMEM;
	}
	out->sources = v;
	v[out->n_sources++] = (struct text_source){ .path = path, .text = text, .len = len };
	return 0;
}

/* What is wrong in a list has its place there: a source that is that line alone. */
static int flaw_in_list(struct reading *r, const struct text_place *named)
{
	struct diag *d = &r->diag;
	const struct text_place place = { .source = r->out->n_sources, .line = d->line };
	char *message = strdup(d->message), *line = strdup(d->text ? d->text : "");
	int rc = line ? add_source(r->out, strdup(d->file), line, strlen(line)) : -ENOMEM;

	if (!rc && !message)
		rc = -ENOMEM;
	if (!rc)
		snprintf(d->message, sizeof(d->message), "in the list that %.300s:%u names: %s",
			r->out->sources[named->source].path, named->line, message);
	free(message);
	return rc ? rc : flaw(r, &place);
}

static int read_list(
	struct reading *r, const struct text_place *place, const char *line, struct end *end)
{
	const struct policy_reader *how = r->reader;
	int rc;

	if (end->kind != END_FILE || !how || !how->list)
		return 0;
	rc = how->list(r->out->sources[place->source].path, end, &r->diag, how->arg);
	if (rc && rc != -ENOMEM && r->diag.line)
		return flaw_in_list(r, place);
	if (rc && rc != -ENOMEM)
		point_at_list(r, line, end);
	return settle(r, place, rc);
}

static int keep_rule(struct reading *r, const struct text_place *place, struct rule **rule)
{
	struct policy_text *out = r->out;
	size_t n = out->policy->n;
	int rc = make_room((void **)&out->place, n, &out->places_room, sizeof(*out->place));

	if (!rc)
		rc = policy_add(out->policy, rule);
	if (!rc)
		out->place[n] = *place;
	return rc;
}

static const char *label_of(const struct level *level)
{
	while (level && !level->labelled)
		level = level->above;
	return level ? level->label : NULL;
}

static int read_rule(struct reading *r, const struct level *level, const struct text_place *place,
	const char *line)
{
	const struct spec_opts opts = { .action = -1 };
	struct rule *rule = NULL;
	const char *label = label_of(level);
	size_t flaws = r->out->n_flaws;
	int rc = spec_parse_line(line, &opts, &rule, &r->diag);

	if (rc)
		return settle(r, place, rc);
	if (!rule->label && label) {
		rule->label = strdup(label);
		rc = rule->label ? 0 : -ENOMEM;
	}
	if (!rc)
		rc = read_list(r, place, line, &rule->from);
	if (!rc)
		rc = read_list(r, place, line, &rule->to);
	if (!rc && flaws == r->out->n_flaws)
		rc = keep_rule(r, place, &rule);
	rule_free(&rule);
	return rc;
}

static int read_lines(struct reading *r, struct level *level);

/* The sources from the one that would be read again down to the one that names it. */
static int fail_cycle(
	struct reading *r, const struct level *level, const struct words *words, const char *path)
{
	char chain[sizeof(r->diag.message) / 2] = "";
	size_t used;

	for (const struct level *l = level; l; l = l->above) {
		const char *is = r->out->sources[l->source].path;

		used = strlen(chain);
		snprintf(chain + used, sizeof(chain) - used, ", which %s includes", is);
		if (!strcmp(is, path))
			break;
	}
	return spec_fail(words, words->v[1],
		"policies include each other in a circle, so none can be read: this is %s%s; take "
		"one of the includes out",
		path, chain);
}

static bool is_open(const struct reading *r, const struct level *level, const char *path)
{
	for (; level; level = level->above)
		if (!strcmp(r->out->sources[level->source].path, path))
			return true;
	return false;
}

static bool was_read(const struct policy_text *out, const char *path)
{
	for (size_t i = 0; i < out->n_sources; i++)
		if (!strcmp(out->sources[i].path, path))
			return true;
	return false;
}

static unsigned int depth(const struct level *level)
{
	unsigned int n = 0;

	for (; level; level = level->above)
		n++;
	return n;
}

/* The file that the included policy is in; the place of what is wrong is the name. */
static int include_file(struct reading *r, const struct level *level, const struct words *words)
{
	const struct policy_reader *how = r->reader;
	const char *from = r->out->sources[level->source].path;
	struct level below = { .above = level };
	char *path = NULL, *text = NULL;
	size_t len;
	int rc;

	if (!how || !how->include)
		return spec_fail(words, words->v[1], "nothing can be included here");
	rc = how->include(from, words->v[1].s, &path, &text, &len, &r->diag, how->arg);
	if (rc && rc != -ENOMEM)
		diag_place(&r->diag, words->text, words->v[1].at, words->v[1].width);
	if (rc)
		return rc;
	if (is_open(r, level, path))
		rc = fail_cycle(r, level, words, path);
	else if (depth(level) >= DEEPEST)
		rc = spec_fail(
			words, words->v[1], "includes are nested more than %d deep", DEEPEST);
	else if (!was_read(r->out, path)) {
		below.source = r->out->n_sources;
		rc = add_source(r->out, path, text, len);
		return rc ? rc : read_lines(r, &below);
	}
	free(path);
	free(text);
	return rc;
}

static int take_include(struct reading *r, struct level *level, const struct words *words)
{
	const char *why = policy_name_flaw(words->v[1].s);

	if (why)
		return spec_fail(words, words->v[1], "%s", why);
	return include_file(r, level, words);
}

static int take_label(struct reading *r, struct level *level, const struct words *words)
{
	char *label = NULL;

	(void)r;
	if (!text_is_printable(words->v[1].s))
		return spec_fail(
			words, words->v[1], "a label is UTF-8 text without control characters");
	if (words->v[1].len) {
		label = strdup(words->v[1].s);
		if (!label)
			return -ENOMEM;
	}
	free(level->label);
	level->label = label;
	level->labelled = true;
	return 0;
}

/* Sets what is said once for a policy; an included text's own word on it is let be. */
static int take_once(const struct level *level, const struct words *words, bool given, char **where)
{
	char *copy;

	if (level->above)
		return 0;
	if (given)
		return spec_fail(
			words, words->v[0], "`%s` is given twice: leave one out", words->v[0].s);
	copy = strdup(words->v[1].s);
	if (!copy)
		return -ENOMEM;
	free(*where);
	*where = copy;
	return 0;
}

static int take_policy(struct reading *r, struct level *level, const struct words *words)
{
	const char *why = policy_name_flaw(words->v[1].s);
	int rc;

	if (why)
		return spec_fail(words, words->v[1], "%s", why);
	rc = take_once(level, words, r->out->named, &r->out->policy->name);
	r->out->named |= !level->above;
	return rc;
}

static int take_description(struct reading *r, struct level *level, const struct words *words)
{
	char **where = &r->out->policy->description;

	if (!words->v[1].len || !text_is_printable(words->v[1].s))
		return spec_fail(words, words->v[1],
			"a description is UTF-8 text on one line, not empty and without control "
			"characters");
	return take_once(level, words, *where, where);
}

static const struct directive {
	const char *word, *what;
	int (*take)(struct reading *r, struct level *level, const struct words *words);
} directives[] = {
	{ "policy", "its name", take_policy },
	{ "description", "a text", take_description },
	{ "rule", "a label", take_label },
	{ "include", "the name of a policy", take_include },
};
#define DIRECTIVES (sizeof(directives) / sizeof(directives[0]))

/* `WORD "TEXT"` and no more. */
static int check_directive(const struct words *words, const struct directive *d)
{
	if (words->n < 2)
		return spec_fail(words, words->v[0], "`%s` needs %s in quotes: %s \"...\"", d->word,
			d->what, d->word);
	if (!words->v[1].quoted)
		return spec_fail(words, words->v[1], "put the text in quotes: %s \"%.*s\"", d->word,
			SHOW(words->v[1]));
	if (words->n > 2)
		return spec_fail(words, words->v[2],
			"behind `%s` and its text the line ends: leave this out", d->word);
	return 0;
}

static int read_directive(struct reading *r, struct level *level, const struct text_place *place,
	const char *line, const struct directive *d)
{
	bool named = r->out->named;
	struct words words;
	int rc = words_of_line(&words, line, &r->diag);

	if (!rc)
		rc = check_directive(&words, d);
	if (!rc)
		rc = d->take(r, level, &words);
	if (r->out->named && !named)
		r->out->name_place = *place;
	words_free(&words);
	return settle(r, place, rc);
}

/* The first word of a line, where it is known what the line is. */
static size_t first_word(const char *line, const char **word)
{
	size_t len = 0;

	while (is_blank(*line))
		line++;
	*word = line;
	while (line[len] && !is_blank(line[len]) && line[len] != '"')
		len++;
	return len;
}

static bool is_action(const char *word, size_t len)
{
	for (int a = 0; a < BP_ACTIONS; a++)
		if (strlen(action_name(a)) == len && !memcmp(action_name(a), word, len))
			return true;
	return false;
}

static int unknown_line(struct reading *r, const char *line, const char *word, size_t len)
{
	const char *near = nearest_first_word(word, len);

	diag_place(&r->diag, line, word - line, len);
	if (near)
		return diag_set(&r->diag, DIAG_USAGE, EINVAL,
			"no line begins with '%.*s': did you mean %s?",
			(int)(len < SHOWN ? len : SHOWN), word, near);
	return diag_set(&r->diag, DIAG_USAGE, EINVAL,
		"a line begins with block, permit or count, or with policy, description, rule or "
		"include");
}

static int read_line(
	struct reading *r, struct level *level, const struct text_place *place, const char *line)
{
	const char *word;
	size_t len = first_word(line, &word);

	if (!*word || *word == '#')
		return 0;
	if (is_action(word, len))
		return read_rule(r, level, place, line);
	for (size_t i = 0; i < DIRECTIVES; i++)
		if (strlen(directives[i].word) == len && !memcmp(directives[i].word, word, len))
			return read_directive(r, level, place, line, &directives[i]);
	return settle(r, place, unknown_line(r, line, word, len ? len : 1));
}

static int refuse_zero(struct reading *r, const struct text_place *place, const char *line)
{
	diag_place(&r->diag, line, strlen(line), 1);
	return settle(r, place,
		diag_set(&r->diag, DIAG_USAGE, EINVAL,
			"this line holds a zero byte: a policy is text"));
}

/* All lines of the level's source, each ended by 0 in place of its newline. */
static int read_lines(struct reading *r, struct level *level)
{
	struct text_place place = { .source = level->source };
	const struct text_source *s = &r->out->sources[level->source];
	char *text = s->text, *end = text + s->len;
	int rc = 0;

	if (!strncmp(text, "\xef\xbb\xbf", 3))
		place.at = 3;
	for (char *line = text + place.at, *stop; line < end && !rc; line = stop + 1) {
		stop = memchr(line, '\n', end - line);
		if (!stop)
			stop = end;
		*stop = '\0';
		place.at = line - text;
		place.line++;
		rc = strlen(line) < (size_t)(stop - line) ? refuse_zero(r, &place, line)
							  : read_line(r, level, &place, line);
	}
	free(level->label);
	return rc;
}

int policy_text_parse(const char *path, char *text, size_t len, const char *name,
	const struct policy_reader *reader, struct policy_text **out)
{
	struct reading r = { .out = calloc(1, sizeof(*r.out)), .reader = reader };
	struct level top = {};
	int rc;

	if (!r.out) {
		free(text);
		return -ENOMEM;
	}
	rc = add_source(r.out, strdup(path), text, len);
	if (!rc) {
		r.out->policy = policy_new(name);
		rc = r.out->policy ? read_lines(&r, &top) : -ENOMEM;
	}
	diag_free(&r.diag);
	if (rc)
		policy_text_free(&r.out);
	else
		*out = r.out;
	return rc;
}

void policy_text_free(struct policy_text **text)
{
	struct policy_text *t = *text;

	if (!t)
		return;
	for (size_t i = 0; i < t->n_sources; i++) {
		free(t->sources[i].path);
		free(t->sources[i].text);
	}
	for (size_t i = 0; i < t->n_flaws; i++)
		free(t->flaws[i].message);
	free(t->sources);
	free(t->flaws);
	free(t->place);
	policy_free(&t->policy);
	free(t);
	*text = NULL;
}

static int glance_description(const char *line, char **description)
{
	struct words words;
	struct diag ignored = {};
	int rc = words_of_line(&words, line, &ignored);

	if (!rc && words.n == 2 && text_is_printable(words.v[1].s)) {
		*description = strdup(words.v[1].s);
		rc = *description ? 0 : -ENOMEM;
	}
	words_free(&words);
	diag_free(&ignored);
	return rc == -ENOMEM ? rc : 0;
}

int policy_text_glance(const char *text, size_t *rules, char **description)
{
	int rc = 0;

	*rules = 0;
	*description = NULL;
	for (const char *line = text, *word; *line && !rc;) {
		size_t all = strcspn(line, "\n"), len = first_word(line, &word);

		if (word < line + all && is_action(word, len)) {
			++*rules;
		} else if (!*description && len == 11 && !memcmp(word, "description", len)) {
			char *copy = strndup(line, all);

			rc = copy ? glance_description(copy, description) : -ENOMEM;
			free(copy);
		}
		line += all + (line[all] == '\n');
	}
	return rc;
}
