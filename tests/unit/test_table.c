// SPDX-License-Identifier: GPL-2.0-only
/* A table of which parts cannot be had: what fails changes nothing that a packet could find. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "spec.h"
#include "table.h"

/* Refuses to reach anything after so many times. */
struct refusing {
	struct table_windows base;
	unsigned int left;
};

static int reach(struct table_windows *windows, enum table_part part, size_t at, size_t size)
{
	struct refusing *r = (struct refusing *)windows;

	(void)part;
	(void)at;
	(void)size;
	if (!r->left)
		return -ENOMEM;
	r->left--;
	return 0;
}

/* Some filters that share a tuple, a rule for each. */
struct kit {
	struct table table;
	struct bp_tuple tuple;
	struct filter filter;
	struct filter_key key;
	union filter_elem elem;
};

static int take_filter(const struct filter *f, void *arg)
{
	struct kit *kit = arg;

	kit->filter = *f;
	return 1;
}

/* The rule's first filter, and its element. */
static void kit_rule(struct kit *kit, const char *text, uint32_t id)
{
	const struct spec_opts opts = { .action = BP_BLOCK };
	struct filter_of_rule of = {};
	struct rule *rule = NULL;
	struct diag diag = {};

	assert_int_equal(spec_parse_line(text, &opts, &rule, &diag), 0);
	rule->id = id;
	of.rule = rule;
	assert_int_equal(filter_each(rule, take_filter, kit), 1);
	shape_tuple(&kit->filter.shape, &kit->tuple);
	filter_key(&kit->filter, &kit->tuple, 0, &kit->key);
	filter_elem(&kit->filter, &kit->tuple, 0, &of, &kit->elem);
	rule_free(&rule);
	diag_free(&diag);
}

static void kit_begin(struct kit *kit)
{
	uint64_t elems[BP_DIRS][BP_FAMILIES] = { { 8, 8 } };
	struct bp_tables tables = { 0 };

	memset(kit, 0, sizeof(*kit));
	table_sizes(&tables, elems, 0);
	assert_int_equal(table_alloc(&kit->table, &tables.sizes), 0);
	memset(kit->table.tables->indexed, 0xff, sizeof(kit->table.tables->indexed));
}

static int insert(struct kit *kit)
{
	return table_insert(&kit->table, &kit->filter, &kit->key, &kit->elem);
}

/* How many elements the key's chain has. */
static unsigned int chain(const struct kit *kit)
{
	unsigned int n = 0;

	for (uint32_t at = table_find(&kit->table, BP_V4, &kit->key); at; n++)
		at = table_elem(&kit->table, BP_V4, at)->e.next;
	return n;
}

/* One after the other is refused, until nothing is any more. */
static void test_insert(void **state)
{
	unsigned int tries = 0;
	struct kit kit;
	int rc = -ENOMEM;

	(void)state;
	kit_begin(&kit);
	kit_rule(&kit, "in udp/53 from 192.0.2.0/24", 1);
	assert_int_equal(insert(&kit), 0);
	kit_rule(&kit, "in on lo udp/53 from 192.0.2.0/24", 2);
	while (rc) {
		struct refusing r = { .base.reach = reach, .left = tries++ };

		kit.table.windows = &r.base;
		rc = insert(&kit);
		kit.table.windows = NULL;
		assert_int_equal(r.base.lost, rc != 0);
		assert_int_equal(rc, rc ? -ENOMEM : 0);
		assert_int_equal(chain(&kit), rc ? 1 : 2);
		assert_int_equal(kit.table.tables->given[BP_V4], rc ? 1 : 2);
	}
	assert_true(tries > 5);
	table_free(&kit.table);
}

static void test_remove(void **state)
{
	uint32_t number;
	struct kit kit;

	(void)state;
	for (int first = 0; first < 2; first++) {
		unsigned int tries = 0;
		int rc = -ENOMEM;

		kit_begin(&kit);
		kit_rule(&kit, "in on lo udp/53 from 192.0.2.0/24", 1);
		assert_int_equal(insert(&kit), 0);
		kit_rule(&kit, "in udp/53 from 192.0.2.0/24", 2);
		assert_int_equal(insert(&kit), 0);
		number = table_find(&kit.table, BP_V4, &kit.key);
		if (!first)
			number = table_elem(&kit.table, BP_V4, number)->e.next;
		while (rc) {
			struct refusing r = { .base.reach = reach, .left = tries++ };

			kit.table.windows = &r.base;
			rc = table_remove(&kit.table, BP_V4, &kit.key, number);
			kit.table.windows = NULL;
			assert_int_equal(rc, rc ? -ENOMEM : 0);
			assert_int_equal(chain(&kit), rc ? 2 : 1);
			assert_int_equal(!!table_elem(&kit.table, BP_V4, number)->e.rule, rc != 0);
		}
		assert_true(tries > 1);
		table_free(&kit.table);
	}
}

