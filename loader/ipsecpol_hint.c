/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Help with SPECs that are none: the right form is shown wherever it can be known.
 */
#include "ipsecpol_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define EXAMPLE "`*=0:1434:UDP`"
#define FORM_SIZE 512

struct form {
	char *buf;
	size_t used;
};

static void put(struct form *form, const char *text, size_t len)
{
	for (size_t i = 0; i < len && form->used < FORM_SIZE - 1; i++)
		form->buf[form->used++] = text[i];
	form->buf[form->used] = '\0';
}

static void put_span(struct form *form, const char *before, struct span span)
{
	put(form, before, strlen(before));
	put(form, span.s, span.len < SHOWN ? span.len : SHOWN);
}

/* The SPEC of these pieces, as it is to be written. Returns buf. */
static const char *cut_form(const struct cut *cut, char buf[FORM_SIZE])
{
	struct form form = { .buf = buf };
	const char *close = cut->bracket == '(' ? ")" : "]";

	buf[0] = '\0';
	put(&form, &cut->bracket, cut->bracket != 0);
	for (int end = 0; end < 2; end++) {
		put(&form, &cut->sign, end);
		put_span(&form, cut->v6[end] ? "[" : "", cut->addr[end]);
		put(&form, "]", cut->v6[end]);
		if (cut->mask[end].len)
			put_span(&form, "/", cut->mask[end]);
		if (cut->port[end].len || (end && cut->proto.len))
			put_span(&form, ":", cut->port[end]);
	}
	if (cut->proto.len)
		put_span(&form, ":", cut->proto);
	put(&form, close, cut->bracket != 0);
	return buf;
}

static struct span literal(const char *text)
{
	return (struct span){ .s = text, .len = strlen(text) };
}

static bool is_flag(struct span word)
{
	return word.len && word.s[0] == '-';
}

static bool ends_in(struct span word, const char *chars)
{
	return word.len && strchr(chars, word.s[word.len - 1]);
}

