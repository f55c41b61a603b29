/* SPDX-License-Identifier: GPL-2.0-only */
/* The OpenMetrics text: what an end-to-end test cannot bring about. A parser reads it there. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report.h"
#include "spec.h"
#include "stream.h"

/* A status with that many rules, each with its number as packets. */
static void make(struct status *st, size_t n)
{
	const struct spec_opts opts = { .action = -1 };

	*st = (struct status){ .version = "1", .policy = "p", .generation = 3, .n_rules = n };
	st->rules = calloc(n + 1, sizeof(*st->rules));
	assert_non_null(st->rules);
	for (size_t i = 0; i < n; i++) {
		struct diag diag = {};
		struct rule *rule = NULL;

		assert_int_equal(spec_parse_line("block udp/9", &opts, &rule, &diag), 0);
		rule->id = i + 1;
		st->rules[i] = (struct status_rule){ .rule = rule, .packets = i + 1, .bytes = 9 };
	}
}

static void label(struct status *st, size_t i, const char *text)
{
	struct rule *rule = (struct rule *)st->rules[i].rule;

	rule->label = strdup(text);
	assert_non_null(rule->label);
}

static char *print(const struct status *st)
{
	char *text = NULL;
	size_t len;
	FILE *out = stream_open(&text, &len);

	assert_non_null(out);
	assert_int_equal(report_metrics.status(out, st), 0);
	assert_int_equal(stream_close(out), 0);
	return text;
}

static void drop(struct status *st, char *text)
{
	for (size_t i = 0; i < st->n_rules; i++)
		rule_free((struct rule **)&st->rules[i].rule);
	free(st->rules);
	free(text);
}

static size_t lines(const char *text, const char *begin)
{
	size_t n = 0;

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		n += !strncmp(text, begin, strlen(begin));
	}
	return n;
}

static void has(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("%s is not in %s", what, text);
}

static void test_ends(void **state)
{
	struct status st = { .version = "1" };
	char *text = print(&st);

	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
	assert_int_equal(lines(text, "# EOF"), 1);
	has(text, "\nbpfpol_in_force 0\n");
	free(text);
}

/*
 * Dynamic ones are counted apart. What waits to be folded in concerns the others alone. One of
 * which little is known has its counters, and says nothing.
 */
static void test_dynamic(void **state)
{
	struct status st;
	char *text;

	(void)state;
	make(&st, 3);
	((struct rule *)st.rules[1].rule)->layer = LAYER_DYNAMIC;
	((struct rule *)st.rules[2].rule)->layer = LAYER_DYNAMIC;
	st.rules[2].untold = true;
	st.n_dynamic = 2;
	st.n_filters = 2;
	st.n_held = 4;
	st.behind = true;
	text = print(&st);
	has(text, "\nbpfpol_rules 1\n");
	has(text, "\nbpfpol_filters 2\n");
	has(text, "\nbpfpol_dynamic_rules 2\n");
	has(text, "\nbpfpol_dynamic_filters 4\n");
	assert_int_equal(lines(text, "bpfpol_rule_packets_total"), 2);
	has(text, "\nbpfpol_rule_packets_total{id=\"3\",action=\"block\"} 3\n");
	assert_int_equal(lines(text, "bpfpol_rule_info"), 1);
	has(text, "layer=\"dynamic\"} 1\n");
	drop(&st, text);
}

static void test_escapes(void **state)
{
	struct status st;
	char *text;

	make(&st, 3);
	label(&st, 0, "a\"b\\c\nd\x01 gr\xc3\xbc\xc3\x9f \xff.");
	label(&st, 1, "");
	text = print(&st);
	has(text, ",name=\"a\\\"b\\\\c\\nd"
		  "\xef\xbf\xbd gr\xc3\xbc\xc3\x9f \xef\xbf\xbd.\",");
	assert_int_equal(lines(text, "bpfpol_rule_info"), 3);
	drop(&st, text);
}

/* 256 bytes as they are; more are cut, never inside a letter. */
static void test_cut(void **state)
{
	char whole[257], longer[300], kept[300];
	struct status st;
	char *text;

	memset(whole, 'x', 256);
	whole[256] = '\0';
	memset(longer, 'y', 252);
	strcpy(longer + 252, "\xc3\xbc"
			     "and more");
	snprintf(kept, sizeof(kept), ",name=\"%.252s...\",", longer);
	make(&st, 2);
	label(&st, 0, whole);
	label(&st, 1, longer);
	text = print(&st);
	has(text, whole);
	has(text, kept);
	drop(&st, text);
}

static void test_limit(void **state)
{
	struct status st;
	char *text;

	make(&st, 1000);
	text = print(&st);
	has(text, "\nbpfpol_rule_series_limit 1000\n");
	assert_int_equal(lines(text, "bpfpol_rule_packets_total{"), 1000);
	drop(&st, text);

	make(&st, 1001);
	st.rules[500].packets = 0;
	text = print(&st);
	has(text, "\nbpfpol_rules 1001\n");
	assert_int_equal(lines(text, "bpfpol_rule_packets_total{"), 1000);
	assert_int_equal(lines(text, "bpfpol_rule_bytes_total{"), 1000);
	assert_int_equal(lines(text, "bpfpol_rule_info{"), 1000);
	assert_null(strstr(text, "id=\"501\""));
	has(text, "bpfpol_rule_packets_total{id=\"1\",action=\"block\"} 1\n");
	drop(&st, text);
}

/* Of the same number of packets the older rules have series. */
static void test_tie(void **state)
{
	struct status st;
	char *text;

	make(&st, 1200);
	for (size_t i = 0; i < st.n_rules; i++)
		st.rules[i].packets = 7;
	text = print(&st);
	has(text, "id=\"1000\"");
	assert_null(strstr(text, "id=\"1001\""));
	drop(&st, text);
}

/* Counters that lack a part are not shown as fallen. */
static void test_behind(void **state)
{
	struct status st;
	char *text;

	make(&st, 2);
	st.behind = true;
	text = print(&st);
	assert_int_equal(lines(text, "bpfpol_rule_packets_total{"), 0);
	has(text, "\nbpfpol_rules 2\n");
	drop(&st, text);
}

/* Only the interfaces that are filtered, or should be. */
static void test_interfaces(void **state)
{
	struct status_interface v[] = {
		{ .name = "a\"", .ingress = "xdp-native", .egress = "none" },
		{ .name = "b", .ingress = "none", .egress = "none", .remembered = true },
		{ .name = "c", .ingress = "none", .egress = "none" },
		{ .name = "d", .ingress = "none", .egress = "tcx" },
	};
	struct status st = { .version = "1", .interfaces = v, .n_interfaces = 4 };
	char *text = print(&st);

	has(text, "{interface=\"a\\\"\",direction=\"in\",how=\"xdp-native\"} 1\n");
	has(text, "{interface=\"a\\\"\",direction=\"out\",how=\"none\"} 0\n");
	has(text, "{interface=\"b\",direction=\"in\",how=\"none\"} 0\n");
	has(text, "{interface=\"d\",direction=\"out\",how=\"tcx\"} 1\n");
	assert_int_equal(lines(text, "bpfpol_interface_filtered{"), 6);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_dynamic),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_tie),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
