// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cover.h"
#include "spec.h"

static bool covers(const char *wide, const char *narrow)
{
	const struct spec_opts opts = { .action = BP_BLOCK };
	struct rule *w = NULL, *n = NULL;
	struct diag diag = {};
	bool held;

	assert_int_equal(spec_parse_line(wide, &opts, &w, &diag), 0);
	assert_int_equal(spec_parse_line(narrow, &opts, &n, &diag), 0);
	held = rule_covers(w, n);
	rule_free(&w);
	rule_free(&n);
	diag_free(&diag);
	return held;
}

static void test_covers(void **state)
{
	(void)state;
	assert_true(covers("in", "in udp/53 from 10.0.0.1"));
	assert_true(covers("udp/53", "udp/53"));
	assert_true(covers("udp", "udp/53"));
	assert_true(covers("udp/50-60", "udp/53,55-57"));
	assert_true(covers("10.0.0.0/8", "10.1.0.0/16"));
	assert_true(covers("in to me", "in tcp/80 to me"));
	assert_true(covers("in icmp", "in icmp type 8"));
	assert_true(covers("in udp", "in on eth0 udp"));
	assert_true(covers("in from @a", "in tcp from @a"));
}

/* Its words are those of what comes in; for what goes out the ends are exchanged. */
static void test_both_ways(void **state)
{
	(void)state;
	assert_true(covers("inout udp/8", "in udp/8 from 10.0.0.1"));
	assert_true(covers("inout udp/8", "inout udp/8 from 10.0.0.1"));
	assert_true(covers("inout udp/8", "out udp from port 8"));
	assert_true(covers("inout from 10.0.0.0/8", "out to 10.1.2.3"));
	assert_false(covers("inout udp/8", "out udp to port 8"));
	assert_false(covers("inout from 10.0.0.0/8", "out from 10.1.2.3"));
	assert_false(covers("in udp/8", "inout udp/8"));
	assert_false(covers("out udp from port 8", "inout udp/8"));
}

static void test_covers_not(void **state)
{
	(void)state;
	assert_false(covers("udp/53", "udp"));
	assert_false(covers("udp/53", "tcp/53"));
	assert_false(covers("udp/50-60", "udp/53,61"));
	assert_false(covers("10.1.0.0/16", "10.0.0.0/8"));
	assert_false(covers("10.0.0.0/8", "10::/16"));
	assert_false(covers("in to me", "in to 10.0.0.1"));
	assert_false(covers("in icmp type 8", "in icmp"));
	assert_false(covers("in on eth0 udp", "in udp"));
	assert_false(covers("in on eth0 udp", "in on eth1 udp"));
	assert_false(covers("out udp", "in udp"));
	assert_false(covers("in from @a", "in from @b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_covers),
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_covers_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
