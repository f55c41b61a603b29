/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Help with rules that are none: what was probably meant, and how it is written.
 */
#include "spec_parts.h"

#include <net/if.h>
#include <string.h>

#include "nearest.h"

/* What to do about a word that stands where it cannot. */
static const struct {
	const char *word, *advice;
} misplaced[] = {
	{ "in", "put `in` before the protocol and the addresses" },
	{ "out", "put `out` before the protocol and the addresses" },
	{ "inout", "put `inout` before the protocol and the addresses" },
	{ "emergency", "put `emergency` before the protocol and the addresses" },
	{ "on", "put `on IFACE` before the protocol and the addresses" },
	{ "from", "`from` stands once, before `to` and the options" },
	{ "to", "`to` stands once, after `from` and before the options" },
	{ "port", "`port` stands behind `from` or `to`, or behind the address there: "
		  "`to port 80`, `from 192.0.2.1 port 80`" },
	{ "type", "`type` stands behind icmp or icmpv6: `icmp type 8`" },
	{ "code", "`code` stands behind the type: `icmp type 3 code 4`" },
	{ "for", "`for` stands after the addresses" },
	{ "log", "`log` stands after the addresses" },
	{ "name", "`name` stands after the addresses" },
	{ "block", "the action stands once, and first" },
	{ "permit", "the action stands once, and first" },
	{ "count", "the action stands once, and first" },
};

/* What other filters' users write, and what it is here. */
static const struct {
	const char *word, *advice;
} foreign[] = {
	{ "src", "the source is written `from ADDR`" },
	{ "source", "the source is written `from ADDR`" },
	{ "saddr", "the source is written `from ADDR`" },
	{ "dst", "the destination is written `to ADDR`" },
	{ "dest", "the destination is written `to ADDR`" },
	{ "destination", "the destination is written `to ADDR`" },
	{ "daddr", "the destination is written `to ADDR`" },
	{ "sport", "the source's port is written `from port N`, or behind its address: "
		   "`from ADDR port N`" },
	{ "dport", "the destination's port is written `to port N`, or behind its address: "
		   "`to ADDR port N`" },
	{ "proto", "the protocol stands without a word before it, as in `udp/1434`" },
	{ "host", "an address stands alone, or behind `from` or `to`" },
	{ "net", "a network stands alone, or behind `from` or `to`: `from 192.0.2.0/24`" },
	{ "iif", "an interface is written `on IFACE`" },
	{ "oif", "an interface is written `on IFACE`" },
	{ "iifname", "an interface is written `on IFACE`" },
	{ "oifname", "an interface is written `on IFACE`" },
	{ "dev", "an interface is written `on IFACE`" },
	{ "input", "what arrives is `in`" },
	{ "inbound", "what arrives is `in`" },
	{ "incoming", "what arrives is `in`" },
	{ "output", "what leaves is `out`" },
	{ "outbound", "what leaves is `out`" },
	{ "outgoing", "what leaves is `out`" },
	{ "all", "for all protocols or addresses write `any`, or leave them out" },
	{ "anywhere", "for any address write `any`, or leave it out" },
};

static const char *foreign_advice(struct span word)
{
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		if (span_is(word, foreign[i].word))
			return foreign[i].advice;
	}
	return NULL;
}

const char *advice_on(struct span word)
{
	size_t i;

	for (i = 0; i < sizeof(misplaced) / sizeof(misplaced[0]); i++) {
		if (span_is(word, misplaced[i].word))
			return misplaced[i].advice;
	}
	return NULL;
}

bool looks_like_address(struct span word)
{
	const char *slash = memchr(word.s, '/', word.len);
	struct span head = span_part(word, 0, slash ? (size_t)(slash - word.s) : word.len);

	return word.s[0] == '@' || span_has(head, ':') ||
	       (is_digit(word.s[0]) && span_has(head, '.'));
}

/* The known word that a misspelt one is closest to, or NULL. */
static const char *nearest(const char *word, size_t len, const char *const *known, size_t n)
{
	struct nearest nearest;

	nearest_begin(&nearest, word, len);
	for (size_t i = 0; i < n; i++)
		nearest_try(&nearest, known[i]);
	return nearest.found;
}

static const char *nearest_word(struct span span)
{
	static const char *const known[] = { "tcp", "udp", "icmpv6", "icmp", "sctp", "dccp",
		"udplite", "gre", "esp", "igmp", "any", "from", "to", "port", "type", "code", "in",
		"out", "inout", "emergency", "on", "for", "log", "name", "block", "permit",
		"count" };

	return nearest(span.s, span.len, known, sizeof(known) / sizeof(known[0]));
}

const char *nearest_first_word(const char *word, size_t len)
{
	static const char *const known[] = { "block", "permit", "count", "policy", "description",
		"rule", "include" };

	return nearest(word, len, known, sizeof(known) / sizeof(known[0]));
}

/* A host's name, and no address that is written wrong: its last part begins with a letter. */
static bool looks_like_host(struct span word)
{
	size_t at = word.len;

	while (at && word.s[at - 1] != '.')
		at--;
	return span_is_host(word) && at < word.len && !is_digit(word.s[at]);
}

/* Hosts are no ends of a packet, which has one address. */
static bool may_be_host(const struct parser *p, struct span word)
{
	return !p->packet && looks_like_host(word);
}

