/* SPDX-License-Identifier: GPL-2.0-only */
/* bpfpol.conf: what its lines come to, and where they are wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "conf.h"

static void parses(const char *text, size_t n, const char *first)
{
	struct diag diag = {};
	struct conf conf = {};

	assert_int_equal(conf_parse("f", text, &conf, &diag), 0);
	assert_int_equal(conf.n_interfaces, n);
	if (first)
		assert_string_equal(conf.interfaces[0], first);
	conf_free(&conf);
	diag_free(&diag);
}

static void good(void **state)
{
	(void)state;
	parses("", 0, NULL);
	parses("\n\n# interfaces = no0\n   \t\n", 0, NULL);
	parses("interfaces = eth0", 1, "eth0");
	parses("\xef\xbb\xbfinterfaces = eth0\r\n", 1, "eth0");
	parses("  interfaces=eth0  # it\n", 1, "eth0");
	parses("interfaces = eth* wan0\twlan[0-9]\r\n", 3, "eth*");
	parses("interfaces = a\ninterfaces = b c\n", 3, "a");
	parses("interfaces = eth0, eth1,wan*,\n", 3, "eth0");
	parses("interfaces = eth[0,1] wan0\n", 2, "eth[0,1]");
	parses("interfaces = averylongname1*\n", 1, "averylongname1*");
}

static void unused(void **state)
{
	struct diag diag = {};
	struct conf conf = {};

	(void)state;
	assert_int_equal(conf_parse("f", "domain = x\ninterfaces = a\n", &conf, &diag), 0);
	assert_string_equal(conf.unused, "domain");
	assert_int_equal(conf.n_interfaces, 1);
	conf_free(&conf);
}

static struct conf_address metrics(const char *text)
{
	struct diag diag = {};
	struct conf conf = {};
	struct conf_address at;

	assert_int_equal(conf_parse("f", text, &conf, &diag), 0);
	at = conf.metrics;
	conf_free(&conf);
	return at;
}

static void addresses(void **state)
{
	struct conf_address at = metrics("metrics = 127.0.0.1:9477 # x\n");

	(void)state;
	assert_string_equal(at.text, "127.0.0.1:9477");
	assert_true(at.port == 9477 && at.family == 4 && at.loopback);
	at = metrics("metrics = [0:0::1]:1\n");
	assert_string_equal(at.text, "[::1]:1");
	assert_true(at.port == 1 && at.family == 6 && at.loopback);
	at = metrics("metrics=[2001:db8::1]:65535\n");
	assert_true(at.port == 65535 && at.family == 6 && !at.loopback);
	assert_false(metrics("metrics = 0.0.0.0:80").loopback);
	assert_int_equal(metrics("interfaces = a").port, 0);
}

static void fails(const char *text, unsigned int line, unsigned int column, unsigned int width)
{
	struct diag diag = {};
	struct conf conf = {};

	assert_int_equal(conf_parse("f", text, &conf, &diag), -EINVAL);
	assert_int_equal(diag.line, line);
	assert_int_equal(diag.column, column);
	assert_int_equal(diag.width, width);
	assert_null(conf.interfaces);
	diag_free(&diag);
}

static void bad(void **state)
{
	(void)state;
	fails("interfces = a\n", 1, 0, 9);
	fails("\n interfaces\n", 2, 1, 10);
	fails("interfaces =\n", 1, 11, 1);
	fails("interfaces = # a\n", 1, 11, 1);
	fails("= a\n", 1, 0, 3);
	fails("interfaces = a /dev/null b\n", 1, 15, 9);
	fails("interfaces = \"eth0\"\n", 1, 13, 6);
	fails("interfaces = , eth0\n", 1, 13, 1);
	fails("metrics = 127.0.0.1\n", 1, 10, 9);
	fails("metrics = ::1:80\n", 1, 10, 6);
	fails("metrics = [::1]\n", 1, 10, 5);
	fails("metrics = [::1]:\n", 1, 10, 6);
	fails("metrics = 1.2.3.4:65536\n", 1, 10, 13);
	fails("metrics = :80\n", 1, 10, 3);
	fails("metrics = 1.2.3.4:1\nmetrics = 1.2.3.4:2\n", 2, 0, 7);
	fails("interfaces = a\ninterfaces = muchtoolonganame\n", 2, 13, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(unused),
		cmocka_unit_test(addresses),
		cmocka_unit_test(bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
