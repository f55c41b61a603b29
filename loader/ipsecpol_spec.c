/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filters of ipsecpol.
 *
 *	SPEC := FILT | "(" FILT ")" | "[" FILT "]"		permit, block
 *	FILT := END ("=" | "+") END [":" [proto]]
 *	END  := (0 | me | * | any | a.b.c.d | a.b.*.* | name | "[" IPv6 "]") ["/" mask] [":" [port]]
 *
 * First a SPEC is cut at its signs, then each piece is judged: so an error can show the right form
 * of the whole, whichever piece is wrong.
 */
#include "ipsecpol_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct span span_from(struct span span, size_t from)
{
	return span_part(span, from, span.len - from);
}

/* Where the first of those characters stands, or span.len. */
static size_t find(struct span span, const char *chars)
{
	size_t i = 0;

	while (i < span.len && !strchr(chars, span.s[i]))
		i++;
	return i;
}

/*
 * An outer [ is told from that of an IPv6 address by what comes next: the signs of a filter, or
 * another [, stand only inside an outer one.
 */
static bool has_outer(struct span spec)
{
	size_t next;

	if (spec.len && spec.s[0] == '(')
		return true;
	if (!spec.len || spec.s[0] != '[')
		return false;
	next = 1 + find(span_from(spec, 1), "[]=+");
	return next == spec.len || spec.s[next] != ']';
}

static int cut_brackets(const struct words *words, struct cut *cut)
{
	struct span spec = cut->whole;
	char open = spec.len ? spec.s[0] : 0, close = open == '(' ? ')' : ']';
	char last = spec.len ? spec.s[spec.len - 1] : 0;

	cut->inner = spec;
	if (!has_outer(spec)) {
		if (last != ')')
			return 0;
		return spec_fail(words, span_part(spec, spec.len - 1, 1),
			"this bracket closes none: (SPEC) permits, [SPEC] blocks");
	}
	if (spec.len < 2 || last != close)
		return spec_fail(words, span_part(spec, 0, 1),
			"this bracket is not closed: put a %c at the end", close);
	cut->bracket = open;
	cut->inner = span_part(spec, 1, spec.len - 2);
	return 0;
}

/* The place of = or +, outside the brackets of IPv6 addresses; span.len: there is none. */
static size_t find_sign(struct span span)
{
	bool inside = false;
	size_t i;

	for (i = 0; i < span.len; i++) {
		if (span.s[i] == '[' || span.s[i] == ']')
			inside = span.s[i] == '[';
		else if (!inside && (span.s[i] == '=' || span.s[i] == '+'))
			break;
	}
	return i;
}

/* Cuts the address off, and its mask; *rest begins at the colon behind them, if there is one. */
static int cut_address(
	const struct words *words, struct cut *cut, int end, struct span text, struct span *rest)
{
	size_t len;

	if (text.len && text.s[0] == '[') {
		len = find(text, "]");
		if (len == text.len)
			return spec_fail(words, span_part(text, 0, 1),
				"this bracket is not closed: put a ] "
				"behind the IPv6 address");
		cut->v6[end] = true;
		cut->addr[end] = span_part(text, 1, len - 1);
		text = span_from(text, len + 1);
		if (text.len && text.s[0] != '/' && text.s[0] != ':')
			return spec_fail(words, span_part(text, 0, 1),
				"behind an address stand a / and its mask, or a : and a port");
	} else {
		len = find(text, "/:");
		cut->addr[end] = span_part(text, 0, len);
		text = span_from(text, len);
	}
	if (text.len && text.s[0] == '/') {
		len = find(text, ":");
		cut->mask[end] = span_part(text, 1, len - 1);
		if (len == 1)
			return spec_fail(words, span_part(text, 0, 1),
				"behind the / stands a mask: 24, or 255.255.255.0");
		text = span_from(text, len);
	}
	*rest = text;
	return 0;
}

/* END, and behind the right one the protocol. */
static int cut_end(const struct words *words, struct cut *cut, int end, struct span text)
{
	struct span rest;
	size_t len;
	int err = cut_address(words, cut, end, text, &rest);

	if (err || !rest.len)
		return err;
	rest = span_from(rest, 1);
	len = find(rest, ":");
	cut->port[end] = span_part(rest, 0, len);
	if (len == rest.len)
		return 0;
	rest = span_from(rest, len + 1);
	if (end == 0 || span_has(rest, ':'))
		return too_many_colons(words, cut, end, text);
	cut->proto = rest;
	return 0;
}

