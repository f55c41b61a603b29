/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rule language: what tests/golden cannot say in a line of text, and the property that the
 * canonical text of any rule reads back as that rule. BPFPOL_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "spec.h"

#define ARGS(...)                                                             \
	(int)(sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *)), (char *[]) \
	{                                                                     \
		__VA_ARGS__                                                   \
	}

static const struct spec_opts any_action = { .action = -1 };
static const struct spec_opts block = { .action = BP_BLOCK };

static void args_give(int argc, char *const *argv, const char *expected)
{
	struct diag diag = { 0 };
	struct rule *rule = NULL;
	char *text;

	if (spec_parse_args(argc, argv, &block, &rule, &diag))
		fail_msg("%s: %s", expected, diag.message);
	text = spec_text(rule, SPEC_ALL);
	assert_string_equal(text, expected);
	free(text);
	rule_free(&rule);
}

static void args_fail(int argc, char *const *argv, const char *expected)
{
	struct diag diag = { 0 };
	struct rule *rule = NULL;
	char *text;

	assert_int_equal(spec_parse_args(argc, argv, &block, &rule, &diag), -EINVAL);
	assert_null(rule);
	text = diag_text(&diag);
	assert_string_equal(text, expected);
	free(text);
	diag_free(&diag);
}

static void arguments(void **state)
{
	(void)state;
	args_give(ARGS("tcp/22", "name", "two words \"q\""),
		"block in tcp to port 22 name \"two words \\\"q\\\"\"");
	args_give(
		ARGS("out", "to", "@a list", "name", "in"), "block out to @\"a list\" name \"in\"");
	args_give(ARGS("@a\"b"), "block in from @\"a\\\"b\"");
	args_give(ARGS("tcp/22 from 10.0.0.0/8 name \"a b\" # c"),
		"block in tcp from 10.0.0.0/8 to port 22 name \"a b\"");
	args_give(ARGS("on", "in", "log"), "block in on in log");
}

static void refused_arguments(void **state)
{
	(void)state;
	args_fail(0, NULL, "bpfpol: say what to block, as in `block udp/1434`\n");
	args_fail(ARGS("in", "tcp", "from", "me"),
		"bpfpol: `me` sends what goes out: write `out` with `from me`, "
		"or `to me` for what this host receives\n  in tcp from me\n              ^^\n");
	args_fail(ARGS("tcp", "name", "a\nb"),
		"bpfpol: a name is UTF-8 text, not empty and without control characters\n"
		"  tcp name a?b\n           ^^^\n");
	args_fail(ARGS("in\ntcp/80"),
		"bpfpol: a rule is one line: take the line break out\n  in?tcp/80\n    ^\n");
	args_fail(ARGS("tcp/80", "log", ""),
		"bpfpol: '' is one word too many at the end: leave it out\n"
		"  tcp/80 log ''\n"
		"             ^^\n");
}

