/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which words may come next. The parser reads those that are there, and says what it looked for
 * where they end; of that, a word is good if it reads on with that word behind, to the end of a
 * rule or until words end again. So there is no second grammar here.
 */
#include "spec_parts.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

struct completion {
	enum spec_text_kind kind;
	char **argv; /* with room behind for two more */
	int argc;
	const char *begun;
	spec_put *put;
	void *arg;
};

static bool at_end(const struct parser *p)
{
	return p->wanted && p->next == p->words.n;
}

void want_word(struct parser *p, const char *word)
{
	struct wanted *wanted = p->wanted;
	size_t i = 0;

	if (!at_end(p))
		return;
	while (i < wanted->n && strcmp(wanted->words[i], word))
		i++;
	if (i == wanted->n && i < sizeof(wanted->words) / sizeof(wanted->words[0]))
		wanted->words[wanted->n++] = word;
}

void want_value(struct parser *p, enum wanted_value value)
{
	if (at_end(p))
		p->wanted->values |= value;
}

static int parse(struct parser *p, enum spec_text_kind kind)
{
	static const struct spec_opts rule = { .action = BP_BLOCK };
	static const struct spec_opts removed = { .action = -1, .action_optional = true };

	switch (kind) {
	case SPEC_RULE:
		return parse_rule(p, &rule);
	case SPEC_REMOVED:
		return parse_rule(p, &removed);
	case SPEC_PACKET:
		return parse_packet(p);
	case SPEC_SEEN:
		return parse_seen(p);
	}
	return -EINVAL;
}

/* Whether these words, or with more of them behind, are what is asked for. wanted: may be NULL. */
static bool reads(const struct completion *c, int argc, struct wanted *wanted)
{
	struct parser p = { .wanted = wanted };
	struct diag diag = { 0 };
	int err = words_of_args(&p.words, argc, c->argv, &diag);

	if (!err)
		err = rule_new(&p.rule);
	if (!err)
		err = parse(&p, c->kind);
	rule_free(&p.rule);
	words_free(&p.words);
	diag_free(&diag);
	return !err || p.ended;
}

/* Behind `on` stands a name in any case, and only with it can be told whether `on` stands well. */
static bool may_follow(const struct completion *c, const char *word)
{
	int argc = c->argc;

	c->argv[argc++] = (char *)word;
	if (!strcmp(word, "on"))
		c->argv[argc++] = (char *)"x";
	return reads(c, argc, NULL);
}

static bool begins(const struct completion *c, const char *word)
{
	return !strncmp(word, c->begun, strlen(c->begun));
}

static void offer(const struct completion *c, const char *word, const char *what)
{
	if (begins(c, word) && may_follow(c, word))
		c->put(word, what, c->arg);
}

/* What is said of a word where its place alone does not say it. */
static const char *meaning(const char *word)
{
	static const struct {
		const char *word, *what;
	} meanings[] = {
		{ "in", "what arrives" },
		{ "out", "what leaves" },
		{ "inout", "in, and out with the ends exchanged" },
		{ "emergency", "wins over every rule that is none" },
		{ "on", "at this interface" },
		{ "from", "the source" },
		{ "to", "the destination" },
		{ "port", "numbers, ranges, services, with commas" },
		{ "type", "0 to 255" },
		{ "code", "0 to 255" },
		{ "for", "ends by itself: 90s, 15m, 2h, 7d" },
		{ "log", "each packet is told, not a sample" },
		{ "name", "a label" },
		{ "block", "a rule that stops" },
		{ "permit", "a rule that lets pass" },
		{ "count", "a rule that only counts" },
	};

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (!strcmp(meanings[i].word, word))
			return meanings[i].what;
	return NULL;
}

/* They are many: some of the name must be there. head: of what is typed before it. */
static void offer_services(const struct completion *c)
{
	size_t head = strlen(c->begun);
	const struct servent *s;
	char word[256], last[256] = "";

	while (head && !strchr("/,", c->begun[head - 1]))
		head--;
	if (!c->begun[head] || is_digit(c->begun[head]) || head >= sizeof(word))
		return;
	memcpy(word, c->begun, head);
	setservent(1);
	while ((s = getservent())) {
		/* One of several protocols has a line for each. */
		if (strlen(s->s_name) >= sizeof(word) - head || !strcmp(s->s_name, last))
			continue;
		strcpy(last, s->s_name);
		strcpy(word + head, last);
		offer(c, word, "service");
	}
	endservent();
}

static void offer_protos(const struct completion *c)
{
	const struct protoent *entry;
	char ports[24];

	if (strchr(c->begun, '/')) {
		if (c->begun[0] != '@') /* a list's path, whose names are not services */
			offer_services(c);
		return;
	}
	for (int proto = 0; proto < BUILT_IN_PROTOS; proto++) {
		const char *name = built_in_proto(proto);

		if (!name)
			continue;
		offer(c, name, "protocol");
		strcpy(ports, name);
		offer(c, strcat(ports, "/"), "protocol/ports");
	}
	/* The others are seldom meant, and short. */
	setprotoent(1);
	while (strlen(c->begun) > 1 && (entry = getprotoent())) {
		int proto = entry->p_proto;

		if (!built_in_proto(proto) || strcmp(built_in_proto(proto), entry->p_name) != 0)
			offer(c, entry->p_name, "protocol");
	}
	endprotoent();
}

static unsigned int offer_addresses(const struct completion *c)
{
	bool file = (!c->begun[0] || c->begun[0] == '@') && may_follow(c, "@x");

	offer(c, "me", "this host itself");
	if (file && !c->begun[0])
		c->put("@", "a file of addresses", c->arg);
	if (begins(c, "dns:") && may_follow(c, "dns:x"))
		c->put("dns:", "a host, looked up when it is assigned", c->arg);
	return file && c->begun[0] ? SPEC_NEXT_FILE : 0;
}

static unsigned int offer_values(const struct completion *c, unsigned int values)
{
	unsigned int next = 0;

	if (values & WANT_PROTO)
		offer_protos(c);
	if (values & (WANT_PROTO | WANT_ADDRESS))
		offer(c, "any", "all of them");
	if (values & WANT_ADDRESS)
		next |= offer_addresses(c);
	if (values & WANT_PORTS)
		offer_services(c);
	if (values & WANT_TIME)
		spec_complete_duration(c->begun, c->put, c->arg);
	if (values & WANT_IFACE)
		next |= SPEC_NEXT_IFACE;
	if (values & ~(WANT_PROTO | WANT_ADDRESS))
		next |= SPEC_NEXT_VALUE;
	return next;
}

unsigned int spec_complete(enum spec_text_kind kind, int argc, char *const *argv, const char *begun,
	spec_put *put, void *arg)
{
	struct completion c = {
		.kind = kind,
		.argv = calloc(argc + 2, sizeof(*c.argv)),
		.argc = argc,
		.begun = begun,
		.put = put,
		.arg = arg,
	};
	struct wanted wanted = { .n = 0 };
	unsigned int next = 0;

	if (!c.argv)
		return 0;
	if (argc)
		memcpy(c.argv, argv, argc * sizeof(*argv));
	if (reads(&c, argc, &wanted)) {
		for (size_t i = 0; i < wanted.n; i++)
			offer(&c, wanted.words[i], meaning(wanted.words[i]));
		next = offer_values(&c, wanted.values);
	}
	free(c.argv);
	return next;
}
