/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One packet in the words of the rule language.
 *
 *	packet	:= [WHERE] BODY [WHERE]				WHERE stands once, first or last
 *	WHERE	:= [in | out] [on IFACE]			in any order
 *	BODY	:= PROTO from ADDR [port PORT] to ADDR [port PORT]
 *		 | PROTO/PORT from ADDR to ADDR			PROTO from ADDR to ADDR port PORT
 *
 * PROTO, ADDR and PORT are a rule's (spec.c), of which one packet alone must be left: no ranges,
 * lists and prefixes. Left out: a source port is 49152, an icmp type that of an echo request, a
 * code 0. Without a direction `from me` means out, everything else in.
 */
#include "spec_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define USUAL_SOURCE_PORT 49152 /* the first of those that clients take (RFC 6335) */
#define ECHO_REQUEST 8
#define ECHO_REQUEST6 128

#define EXAMPLE "`udp from 192.0.2.1 to 10.0.0.5 port 1434`"

/* Words of rules that no packet has. */
static const struct {
	const char *word, *why;
} refused[] = {
	{ "block", "a packet has no action, which is what `explain` tells: leave it out" },
	{ "permit", "a packet has no action, which is what `explain` tells: leave it out" },
	{ "count", "a packet has no action, which is what `explain` tells: leave it out" },
	{ "inout", "a packet goes one way: write `in` or `out`" },
	{ "ip", "say what IP carries: tcp, udp, icmp or another protocol" },
	{ "ipv6", "say what IP carries: tcp, udp, icmpv6 or another protocol" },
	{ "emergency", "only a rule can be an `emergency`, a packet cannot: leave it out" },
	{ "for", "only a rule has a time, a packet has none: leave `for` and the time out" },
	{ "log", "only a rule has a `log`, a packet has none: leave it out" },
	{ "name", "only a rule has a name, a packet has none: leave `name` and the text out" },
};

static bool is_way(struct span word)
{
	return span_is(word, "in") || span_is(word, "out");
}

static int refuse_words(const struct words *words)
{
	int ways = 0, interfaces = 0;

	for (size_t i = 0; i < words->n; i++) {
		struct span word = words->v[i];

		if (i && span_is(words->v[i - 1], "on"))
			continue; /* an interface's name */
		if (is_way(word) && ways++)
			return spec_fail(words, word,
				"a packet goes one way: write `in` or `out`, and once");
		if (span_is(word, "on") && interfaces++)
			return spec_fail(
				words, word, "a packet is seen on one interface: write `on` once");
		for (size_t j = 0; j < sizeof(refused) / sizeof(refused[0]); j++)
			if (span_is(word, refused[j].word))
				return spec_fail(words, word, "%s", refused[j].why);
	}
	return 0;
}

/* The WHERE that is said last is read first: the words keep their places in the text. */
static int where_first(struct parser *p)
{
	struct words *words = &p->words;
	size_t at = words->n, tail;
	struct span *moved;

	for (;;) {
		if (at > 1 && span_is(words->v[at - 2], "on"))
			at -= 2;
		else if (at && is_way(words->v[at - 1]))
			at--;
		else
			break;
	}
	if (at && span_is(words->v[at - 1], "on")) {
		p->next = words->n;
		p->ended = true;
		want_value(p, WANT_IFACE);
		return spec_fail(words, words->v[at - 1], "`on` needs the name of an interface");
	}
	tail = words->n - at;
	if (!at || !tail)
		return 0;
	moved = malloc(words->n * sizeof(*moved));
	if (!moved)
		return -ENOMEM;
	memcpy(moved, words->v + at, tail * sizeof(*moved));
	memcpy(moved + tail, words->v, at * sizeof(*moved));
	free(words->v);
	words->v = moved;
	return 0;
}

static struct span last_word(const struct parser *p)
{
	return p->words.n ? p->words.v[p->words.n - 1] : (struct span){ .s = "" };
}

/* body: its first word. */
static int check_body(struct parser *p, struct span body)
{
	p->ended = !body.width;
	if (!body.width)
		return spec_fail(&p->words, last_word(p),
			"say which packet, as in " EXAMPLE ", or --pcap and a capture");
	if (p->bare.width)
		return spec_fail(&p->words, p->bare,
			"an address alone is no packet: say its protocol and both ends, as "
			"in " EXAMPLE);
	if (p->rule->proto == PROTO_ANY)
		return spec_fail(&p->words, body, "say the packet's protocol, as in " EXAMPLE);
	return 0;
}

/* One address, or `me`. */
static int check_address(struct parser *p, struct span at, const struct end *end, const char *word)
{
	const char *what = word[0] == 'f' ? "source" : "destination";

	p->ended = !at.width;
	if (!at.width)
		return spec_fail(&p->words, last_word(p),
			"a packet has a %s: add `%s ADDR`, as in " EXAMPLE, what, word);
	if (end->kind == END_ME)
		return 0;
	if (end->kind == END_ANY)
		return spec_fail(
			&p->words, at, "a packet has one %s: write its address here", what);
	if (end->kind == END_FILE)
		return spec_fail(&p->words, at,
			"a packet has one %s: write an address, not a list of them", what);
	if (end->prefix.len != (end->prefix.family == 4 ? 32 : 128))
		return spec_fail(&p->words, at,
			"a packet has one %s: '%.*s' holds many addresses, write one of them", what,
			SHOW(at));
	return 0;
}