int no_address(const struct parser *p, struct span word, struct span part, const char *why)
{
	const char *colon = memchr(word.s, ':', word.len);
	size_t head = colon ? (size_t)(colon - word.s) : word.len;

	if (colon && is_proto(span_part(word, 0, head)))
		return spec_fail(&p->words, word,
			"between a protocol and its ports stands a slash: %.*s/%.*s", (int)head,
			word.s, SHOW(span_part(word, head + 1, word.len - head - 1)));
	if (may_be_host(p, word))
		return spec_fail(&p->words, word,
			"'%.*s' is not an address; for all addresses that a host has write "
			"dns:%.*s",
			SHOW(word), SHOW(word));
	return spec_fail(&p->words, part, "%s", why);
}

int check_slash(const struct parser *p, struct span word, size_t head)
{
	struct span before = span_part(word, 0, head);
	struct span behind = span_part(word, head + 1, word.len - head - 1);

	if (!head)
		return spec_fail(
			&p->words, word, "before the / stands a protocol, as in `udp/1434`");
	if (is_proto(behind) && !is_proto(before))
		return spec_fail(&p->words, word,
			"the protocol stands before the /, and the ports behind it: %.*s/%.*s",
			SHOW(behind), SHOW(before));
	return 0;
}

int unknown_proto(const struct parser *p, struct span word)
{
	const struct words *words = &p->words;
	const char *near = nearest_word(word);

	if (span_has(word, '.') && may_be_host(p, word))
		return spec_fail(words, word,
			"'%.*s' is no protocol; for all addresses that a host has write dns:%.*s, "
			"with nothing behind it",
			SHOW(word), SHOW(word));
	if (near)
		return spec_fail(
			words, word, "unknown protocol '%.*s': did you mean %s?", SHOW(word), near);
	return spec_fail(words, word,
		"unknown protocol '%.*s': it is not in /etc/protocols, write its number",
		SHOW(word));
}

int unknown_word(const struct parser *p, struct span word)
{
	const struct words *words = &p->words;
	int port = service_port(word.s);
	const char *advice = foreign_advice(word), *near = nearest_word(word);

	if (advice)
		return spec_fail(
			words, word, "'%.*s' is no word of a rule: %s", SHOW(word), advice);
	if (port >= 0)
		return spec_fail(words, word,
			"'%.*s' is a service: write its protocol too, as in tcp/%.*s", SHOW(word),
			SHOW(word));
	if (near)
		return spec_fail(
			words, word, "unknown word '%.*s': did you mean %s?", SHOW(word), near);
	if (may_be_host(p, word) && !span_has(word, '.') && word.len < IFNAMSIZ)
		return spec_fail(words, word,
			"'%.*s' is no word of a rule, no protocol and no address; an interface is "
			"written `on %.*s`, a host dns:%.*s",
			SHOW(word), SHOW(word), SHOW(word));
	if (may_be_host(p, word))
		return spec_fail(words, word,
			"'%.*s' is no word of a rule, no protocol and no address; if it is a host "
			"write dns:%.*s",
			SHOW(word), SHOW(word));
	return spec_fail(
		words, word, "'%.*s' is no word of a rule, no protocol and no address", SHOW(word));
}

static bool takes_a_value(struct span word)
{
	static const char *const takers[] = { "on", "from", "to", "port", "type", "code", "for",
		"name" };

	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
		if (span_is(word, takers[i]))
			return true;
	}
	return false;
}

int check_equals(const struct words *words, struct span word)
{
	const char *equals = memchr(word.s, '=', word.len);
	size_t head = equals ? (size_t)(equals - word.s) : 0;
	struct span before = span_part(word, 0, head);
	const char *elsewhere = foreign_advice(before);

	if (elsewhere)
		return spec_fail(
			words, word, "'%.*s' is no word of a rule: %s", SHOW(before), elsewhere);
	if (takes_a_value(before))
		return spec_fail(words, word,
			"a word and what it takes are two words: write `%.*s %.*s`", SHOW(before),
			SHOW(span_part(word, head + 1, word.len - head - 1)));
	return 0;
}

int unexpected_word(const struct words *words, struct span word, struct span bare)
{
	const char *advice = advice_on(word), *near = nearest_word(word);
	const char *elsewhere = foreign_advice(word);
	int err = check_equals(words, word);

	if (err)
		return err;
	if (bare.width && (span_is(word, "from") || span_is(word, "to") || span_is(word, "port")))
		return spec_fail(words, word,
			"an address alone is the remote end, and that is all: for more write "
			"`from %.*s` or `to %.*s` in its place",
			SHOW(bare), SHOW(bare));
	if (advice)
		return spec_fail(words, word, "%s", advice);
	if (elsewhere)
		return spec_fail(
			words, word, "'%.*s' is no word of a rule: %s", SHOW(word), elsewhere);
	if (looks_like_address(word) || span_is(word, "any") || span_is(word, "me"))
		return spec_fail(words, word, "put `from` or `to` before an address");
	if (span_has(word, '/') || is_proto(word))
		return spec_fail(
			words, word, "the protocol stands once, before the addresses and options");
	if (near)
		return spec_fail(
			words, word, "unexpected '%.*s': did you mean %s?", SHOW(word), near);
	if (word.len && is_digit(word.s[0]))
		return spec_fail(words, word,
			"a port follows its protocol and a slash, as in `udp/%.*s`, or the word "
			"`port`",
			SHOW(word));
	return spec_fail(
		words, word, "'%.*s' is one word too many at the end: leave it out", SHOW(word));
}
