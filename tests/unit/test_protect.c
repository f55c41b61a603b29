// SPDX-License-Identifier: GPL-2.0-only
/* bpfpol.conf, the kernel's list of sockets, and the packets that are made of the two. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protect_lines.h"
#include "spec.h"

static void test_conf(void **state)
{
	struct diag diag = {};
	struct conf conf;

	(void)state;
	assert_int_equal(
		conf_parse("f",
			"# all of it\n\n  protect=10.0.0.0/8 # us\r\n"
			"interfaces = eth0\nmetrics = [::1]:9477\ndropin = /y z/\ndomain = z\n"
			"protect = tcp/22,8000-8100",
			&conf, &diag),
		0);
	assert_int_equal(conf.n_protects, 2);
	assert_string_equal(conf.dropin, "/y z/");
	assert_string_equal(conf.protects[0].text, "10.0.0.0/8");
	assert_int_equal(conf.protects[0].line, 3);
	assert_int_equal(conf.protects[0].rule->from.prefix.len, 8);
	assert_string_equal(conf.protects[1].text, "tcp/22,8000-8100");
	assert_int_equal(conf.protects[1].line, 8);
	assert_int_equal(conf.protects[1].rule->to.ports.n, 2);
	conf_free(&conf);
	assert_int_equal(conf_parse("f", "", &conf, &diag), 0);
	assert_int_equal(conf.n_protects, 0);
}

static void test_conf_bad(void **state)
{
	static const struct {
		const char *text, *says;
		unsigned int line, column;
	} bad[] = {
		{ "proteckt = tcp/22", "there is no such key", 1, 0 },
		{ "\n  x = 1", "there is no such key", 2, 2 },
		{ "protect tcp/22", "a line is `key = value`", 1, 0 },
		{ "= tcp/22", "a line is `key = value`", 1, 0 },
		{ "protect =  # tcp/22", "a value is missing", 1, 8 },
		{ "dropin = dynamic.d", "the whole path", 1, 9 },
		{ "dropin = /a\ndropin = /b", "twice", 2, 0 },
		{ "protect = tcp", "takes an address", 1, 10 },
		{ "protect = any", "takes an address", 1, 10 },
		{ "protect = me", "takes an address", 1, 10 },
		{ "protect = foo", "takes an address", 1, 10 },
		{ "protect = admin.example.com", "takes an address", 1, 10 },
		{ "protect = admin.example.com/24", "takes an address", 1, 10 },
		{ "protect = dns:a.example", "takes an address", 1, 10 },
		{ "protect = icmp/8", "takes an address", 1, 10 },
		{ "protect = 22/tcp", "tcp/22", 1, 10 },
		{ "protect = udp:53", "udp/53", 1, 10 },
		{ "protect = @list", "takes an address", 1, 10 },
		{ "protect = icmp", "takes an address", 1, 10 },
		{ "protect = tcp/22 tcp/23", "takes an address", 1, 10 },
		{ "protect = tcp/99999", "65535", 1, 14 },
		{ "protect = 10.0.0.0/33", "32", 1, 19 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct diag diag = {};
		struct conf conf;

		assert_int_equal(conf_parse("f", bad[i].text, &conf, &diag), -EINVAL);
		if (!strstr(diag.message, bad[i].says))
			fail_msg("'%s': %s", bad[i].text, diag.message);
		assert_int_equal(diag.kind, DIAG_USAGE);
		assert_int_equal(diag.line, bad[i].line);
		assert_string_equal(diag.file, "f");
		if (diag.column != bad[i].column)
			fail_msg("'%s': column %u", bad[i].text, diag.column);
		diag_free(&diag);
	}
}

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
#define TAIL " 00000000:00000000 00:00000000 00000000     0        0 "

static void test_sockets(void **state)
{
	struct tcp_sockets list = {};

	(void)state;
	/* 10.77.0.2:22 from 10.77.0.1:40000; listening on 2222; closing; this host with itself. */
	assert_int_equal(sockets_parse(HEAD "   0: 02004D0A:0016 01004D0A:9C40 01" TAIL
					    "1234 1 0000000000000000 20 0 0 10 -1\n"
					    "   1: 00000000:08AE 00000000:0000 0A" TAIL
					    "7 1 0000000000000000 100 0 0 10 0\n"
					    "   2: 02004D0A:0016 01004D0A:9C41 06" TAIL "0 3\n"
					    "   3: 0100007F:0016 0100007F:9C41 01" TAIL "9 1\n",
				 false, &list),
		0);
	assert_int_equal(list.n, 2);
	assert_int_equal(list.v[0].family, 4);
	assert_memory_equal(list.v[0].local, "\x0a\x4d\0\x02", 4);
	assert_memory_equal(list.v[0].remote, "\x0a\x4d\0\x01", 4);
	assert_int_equal(list.v[0].local_port, 22);
	assert_int_equal(list.v[0].remote_port, 40000);
	assert_int_equal(list.v[0].inode, 1234);
	assert_false(list.v[0].listens);
	assert_true(sockets_listen(&list, 2222));
	assert_false(sockets_listen(&list, 22));
	free(list.v);
}