static bool has_blank(struct span span)
{
	size_t i = 0;

	while (i < span.len && !is_blank(span.s[i]))
		i++;
	return i < span.len;
}

static int spec_cut(
	const struct words *words, size_t index, const struct ipsecpol_env *env, struct cut *cut)
{
	struct span left, right;
	size_t sign;
	int err;

	*cut = (struct cut){ .whole = words->v[index] };
	/* Also what looks like a SPEC: `*=0:80:TCP` may have become 192.0.2.1=0:80:TCP, and blocked
	 * less than was asked for. With its * a word is what was typed, whoever put it there. */
	err = span_has(cut->whole, '*') ? 0 : shell_made(words, cut->whole, env);
	if (!err && has_blank(cut->whole))
		err = blanks_inside(words, cut->whole);
	if (!err)
		err = split_tail(words, index);
	if (err)
		return err;
	sign = find_sign(cut->whole);
	if (has_outer(cut->whole))
		sign = 1 + find_sign(span_from(cut->whole, 1));
	if (sign >= cut->whole.len)
		return no_sign(words, index, env);
	err = cut_brackets(words, cut);
	if (err)
		return err;
	sign = find_sign(cut->inner);
	cut->sign = cut->inner.s[sign];
	left = span_part(cut->inner, 0, sign);
	right = span_from(cut->inner, sign + 1);
	sign = find_sign(right);
	if (sign < right.len)
		return spec_fail(words, span_part(right, sign, 1),
			"a SPEC has two ends, with one = or + between them");
	err = cut_end(words, cut, 1, right);
	return err ? err : cut_end(words, cut, 0, left);
}

static bool is_me(struct span addr)
{
	return span_is(addr, "0") || span_is_nocase(addr, "me");
}

static bool is_any(struct span addr)
{
	return span_is(addr, "*") || span_is_nocase(addr, "any");
}

/* a.b.*.*: numbers, then stars, four in all. */
static int parse_wildcard(const struct words *words, struct span addr, struct prefix *prefix)
{
	struct span rest = addr;
	bool stars = false;
	uint32_t number;
	int i;

	*prefix = (struct prefix){ .family = 4 };
	for (i = 0; i < 4; i++) {
		size_t len = find(rest, ".");
		struct span part = span_part(rest, 0, len);

		if (span_is(part, "*"))
			stars = true;
		else if (stars || !span_number(part, &number) || number > 255)
			return wrong_wildcard(words, addr);
		else
			prefix->bytes[prefix->len++] = number;
		if ((i < 3) != (len < rest.len))
			return wrong_wildcard(words, addr);
		rest = span_from(rest, len + (i < 3));
	}
	prefix->len *= 8;
	return 0;
}

/* An address in numbers, with its mask. */
static int parse_numbers(
	const struct words *words, const struct cut *cut, int end, struct prefix *prefix)
{
	struct span addr = cut->addr[end], mask = cut->mask[end];
	struct flaw flaw = {};
	char text[256];
	size_t len = addr.len;

	if (!cut->v6[end] && host_is_too_long(addr))
		return spec_fail(words, addr, HOST_TOO_LONG);
	if (addr.len + mask.len + 2 > sizeof(text))
		return spec_fail(
			words, mask.len > addr.len ? mask : addr, "no address is as long as this");
	memcpy(text, addr.s, addr.len);
	if (mask.len) {
		text[len++] = '/';
		memcpy(text + len, mask.s, mask.len);
		len += mask.len;
	}
	if (cut->v6[end] && !span_has(addr, ':'))
		return wrong_address(words, cut, end);
	if (!parse_prefix(text, len, prefix, &flaw))
		return 0;
	if (flaw.at > addr.len)
		return spec_fail(words, mask, "%s", flaw.why);
	return wrong_address(words, cut, end);
}

/*
 * Behind what is no address in numbers a mask may only say what stands there already: that any
 * address is all of them, this computer or a host just itself, wildcards the network that they are.
 */
