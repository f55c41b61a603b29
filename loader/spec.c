/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rule language.
 *
 *	rule     := ACTION WORDS [BODY] OPTIONS
 *	ACTION   := block | permit | count
 *	WORDS    := [in | out | inout] [emergency] [on IFACE]		in any order
 *	BODY     := [PROTO] [from END] [to END]
 *		  | PROTO/PORTS [from ADDR] [to ADDR]		PROTO ... to ADDR port PORTS
 *		  | ADDR					the remote end
 *	END      := ADDR [port PORTS] | port PORTS
 *	ADDR     := any | me | IPv4[/len | /mask] | IPv6[/len] | @FILE | dns:HOST
 *	PORTS    := PORT {,PORT}		PORT := N | N-M | SERVICE
 *	PROTO    := any | NAME | 0-255		icmp, icmpv6: PROTO [type N [code N]]
 *	OPTIONS  := [for DURATION] [log] [name "TEXT"]		in any order
 *
 * Without a direction `from me` means out, everything else in. The canonical text (spec_text.c)
 * is of the first BODY and prints WORDS and OPTIONS in the order above.
 *
 * A recursive descent over words; each error points at one of them.
 */
#include "spec_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool more(const struct parser *p)
{
	return p->next < p->words.n;
}

/* The next word; without one, an empty span that equals no word. */
static struct span peek(const struct parser *p)
{
	return more(p) ? p->words.v[p->next] : (struct span){ .s = "" };
}

static struct span take(struct parser *p)
{
	return p->words.v[p->next++];
}

/* Every word of the language is looked for by this. */
static bool next_is(struct parser *p, const char *word)
{
	want_word(p, word);
	return span_is(peek(p), word);
}

static bool take_if(struct parser *p, const char *word, struct span *at)
{
	if (!next_is(p, word))
		return false;
	*at = take(p);
	return true;
}

/* The word after `keyword`, which must be there and be no word of the language. */
static int operand(struct parser *p, struct span keyword, enum wanted_value value, const char *what,
	struct span *word)
{
	want_value(p, value);
	p->ended = !more(p);
	if (p->ended || advice_on(peek(p)))
		return spec_fail(&p->words, keyword, "`%.*s` needs %s", SHOW(keyword), what);
	*word = take(p);
	return 0;
}

static int copy_word(struct span word, char **copy)
{
	*copy = strndup(word.s, word.len);
	return *copy ? 0 : -ENOMEM;
}

/* WORDS and OPTIONS: a keyword, and what reads on from it. */
struct keyword {
	const char *word;
	int (*take)(struct parser *p, struct span at);
};

static int take_keywords(struct parser *p, const struct keyword *keywords)
{
	const struct keyword *k = keywords;
	struct span at;
	int err;

	while (k->word) {
		if (!take_if(p, k->word, &at)) {
			k++;
			continue;
		}
		err = k->take(p, at);
		if (err)
			return err;
		k = keywords;
	}
	return 0;
}

static int twice(struct parser *p, struct span at)
{
	return spec_fail(&p->words, at, "`%.*s` is given twice: leave one out", SHOW(at));
}

static int take_dir(struct parser *p, struct span at)
{
	enum rule_dir dir;

	for (dir = DIR_IN; !span_is(at, dir_name(dir));)
		dir++;
	if (p->dir.width && dir == p->rule->dir)
		return twice(p, at);
	if (p->dir.width)
		return spec_fail(&p->words, at,
			"a rule has one direction: for both ways write two rules, or `inout`");
	p->dir = at;
	p->rule->dir = dir;
	return 0;
}

static int take_emergency(struct parser *p, struct span at)
{
	if (p->rule->emergency)
		return twice(p, at);
	p->rule->emergency = true;
	return 0;
}

/* What the kernel accepts as a name, as far as it can be printed. */
static bool is_ifname(const char *name)
{
	return name[0] && strlen(name) < 16 && !strpbrk(name, " /:") && strcmp(name, ".") &&
	       strcmp(name, "..") && text_is_printable(name);
}

static int take_on(struct parser *p, struct span at)
{
	struct span word;

	if (p->rule->ifname)
		return spec_fail(
			&p->words, at, "`on` is given twice: write one rule for each interface");
	want_value(p, WANT_IFACE);
	p->ended = !more(p);
	if (p->ended)
		return spec_fail(&p->words, at, "`on` needs the name of an interface");
	word = take(p);
	if (!is_ifname(word.s))
		return spec_fail(&p->words, word,
			"no interface can have this name: it has 1 to 15 bytes, without blanks, "
			"slashes and colons");
	p->on = word;
	return copy_word(word, &p->rule->ifname);
}