static int check_one_family(const struct parser *p)
{
	const struct end *from = &p->rule->from, *to = &p->rule->to;

	if (from->kind != END_PREFIX || to->kind != END_PREFIX ||
		from->prefix.family == to->prefix.family)
		return 0;
	return spec_fail(&p->words, p->to,
		"the packet comes from an IPv%d address, so it goes to one", from->prefix.family);
}

static int check_port(const struct parser *p, struct span at, const struct ports *ports)
{
	if (ports->n < 2 && (!ports->n || ports->v[0].lo == ports->v[0].hi))
		return 0;
	return spec_fail(&p->words, at,
		"a packet has one port at each end: '%.*s' are several, write one of them",
		SHOW(at));
}

/* That it is one packet, and all of one. */
static int check_packet(struct parser *p)
{
	const struct rule *rule = p->rule;
	int err = check_address(p, p->from, &rule->from, "from");

	if (!err)
		err = check_address(p, p->to, &rule->to, "to");
	if (!err)
		err = check_one_family(p);
	if (!err)
		err = check_port(p, p->from_ports, &rule->from.ports);
	if (!err)
		err = check_port(p, p->to_ports, &rule->to.ports);
	if (!err && proto_has_ports(rule->proto) && !rule->to.ports.n) {
		p->ended = true;
		err = spec_fail(&p->words, p->to, "say the port that it goes to: `to %.*s port 80`",
			SHOW(p->to));
	}
	return err;
}

static int fill_in(struct rule *rule)
{
	struct ports *source = &rule->from.ports;

	if (proto_has_type(rule->proto)) {
		if (rule->type < 0)
			rule->type = rule->proto == IPPROTO_ICMP ? ECHO_REQUEST : ECHO_REQUEST6;
		if (rule->code < 0)
			rule->code = 0;
	}
	if (!proto_has_ports(rule->proto) || source->n)
		return 0;
	source->v = calloc(1, sizeof(*source->v));
	if (!source->v)
		return -ENOMEM;
	source->v[source->n++] = (struct port_range){ USUAL_SOURCE_PORT, USUAL_SOURCE_PORT };
	return 0;
}

/* `from port 80`: a rule's end may be without an address, and none can follow. */
static bool has_no_address(const struct parser *p, struct span at, const char *keyword)
{
	return span_is(at, keyword) && at.at != last_word(p).at;
}

/* Whether words behind the last one can add what is missing. */
static bool is_open(const struct parser *p, struct span body)
{
	const struct words *words = &p->words;
	bool where_last = words->n && words->v[0].at > words->v[words->n - 1].at;

	return !where_last && !(body.width && p->rule->proto == PROTO_ANY) &&
	       (p->from.width || !p->to.width) && !has_no_address(p, p->from, "from") &&
	       !has_no_address(p, p->to, "to");
}

static int read_packet(struct parser *p)
{
	struct span body = { 0 };
	int err = parse_where(p);

	if (!err && p->next < p->words.n)
		body = p->words.v[p->next];
	if (!err)
		err = parse_match(p);
	if (!err)
		err = check_body(p, body);
	if (!err)
		err = parse_end(p);
	if (!err) {
		want_where(p);
		err = check_packet(p);
	}
	if (!err)
		err = check_families(p);
	p->ended = p->ended && is_open(p, body);
	return err ? err : fill_in(p->rule);
}

static int cut_where(struct parser *p)
{
	int err = refuse_words(&p->words);

	return err ? err : where_first(p);
}

int parse_packet(struct parser *p)
{
	int err;

	p->packet = true;
	err = cut_where(p);
	return err ? err : read_packet(p);
}

int parse_seen(struct parser *p)
{
	int err = cut_where(p);

	if (!err)
		err = parse_where(p);
	if (!err && p->next < p->words.n)
		err = spec_fail(&p->words, p->words.v[p->next],
			"with --pcap the packets come from the capture: only `in`, `out` and "
			"`on IFACE` stand here");
	return err;
}

static struct spec_place place_of(struct span span)
{
	return (struct spec_place){ span.at, span.width };
}

static int parse(int argc, char *const *argv, int (*body)(struct parser *),
	struct spec_packet *packet, struct diag *diag)
{
	struct parser p = { 0 };
	int err = words_of_command(&p.words, argc, argv, diag);

	if (!err)
		err = rule_new(&p.rule);
	if (!err)
		err = body(&p);
	if (err) {
		rule_free(&p.rule);
	} else {
		*packet = (struct spec_packet){
			.rule = p.rule, .text = p.words.text, .on = place_of(p.on)
		};
		if (p.rule->from.kind == END_ME || p.rule->to.kind == END_ME)
			packet->me = place_of(p.rule->to.kind == END_ME ? p.to : p.from);
		p.words.text = NULL;
	}
	words_free(&p.words);
	return err;
}

int spec_parse_packet(int argc, char *const *argv, struct spec_packet *packet, struct diag *diag)
{
	return parse(argc, argv, parse_packet, packet, diag);
}

int spec_parse_where(int argc, char *const *argv, struct spec_packet *packet, struct diag *diag)
{
	return parse(argc, argv, parse_seen, packet, diag);
}

void spec_packet_free(struct spec_packet *packet)
{
	rule_free(&packet->rule);
	free(packet->text);
	packet->text = NULL;
}
