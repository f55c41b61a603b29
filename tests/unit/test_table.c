// SPDX-License-Identifier: GPL-2.0-only
/* A table of which parts cannot be had: what fails changes nothing that a packet could find. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

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
	kit->table.tables->tuple[BP_IN][BP_V4][BP_SPACE_ALL][0] = kit->tuple;
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

static int insert(struct kit *kit, bool unread)
{
	return table_insert(&kit->table, &kit->filter, &kit->key, &kit->elem, unread);
}

/* The element of the key's chain that comes after that one. */
static uint32_t next(const struct kit *kit, uint32_t at)
{
	return table_next(&kit->table, BP_V4, &kit->key, at);
}

static bool is_home(const struct kit *kit, uint32_t number)
{
	return number && number <= kit->table.tables->sizes.homes[BP_V4];
}

/* How many elements the key's chain has. */
static unsigned int chain(const struct kit *kit)
{
	unsigned int n = 0;

	for (uint32_t at = 0; (at = next(kit, at));)
		n++;
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
	assert_int_equal(insert(&kit, true), 0);
	kit_rule(&kit, "in on lo udp/53 from 192.0.2.0/24", 2);
	while (rc) {
		struct refusing r = { .base.reach = reach, .left = tries++ };

		kit.table.windows = &r.base;
		rc = insert(&kit, false);
		kit.table.windows = NULL;
		assert_int_equal(r.base.lost, rc != 0);
		assert_int_equal(rc, rc ? -ENOMEM : 0);
		assert_int_equal(chain(&kit), rc ? 1 : 2);
		assert_int_equal(kit.table.tables->given[BP_V4], rc ? 0 : 1);
	}
	assert_true(tries > 5);
	table_free(&kit.table);
}

