/* SPDX-License-Identifier: GPL-2.0-only */
/* `top` without a terminal: rates, order, filter, keys, and the picture at every size. */
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "spec.h"
#include "top.h"

#define SECOND 1000000000ULL

/* Two looks at three rules, half a second apart. */
struct world {
	struct status before, now;
	struct top_counts old, new;
	struct top_table table;
	struct top_view view;
	struct top_history history;
};

static const struct rule *parse(uint32_t id, const char *text)
{
	const struct spec_opts opts = { .action = -1 };
	struct rule *rule = NULL;
	struct diag diag = {};

	assert_int_equal(spec_parse_line(text, &opts, &rule, &diag), 0);
	rule->id = id;
	return rule;
}

static void look(struct status *st, size_t n)
{
	*st = (struct status){ .version = "1", .policy = "p", .generation = 1 };
	st->rules = calloc(n + 1, sizeof(*st->rules));
	assert_non_null(st->rules);
}

static void see(struct status *st, const struct rule *rule, uint64_t packets, uint64_t bytes)
{
	st->rules[st->n_rules++] =
		(struct status_rule){ .rule = rule, .packets = packets, .bytes = bytes };
}

static void finish_world(struct world *w)
{
	assert_int_equal(top_counts_take(&w->before, 5 * SECOND, &w->old), 0);
	assert_int_equal(top_counts_take(&w->now, 5 * SECOND + SECOND / 2, &w->new), 0);
	assert_int_equal(top_table_make(&w->now, &w->new, &w->old, &w->table), 0);
	top_history_add(&w->history, &w->table);
	w->view.interval_ms = 500;
}

static void make(struct world *w)
{
	const struct rule *worm = parse(7, "block udp/1434 name \"Slammer\"");
	const struct rule *dns = parse(3, "permit udp/53 from 10.0.0.0/8");
	const struct rule *all = parse(9, "count udp");

	*w = (struct world){};
	look(&w->before, 3);
	look(&w->now, 3);
	see(&w->before, worm, 100, 5000);
	see(&w->before, all, 1000, 60000);
	see(&w->now, worm, 150, 30000);
	see(&w->now, dns, 5, 500); /* came in between */
	see(&w->now, all, 1010, 60100);
	w->before.totals[BP_IN] = (struct bp_totals){ .passed = 7, .blocked = 100 };
	w->now.totals[BP_IN] = (struct bp_totals){ .passed = 8, .blocked = 150, .malformed = 2 };
	finish_world(w);
}

/* With so many rules `block tcp/N`, of which the last has counted most. */
static void make_many(struct world *w, size_t n)
{
	*w = (struct world){};
	look(&w->before, n);
	look(&w->now, n);
	for (size_t i = 0; i < n; i++) {
		char text[32];
		const struct rule *rule;

		snprintf(text, sizeof(text), "block tcp/%zu", i + 1);
		rule = parse(i + 1, text);
		see(&w->before, rule, 0, 0);
		see(&w->now, rule, i + 1, 1);
	}
	finish_world(w);
}

static void unmake(struct world *w);

/* They are told apart, counted apart, and found by that word; one of which little is known, too. */
static void test_dynamic(void **state)
{
	struct world w = {};
	struct rule *held = (struct rule *)parse(12, "block out tcp/25");
	struct rule *dark = (struct rule *)parse(13, "block udp/9");

	(void)state;
	held->layer = dark->layer = LAYER_DYNAMIC;
	look(&w.before, 3);
	look(&w.now, 3);
	see(&w.now, parse(7, "block udp/1434"), 0, 0);
	see(&w.now, held, 0, 0);
	see(&w.now, dark, 0, 0);
	w.now.rules[2].untold = true;
	w.now.n_dynamic = 2;
	finish_world(&w);
	assert_int_equal(top_sort(&w.table, TOP_ID, false), 0);
	assert_string_equal(top_text(&w.table.rows[0]), "block in udp to port 1434");
	assert_string_equal(top_text(&w.table.rows[1]), "[dynamic] block out tcp to port 25");
	assert_string_equal(top_text(&w.table.rows[2]),
		"[dynamic] block in ... (the agent does not tell the rest)");
	assert_int_equal(top_filter(&w.table, "dynamic"), 0);
	assert_int_equal(w.table.shown, 2);
	unmake(&w);
}