static void text_must_be_printable(void **state)
{
	static const char *const bad[] = { "\xc3", "\xe2\x82", "\xc0\x80", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\xfc\x80\x80\x80", "\x80", "\xc2\x85", "\x7f", "\033[m" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *argv[] = { "tcp", "name", (char *)bad[i] };
		struct diag diag = { 0 };
		struct rule *rule = NULL;

		assert_int_equal(spec_parse_args(3, argv, &block, &rule, &diag), -EINVAL);
		diag_free(&diag);
	}
	args_give(ARGS("tcp", "name", "\xf0\x9f\x90\x9d\xef\xbf\xbd"),
		"block in tcp name \"\xf0\x9f\x90\x9d\xef\xbf\xbd\"");
}

static void optional_action(void **state)
{
	bool has_action = true;
	const struct spec_opts remove = {
		.action = -1, .action_optional = true, .has_action = &has_action
	};
	struct diag diag = { 0 };
	struct rule *rule = NULL;

	(void)state;
	assert_int_equal(spec_parse_line("tcp/80", &remove, &rule, &diag), 0);
	assert_false(has_action);
	rule_free(&rule);
	assert_int_equal(spec_parse_line("permit tcp/80", &remove, &rule, &diag), 0);
	assert_true(has_action);
	assert_int_equal(rule->action, BP_PERMIT);
	rule_free(&rule);
	assert_int_equal(spec_parse_line("", &remove, &rule, &diag), -EINVAL);
	assert_non_null(strstr(diag.message, "`remove udp/1434`"));
	diag_free(&diag);
}

static void parts_of_text(void **state)
{
	struct diag diag = { 0 };
	struct rule *rule = NULL;
	char *text;

	(void)state;
	assert_int_equal(spec_parse_line("count tcp/80 for 2h log", &any_action, &rule, &diag), 0);
	text = spec_text(rule, SPEC_MATCH);
	assert_string_equal(text, "in tcp to port 80");
	free(text);
	text = spec_text(rule, SPEC_ACTION | SPEC_MATCH);
	assert_string_equal(text, "count in tcp to port 80");
	free(text);
	text = spec_text(rule, SPEC_OPTIONS);
	assert_string_equal(text, "for 2h log");
	free(text);
	rule->deadline = 1;
	text = spec_text(rule, SPEC_OPTIONS);
	assert_string_equal(text, "log");
	free(text);
	rule->log = false;
	text = spec_text(rule, SPEC_OPTIONS);
	assert_string_equal(text, "");
	free(text);
	rule_free(&rule);
}

/* These depend on the files that name protocols and services. */
static void names_of_the_host(void **state)
{
	(void)state;
	if (!getservbyname("ssh", "tcp") || !getservbyname("domain", "udp") ||
		!getprotobyname("ospf") || getservbyname("ssh", "udp"))
		skip();
	args_give(ARGS("ospf"), "block in 89");
	args_give(ARGS("to", "port", "ssh,domain"), "block in to port 22,53");
	args_give(ARGS("dccp/ssh"), "block in dccp to port 22");
	args_give(ARGS("udp/domain"), "block in udp to port 53");
	args_fail(ARGS("udp/ssh"),
		"bpfpol: 'ssh' is not a service of udp; of another protocol it is port 22\n"
		"  udp/ssh\n      ^^^\n");
	args_fail(ARGS("ssh"), "bpfpol: 'ssh' is a service: write its protocol too, as in tcp/ssh\n"
			       "  ssh\n  ^^^\n");
	args_fail(ARGS("hopopt"),
		"bpfpol: 0, IPv6's hop-by-hop header, is walked over: a rule sees the protocol "
		"behind it, name that one\n  hopopt\n  ^^^^^^\n");
}

static void durations(void **state)
{
	static const char *const bad[] = { "", "s", "90", "0s", "-1s", "1w", "1h1m", "1 h", "1.5h",
		"36501d", "99999999999999999999s", "18446744073709551617s" };
	uint64_t seconds = 0;
	size_t i;

	(void)state;
	assert_int_equal(spec_parse_duration("90s", &seconds), 0);
	assert_int_equal(seconds, 90);
	assert_int_equal(spec_parse_duration("15m", &seconds), 0);
	assert_int_equal(seconds, 900);
	assert_int_equal(spec_parse_duration("2h", &seconds), 0);
	assert_int_equal(seconds, 7200);
	assert_int_equal(spec_parse_duration("36500d", &seconds), 0);
	assert_int_equal(seconds, 36500ULL * 86400);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(spec_parse_duration(bad[i], &seconds), -EINVAL);
}

static void prefixes(void **state)
{
	static const char *const bad[] = { "", "/", "1", "1.2.3", "1.2.3.4.5", "1.2.3.4/", ".1.2.3",
		"1.2.3.", "1..2.3", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/255.255.0.1", "01.2.3.4",
		"1.2.3.0004", "::1/129", "::1/", "1:2", "fe80::1%lo", "1.2.3.4/4294967296" };
	char buf[INET6_ADDRSTRLEN + 4];
	struct prefix prefix;
	const char *why;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		assert_int_equal(spec_parse_prefix(bad[i], strlen(bad[i]), &prefix, &why), -EINVAL);
		assert_non_null(why);
	}
	assert_int_equal(spec_parse_prefix("10.1.2.3/9xx", 10, &prefix, &why), 0);
	spec_prefix_text(&prefix, buf, sizeof(buf));
	assert_string_equal(buf, "10.0.0.0/9");
	why = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127";
	assert_int_equal(spec_parse_prefix(why, strlen(why), &prefix, &why), 0);
	spec_prefix_text(&prefix, buf, sizeof(buf));
	assert_string_equal(buf, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127");
}

static int read_bytes(const char *text, size_t len, struct prefixes *list, struct diag *diag)
{
	/* A copy of exactly that size, for the address sanitizer to watch over. */
	char *copy = malloc(len + !len);
	int err;

	memcpy(copy, text, len);
	err = spec_parse_list("bad.txt", copy, len, list, diag);
	free(copy);
	return err;
}

static int read_list(const char *text, struct prefixes *list, struct diag *diag)
{
	return read_bytes(text, strlen(text), list, diag);
}

static void lists(void **state)
{
	struct prefixes list;
	struct diag diag = { 0 };

	(void)state;
	assert_int_equal(read_list("", &list, &diag), 0);
	assert_int_equal(list.n, 0);
	free(list.v);
	assert_int_equal(read_list("\xef\xbb\xbf# head\r\n\r\n192.0.2.7 # me\r\n \t\n"
				   "10.0.0.9/8#x\n2001:db8::/32 ; SBL1\n192.0.2.7",
				 &list, &diag),
		0);
	assert_int_equal(list.n, 3);
	assert_int_equal(list.v[0].bytes[0], 10);
	assert_int_equal(list.v[0].len, 8);
	assert_int_equal(list.v[2].family, 6);
	free(list.v);
}

static void bad_lists(void **state)
{
	char text[40 * 16], *said, *s = text;
	struct prefixes list;
	struct diag diag = { 0 };
	int i;

	(void)state;
	assert_int_equal(read_list("10.0.0.1\n  10.0.0.0/33 # x\n", &list, &diag), -EINVAL);
	said = diag_text(&diag);
	assert_string_equal(said, "bpfpol: bad.txt:2:12: an IPv4 prefix is 0 to 32 bits long\n"
				  "    10.0.0.0/33 # x\n             ^^\n");
	free(said);
	diag_free(&diag);
	assert_null(list.v);

	for (i = 1; i <= 22; i++)
		s += sprintf(s, "10.0.0.%d host\n", i);
	diag = (struct diag){ 0 };
	assert_int_equal(read_list(text, &list, &diag), -EINVAL);
	assert_int_equal(diag.kind, DIAG_USAGE);
	assert_int_equal(diag.line, 1);
	assert_non_null(strstr(diag.message, "22 lines are wrong; the first: one address"));
	assert_non_null(strstr(diag.message, "\n  line 20: 10.0.0.20 host\n  and 2 more"));
	diag_free(&diag);
}

/* It is told what to write in a list, which is not what to write in a rule. */
static void advice_in_a_list(void **state)
{
	static const char *const said[][2] = {
		{ "192.0.2.1,192.0.2.2", "one address or prefix a line" },
		{ "192.0.2.1-192.0.2.9",
			"a range of addresses is not possible: write it as prefixes, one a line" },
		{ "dns:localhost", "dns:HOST stands in a rule, not in a list" },
		{ "localhost", "this is not an address, and host names are not looked up" },
	};
	struct prefixes list;
	struct diag diag = {};

	(void)state;
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		assert_int_equal(read_list(said[i][0], &list, &diag), -EINVAL);
		assert_string_equal(diag.message, said[i][1]);
		diag_free(&diag);
		diag = (struct diag){};
	}
}