static void test_sockets_v6(void **state)
{
	struct tcp_sockets list = {};

	(void)state;
	/* fd77::2 with fd77::1, and IPv4 on an IPv6 socket. */
	assert_int_equal(sockets_parse(HEAD "   0: 000077FD000000000000000002000000:0016 "
					    "000077FD000000000000000001000000:9C40 01" TAIL "5 1\n"
					    "   1: 0000000000000000FFFF000002004D0A:0016 "
					    "0000000000000000FFFF000001004D0A:9C40 01" TAIL "6 1\n",
				 true, &list),
		0);
	assert_int_equal(list.n, 2);
	assert_int_equal(list.v[0].family, 6);
	assert_memory_equal(list.v[0].local, "\xfd\x77\0\0\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
	assert_int_equal(list.v[1].family, 4);
	assert_memory_equal(list.v[1].local, "\x0a\x4d\0\x02\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_memory_equal(list.v[1].remote, "\x0a\x4d\0\x01\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	free(list.v);
}

static void test_untranslate(void **state)
{
	struct tcp_socket v[] = {
		{ .family = 4, .local = { 10, 77, 0, 2 }, .local_port = 22 },
		{ .family = 4,
			.local = { 10, 77, 0, 2 },
			.local_port = 22,
			.wire_local = { 10, 77, 0, 3 },
			.wire_port = 2022 },
	};
	struct tcp_sockets list = { .v = v, .n = 2 };

	(void)state;
	sockets_untranslate(&list);
	assert_memory_equal(v[0].local, "\x0a\x4d\0\x02", 4);
	assert_int_equal(v[0].local_port, 22);
	assert_memory_equal(v[1].local, "\x0a\x4d\0\x03", 4);
	assert_int_equal(v[1].local_port, 2022);
}

static void test_socket_packets(void **state)
{
	const struct tcp_socket s = { .family = 4,
		.local = { 10, 77, 0, 2 },
		.remote = { 10, 77, 0, 1 },
		.local_port = 22,
		.remote_port = 40000 };
	struct protected_packets p = {};
	char *text;

	(void)state;
	assert_int_equal(protect_socket(&s, &p), 0);
	assert_int_equal(p.n, 2);
	for (size_t i = 0; i < p.n; i++) {
		const struct frame *f = &p.v[i].frame;
		bool in = p.v[i].dir == BP_IN;

		assert_int_equal(in, i == 0);
		assert_int_equal(f->proto, 6);
		assert_int_equal(f->src[3], in ? 1 : 2);
		assert_int_equal(f->dst[3], in ? 2 : 1);
		assert_int_equal(f->sport, in ? 40000 : 22);
		assert_int_equal(f->dport, in ? 22 : 40000);
	}
	text = protect_text(&p.v[0]);
	assert_string_equal(
		text, "the SSH connection from 10.77.0.1 port 40000 to 10.77.0.2 port 22");
	free(text);
	free(p.v);
}

/* Rules, a line each, of which those that are not blocks say so. */
static struct policy *rules_of(const char *text)
{
	struct policy *policy = policy_new("p");
	struct diag diag = {};

	while (*text) {
		size_t len = strcspn(text, "\n");
		bool permits = !strncmp(text, "permit ", 7);
		const struct spec_opts opts = { .action = permits ? BP_PERMIT : BP_BLOCK };
		char *line = strndup(text + 7 * permits, len - 7 * permits);
		struct rule *rule = NULL;

		assert_int_equal(spec_parse_line(line, &opts, &rule, &diag), 0);
		rule->id = policy->n + 1;
		assert_int_equal(policy_add(policy, &rule), 0);
		free(line);
		text += len + (text[len] == '\n');
	}
	return policy;
}

/* How many packets of that direction are asked about where nothing is in force yet. */
static size_t count(const char *conf_text, const char *rules, enum bp_dir dir)
{
	static struct prefix own[] = { { .family = 4, .len = 32, .bytes = { 10, 77, 0, 2 } },
		{ .family = 4, .len = 32, .bytes = { 127, 0, 0, 1 } },
		{ .family = 6, .len = 128, .bytes = { 0xfe, 0x80, [15] = 2 } } };
	const struct prefixes list = { own, 3 };
	struct policy *policy = rules_of(rules);
	struct protect_lines *lines;
	struct diag diag = {};
	const struct protect_place at = { .dir = dir, .own = &list };
	struct protected_packets p = {};
	struct conf conf;
	struct protect_world world = { .conf = &conf, .then = policy, .own = &list };

	assert_int_equal(conf_parse("f", conf_text, &conf, &diag), 0);
	assert_int_equal(protect_lines_new(&world, &lines), 0);
	assert_int_equal(protect_lines_at(lines, &at, &p), 0);
	for (size_t i = 0; i < p.n; i++) {
		const struct frame *f = &p.v[i].frame;

		assert_int_equal(p.v[i].dir, dir);
		assert_int_equal((dir == BP_IN ? f->dst : f->src)[0], f->family == 4 ? 10 : 0xfe);
		assert_true(f->sport && f->dport);
	}
	free(p.v);
	protect_lines_free(&lines);
	policy_free(&policy);
	conf_free(&conf);
	return p.n;
}

static void test_lines(void **state)
{
	(void)state;
	/* No rule tells anybody from others. */
	assert_int_equal(count("protect = tcp/22", "tcp/22", BP_IN), 1);
	assert_int_equal(count("protect = tcp/22", "tcp/22", BP_OUT), 0);
	assert_int_equal(count("protect = tcp/22", "out tcp from any port 22", BP_OUT), 1);
	assert_int_equal(count("protect = tcp/22", "tcp/23", BP_IN), 0);
	assert_int_equal(count("protect = sctp/22", "tcp/22", BP_IN), 0);
	assert_int_equal(count("protect = tcp/8000-8100", "tcp/8050\ntcp/8060", BP_IN), 2);
	/* All that a permit leaves, and nothing else. */
	assert_int_equal(count("protect = tcp/22", "tcp/22\npermit 11.22.33.44", BP_IN), 1);
	assert_int_equal(count("protect = 10.0.0.0/8", "tcp/22\npermit 10.0.0.0/8", BP_IN), 0);
	assert_int_equal(count("protect = 10.0.0.0/8",
				 "tcp/22\npermit 10.0.0.0/9\npermit 10.128.0.0/9", BP_IN),
		0);
	assert_int_equal(count("protect = 10.0.0.0/8",
				 "tcp/22\npermit 10.0.0.0/9\npermit 10.128.0.0/10", BP_IN),
		1);
	assert_int_equal(
		count("protect = 10.0.0.0/8", "tcp/22\npermit 10.0.0.0/8 for 1h", BP_IN), 1);
	/* Of hosts that a block names those of a network that is protected, and no half. */
	assert_int_equal(count("protect = 10.0.0.0/24", "10.0.0.77\n10.0.0.78", BP_IN), 2);
	assert_int_equal(count("protect = 10.0.0.0/24", "out to 10.0.0.77", BP_IN), 0);
	assert_int_equal(count("protect = 10.0.0.0/24", "out to 10.0.0.77", BP_OUT), 1);
	assert_int_equal(count("protect = 10.0.0.0/24", "10.0.1.77", BP_IN), 0);
	assert_int_equal(count("protect = tcp/22", "12.0.0.0/8", BP_IN), 0);
	assert_int_equal(count("protect = tcp/22", "0.0.0.0/1", BP_IN), 1);
	assert_int_equal(count("protect = tcp/22", "0.0.0.0/2\n64.0.0.0/2", BP_IN), 2);
	/* Nobody has such an address. */
	assert_int_equal(count("protect = 0.0.0.0/1", "0.0.0.0/8\n127.0.0.0/8", BP_IN), 0);
	assert_int_equal(count("protect = 10.77.0.0/24", "10.77.0.2", BP_IN), 0);
	/* The ports of lines, and those of clients. */
	assert_int_equal(
		count("protect = 10.0.0.0/24\nprotect = sctp/99", "sctp from 10.0.0.1", BP_IN), 1);
	assert_int_equal(count("protect = 10.0.0.0/24", "sctp from 10.0.0.1", BP_IN), 0);
	assert_int_equal(count("protect = tcp/22", "tcp from any port 50000-65535", BP_IN), 1);
	assert_int_equal(count("protect = tcp/22", "out tcp/25,80,443", BP_OUT), 0);
}

/* What stands for an address that is yet to come is no neighbour's, nor lo's. */
static void test_stand_ins(void **state)
{
	static const struct prefix none[] = { { .family = 4, .len = 32, .bytes = { 127, 0, 0, 1 } },
		{ .family = 6, .len = 128, .bytes = { [15] = 1 } },
		{ .family = 6, .len = 128, .bytes = { 0xfe, 0x80, [15] = 2 } } };
	struct prefixes own = { calloc(3, sizeof(*own.v)), 3 };

	(void)state;
	memcpy(own.v, none, sizeof(none));
	for (int family = 4; family <= 6; family += 2) {
		assert_true(protect_lacks(&own, family));
		assert_int_equal(protect_stand_in(&own, family), 0);
		assert_false(protect_lacks(&own, family));
	}
	assert_int_equal(own.n, 5);
	assert_int_equal(own.v[3].family, 4);
	assert_int_equal(own.v[4].family, 6);
	free(own.v);
}

/* As many questions as there are rules to tell apart, and not as there are addresses. */
static void test_many(void **state)
{
	const size_t n = 70000;
	struct rule rule = { .action = BP_BLOCK, .proto = PROTO_ANY, .type = -1, .code = -1 };
	struct rule *rules[] = { &rule };
	const struct policy policy = { .rules = rules, .n = 1 };
	struct prefix own = { .family = 4, .len = 32, .bytes = { 192, 0, 2, 1 } };
	const struct prefixes list = { &own, 1 };
	const struct protect_place at = { .dir = BP_IN, .own = &list };
	struct protected_packets p = {};
	struct protect_lines *lines;
	struct diag diag = {};
	struct conf conf;
	const struct protect_world world = { .conf = &conf, .then = &policy, .own = &list };

	(void)state;
	rule.from.kind = END_FILE;
	rule.from.list = (struct prefixes){ calloc(n, sizeof(struct prefix)), n };
	for (size_t i = 0; i < n; i++)
		rule.from.list.v[i] = (struct prefix){
			.family = 4, .len = 32, .bytes = { 10, i >> 15, i >> 7, i << 1 }
		};
	assert_int_equal(conf_parse("f", "protect = 10.0.0.0/8", &conf, &diag), 0);
	assert_int_equal(protect_lines_new(&world, &lines), 0);
	assert_int_equal(protect_lines_at(lines, &at, &p), 0);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.v[0].frame.src[0], 10);
	protect_lines_free(&lines);
	free(p.v);
	free(rule.from.list.v);
	conf_free(&conf);
}

static bool has_port(const char *text, uint16_t port)
{
	const struct spec_opts opts = { .action = BP_BLOCK };
	struct rule *rule = NULL;
	struct diag diag = {};
	bool has;

	assert_int_equal(spec_parse_line(text, &opts, &rule, &diag), 0);
	has = protect_has_port(rule, port);
	rule_free(&rule);
	return has;
}

static void test_ports(void **state)
{
	(void)state;
	assert_true(has_port("tcp/22", 22));
	assert_false(has_port("tcp/22", 23));
	assert_true(has_port("tcp/20-22,80", 22));
	assert_true(has_port("tcp from any port 23", 22)); /* the remote end's */
	assert_true(has_port("in from 10.0.0.1", 22));
	assert_true(has_port("out tcp from any port 22", 22));
	assert_false(has_port("out tcp from any port 23", 22));
	assert_true(has_port("out tcp to any port 80", 22));
	assert_true(has_port("inout tcp/22", 22));
	assert_false(has_port("inout tcp/23", 22));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conf),
		cmocka_unit_test(test_conf_bad),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_sockets_v6),
		cmocka_unit_test(test_untranslate),
		cmocka_unit_test(test_socket_packets),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_stand_ins),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