static bool is_known_proto(struct span span)
{
	static const char *const known[] = { "tcp", "udp", "icmp", "icmpv6", "sctp", "gre", "esp",
		"igmp", "raw", "any" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (span_is_nocase(span, known[i]))
			return true;
	return false;
}

/* Whether the outer bracket that the SPEC begins with is still to be closed. */
static bool is_open(const char *spec)
{
	char last = *spec ? spec[strlen(spec) - 1] : '\0';
	const char *next;

	if (*spec == '(')
		return last != ')';
	if (*spec != '[' || last == ']')
		return false;
	next = strpbrk(spec + 1, "[]=+");
	return !next || *next != ']'; /* else it is an address of IPv6 */
}

/* What no SPEC begins with, but the rest of one does: a bracket that closes, or a protocol. */
static bool is_tail(struct span word)
{
	return word.len == 1 ? strchr(")]", *word.s) != NULL : is_known_proto(word);
}

/* The colons that are missing between the SPEC and its protocol; NULL: it has a protocol. */
static const char *colons_after(const char *spec)
{
	const char *right = spec + strcspn(spec, "=+"), *port, *proto;

	if (right[0] && right[1] == '[' && strchr(right, ']'))
		right = strchr(right, ']');
	port = strchr(right, ':');
	if (!port)
		return "::";
	proto = strchr(port + 1, ':');
	return !proto ? ":" : proto[1] ? NULL : "";
}

/* The words from `first` on that make a SPEC when they are joined; 0: none do. */
static size_t joined(const struct words *words, size_t first, char buf[FORM_SIZE])
{
	struct form form = { .buf = buf };
	bool sign = false, whole = false;
	size_t n = 0;

	buf[0] = '\0';
	while (first + n < words->n) {
		struct span word = words->v[first + n];
		bool proto = sign && is_known_proto(word);
		const char *between = proto ? colons_after(buf) : "";

		if (is_flag(word) || !between || (whole && word.s[0] != ':' && !proto))
			break;
		put_span(&form, between, word);
		sign |= span_has(word, '=') || span_has(word, '+');
		whole = sign && !ends_in(word, "=+:") && !is_open(buf);
		n++;
	}
	return whole && n > 1 ? n : 0;
}

int split_spec(const struct words *words, size_t first)
{
	struct span spec = words->v[first], last;
	char buf[FORM_SIZE];
	size_t n = joined(words, first, buf);

	if (!n)
		return 0;
	last = words->v[first + n - 1];
	spec.width = last.at + last.width - spec.at;
	return spec_fail(words, spec, "a SPEC is one word, without blanks: write `%s`", buf);
}

/* What is left of a SPEC whose beginning, the word before, is one by itself. */
static bool is_rest(const struct words *words, size_t index)
{
	struct span before = index ? words->v[index - 1] : (struct span){ .s = "" };

	return (span_has(before, '=') || span_has(before, '+')) &&
	       (words->v[index].s[0] == ':' || ends_in(before, ":"));
}

int shell_made(const struct words *words, struct span word, const struct ipsecpol_env *env)
{
	if (!env->is_file(word.s, env->arg))
		return 0;
	return spec_fail(words, word,
		"'%.*s' is a file here: the shell put it in the place of a SPEC with * or "
		"[..]; put the SPEC in quotes, as in -f '[*=0:1434:UDP]'%s",
		SHOW(word),
		span_has(word, '=') || span_has(word, '+')
			? ", or if it was in quotes go to another directory"
			: "");
}

int no_sign(const struct words *words, size_t index, const struct ipsecpol_env *env)
{
	struct span word = words->v[index];
	int err = shell_made(words, word, env);

	if (err)
		return err;
	err = split_spec(words, is_rest(words, index) ? index - 1 : index);
	if (err)
		return err;
	return spec_fail(words, word,
		"a SPEC has two ends with = or + between them, as in " EXAMPLE
		": from any address to this computer");
}

int split_tail(const struct words *words, size_t index)
{
	return index + 1 < words->n && is_tail(words->v[index + 1]) ? split_spec(words, index) : 0;
}

int blanks_inside(const struct words *words, struct span spec)
{
	char buf[FORM_SIZE];
	size_t used = 0;

	for (size_t i = 0; i < spec.len && used < sizeof(buf) - 1; i++)
		if (!is_blank(spec.s[i]))
			buf[used++] = spec.s[i];
	buf[used] = '\0';
	if (!used)
		return spec_fail(words, spec, "a SPEC is missing here, such as " EXAMPLE);
	return spec_fail(words, spec, "a SPEC has no blanks: write `%s`", buf);
}

int misprint(const struct words *words, const struct cut *cut)
{
	struct cut right = *cut;
	char buf[FORM_SIZE];

	if (cut->addr[1].len || !(span_is(cut->addr[0], "*0") || span_is(cut->addr[0], "0*")))
		return 0;
	right.addr[0] = literal("0");
	right.addr[1] = literal("*");
	return spec_fail(words, cut->whole,
		"a known misprint: from this computer to any address is written `%s`",
		cut_form(&right, buf));
}

int missing_address(const struct words *words, const struct cut *cut, int end)
{
	struct cut right = *cut;
	char buf[FORM_SIZE];
	struct span at = cut->addr[end];

	right.addr[end] = literal("*");
	if (!cut->addr[!end].len)
		right.addr[!end] = literal("0");
	at.width = 1;
	if (!end)
		return spec_fail(words, at, "an address is missing before the %c: write `%s`",
			cut->sign, cut_form(&right, buf));
	at.at--; /* the sign, which is there in any case */
	return spec_fail(words, at, "an address is missing behind the %c: write `%s`", cut->sign,
		cut_form(&right, buf));
}

int idle_mask(const struct words *words, const struct cut *cut, int end, uint8_t len, uint8_t right)
{
	char form[FORM_SIZE], other[FORM_SIZE];
	struct span addr = cut->addr[end];
	struct cut plain = *cut, any;

	plain.mask[end].len = 0;
	any = plain;
	any.addr[end] = literal("*");
	cut_form(&plain, form);
	if (span_is(addr, "0") && !len)
		return spec_fail(words, cut->mask[end],
			"0 is this computer, and with this mask any address: write `%s` or `%s`",
			form, cut_form(&any, other));
	return spec_fail(words, cut->mask[end],
		"'%.*s' has a mask of its own, %u: write `%s`, or the address of the network in "
		"numbers, as in 10.0.0.0/24",
		SHOW(addr), right, form);
}

int wrong_wildcard(const struct words *words, struct span addr)
{
	return spec_fail(words, addr,
		"wildcards stand at the end of four parts, as in 10.*.*.* or 192.168.7.*");
}

/* An IPv6 address without its brackets looks like many ports. */
static bool is_bare_ipv6(struct span text)
{
	struct prefix prefix;
	struct flaw flaw;

	return span_has(text, ':') && !parse_prefix(text.s, text.len, &prefix, &flaw) &&
	       prefix.family == 6;
}

int too_many_colons(const struct words *words, const struct cut *cut, int end, struct span text)
{
	struct cut right = *cut;
	char buf[FORM_SIZE];
	size_t first, last;

	if (is_bare_ipv6(text))
		return spec_fail(words, text,
			"an IPv6 address stands in brackets, so that its colons are not ports: "
			"[%.*s]",
			SHOW(text));
	if (end)
		return spec_fail(words, text,
			"too many colons: an end is ADDRESS:PORT, and behind the right one stands "
			":PROTOCOL; an IPv6 address stands in [..]");
	for (first = 0; text.s[first] != ':';)
		first++;
	for (last = text.len; text.s[last - 1] != ':';)
		last--;
	if (last == text.len || cut->proto.len)
		return spec_fail(words, text,
			"too many colons: the left end is ADDRESS:PORT, the protocol stands "
			"behind the right one; an IPv6 address stands in [..]");
	right.proto = span_part(text, last, text.len - last);
	return spec_fail(words, right.proto, "the protocol stands at the end: write `%s`",
		cut_form(&right, buf));
}

int wrong_port(const struct words *words, const struct cut *cut, int end)
{
	struct span port = cut->port[end];
	struct cut right = *cut;
	char buf[FORM_SIZE], name[64];
	uint32_t number;

	if (!cut->proto.len && is_known_proto(port)) {
		right.proto = port;
		right.port[end].len = 0;
		return spec_fail(words, port, "a protocol has a port or :: before it: write `%s`",
			cut_form(&right, buf));
	}
	if (span_number(port, &number) && !number) {
		right.port[end].len = 0;
		return spec_fail(words, port, "any port is said by leaving it out: write `%s`",
			cut_form(&right, buf));
	}
	if (span_number(port, &number))
		return spec_fail(
			words, port, "'%.*s' is above 65535, the highest port", SHOW(port));
	if (span_is(port, "*") || span_is_nocase(port, "any")) {
		right.port[end].len = 0;
		return spec_fail(words, port, "any port is said by leaving it out: write `%s`",
			cut_form(&right, buf));
	}
	if (is_digit(*port.s) && (span_has(port, '-') || span_has(port, ',')))
		return spec_fail(words, port,
			"one port stands here; for several write one -f SPEC each, or "
			"`bpfpol block %s/%.*s`",
			span_is_nocase(cut->proto, "udp") ? "udp" : "tcp", SHOW(port));
	snprintf(name, sizeof(name), "%.*s", (int)port.len, port.s);
	if (service_port(name) >= 0) {
		char digits[8];

		snprintf(digits, sizeof(digits), "%d", service_port(name));
		right.port[end] = literal(digits);
		return spec_fail(
			words, port, "a port is a number here: write `%s`", cut_form(&right, buf));
	}
	return spec_fail(words, port, "a port is a number from 1 to 65535");
}

int port_without_proto(const struct words *words, const struct cut *cut, int end)
{
	char tcp[FORM_SIZE], udp[FORM_SIZE];
	struct cut right = *cut;

	right.proto = literal("TCP");
	cut_form(&right, tcp);
	right.proto = literal("UDP");
	cut_form(&right, udp);
	return spec_fail(
		words, cut->port[end], "a port needs its protocol: write `%s` or `%s`", tcp, udp);
}

int unknown_filt_proto(const struct words *words, struct span proto)
{
	uint32_t number;

	if (span_number(proto, &number) && !number)
		return spec_fail(words, proto,
			"0 is any protocol there; here that is said by leaving it out");
	if (span_number(proto, &number))
		return spec_fail(words, proto,
			"protocols have numbers from 1 to 255; a port stands before the protocol");
	return spec_fail(words, proto,
		"unknown protocol '%.*s': write TCP, UDP, ICMP, another name of /etc/protocols, or "
		"a number",
		SHOW(proto));
}

int wrong_address(const struct words *words, const struct cut *cut, int end)
{
	struct span addr = cut->addr[end];
	size_t i = 0;

	if (cut->v6[end])
		return spec_fail(words, addr, "%s",
			span_has(addr, '%')   ? "an address has no scope here: leave the %... out"
			: span_has(addr, ':') ? "this is not an IPv6 address"
					      : "in brackets inside a SPEC stands an IPv6 address");
	while (i < addr.len && (is_digit(addr.s[i]) || addr.s[i] == '.'))
		i++;
	if (i == addr.len)
		return spec_fail(words, addr,
			"an IPv4 address is four numbers from 0 to 255, without leading zeros");
	if (span_has(addr, '-'))
		return spec_fail(words, addr,
			"a range of addresses is not possible: write a SPEC for each prefix, as in "
			"10.0.0.0/28");
	return spec_fail(words, addr, "this is neither an address nor the name of a host");
}

int proto_without_ports(const struct words *words, const struct cut *cut, int end, int proto)
{
	struct cut right = *cut;
	char buf[FORM_SIZE], name[16];

	right.port[0].len = right.port[1].len = 0;
	return spec_fail(words, cut->port[end], "%s has no ports: write `%s`",
		spec_proto_text(proto, name, sizeof(name)), cut_form(&right, buf));
}