/* As in UTF-16: what is wrong is the zero, and the caret stays inside what is shown. */
static void zero_in_a_list(void **state)
{
	static const char text[] = "10.0.0.1\n10.0\0.0.2 # x\n";
	struct prefixes list;
	struct diag diag = { 0 };
	char *said;

	(void)state;
	assert_int_equal(read_bytes(text, sizeof(text) - 1, &list, &diag), -EINVAL);
	said = diag_text(&diag);
	assert_string_equal(said,
		"bpfpol: bad.txt:2:5: this line holds a zero byte: a list is text\n"
		"  10.0\n      ^\n");
	free(said);
	diag_free(&diag);
	assert_null(list.v);
}

/* Random rules */

static unsigned int below(unsigned int n)
{
	return (unsigned int)random() % n;
}

static void random_prefix(struct prefix *prefix, int family)
{
	char text[INET6_ADDRSTRLEN + 4];
	struct in6_addr address = { 0 };
	const char *why;
	size_t i, used;

	for (i = 0; i < sizeof(address); i++)
		address.s6_addr[i] = below(3) ? below(256) : 0;
	inet_ntop(family == 4 ? AF_INET : AF_INET6, &address, text, sizeof(text));
	used = strlen(text);
	snprintf(text + used, sizeof(text) - used, "/%u", below(family == 4 ? 33 : 129));
	assert_int_equal(spec_parse_prefix(text, strlen(text), prefix, &why), 0);
}

static char *random_name(size_t most, const char *letters)
{
	size_t len = 1 + below(most), i;
	char *name = calloc(len + 1, 1);

	for (i = 0; i < len; i++)
		name[i] = letters[below(strlen(letters))];
	return name;
}

/* Sorted, no two equal: the ranges begin at different ports. */
static void random_ports(struct ports *ports)
{
	size_t i;

	ports->n = below(4);
	ports->v = calloc(ports->n + 1, sizeof(*ports->v));
	for (i = 0; i < ports->n; i++) {
		ports->v[i].lo = i * 16000 + below(16000);
		ports->v[i].hi = ports->v[i].lo + (below(2) ? below(17000) : 0);
	}
}

static void random_end(struct end *end, const struct rule *rule, int family)
{
	bool near = end == rule_local(rule, BP_IN);

	switch (below(4)) {
	case 0:
		end->kind = near ? END_ME : END_ANY;
		break;
	case 1:
		end->kind = END_PREFIX;
		random_prefix(&end->prefix, family);
		break;
	case 2:
		end->kind = END_FILE;
		end->file = random_name(20, "ab/.\" \\#@");
		break;
	}
	if (rule->proto == PROTO_ANY || proto_has_ports(rule->proto))
		random_ports(&end->ports);
}