static void unmake(struct world *w)
{
	for (size_t i = 0; i < w->now.n_rules; i++)
		rule_free((struct rule **)&w->now.rules[i].rule);
	top_table_free(&w->table);
	top_counts_free(&w->old);
	top_counts_free(&w->new);
	free(w->before.rules);
	free(w->now.rules);
}

static uint32_t id_at(const struct world *w, size_t i)
{
	assert_true(i < w->table.n);
	return w->table.rows[i].rule->rule->id;
}

static const struct top_row *row_of(const struct world *w, uint32_t id)
{
	for (size_t i = 0; i < w->table.n; i++)
		if (id_at(w, i) == id)
			return &w->table.rows[i];
	fail_msg("rule %u is not there", id);
	return NULL;
}

static void near(double a, double b)
{
	assert_true(fabs(a - b) < 1e-6);
}

static void test_rates(void **state)
{
	struct world w;

	make(&w);
	assert_int_equal(w.table.ns, SECOND / 2);
	near(row_of(&w, 7)->packet_rate, 100);
	near(row_of(&w, 7)->byte_rate, 50000);
	assert_int_equal(row_of(&w, 7)->packets, 50);
	near(row_of(&w, 9)->packet_rate, 20);
	near(w.table.totals[BP_IN].passed, 2);
	near(w.table.totals[BP_IN].blocked, 100);
	near(w.table.totals[BP_IN].malformed, 4);
	near(w.table.totals[BP_OUT].passed, 0);
	assert_false(row_of(&w, 3)->known);
	near(row_of(&w, 3)->packet_rate, 0);
	near(w.history.blocked[BP_IN][0], 100);
	unmake(&w);
}

/* Counters that begin again at 0 count from there. */
static void test_fallen(void **state)
{
	struct world w;

	make(&w);
	top_table_free(&w.table);
	w.now.rules[0].packets = 30;
	w.now.totals[BP_IN].blocked = 5;
	assert_int_equal(top_table_make(&w.now, &w.new, &w.old, &w.table), 0);
	near(row_of(&w, 7)->packet_rate, 60);
	near(w.table.totals[BP_IN].blocked, 10);
	unmake(&w);
}

/* One look alone gives no rate. */
static void test_first(void **state)
{
	const struct top_counts none = {};
	struct world w;

	make(&w);
	top_table_free(&w.table);
	assert_int_equal(top_table_make(&w.now, &w.new, &none, &w.table), 0);
	assert_int_equal(w.table.ns, 0);
	assert_false(row_of(&w, 7)->known);
	near(w.table.totals[BP_IN].blocked, 0);
	unmake(&w);
}

static void expect_order(
	struct world *w, enum top_column column, bool reverse, uint32_t a, uint32_t b, uint32_t c)
{
	assert_int_equal(top_sort(&w->table, column, reverse), 0);
	assert_int_equal(id_at(w, 0), a);
	assert_int_equal(id_at(w, 1), b);
	assert_int_equal(id_at(w, 2), c);
}

static void test_order(void **state)
{
	struct world w;

	make(&w);
	expect_order(&w, TOP_PACKET_RATE, false, 7, 9, 3);
	expect_order(&w, TOP_PACKET_RATE, true, 3, 9, 7);
	expect_order(&w, TOP_BYTE_RATE, false, 7, 9, 3);
	expect_order(&w, TOP_PACKETS, false, 9, 7, 3);
	expect_order(&w, TOP_BYTES, false, 9, 7, 3);
	expect_order(&w, TOP_ID, false, 3, 7, 9);
	expect_order(&w, TOP_ID, true, 9, 7, 3);
	expect_order(&w, TOP_RULE, false, 7, 9, 3);
	/* Equal ones: what has counted more, then the lower id. */
	w.table.rows[0].packet_rate = w.table.rows[1].packet_rate = w.table.rows[2].packet_rate = 0;
	expect_order(&w, TOP_PACKET_RATE, false, 9, 7, 3);
	unmake(&w);
}

