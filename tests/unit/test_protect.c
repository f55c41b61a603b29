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

#include "protect.h"
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
		{ "protect = me", "`me`", 1, 10 },
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

/* How many inbound packets of the conf's first line have that source and local port. */
static size_t count(const char *conf_text, const char *block, const char *src, uint16_t port)
{
	static uint8_t own4[16] = { 10, 77, 0, 2 };
	const struct spec_opts opts = { .action = BP_BLOCK };
	struct policy *policy = policy_new("p");
	struct protected_packets p = {};
	struct prefix own[] = { { .family = 4, .len = 32 },
		{ .family = 4, .len = 32, .bytes = { 127, 0, 0, 1 } },
		{ .family = 6, .len = 128, .bytes = { 0xfe, 0x80 } } };
	const struct prefixes list = { own, 3 };
	struct rule *rule = NULL;
	struct diag diag = {};
	struct prefix from;
	struct conf conf;
	size_t found = 0;
	const char *why;

	memcpy(own[0].bytes, own4, sizeof(own4));
	assert_int_equal(conf_parse("f", conf_text, &conf, &diag), 0);
	assert_int_equal(spec_parse_line(block, &opts, &rule, &diag), 0);
	assert_int_equal(policy_add(policy, &rule), 0);
	assert_int_equal(spec_parse_prefix(src, strlen(src), &from, &why), 0);
	assert_int_equal(protect_line(&conf, &conf.protects[0], policy, &list, &p), 0);
	for (size_t i = 0; i < p.n; i++) {
		const struct frame *f = &p.v[i].frame;

		assert_int_equal(f->family, 4);
		assert_int_equal((p.v[i].dir == BP_IN ? f->dst : f->src)[0], 10);
		found += p.v[i].dir == BP_IN && prefix_holds(&from, 4, f->src) && f->dport == port;
	}
	free(p.v);
	conf_free(&conf);
	policy_free(&policy);
	return found;
}

static void test_lines(void **state)
{
	(void)state;
	/* First and last, SSH's port and those of other lines. */
	assert_int_equal(count("protect = 10.0.0.0/24", "udp/9", "10.0.0.0", 22), 1);
	assert_int_equal(count("protect = 10.0.0.0/24", "udp/9", "10.0.0.255", 22), 1);
	assert_int_equal(count("protect = 10.0.0.0/24", "udp/9", "10.0.0.0/24", 8080), 0);
	assert_int_equal(
		count("protect = 10.0.0.0/24\nprotect = tcp/8080", "udp/9", "10.0.0.0", 8080), 1);
	/* What a block speaks of, and nothing beside it. */
	assert_int_equal(count("protect = 10.0.0.0/24", "10.0.0.77", "10.0.0.77", 22), 1);
	assert_int_equal(count("protect = 10.0.0.0/24", "out to 10.0.0.77", "10.0.0.77", 22), 1);
	assert_int_equal(count("protect = 10.0.0.0/24", "10.0.1.77", "10.0.1.77", 22), 0);
	assert_int_equal(count("protect = tcp/8000-8100", "tcp/8050", "11.0.0.0/8", 8050), 1);
	assert_int_equal(count("protect = tcp/8000-8100", "tcp/8050", "214.0.0.0/8", 8000), 1);
	assert_int_equal(count("protect = tcp/8000-8100", "tcp/8050", "0.0.0.0/0", 8100), 2);
	assert_int_equal(count("protect = tcp/8000-8100", "tcp/9050", "0.0.0.0/0", 9050), 0);
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
		cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