static int random_proto(void)
{
	static const int common[] = { PROTO_ANY, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP,
		IPPROTO_ICMPV6, IPPROTO_SCTP, IPPROTO_DCCP, IPPROTO_UDPLITE, IPPROTO_GRE,
		IPPROTO_ESP, IPPROTO_AH, IPPROTO_IGMP };

	return below(4) ? common[below(sizeof(common) / sizeof(common[0]))] : 61 + (int)below(195);
}

static struct rule *random_rule(void)
{
	struct rule *rule = NULL;
	int family;

	assert_int_equal(rule_new(&rule), 0);
	rule->action = below(BP_ACTIONS);
	rule->dir = below(3);
	rule->emergency = below(2);
	rule->log = below(2);
	if (below(2))
		rule->ifname = random_name(15, "eth0-_\"#@\\");
	rule->proto = random_proto();
	if (proto_has_type(rule->proto) && below(2)) {
		rule->type = below(256);
		rule->code = below(2) ? (int)below(256) : -1;
	}
	family = rule->proto == IPPROTO_ICMPV6				  ? 6
		 : rule->proto == PROTO_ANY || rule->proto == IPPROTO_TCP ? 4 + 2 * (int)below(2)
									  : 4;
	random_end(&rule->from, rule, family);
	random_end(&rule->to, rule, family);
	if (below(2))
		rule->label = random_name(30, "abc \"\\#'`$");
	if (below(2))
		rule->lifetime = 1 + below(1000) * (below(2) ? 60 : 1);
	return rule;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same_end(const struct end *a, const struct end *b)
{
	return a->kind == b->kind && !memcmp(&a->prefix, &b->prefix, sizeof(a->prefix)) &&
	       same_text(a->file, b->file) && a->ports.n == b->ports.n &&
	       (!a->ports.n || !memcmp(a->ports.v, b->ports.v, a->ports.n * sizeof(*a->ports.v)));
}

static bool same_rule(const struct rule *a, const struct rule *b)
{
	return a->action == b->action && a->dir == b->dir && a->emergency == b->emergency &&
	       a->log == b->log && same_text(a->ifname, b->ifname) && a->proto == b->proto &&
	       a->type == b->type && a->code == b->code && same_end(&a->from, &b->from) &&
	       same_end(&a->to, &b->to) && same_text(a->label, b->label) &&
	       a->lifetime == b->lifetime;
}

static void text_reads_back(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		struct rule *rule = random_rule(), *again = NULL;
		char *text = spec_text(rule, SPEC_ALL), *twice;
		struct diag diag = { 0 };

		if (spec_parse_line(text, &any_action, &again, &diag))
			fail_msg("%s: %s", text, diag.message);
		twice = spec_text(again, SPEC_ALL);
		assert_string_equal(text, twice);
		if (!same_rule(rule, again))
			fail_msg("reads back as another rule: %s", text);
		free(text);
		free(twice);
		rule_free(&rule);
		rule_free(&again);
	}
}

/* Whatever a damaged rule is, it is refused with a place in its text, or prints and reads back. */
static void damaged_text_is_survived(void **state)
{
	static const char bytes[] = " \t\"\\#@/,-.:%0189aemnport\x80\xc3\n";
	int i, n;

	(void)state;
	for (i = 0; i < 20000; i++) {
		struct rule *rule = random_rule(), *again = NULL;
		char *text = spec_text(rule, SPEC_ALL);
		struct diag diag = { 0 };

		for (n = below(4); n >= 0; n--)
			text[below(strlen(text))] = bytes[below(sizeof(bytes) - 1)];
		if (spec_parse_line(text, &any_action, &again, &diag)) {
			assert_null(again);
			assert_int_equal(diag.kind, DIAG_USAGE);
			if (diag.text)
				assert_true(diag.column + diag.width <= strlen(diag.text));
		}
		free(text);
		rule_free(&rule);
		rule_free(&again);
		diag_free(&diag);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments),
		cmocka_unit_test(refused_arguments),
		cmocka_unit_test(text_must_be_printable),
		cmocka_unit_test(optional_action),
		cmocka_unit_test(parts_of_text),
		cmocka_unit_test(names_of_the_host),
		cmocka_unit_test(durations),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(lists),
		cmocka_unit_test(bad_lists),
		cmocka_unit_test(advice_in_a_list),
		cmocka_unit_test(zero_in_a_list),
		cmocka_unit_test(text_reads_back),
		cmocka_unit_test(damaged_text_is_survived),
	};
	const char *given = getenv("BPFPOL_SEED");
	unsigned int seed = given ? strtoul(given, NULL, 10) : (unsigned long)time(NULL);

	printf("seed %u\n", seed);
	srandom(seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