static void test_columns(void **state)
{
	enum top_column column;

	for (int i = 0; i < TOP_COLUMNS; i++) {
		assert_int_equal(top_column_parse(top_column_name(i), &column), 0);
		assert_int_equal(column, i);
	}
	assert_int_equal(top_column_parse("packet", &column), -EINVAL);
	assert_int_equal(top_column_parse("", &column), -EINVAL);
}

static void expect_found(struct world *w, const char *filter, size_t n, uint32_t first)
{
	assert_int_equal(top_sort(&w->table, TOP_ID, false), 0);
	assert_int_equal(top_filter(&w->table, filter), 0);
	assert_int_equal(w->table.shown, n);
	if (n)
		assert_int_equal(id_at(w, 0), first);
	/* None is lost. */
	row_of(w, 3);
	row_of(w, 7);
	row_of(w, 9);
}

static void test_filter(void **state)
{
	struct world w;

	make(&w);
	expect_found(&w, "", 3, 3);
	expect_found(&w, "slam", 1, 7);
	expect_found(&w, "UDP", 3, 3);
	expect_found(&w, "port", 2, 3);
	expect_found(&w, "9", 1, 9);
	expect_found(&w, "10.0.0.0/8", 1, 3);
	expect_found(&w, "none of them", 0, 0);
	unmake(&w);
}

static void test_numbers(void **state)
{
	static const struct {
		double value;
		const char *text;
	} numbers[] = {
		{ 0, "0" },
		{ 0.26, "0.3" },
		{ 9.94, "9.9" },
		{ 9.96, "10" },
		{ 999.4, "999" },
		{ 999.6, "1.00k" },
		{ 1234, "1.23k" },
		{ 9994, "9.99k" },
		{ 9996, "10.0k" },
		{ 99940, "99.9k" },
		{ 99960, "100k" },
		{ 999400, "999k" },
		{ 999600, "1.00M" },
		{ 1.5e9, "1.50G" },
		{ 2e12, "2.00T" },
		{ 1.8e19, "18000P" },
	};
	char text[TOP_NUMBER];

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_string_equal(top_number(numbers[i].value, text), numbers[i].text);
}

static enum top_act press(struct world *w, uint32_t key)
{
	enum top_act act = top_press(&w->view, &w->table, key);

	assert_int_equal(top_arrange(&w->table, &w->view), 0);
	return act;
}

static void type(struct world *w, const char *keys)
{
	for (; *keys; keys++)
		assert_int_equal(press(w, *keys), TOP_GO_ON);
}

/* Draws, and gives the picture as lines of text. */
static char *picture(struct world *w, int width, int height, bool utf8)
{
	struct canvas c;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(top_arrange(&w->table, &w->view), 0);
	assert_int_equal(canvas_new(&c, width, height, utf8), 0);
	top_draw(&c, &w->view, &w->table, &w->history);
	for (int i = 0; i < height; i++) {
		assert_true(c.lines[i].cells <= width);
		fprintf(out, "%s\n", c.lines[i].text);
	}
	fclose(out);
	canvas_free(&c);
	return text;
}

static void expect_shown(struct world *w, int width, int height, const char *what, bool shown)
{
	char *text = picture(w, width, height, true);

	if (!strstr(text, what) == shown)
		fail_msg("'%s' is %s in\n%s", what, shown ? "not" : "", text);
	free(text);
}

