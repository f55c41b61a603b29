/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Help with rules that are none: what was probably meant, and how it is written.
 */
#include "spec_parts.h"

#include <string.h>

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

static size_t least_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

#define LONGEST 11 /* word of the language; a misspelt one may have two bytes more */

/* How many letters must be changed, added, dropped or exchanged to make one of the other. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t d[LONGEST + 3][LONGEST + 3], i, j;

	for (i = 0; i <= a_len; i++) {
		for (j = 0; j <= b_len; j++) {
			if (!i || !j) {
				d[i][j] = i + j;
				continue;
			}
			d[i][j] = least_of(d[i - 1][j - 1] + (a[i - 1] != b[j - 1]),
				least_of(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least_of(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[a_len][b_len];
}

/* The known word that a misspelt one is closest to, or NULL. */
static const char *nearest(const char *word, size_t len, const char *const *known, size_t n)
{
	size_t best = len > 4 ? 3 : 2;
	const char *nearest = NULL;

	if (len < 2 || len > LONGEST + 2)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t far = distance(word, len, known[i], strlen(known[i]));

		if (far < best) {
			best = far;
			nearest = known[i];
		}
	}
	return nearest;
}

static const char *nearest_word(struct span span)
{
	static const char *const known[] = { "tcp", "udp", "icmp", "icmpv6", "sctp", "dccp",
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
	if (may_be_host(p, word))
		return spec_fail(&p->words, word,
			"'%.*s' is not an address; for all addresses that a host has write "
			"dns:%.*s",
			SHOW(word), SHOW(word));
	return spec_fail(&p->words, part, "%s", why);
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
	const char *near = nearest_word(word);

	if (port >= 0)
		return spec_fail(words, word,
			"'%.*s' is a service: write its protocol too, as in tcp/%.*s", SHOW(word),
			SHOW(word));
	if (near)
		return spec_fail(
			words, word, "unknown word '%.*s': did you mean %s?", SHOW(word), near);
	if (may_be_host(p, word))
		return spec_fail(words, word,
			"'%.*s' is no word of a rule, no protocol and no address; if it is a host "
			"write dns:%.*s",
			SHOW(word), SHOW(word));
	return spec_fail(
		words, word, "'%.*s' is no word of a rule, no protocol and no address", SHOW(word));
}

int unexpected_word(const struct words *words, struct span word, struct span bare)
{
	const char *advice = advice_on(word), *near = nearest_word(word);

	if (bare.width && (span_is(word, "from") || span_is(word, "to") || span_is(word, "port")))
		return spec_fail(words, word,
			"an address alone is the remote end, and that is all: for more write "
			"`from %.*s` or `to %.*s` in its place",
			SHOW(bare), SHOW(bare));
	if (advice)
		return spec_fail(words, word, "%s", advice);
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