static void test_remove(void **state)
{
	uint32_t number;
	struct kit kit;

	(void)state;
	for (int way = 0; way < 4; way++) {
		bool first = way & 1, unread = way & 2;
		unsigned int tries = 0;
		int rc = -ENOMEM;

		kit_begin(&kit);
		kit_rule(&kit, "in on lo udp/53 from 192.0.2.0/24", 1);
		assert_int_equal(insert(&kit, unread), 0);
		kit_rule(&kit, "in udp/53 from 192.0.2.0/24", 2);
		assert_int_equal(insert(&kit, unread), 0);
		number = next(&kit, 0);
		assert_int_equal(is_home(&kit, number), unread);
		if (!first)
			number = next(&kit, number);
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

/*
 * A packet may be comparing what stands in a home, so while it may, nothing comes there: neither
 * where nothing was nor where something was taken out. What does come is found all the same.
 */
static void test_homes(void **state)
{
	union filter_elem *home, was;
	struct kit kit;

	(void)state;
	for (int built = 0; built < 2; built++) {
		kit_begin(&kit);
		kit_rule(&kit, "in udp/53 from 192.0.2.0/24", 1);
		home = table_elem(&kit.table, BP_V4,
			bp_home(bp_hash((const __u64 *)kit.key.words, BP_KEY4),
				kit.table.tables->sizes.homes[BP_V4]));
		if (built) {
			assert_int_equal(insert(&kit, true), 0);
			assert_int_equal(home->e.rule, 1);
			assert_int_equal(
				table_remove(&kit.table, BP_V4, &kit.key, next(&kit, 0)), 0);
			assert_int_equal(chain(&kit), 0);
		}
		was = *home;
		for (unsigned int i = 1; i <= 3; i++) {
			assert_int_equal(insert(&kit, false), 0);
			assert_int_equal(chain(&kit), i);
			assert_int_equal(kit.table.tables->given[BP_V4], i);
			assert_false(is_home(&kit, next(&kit, 0)));
			was.e.next = home->e.next;
			assert_memory_equal(home, &was, sizeof(was.v4));
		}
		table_free(&kit.table);
	}
}

/* The elements of the key that a packet meets: it goes on behind one only if more are said to come.
 */
static unsigned int met(const struct kit *kit)
{
	const union filter_elem *e;
	unsigned int n = 0;

	for (uint32_t at = next(kit, 0); at; at = e->e.next & ~BP_MORE) {
		e = table_elem(&kit->table, BP_V4, at);
		if (e->v4.remote != kit->elem.v4.remote)
			continue;
		n += !!e->e.rule;
		if (!(e->e.next & BP_MORE))
			break;
	}
	return n;
}

#define KEYS 4

/* Takes the key's last, first or any other element out. */
static void take_out(struct kit *kit, unsigned int which)
{
	uint32_t at = 0, gone = 0;

	for (unsigned int i = 0; (at = next(kit, at)) && (i <= which || !gone); i++)
		if (table_elem(&kit->table, BP_V4, at)->v4.remote == kit->elem.v4.remote)
			gone = at;
	assert_int_equal(table_remove(&kit->table, BP_V4, &kit->key, gone), 0);
}

/* Keys that share one home, filled before packets come and changed while they do. */
static void test_more(void **state)
{
	unsigned int there[KEYS] = {}, seed = 1;
	struct kit kit;
	char text[64];

	(void)state;
	kit_begin(&kit);
	kit.table.tables->sizes.homes[BP_V4] = 1;
	for (unsigned int i = 0; i < 4000; i++) {
		unsigned int by = seed >> 16, key = by % KEYS;

		seed = seed * 1103515245 + 12345;
		snprintf(text, sizeof(text), "in %sudp/53 from 192.0.%u.0/24",
			by / KEYS / 16 % 2 ? "emergency " : "", key);
		kit_rule(&kit, text, i + 1);
		if (i < 64 || by / KEYS % 2 || !there[key]) {
			assert_int_equal(insert(&kit, i < 64), 0);
			there[key]++;
		} else {
			take_out(&kit, by / KEYS / 2 % 8);
			there[key]--;
		}
		for (key = 0; key < KEYS; key++) {
			snprintf(text, sizeof(text), "in udp/53 from 192.0.%u.0/24", key);
			kit_rule(&kit, text, 1);
			assert_int_equal(met(&kit), there[key]);
		}
	}
	table_free(&kit.table);
}

/* As many as are to come are there to have, even if one key is all of theirs. */
static void test_room(void **state)
{
	struct kit kit;
	uint32_t room;

	(void)state;
	kit_begin(&kit);
	room = kit.table.tables->sizes.elems[BP_V4];
	kit_rule(&kit, "in udp/53 from 192.0.2.0/24", 1);
	for (uint32_t i = 0; i < room; i++)
		assert_int_equal(insert(&kit, true), 0);
	assert_int_equal(insert(&kit, true), -ENOSPC);
	assert_int_equal(chain(&kit), room);
	table_free(&kit.table);
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
	assert_int_equal(insert(&kit, true), 0);
	kit.table.windows = &r.base;
	assert_int_equal(table_walk(&kit.table, count, &seen), -ENOMEM);
	assert_int_equal(seen, 0);
	r.left = 100;
	assert_int_equal(table_walk(&kit.table, count, &seen), 0);
	assert_int_equal(seen, 1);
	kit.table.windows = NULL;
	table_free(&kit.table);
}

static int add_gone(const union filter_elem *elem, int family, void *arg)
{
	(void)family;
	*(uint32_t *)arg += table_gone_rule(elem);
	return 0;
}

/* Whose an element was that was taken out is known, whatever the number; one that nobody took out
 * is nobody's. */
static void test_walk_gone(void **state)
{
	const uint32_t ids[] = { 1, BP_PRINT, BP_PRINT + 1, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		uint32_t gone = 0, seen = 0;
		struct kit kit;

		kit_begin(&kit);
		kit_rule(&kit, "in udp/53 from 192.0.2.0/24", ids[i]);
		assert_int_equal(insert(&kit, true), 0);
		assert_int_equal(table_walk_gone(&kit.table, add_gone, &gone), 0);
		assert_int_equal(gone, 0);
		assert_int_equal(table_remove(&kit.table, BP_V4, &kit.key, next(&kit, 0)), 0);
		assert_int_equal(table_walk_gone(&kit.table, add_gone, &gone), 0);
		assert_int_equal(gone, ids[i]);
		assert_int_equal(table_walk(&kit.table, count, &seen), 0);
		assert_int_equal(seen, 0);
		table_free(&kit.table);
	}
}

/* Of the elements, which bytes are there; and how many at most at a time. */
struct counting {
	struct table_windows base;
	size_t first, end, most;
	bool apart; /* something was asked for that does not begin where the rest ends */
};

static int reach_more(struct table_windows *windows, enum table_part part, size_t at, size_t size)
{
	struct counting *c = (struct counting *)windows;

	if (part != PART_ELEMS4)
		return 0;
	if (c->first == c->end)
		c->first = c->end = at;
	c->apart |= at != c->end;
	c->end = at + size;
	if (c->end - c->first > c->most)
		c->most = c->end - c->first;
	return 0;
}

static void leave_some(struct table_windows *windows, enum table_part part, size_t at, size_t size)
{
	struct counting *c = (struct counting *)windows;

	if (part != PART_ELEMS4)
		return;
	assert_int_equal(at, c->first);
	c->first = at + size;
}

/* Who reads a large table has little of it at a time, and meets all that there is, once. */
static void test_walk_large(void **state)
{
	struct counting c = { .base = { .reach = reach_more, .leave = leave_some } };
	uint64_t elems[BP_DIRS][BP_FAMILIES] = { { 60000, 0 } };
	struct bp_tables tables = { 0 };
	unsigned int seen = 0;
	struct kit kit = {};
	char text[64];

	(void)state;
	table_sizes(&tables, elems, 0);
	assert_int_equal(table_alloc(&kit.table, &tables.sizes), 0);
	for (unsigned int i = 0; i < 60000; i++) {
		snprintf(text, sizeof(text), "in from 10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		kit_rule(&kit, text, i + 1);
		assert_int_equal(insert(&kit, true), 0);
	}
	kit.table.windows = &c.base;
	assert_int_equal(table_walk(&kit.table, count, &seen), 0);
	assert_int_equal(seen, 60000);
	assert_false(c.apart);
	assert_int_equal(c.end, (1 + tables.sizes.homes[BP_V4] + kit.table.tables->given[BP_V4]) *
					sizeof(struct bp_elem4));
	assert_true(c.most <= 2 << 20);
	kit.table.windows = NULL;
	table_free(&kit.table);
}

/* What was emptied is as one that is new, to the last byte. */
static void test_empty(void **state)
{
	struct refusing r = { .base.reach = reach };
	struct table fresh = {};
	struct bp_sizes sizes;
	struct kit kit;

	(void)state;
	kit_begin(&kit);
	sizes = kit.table.tables->sizes;
	assert_int_equal(table_alloc(&fresh, &sizes), 0);
	kit.table.tables->programs = 7;
	kit_rule(&kit, "in udp/53 from 192.0.2.0/24", 1);
	assert_int_equal(insert(&kit, true), 0);
	assert_int_equal(insert(&kit, true), 0);
	*table_gate(&kit.table, 1) = BP_GATE_OPEN;
	kit.table.tables->dirty = kit.table.tables->folded = 1;
	assert_int_equal(table_empty(&kit.table), 0);
	assert_int_equal(kit.table.tables->programs, 7);
	kit.table.tables->programs = 0;
	for (int part = 0; part < TABLE_PARTS; part++)
		assert_memory_equal(*table_part(&kit.table, part), *table_part(&fresh, part),
			table_part_size(&sizes, part));
	r.left = 2;
	kit.table.windows = &r.base;
	assert_int_equal(table_empty(&kit.table), -ENOMEM);
	kit.table.windows = NULL;
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
			assert_true(has.homes[BP_V6] >= m * 5 / 4);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_insert),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_homes),
		cmocka_unit_test(test_more),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_serve),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_walk_gone),
		cmocka_unit_test(test_walk_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