static void test_keys(void **state)
{
	struct world w;

	make(&w);
	expect_shown(&w, 80, 24, "by packets/s", true);
	type(&w, "b");
	assert_int_equal(w.view.sort, TOP_BYTE_RATE);
	type(&w, "ir");
	expect_shown(&w, 80, 24, "by id, reversed", true);
	assert_int_equal(id_at(&w, 0), 9);
	type(&w, "P");
	assert_false(w.view.reverse);
	type(&w, " ");
	expect_shown(&w, 80, 24, "PAUSED", true);
	type(&w, " ");
	expect_shown(&w, 80, 24, "PAUSED", false);
	type(&w, "zZ~");
	assert_int_equal(press(&w, 'q'), TOP_QUIT);
	unmake(&w);
}

static void test_type_filter(void **state)
{
	struct world w;

	make(&w);
	type(&w, "/slaq");
	assert_int_equal(w.table.shown, 0);
	expect_shown(&w, 80, 24, "No rule holds that", true);
	expect_shown(&w, 80, 24, "Rules that hold: slaq", true);
	press(&w, TOP_KEY_ERASE);
	assert_int_equal(w.table.shown, 1);
	press(&w, 0xfc); /* two bytes; taken off whole */
	press(&w, 0x1f600);
	press(&w, TOP_KEY_ERASE);
	press(&w, TOP_KEY_ERASE);
	assert_string_equal(w.view.filter, "sla");
	press(&w, TOP_KEY_ENTER);
	expect_shown(&w, 80, 24, "1 of 3 rules hold 'sla'", true);
	press(&w, TOP_KEY_ESCAPE);
	assert_int_equal(w.table.shown, 3);
	/* However long somebody types. */
	type(&w, "/");
	for (int i = 0; i < 500; i++)
		press(&w, i % 2 ? 'x' : 0x7530);
	assert_true(strlen(w.view.filter) < sizeof(w.view.filter));
	for (int i = 0; i < 500; i++)
		press(&w, TOP_KEY_ERASE);
	assert_string_equal(w.view.filter, "");
	unmake(&w);
}

/* A rule is removed only after it was chosen, and the question answered with y. */
static void test_remove(void **state)
{
	struct world w;

	make(&w);
	type(&w, "d");
	assert_int_equal(w.view.mode, TOP_TABLE);
	expect_shown(&w, 80, 24, "Choose a rule first", true);
	press(&w, TOP_KEY_DOWN);
	expect_shown(&w, 80, 24, "Rule 7, 150 packets, 30000 bytes: block in udp", true);
	type(&w, "d");
	expect_shown(&w, 80, 24, "Remove rule 7? y/n  block in udp to port 1434", true);
	expect_shown(&w, 20, 5, "Remove rule 7? y/n", true);
	type(&w, "n");
	expect_shown(&w, 80, 24, "Nothing is removed.", true);
	type(&w, "d");
	press(&w, TOP_KEY_ENTER);
	assert_int_equal(w.view.mode, TOP_TABLE);
	/* The question is of the rule, wherever it has moved to. */
	press(&w, TOP_KEY_DELETE);
	w.view.sort = TOP_ID;
	assert_int_equal(press(&w, 'y'), TOP_REMOVE);
	assert_int_equal(w.view.asked, 7);
	/* One that the filter hides is not chosen any more. */
	type(&w, "/dns");
	press(&w, TOP_KEY_ENTER);
	type(&w, "d");
	assert_int_equal(w.view.mode, TOP_TABLE);
	unmake(&w);
}

static void test_scroll(void **state)
{
	struct world w;

	make_many(&w, 100);
	expect_shown(&w, 80, 24, "1-16 of 100", true);
	press(&w, TOP_KEY_DOWN);
	assert_int_equal(w.view.selected, 100);
	press(&w, TOP_KEY_UP);
	assert_int_equal(w.view.selected, 100);
	for (int i = 0; i < 16; i++)
		press(&w, TOP_KEY_DOWN);
	assert_int_equal(w.view.selected, 84);
	expect_shown(&w, 80, 24, "2-17 of 100", true);
	press(&w, TOP_KEY_END);
	assert_int_equal(w.view.selected, 1);
	expect_shown(&w, 80, 24, "85-100 of 100", true);
	press(&w, TOP_KEY_PAGE_UP);
	assert_int_equal(w.view.selected, 16);
	press(&w, TOP_KEY_HOME);
	expect_shown(&w, 80, 24, "1-16 of 100", true);
	/* The chosen rule stays chosen in another order, and is seen. */
	type(&w, "i");
	assert_int_equal(w.view.selected, 100);
	expect_shown(&w, 80, 24, "85-100 of 100", true);
	unmake(&w);
}