static int same_mask(const struct words *words, const struct cut *cut, int end, uint8_t len)
{
	struct span mask = cut->mask[end];
	struct prefix prefix;
	struct flaw flaw;
	char text[64];

	if (!mask.len)
		return 0;
	if (mask.len > 32)
		return spec_fail(words, mask, "no mask is as long as this");
	snprintf(text, sizeof(text), "0.0.0.0/%.*s", (int)mask.len, mask.s);
	if (parse_prefix(text, strlen(text), &prefix, &flaw))
		return spec_fail(words, mask, "%s", flaw.why);
	return prefix.len == len ? 0 : idle_mask(words, cut, end, prefix.len, len);
}

static int parse_address(
	const struct words *words, const struct cut *cut, int end, struct filt_end *out)
{
	struct span addr = cut->addr[end];

	if (!addr.len)
		return missing_address(words, cut, end);
	if (!cut->v6[end] && is_me(addr)) {
		out->kind = FILT_ME;
		return same_mask(words, cut, end, 32);
	}
	if (!cut->v6[end] && is_any(addr)) {
		out->kind = FILT_ANY;
		return same_mask(words, cut, end, 0);
	}
	out->kind = FILT_PREFIX;
	if (!cut->v6[end] && span_has(addr, '*')) {
		int err = parse_wildcard(words, addr, &out->prefix);

		return err ? err : same_mask(words, cut, end, out->prefix.len);
	}
	if (!cut->v6[end] && span_is_host(addr)) {
		out->kind = FILT_NAME;
		out->name = addr;
		return same_mask(words, cut, end, 32);
	}
	return parse_numbers(words, cut, end, &out->prefix);
}

static int parse_filt_proto(const struct words *words, const struct cut *cut, int *proto)
{
	uint32_t number;
	int err;

	*proto = PROTO_ANY;
	if (!cut->proto.len || span_is_nocase(cut->proto, "any"))
		return 0;
	if (span_is_nocase(cut->proto, "raw")) {
		*proto = 255;
		return 0;
	}
	if (span_number(cut->proto, &number) && (!number || number > 255))
		return unknown_filt_proto(words, cut->proto);
	err = parse_proto(words, cut->proto, proto);
	return err == -ENOENT ? unknown_filt_proto(words, cut->proto) : err;
}

static int parse_filt_port(
	const struct words *words, const struct cut *cut, int end, int proto, int *port)
{
	uint32_t number;

	*port = -1;
	if (!cut->port[end].len)
		return 0;
	if (!span_number(cut->port[end], &number) || !number || number > 65535)
		return wrong_port(words, cut, end);
	if (proto == PROTO_ANY)
		return port_without_proto(words, cut, end);
	if (!proto_has_ports(proto))
		return proto_without_ports(words, cut, end, proto);
	*port = number;
	return 0;
}

int filt_parse(
	const struct words *words, size_t index, const struct ipsecpol_env *env, struct filt *filt)
{
	struct filt_end *ends[] = { &filt->left, &filt->right };
	struct cut cut;
	int err = spec_cut(words, index, env, &cut);

	if (err)
		return err;
	*filt = (struct filt){
		.at = cut.whole,
		.action = cut.bracket == '('   ? BP_PERMIT
			  : cut.bracket == '[' ? BP_BLOCK
					       : -1,
		.mirrored = cut.sign == '+',
	};
	err = misprint(words, &cut);
	if (!err && cut.inner.s[cut.inner.len - 1] == cut.sign)
		err = split_spec(words, index);
	for (int end = 0; end < 2 && !err; end++)
		err = parse_address(words, &cut, end, ends[end]);
	if (!err)
		err = parse_filt_proto(words, &cut, &filt->proto);
	/* The right one first: a protocol in its place would make the left one's lack it. */
	for (int end = 1; end >= 0 && !err; end--)
		err = parse_filt_port(words, &cut, end, filt->proto, &ends[end]->port);
	if (!err && filt->left.kind == FILT_ME && filt->right.kind == FILT_ME)
		err = spec_fail(words, cut.inner,
			"this computer stands at both ends: what it sends itself is never "
			"filtered; write `*` at one of them");
	return err;
}
