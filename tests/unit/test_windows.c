// SPDX-License-Identifier: GPL-2.0-only
/* A table over maps of which only pieces are mapped; files in memory stand for the maps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compile.h"
#include "spec.h"
#include "windows.h"

#define MANY 60000

struct kit {
	int fds[TABLE_PARTS];
	struct table table;
	struct policy *policy;
	struct plan *plan;
};

static int no_interface(const char *name, void *arg)
{
	(void)name;
	(void)arg;
	return 0;
}

/* MANY rules, an address each; every tenth ends at a time, and so has a gate. */
static void kit_begin(struct kit *kit)
{
	const struct compile_env env = { .ifindex = no_interface, .now = 1, .boot_now = 1 };
	struct diag diag = {};
	char text[64];

	*kit = (struct kit){ .policy = policy_new("many") };
	for (unsigned int i = 0; i < MANY; i++) {
		const struct spec_opts opts = { .action = BP_BLOCK };
		struct rule *rule = NULL;

		snprintf(text, sizeof(text), "in from 10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		assert_int_equal(spec_parse_line(text, &opts, &rule, &diag), 0);
		rule->id = i + 1;
		rule->deadline = i % 10 ? 0 : 100;
		assert_int_equal(policy_add(kit->policy, &rule), 0);
	}
	assert_int_equal(plan_new(kit->policy, &env, &kit->plan, &diag), 0);
	for (int part = 0; part < TABLE_PARTS; part++) {
		size_t size = table_part_size(&kit->plan->tables.sizes, part) + 65536;

		kit->fds[part] = memfd_create("table", MFD_CLOEXEC);
		assert_true(kit->fds[part] >= 0);
		assert_int_equal(ftruncate(kit->fds[part], size), 0);
	}
	assert_int_equal(windows_open(&kit->table, kit->fds, &kit->plan->tables.sizes), 0);
}

static void kit_end(struct kit *kit)
{
	windows_close(&kit->table);
	for (int part = 0; part < TABLE_PARTS; part++)
		close(kit->fds[part]);
	plan_free(&kit->plan);
	policy_free(&kit->policy);
}

static void fill(struct kit *kit)
{
	struct diag diag = {};

	assert_int_equal(plan_fill(kit->plan, &kit->table, &diag), 0);
	assert_int_equal(kit->table.tables->filters, MANY);
}

/* Bytes of the maps that this process has mapped. */
static size_t mapped(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	size_t sum = 0;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "/memfd:table") && sscanf(line, "%lx-%lx", &from, &to) == 2)
			sum += to - from;
	fclose(maps);
	return sum;
}

static size_t all_bytes(const struct bp_sizes *sizes)
{
	size_t sum = 0;

	for (int part = 0; part < TABLE_PARTS; part++)
		sum += table_part_size(sizes, part);
	return sum;
}

static int sum_ids(const union filter_elem *elem, int family, void *arg)
{
	assert_int_equal(family, BP_V4);
	*(uint64_t *)arg += elem->e.rule;
	return 0;
}

/* All rules are there, each once. */
static void assert_whole(const struct kit *kit, bool whole)
{
	uint64_t sum = 0;

	assert_int_equal(table_walk(&kit->table, sum_ids, &sum), 0);
	assert_int_equal(sum, whole ? (uint64_t)MANY * (MANY + 1) / 2 : 0);
	assert_false(table_is_lost(&kit->table));
}

/* Who fills it maps no room that is not used, who has filled it next to nothing, who reads it
 * little. */
static void test_fill(void **state)
{
	const struct bp_tables *t;
	size_t used, filled;
	struct kit kit;

	(void)state;
	kit_begin(&kit);
	assert_int_equal(windows_fill(&kit.table), 0);
	fill(&kit);
	t = kit.table.tables;
	assert_int_equal(t->sizes.elems[BP_V4], t->given[BP_V4] + MANY / 8); /* the room for more */
	used = all_bytes(&t->sizes) -
	       (t->sizes.elems[BP_V4] - t->given[BP_V4]) * sizeof(struct bp_elem4) -
	       t->sizes.elems[BP_V6] * sizeof(struct bp_elem6);
	filled = mapped();
	assert_in_range(filled, used - (64 << 10), used + (2 << 20));
	windows_leave(&kit.table);
	assert_true(mapped() < 128 << 10);
	for (int i = 0; i < 2; i++) {
		assert_whole(&kit, true);
		assert_true(mapped() < filled / 2);
	}
	kit_end(&kit);
}

static uint32_t rule_at(const struct kit *kit, uint32_t number)
{
	return table_elem(&kit->table, BP_V4, number)->e.rule;
}

/* What was left comes back, first or last or between what is there. */
static void test_back(void **state)
{
	uint32_t homes, ids[512] = {}, seed = 1;
	struct kit kit;

	(void)state;
	kit_begin(&kit);
	assert_int_equal(windows_fill(&kit.table), 0);
	fill(&kit);
	homes = kit.table.tables->sizes.homes[BP_V4];
	for (unsigned int i = 0; i < 512; i++)
		ids[i] = rule_at(&kit, 1 + homes / 512 * i);
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int by = (seed = seed * 1103515245 + 12345) >> 16;
		size_t at = (by % 90) << 15, size = (by / 90 % 8) << 15;

		if (i % 4 == 0)
			kit.table.windows->leave(kit.table.windows, PART_ELEMS4, at, size);
		if (i % 4096 == 0)
			windows_leave(&kit.table);
		if (i % 64 == 0)
			assert_int_equal(table_reach(&kit.table, PART_ELEMS4, 0, at), 0);
		assert_int_equal(rule_at(&kit, 1 + homes / 512 * (by % 512)), ids[by % 512]);
	}
	assert_whole(&kit, true);
	kit_end(&kit);
}

/* Emptied and filled again, whatever of it was mapped. */
static void test_again(void **state)
{
	struct kit kit;

	(void)state;
	kit_begin(&kit);
	assert_int_equal(windows_fill(&kit.table), 0);
	for (int i = 0; i < 3; i++) {
		fill(&kit);
		if (i)
			windows_leave(&kit.table);
		assert_whole(&kit, true);
		assert_int_equal(table_empty(&kit.table), 0);
		assert_whole(&kit, false);
	}
	kit_end(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_back),
		cmocka_unit_test(test_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
