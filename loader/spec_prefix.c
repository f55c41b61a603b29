/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Addresses and prefixes, and the lists of them. Lists have a million lines: what each of those
 * takes is written by hand, and no memory is asked for.
 */
#include "spec_parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int flaw_set(struct flaw *flaw, const char *why, size_t at, size_t len)
{
	*flaw = (struct flaw){ .why = why, .at = at, .len = len };
	return -EINVAL;
}

/* Leading zeros are refused: some programs read them as octal. */
static bool parse_ipv4(const char *text, size_t len, uint8_t *bytes)
{
	const char *end = text + len, *first;
	unsigned int value;
	int i;

	for (i = 0; i < 4; i++) {
		if (i && (text == end || *text++ != '.'))
			return false;
		value = 0;
		for (first = text; text < end && text - first < 4 && is_digit(*text); text++)
			value = value * 10 + (*text - '0');
		if (text == first || value > 255 || (*first == '0' && text - first > 1))
			return false;
		bytes[i] = value;
	}
	return text == end;
}

static bool parse_ipv6(const char *text, size_t len, uint8_t *bytes)
{
	char copy[INET6_ADDRSTRLEN];

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return inet_pton(AF_INET6, copy, bytes) == 1;
}

/* What people write that is no address, by the character that tells. */
static const char *wrong_address(const char *text, size_t len)
{
	static const struct {
		char tell;
		const char *why;
	} wrong[] = {
		{ '%', "an address has no scope here: leave the %... out and write `on IFACE`" },
		{ '[', "write the address without brackets" },
		{ '-', "a range of addresses is not possible: write it as prefixes, in a @FILE" },
		{ ',', "one address only: put several into a file and write @FILE" },
		{ '*', "wildcards are written as a prefix: 10.0.0.0/8 for 10.*.*.*" },
	};
	const char *colon = memchr(text, ':', len);
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (memchr(text, wrong[i].tell, len))
			return wrong[i].why;
	}
	if (colon && memchr(text, '.', colon - text))
		return "a port stands behind its own word: 192.0.2.1 port 80";
	if (colon)
		return "this is not an IPv6 address";
	for (i = 0; i < len; i++) {
		if (!is_digit(text[i]) && text[i] != '.')
			return "this is not an address, and host names are not looked up";
	}
	return "an IPv4 address is four numbers from 0 to 255, without leading zeros";
}

static const char *parse_mask(const char *text, size_t len, uint8_t *prefix_len)
{
	uint8_t bytes[4];
	uint32_t host;

	if (!parse_ipv4(text, len, bytes))
		return "after the / stands a length, or a mask such as 255.255.255.0";
	memcpy(&host, bytes, sizeof(host));
	host = ~ntohl(host);
	if (host & (host + 1))
		return "a mask must be contiguous: ones, then zeros, as in 255.255.255.0";
	*prefix_len = 32 - __builtin_popcount(host);
	return NULL;
}

/* What follows the slash; NULL or what is wrong with it. */
static const char *parse_len(const char *text, size_t len, struct prefix *prefix)
{
	unsigned int value = 0, full = prefix->family == 4 ? 32 : 128;
	size_t i;

	for (i = 0; i < len && is_digit(text[i]); i++)
		value = value > full ? value : value * 10 + (text[i] - '0');
	if (!len || i < len) {
		if (prefix->family == 4)
			return parse_mask(text, len, &prefix->len);
		return "after the / stands the prefix's length, 0 to 128";
	}
	if (value > full) {
		return full == 32 ? "an IPv4 prefix is 0 to 32 bits long"
				  : "an IPv6 prefix is 0 to 128 bits long";
	}
	prefix->len = value;
	return NULL;
}

static void clear_host_bits(struct prefix *prefix)
{
	size_t whole = prefix->len / 8;

	if (prefix->len % 8)
		prefix->bytes[whole++] &= 0xff00 >> prefix->len % 8;
	memset(prefix->bytes + whole, 0, sizeof(prefix->bytes) - whole);
}

int parse_prefix(const char *text, size_t len, struct prefix *prefix, struct flaw *flaw)
{
	const char *slash = memchr(text, '/', len), *why;
	size_t head = slash ? (size_t)(slash - text) : len;
	bool v6 = memchr(text, ':', head);
	size_t tail;

	memset(prefix, 0, sizeof(*prefix));
	prefix->family = v6 ? 6 : 4;
	prefix->len = v6 ? 128 : 32;
	if (v6 ? !parse_ipv6(text, head, prefix->bytes) : !parse_ipv4(text, head, prefix->bytes))
		return flaw_set(flaw, wrong_address(text, head), 0, head);
	if (!slash)
		return 0;
	tail = len - head - 1;
	why = parse_len(slash + 1, tail, prefix);
	if (why)
		return flaw_set(flaw, why, tail ? head + 1 : head, tail ? tail : 1);
	clear_host_bits(prefix);
	return 0;
}

int spec_parse_prefix(const char *text, size_t len, struct prefix *prefix, const char **why)
{
	struct flaw flaw;
	int err = parse_prefix(text, len, prefix, &flaw);

	if (err)
		*why = flaw.why;
	return err;
}

static char *put_byte(char *to, uint8_t byte)
{
	if (byte >= 100)
		*to++ = '0' + byte / 100;
	if (byte >= 10)
		*to++ = '0' + byte / 10 % 10;
	*to++ = '0' + byte % 10;
	return to;
}

/* Lists have a million of these: inet_ntop() takes ten times as long. */
static void put_ipv4(const uint8_t bytes[4], char buf[INET_ADDRSTRLEN])
{
	for (int i = 0; i < 4; i++) {
		buf = put_byte(buf, bytes[i]);
		*buf++ = i < 3 ? '.' : '\0';
	}
}

