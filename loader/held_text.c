// SPDX-License-Identifier: GPL-2.0-only
#include "held_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

#define HELD_VERSION 1
#define ADDRESS 64 /* bytes of one as text */

/* --- to text --- */

static void put_address(FILE *out, const struct prefix *prefix)
{
	char text[ADDRESS];

	spec_prefix_text(prefix, text, sizeof(text));
	fputs(text, out);
	putc('\n', out);
}

/*
 * One of the longest of the family; NULL: it has none. Of a count rule's list those that lie in
 * another make no filter (filter.c).
 */
static const struct prefix *longest(const struct prefixes *list, int family, bool counts)
{
	const struct prefix *best = NULL, *outer = NULL;

	for (size_t i = 0; i < list->n; i++) {
		const struct prefix *p = &list->v[i];

		if (p->family != family ||
			(counts && outer && prefix_holds(outer, family, p->bytes)))
			continue;
		outer = p;
		if (!best || p->len > best->len)
			best = p;
	}
	return best;
}

static void put_list(FILE *out, const char *side, const struct end *end, bool counts, bool whole)
{
	const struct prefixes *list = &end->list;
	const struct prefix *few[] = { whole ? NULL : longest(list, 4, counts),
		whole ? NULL : longest(list, 6, counts) };

	if (end->kind != END_FILE)
		return;
	fprintf(out, "list %s %zu\n", side, whole ? list->n : !!few[0] + (size_t) !!few[1]);
	for (size_t i = 0; i < 2 && !whole; i++)
		if (few[i])
			put_address(out, few[i]);
	for (size_t i = 0; i < list->n && whole && !ferror(out); i++)
		put_address(out, &list->v[i]);
}

int held_write(FILE *out, const struct policy *rules, bool lists)
{
	fprintf(out, "held %d %zu\n", HELD_VERSION, rules->n);
	for (size_t i = 0; i < rules->n && !ferror(out); i++) {
		const struct rule *rule = rules->rules[i];
		char *text = spec_text(rule, SPEC_ALL);

		if (!text)
			return -ENOMEM;
		fprintf(out, "rule %" PRIu32 " %" PRIu64 " %" PRIu64 " %s\n", rule->id,
			rule->deadline, rule->deadline ? rule->lifetime : 0, text);
		free(text);
		put_list(out, "from", &rule->from, rule->action == BP_COUNT, lists);
		put_list(out, "to", &rule->to, rule->action == BP_COUNT, lists);
	}
	fputs("end\n", out);
	return 0;
}

/* --- and back --- */

struct reader {
	const char *at, *end;
	char *line; /* a copy of the last one that was taken */
	size_t room;
};

/* The next line, without its end; NULL: there is no whole one, or no memory for it. */
static char *next_line(struct reader *r, int *rc)
{
	const char *newline = memchr(r->at, '\n', r->end - r->at);
	size_t len = newline ? newline - r->at : 0;

	*rc = -EBADMSG;
	if (!newline || memchr(r->at, '\0', len))
		return NULL;
	if (len >= r->room) {
		char *line = realloc(r->line, 2 * len + 1);

		*rc = -ENOMEM;
		if (!line)
			return NULL;
		r->line = line;
		r->room = 2 * len + 1;
	}
	memcpy(r->line, r->at, len);
	r->line[len] = '\0';
	r->at = newline + 1;
	*rc = 0;
	return r->line;
}

/* Whether the next line begins so. */
static bool is_next(const struct reader *r, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(r->end - r->at) >= len && !memcmp(r->at, word, len);
}

static int rule_of(const char *line, struct rule **rule)
{
	const struct spec_opts opts = { .action = -1 };
	uint64_t deadline, lifetime;
	struct diag ignored = {};
	uint32_t id;
	int at = 0, rc;

	if (sscanf(line, "rule %" SCNu32 " %" SCNu64 " %" SCNu64 "%n", &id, &deadline, &lifetime,
		    &at) != 3 ||
		!id || line[at] != ' ')
		return -EBADMSG;
	rc = spec_parse_line(line + at + 1, &opts, rule, &ignored);
	diag_free(&ignored);
	if (rc)
		return rc == -ENOMEM ? rc : -EBADMSG;
	(*rule)->id = id;
	(*rule)->layer = LAYER_DYNAMIC;
	(*rule)->deadline = deadline;
	if (deadline)
		(*rule)->lifetime = lifetime;
	return 0;
}

/* Where `n` lines from here on end; NULL: there are fewer. */
static const char *behind(const struct reader *r, size_t n)
{
	const char *at = r->at;

	for (; n && at; n--) {
		at = memchr(at, '\n', r->end - at);
		at = at ? at + 1 : NULL;
	}
	return at;
}

static int read_list(struct reader *r, const char *side, struct end *end)
{
	struct diag ignored = {};
	const char *stop;
	char *line, word[8];
	size_t n;
	int at = 0, rc;

	if (end->kind != END_FILE)
		return 0;
	line = next_line(r, &rc);
	if (!line)
		return rc;
	if (sscanf(line, "list %7s %zu%n", word, &n, &at) != 2 || line[at] || strcmp(word, side))
		return -EBADMSG;
	stop = behind(r, n);
	if (!stop)
		return -EBADMSG;
	rc = spec_parse_list("the agent", r->at, stop - r->at, &end->list, &ignored);
	diag_free(&ignored);
	r->at = stop;
	if (rc)
		return rc == -ENOMEM ? rc : -EBADMSG;
	return end->list.n == n ? 0 : -EBADMSG;
}

static int read_rule(struct reader *r, struct policy *rules)
{
	struct rule *rule = NULL;
	int rc;
	char *line = next_line(r, &rc);

	if (line)
		rc = rule_of(line, &rule);
	if (!rc)
		rc = read_list(r, "from", &rule->from);
	if (!rc)
		rc = read_list(r, "to", &rule->to);
	if (!rc)
		rc = policy_add(rules, &rule);
	rule_free(&rule);
	return rc;
}

static int read_all(struct reader *r, struct policy *rules)
{
	int version, at = 0, rc;
	size_t n;
	char *line = next_line(r, &rc);

	if (!line)
		return rc;
	if (sscanf(line, "held %d %zu%n", &version, &n, &at) != 2 || line[at] ||
		version != HELD_VERSION)
		return -EBADMSG;
	while (!rc && is_next(r, "rule "))
		rc = read_rule(r, rules);
	if (rc)
		return rc;
	line = next_line(r, &rc);
	if (line && (strcmp(line, "end") || rules->n != n || r->at != r->end))
		rc = -EBADMSG;
	return rc;
}

int held_read(const char *text, size_t len, struct policy **out)
{
	struct reader r = { .at = text, .end = text + len };
	struct policy *rules = policy_new("dynamic");
	int rc = rules ? read_all(&r, rules) : -ENOMEM;

	free(r.line);
	if (rc)
		policy_free(&rules);
	else
		*out = rules;
	return rc;
}