static void test_states(void **state)
{
	struct status_interface links[] = {
		{ .name = "eth0", .ingress = "xdp-native", .egress = "tcx", .remembered = true },
		{ .name = "lo", .ingress = "none", .egress = "none" },
		{ .name = "eth1", .ingress = "none", .egress = "none", .remembered = true },
	};
	struct world w;

	make(&w);
	expect_shown(&w, 80, 24, "No interface is filtered", true);
	w.now.interfaces = links;
	w.now.n_interfaces = 3;
	expect_shown(&w, 80, 24, "! eth1 in none, out none  eth0 in xdp-native, out tcx", true);
	expect_shown(&w, 40, 10, "+ 1 more", true);
	w.now.off = true;
	expect_shown(&w, 80, 24, "Filtering is OFF", true);
	w.now.off = false;
	w.now.generation = 0;
	expect_shown(&w, 80, 24, "NOT IN FORCE", true);
	w.now.policy = NULL;
	expect_shown(&w, 80, 24, "No policy is assigned", true);
	unmake(&w);
}

/* Every size, in letters and without: nothing beyond the edges, and what is needed is there. */
static void test_sizes(void **state)
{
	static const uint32_t keys[] = { 'p', '/', TOP_KEY_ENTER, TOP_KEY_DOWN, 'd', 'n', 'h' };
	struct world w;

	make_many(&w, 30);
	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
		press(&w, keys[k]);
		for (int height = 0; height < 40; height++)
			for (int width = 0; width < 130; width += 3)
				free(picture(&w, width, height, height % 2));
	}
	press(&w, 'q');
	expect_shown(&w, 40, 10, "PACKETS/s", true);
	expect_shown(&w, 40, 10, "BYTES/s", false);
	expect_shown(&w, 80, 24, "BYTES/s", true);
	expect_shown(&w, 80, 24, "PACKETS ", false);
	expect_shown(&w, 80, 24, " BYTES ", false);
	expect_shown(&w, 120, 40, " BYTES ", true);
	/* What it is sorted by is seen on narrow ones too. */
	type(&w, "B");
	expect_shown(&w, 80, 24, " BYTES ", true);
	expect_shown(&w, 40, 10, " BYTES ", true);
	unmake(&w);
}

/* All lines of the help can be reached on a low screen. */
static void test_help(void **state)
{
	struct world w;

	make(&w);
	for (size_t i = 0; i < TOP_HELP_LINES; i++) {
		bool found = false;

		type(&w, "h");
		while (w.view.mode == TOP_HELP) {
			char *text = picture(&w, 40, 10, true);

			found |= strstr(text, top_help[i]) != NULL;
			free(text);
			press(&w, ' ');
		}
		assert_true(found);
		assert_true(strlen(top_help[i]) <= 40);
	}
	assert_false(w.view.paused);
	unmake(&w);
}

static void test_no_rules(void **state)
{
	struct world w = {};

	look(&w.before, 0);
	look(&w.now, 0);
	finish_world(&w);
	expect_shown(&w, 80, 24, "It has no rules", true);
	press(&w, TOP_KEY_DOWN);
	press(&w, TOP_KEY_END);
	type(&w, "d/x");
	expect_shown(&w, 80, 24, "It has no rules", true);
	w.now.policy = NULL;
	expect_shown(&w, 80, 24, "'bpfpol block udp/1434' makes a policy", true);
	unmake(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dynamic),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_fallen),
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_type_filter),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_scroll),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_no_rules),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