static const struct keyword words_table[] = {
	{ "in", take_dir },
	{ "out", take_dir },
	{ "inout", take_dir },
	{ "emergency", take_emergency },
	{ "on", take_on },
	{},
};

static int take_for(struct parser *p, struct span at)
{
	struct span word;
	int err;

	if (p->rule->lifetime)
		return twice(p, at);
	err = operand(p, at, WANT_TIME, "a time: 90s, 15m, 2h or 7d", &word);
	if (err)
		return err;
	if (spec_parse_duration(word.s, &p->rule->lifetime))
		return spec_fail(&p->words, word,
			"a time is one number and its unit, 90s, 15m, 2h or 7d, "
			"more than none and at most 36500d");
	return 0;
}

static int take_log(struct parser *p, struct span at)
{
	if (p->rule->log)
		return twice(p, at);
	p->rule->log = true;
	return 0;
}

static int take_name(struct parser *p, struct span at)
{
	struct span word;

	if (p->rule->label)
		return twice(p, at);
	want_value(p, WANT_OTHER);
	p->ended = !more(p);
	if (p->ended)
		return spec_fail(&p->words, at, "`name` needs a text: name \"worm of may\"");
	word = take(p);
	if (!word.quoted && !p->words.args)
		return spec_fail(
			&p->words, word, "put the text in quotes: name \"%.*s\"", SHOW(word));
	if (!word.len || !text_is_printable(word.s))
		return spec_fail(&p->words, word,
			"a name is UTF-8 text, not empty and without control characters");
	return copy_word(word, &p->rule->label);
}

static const struct keyword options_table[] = {
	{ "for", take_for },
	{ "log", take_log },
	{ "name", take_name },
	{},
};