void spec_prefix_text(const struct prefix *prefix, char *buf, size_t size)
{
	size_t used;

	buf[0] = '\0';
	if (prefix->family == 4 && size >= INET_ADDRSTRLEN)
		put_ipv4(prefix->bytes, buf);
	else
		inet_ntop(prefix->family == 4 ? AF_INET : AF_INET6, prefix->bytes, buf, size);
	used = strlen(buf);
	if (prefix->len < (prefix->family == 4 ? 32 : 128))
		snprintf(buf + used, size - used, "/%u", prefix->len);
}

#define NAMED 20 /* bad lines of a list that a message names */

struct bad_line {
	unsigned int number;
	const char *text;
	size_t len;
	struct flaw flaw;
};

struct list_reader {
	struct prefixes *list;
	size_t room;
	struct bad_line bad[NAMED];
	size_t n_bad;
};

static void note_bad(struct list_reader *r, const struct bad_line *bad)
{
	if (r->n_bad < NAMED)
		r->bad[r->n_bad] = *bad;
	r->n_bad++;
}

static int list_add(struct list_reader *r, const struct prefix *prefix)
{
	struct prefixes *list = r->list;

	if (list->n == r->room) {
		size_t room = r->room ? 2 * r->room : 64;
		struct prefix *v = reallocarray(list->v, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		list->v = v;
		r->room = room;
	}
	list->v[list->n++] = *prefix;
	return 0;
}

/* Known lists (Spamhaus DROP) comment with a semicolon. */
static bool is_comment(char c)
{
	return c == '#' || c == ';';
}

/* What to write instead in a rule would be no help in a list. */
static void advise(struct flaw *flaw, const char *text, size_t len)
{
	if (len >= 4 && !memcmp(text, "dns:", 4))
		flaw->why = "dns:HOST stands in a rule, not in a list";
	else if (memchr(text, '-', len))
		flaw->why =
			"a range of addresses is not possible: write it as prefixes, one a line";
	else if (memchr(text, ',', len))
		flaw->why = "one address or prefix a line";
}

static int read_list_line(struct list_reader *r, unsigned int number, const char *s, size_t len)
{
	struct bad_line bad = { .number = number, .text = s };
	const char *zero = memchr(s, '\0', len);
	size_t first = 0, end, next;
	struct prefix prefix;

	bad.len = len;
	if (zero) {
		flaw_set(&bad.flaw, "this line holds a zero byte: a list is text", zero - s, 1);
		note_bad(r, &bad);
		return 0;
	}
	while (len && is_blank(s[len - 1]))
		len--;
	while (first < len && is_blank(s[first]))
		first++;
	for (end = first; end < len && !is_blank(s[end]) && !is_comment(s[end]);)
		end++;
	if (end == first)
		return 0;
	for (next = end; next < len && is_blank(s[next]);)
		next++;
	bad.len = len;
	if (next < len && !is_comment(s[next])) {
		flaw_set(&bad.flaw, "one address or prefix a line", next, len - next);
		note_bad(r, &bad);
		return 0;
	}
	if (parse_prefix(s + first, end - first, &prefix, &bad.flaw)) {
		advise(&bad.flaw, s + first, end - first);
		bad.flaw.at += first;
		note_bad(r, &bad);
		return 0;
	}
	return list_add(r, &prefix);
}

/* One bad line gets its caret, several are listed. */
static int report_bad(const struct list_reader *r, const char *file, struct diag *diag)
{
	const struct bad_line *bad = r->bad;
	char message[sizeof(diag->message)];
	size_t used, i;

	snprintf(diag->file, sizeof(diag->file), "%s", file);
	diag->line = bad->number;
	if (r->n_bad == 1) {
		char *line = strndup(bad->text, bad->len);

		if (line)
			diag_place(diag, line, bad->flaw.at, bad->flaw.len);
		free(line);
		return diag_set(diag, DIAG_USAGE, EINVAL, "%s", bad->flaw.why);
	}
	used = snprintf(message, sizeof(message), "%zu lines are wrong; the first: %s", r->n_bad,
		bad->flaw.why);
	for (i = 0; i < r->n_bad && i < NAMED; i++) {
		bad = &r->bad[i];
		used += snprintf(message + used, sizeof(message) - used, "\n  line %u: %.*s",
			bad->number, (int)(bad->len < 24 ? bad->len : 24), bad->text);
	}
	if (r->n_bad > NAMED)
		snprintf(message + used, sizeof(message) - used, "\n  and %zu more",
			r->n_bad - NAMED);
	return diag_set(diag, DIAG_USAGE, EINVAL, "%s", message);
}

/* The mark that Windows editors put in front of UTF-8. */
static size_t bom_len(const char *text, size_t len)
{
	return len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

static void prefixes_free(struct prefixes *list)
{
	free(list->v);
	*list = (struct prefixes){ 0 };
}

int spec_parse_list(
	const char *file, const char *text, size_t len, struct prefixes *list, struct diag *diag)
{
	struct list_reader r = { .list = list };
	const char *s = text + bom_len(text, len), *end = text + len;
	unsigned int number;
	int err = 0;

	*list = (struct prefixes){ 0 };
	for (number = 1; s < end && !err; number++) {
		const char *newline = memchr(s, '\n', end - s);

		err = read_list_line(&r, number, s, (newline ? newline : end) - s);
		s = newline ? newline + 1 : end;
	}
	if (!err && r.n_bad)
		err = report_bad(&r, file, diag);
	if (err) {
		prefixes_free(list);
		return err;
	}
	prefixes_sort(list);
	return 0;
}