static int count(const union filter_elem *elem, int family, void *arg)
{
	(void)elem;
	(void)family;
	++*(unsigned int *)arg;
	return 0;
}

static void test_walk(void **state)
{
	struct refusing r = { .base.reach = reach };
	unsigned int seen = 0;
	struct kit kit;

	(void)state;
	kit_begin(&kit);
	kit_rule(&kit, "in udp/53 from 192.0.2.0/24", 1);
	assert_int_equal(insert(&kit), 0);
	kit.table.windows = &r.base;
	assert_int_equal(table_walk(&kit.table, count, &seen), -ENOMEM);
	assert_int_equal(seen, 0);
	r.left = 100;
	assert_int_equal(table_walk(&kit.table, count, &seen), 0);
	assert_int_equal(seen, 1);
	kit.table.windows = NULL;
	table_free(&kit.table);
}

/* What was emptied is as one that is new, to the last byte. */
static void test_empty(void **state)
{
	struct table fresh = {};
	struct bp_sizes sizes;
	struct kit kit;

	(void)state;
	kit_begin(&kit);
	sizes = kit.table.tables->sizes;
	assert_int_equal(table_alloc(&fresh, &sizes), 0);
	kit.table.tables->programs = 7;
	kit_rule(&kit, "in udp/53 from 192.0.2.0/24", 1);
	assert_int_equal(insert(&kit), 0);
	*table_gate(&kit.table, 1) = BP_GATE_OPEN;
	kit.table.tables->dirty = kit.table.tables->folded = 1;
	table_empty(&kit.table);
	assert_int_equal(kit.table.tables->programs, 7);
	kit.table.tables->programs = 0;
	for (int part = 0; part < TABLE_PARTS; part++)
		assert_memory_equal(*table_part(&kit.table, part), *table_part(&fresh, part),
			table_part_size(&sizes, part));
	table_free(&kit.table);
	table_free(&fresh);
}

/* For IPv6 filters that arrive, and a few of IPv4; each with a gate. fine: some have long prefixes.
 */
static struct bp_sizes sizes_for(uint64_t n, bool fine)
{
	uint64_t elems[BP_DIRS][BP_FAMILIES] = { [BP_IN] = { 40, n } };
	struct bp_tables t = {};

	t.indexed[BP_IN][BP_V6][BP_BY_REMOTE_FINE] = fine;
	table_sizes(&t, elems, n);
	return t.sizes;
}

static bool serves(uint64_t has_n, bool has_fine, uint64_t wants_n, bool wants_fine)
{
	const struct bp_sizes has = sizes_for(has_n, has_fine);
	const struct bp_sizes wants = sizes_for(wants_n, wants_fine);

	return table_sizes_serve(&has, &wants);
}

/* Small ones serve each other; where a packet would meet larger or smaller ones, none does. */
static void test_serve(void **state)
{
	(void)state;
	for (uint64_t n = 0; n <= 400; n += 20)
		assert_true(serves(n, n % 40, 400 - n, n % 40));
	assert_true(serves(20, true, 20, false)); /* what is not asked may be there */
	assert_false(serves(20, false, 20, true));
	assert_false(serves(400, false, 600, false)); /* more sets */
	assert_false(serves(600, false, 400, false));
	assert_true(serves(24000, true, 26000, true));
	assert_false(serves(24000, true, 28000, true)); /* half of the room is not left */
	for (uint64_t n = 0; n < 200000; n += 1 + n / 3)
		for (uint64_t m = 0; m < 200000; m += 1 + m / 7) {
			const struct bp_sizes has = sizes_for(n, false);

			if (!serves(n, false, m, false))
				continue;
			assert_true(has.elems[BP_V6] >= m + 2048);
			assert_true(has.gates >= m + 2048);
			/* A line is half full at most when all are given out. */
			assert_true(m <= (uint64_t)BP_LINE / 2 << has.lines[BP_V6]);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_insert),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_serve),
		cmocka_unit_test(test_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