/* A host's name is the same in capitals, and the name of a file of ours. */
static int parse_host(struct parser *p, struct span word, struct end *end)
{
	struct span host = span_part(word, 4, word.len - 4);
	int err;

	if (!span_is_host(host))
		return spec_fail(&p->words, word, "%s",
			host_is_too_long(host)
				? HOST_TOO_LONG
				: "behind dns: stands the name of a host: letters, digits, hyphens "
				  "and dots");
	end->kind = END_FILE;
	err = copy_word(word, &end->file);
	for (char *c = end->file; !err && *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c |= 0x20;
	return err;
}

/* A file may be called like a host: it is one in this directory then. */
static int parse_file(struct parser *p, struct span word, struct end *end)
{
	const char *file = word.s + 1;

	if (word.len < 2 || !text_is_printable(word.s))
		return spec_fail(&p->words, word,
			"behind the @ stands the name of a file, "
			"UTF-8 without control characters");
	end->kind = END_FILE;
	if (!list_host(file))
		return copy_word(span_part(word, 1, word.len - 1), &end->file);
	return asprintf(&end->file, "./%s", file) < 0 ? -ENOMEM : 0;
}

/* `me` stands at the end that is near by the rule's direction. */
static int parse_me(struct parser *p, struct span word, struct end *end)
{
	if (end != rule_remote(p->rule, BP_IN)) {
		end->kind = END_ME;
		return 0;
	}
	return spec_fail(&p->words, word, "%s",
		p->rule->dir == DIR_OUT ? "`me` receives what comes in: write `in` with `to me`, "
					  "or `from me` for what this host sends"
					: "`me` sends what goes out: write `out` with `from me`, "
					  "or `to me` for what this host receives");
}

static int parse_address(struct parser *p, struct span word, struct end *end)
{
	struct flaw flaw;

	if (span_is(word, "any"))
		return 0;
	if (span_is(word, "me"))
		return parse_me(p, word, end);
	if (word.s[0] == '@')
		return parse_file(p, word, end);
	if (!strncasecmp(word.s, "dns:", 4))
		return parse_host(p, word, end);
	if (parse_prefix(word.s, word.len, &end->prefix, &flaw))
		return no_address(
			p, word, word.quoted ? word : span_part(word, flaw.at, flaw.len), flaw.why);
	end->kind = END_PREFIX;
	return 0;
}

/* `at`: of the protocol's name, or of what asks it for ports. */
static int need_ports(struct parser *p, struct span at)
{
	int proto = p->rule->proto;
	const char *name;
	char buf[16];

	if (proto == PROTO_ANY || proto_has_ports(proto))
		return 0;
	name = spec_proto_text(proto, buf, sizeof(buf));
	if (proto_has_type(proto))
		return spec_fail(&p->words, at,
			"%s has no ports; its types are written `%s type %d`", name, name,
			proto == IPPROTO_ICMP ? 8 : 128);
	return spec_fail(
		&p->words, at, "%s has no ports; tcp, udp, sctp, dccp and udplite have", name);
}

static int take_ports(struct parser *p, struct span at, struct end *end)
{
	struct span word;
	int err;

	if (p->ports.width)
		return spec_fail(&p->words, at,
			"'%.*s' gives the ports already; to give more write "
			"`PROTO from ADDR port N to ADDR port N`",
			SHOW(p->ports));
	err = need_ports(p, at);
	if (!err)
		err = operand(p, at, WANT_PORTS,
			"a port: 80, 6000-6063, ssh or several with commas", &word);
	if (err)
		return err;
	*(end == &p->rule->from ? &p->from_ports : &p->to_ports) = word;
	return parse_ports(&p->words, word, p->rule->proto, &end->ports);
}

/* What follows `from` or `to`. */
static int take_end(struct parser *p, struct span keyword, struct end *end, struct span *at)
{
	struct span port;
	int err;

	*at = keyword;
	if (!next_is(p, "port")) {
		err = operand(p, keyword, WANT_ADDRESS, "an address, or `port` and a port", at);
		if (!err)
			err = parse_address(p, *at, end);
		if (err)
			return err;
	}
	return take_if(p, "port", &port) ? take_ports(p, port, end) : 0;
}

/* The direction that `from me` gives must stand before its address is judged. */
static int take_ends(struct parser *p)
{
	struct rule *rule = p->rule;
	struct span at;
	int err = 0;

	if (take_if(p, "from", &at)) {
		if (!p->dir.width && span_is(peek(p), "me"))
			rule->dir = DIR_OUT;
		err = take_end(p, at, &rule->from, &p->from);
	}
	if (!err && take_if(p, "to", &at))
		err = take_end(p, at, &rule->to, &p->to);
	return err;
}

static int take_bare(struct parser *p)
{
	struct rule *rule = p->rule;

	p->bare = take(p);
	return parse_address(p, p->bare, rule->dir == DIR_OUT ? &rule->to : &rule->from);
}

static int take_number(struct parser *p, struct span keyword, int *value)
{
	struct span word;
	uint32_t number;
	int err = operand(p, keyword, WANT_OTHER, "a number from 0 to 255", &word);

	if (err)
		return err;
	if (!span_number(word, &number) || number > 255)
		return spec_fail(
			&p->words, word, "`%.*s` takes a number from 0 to 255", SHOW(keyword));
	*value = number;
	return 0;
}

static int take_type(struct parser *p)
{
	struct rule *rule = p->rule;
	struct span at;
	int err;

	if (!proto_has_type(rule->proto) || !take_if(p, "type", &at))
		return 0;
	err = take_number(p, at, &rule->type);
	if (!err && take_if(p, "code", &at))
		err = take_number(p, at, &rule->code);
	return err;
}

static int take_proto(struct parser *p)
{
	int err;

	p->proto = take(p);
	err = parse_proto(&p->words, p->proto, &p->rule->proto);
	if (err == -ENOENT)
		return unknown_word(p, p->proto);
	return err ? err : take_type(p);
}

static int take_proto_ports(struct parser *p)
{
	struct span word = take(p);
	size_t head = (const char *)memchr(word.s, '/', word.len) - word.s;
	int err;

	p->proto = span_part(word, 0, head);
	p->ports = word;
	err = check_slash(p, word, head);
	if (err)
		return err;
	err = parse_proto(&p->words, p->proto, &p->rule->proto);
	if (err == -ENOENT)
		return unknown_proto(p, p->proto);
	if (!err)
		err = need_ports(p, word);
	if (err)
		return err;
	p->ended = head + 1 == word.len && !more(p);
	if (head + 1 == word.len)
		return spec_fail(&p->words, word, "a port is missing behind the /");
	p->to_ports = span_part(word, head + 1, word.len - head - 1);
	return parse_ports(&p->words, p->to_ports, p->rule->proto, &p->rule->to.ports);
}

static int take_body(struct parser *p)
{
	struct span word = peek(p);
	int err = 0;

	want_value(p, WANT_PROTO | WANT_ADDRESS);
	if (!more(p))
		return take_ends(p);
	err = check_equals(&p->words, word);
	if (err)
		return err;
	if (looks_like_address(word) || span_is(word, "me"))
		return take_bare(p);
	if (span_has(word, '/'))
		err = take_proto_ports(p);
	else if (!advice_on(word))
		err = take_proto(p);
	return err ? err : take_ends(p);
}

void want_where(struct parser *p)
{
	for (const struct keyword *k = words_table; k->word; k++)
		want_word(p, k->word);
}

int parse_where(struct parser *p)
{
	return take_keywords(p, words_table);
}

int parse_match(struct parser *p)
{
	int err = parse_where(p);

	return err ? err : take_body(p);
}

int check_families(struct parser *p)
{
	const struct rule *rule = p->rule;
	const struct {
		const struct end *end;
		struct span at;
	} ends[] = {
		{ &rule->from, p->from.width ? p->from : p->bare },
		{ &rule->to, p->to.width ? p->to : p->bare },
	};
	const char *why = NULL;
	int family = proto_family(rule->proto, &why);
	size_t i;

	for (i = 0; i < 2; i++) {
		const struct end *end = ends[i].end;

		if (end->kind != END_PREFIX)
			continue;
		if (family && family != end->prefix.family)
			return spec_fail(&p->words, ends[i].at, "%s",
				why ? why
				    : "one end is IPv4 and the other IPv6: "
				      "no packet has both, write two rules");
		family = end->prefix.family;
	}
	return 0;
}

int parse_end(struct parser *p)
{
	return more(p) ? unexpected_word(&p->words, peek(p), p->bare) : 0;
}

static int take_action(struct parser *p, const struct spec_opts *opts)
{
	int action = opts->action;

	if (action < 0) {
		for (action = 0; action < BP_ACTIONS; action++) {
			if (next_is(p, action_name(action)))
				break;
		}
		p->has_action = action < BP_ACTIONS;
		p->ended = !more(p);
		if (!p->has_action && !opts->action_optional)
			return spec_fail(
				&p->words, peek(p), "a rule begins with block, permit or count");
		p->next += p->has_action;
	} else {
		p->has_action = true;
	}
	if (p->has_action)
		p->rule->action = action;
	if (opts->has_action)
		*opts->has_action = p->has_action;
	return 0;
}

/* Everything must be asked for with a word, lest a slip of the hand blocks it all. */
static int nothing_said(struct parser *p)
{
	struct span last = p->next ? p->words.v[p->next - 1] : peek(p);
	const char *verb = p->has_action ? action_name(p->rule->action) : "remove";

	return spec_fail(&p->words, last, "say what to %s, as in `%s udp/1434`", verb, verb);
}

int parse_rule(struct parser *p, const struct spec_opts *opts)
{
	bool said;
	size_t start;
	int err;

	err = take_action(p, opts);
	if (err)
		return err;
	start = p->next;
	err = parse_match(p);
	said = p->next > start;
	if (!err)
		err = take_keywords(p, options_table);
	if (!err)
		err = parse_end(p);
	p->ended &= err != 0;
	if (!err && !said) {
		err = nothing_said(p);
		p->ended = true;
	}
	if (opts->said)
		*opts->said = (struct spec_said){ .dir = p->dir.width, .bare = p->bare.width };
	/* Nothing can be said behind the options. */
	if (!said && p->next > start)
		p->ended = false;
	return err ? err : check_families(p);
}

/* Parses words that were cut with result `err`, and frees them. */
static int parse_words(struct parser *p, int err, const struct spec_opts *opts, struct rule **rule)
{
	if (!err)
		err = rule_new(&p->rule);
	if (!err)
		err = parse_rule(p, opts);
	if (err)
		rule_free(&p->rule);
	else
		*rule = p->rule;
	words_free(&p->words);
	return err;
}

int spec_parse_line(
	const char *line, const struct spec_opts *opts, struct rule **rule, struct diag *diag)
{
	struct parser p = { 0 };

	return parse_words(&p, words_of_line(&p.words, line, diag), opts, rule);
}

int spec_parse_args(int argc, char *const *argv, const struct spec_opts *opts, struct rule **rule,
	struct diag *diag)
{
	struct parser p = { 0 };

	return parse_words(&p, words_of_command(&p.words, argc, argv, diag), opts, rule);
}
