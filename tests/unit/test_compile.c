// SPDX-License-Identifier: GPL-2.0-only
/* The compiler: filters, tuples, chains, gates, limits. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compile.h"
#include "filter.h"
#include "index.h"
#include "keyset.h"
#include "spec.h"

static struct rule *rule_of(const char *line)
{
	const struct spec_opts opts = { .action = -1 };
	struct diag diag = {};
	struct rule *rule = NULL;

	if (spec_parse_line(line, &opts, &rule, &diag))
		fail_msg("%s: %s", line, diag.message);
	diag_free(&diag);
	return rule;
}

static struct policy *policy_of(const char *const *lines)
{
	struct policy *policy = policy_new("test");

	for (uint32_t id = 1; *lines; lines++, id++) {
		struct rule *rule = rule_of(*lines);

		rule->id = id;
		assert_int_equal(policy_add(policy, &rule), 0);
	}
	return policy;
}

static uint32_t no_interface(const char *name, void *arg)
{
	(void)arg;
	return strcmp(name, "eth0") ? 0 : 7;
}

static const struct compile_env env = {
	.ifindex = no_interface, .now = 1000, .boot_now = 5000000000ULL
};

static struct plan *plan_of(const char *const *lines)
{
	struct policy *policy = policy_of(lines);
	struct plan *plan = NULL;
	struct diag diag = {};

	assert_int_equal(compile(policy, &env, &plan, &diag), 0);
	policy_free(&policy);
	return plan;
}

#define PLAN(...) plan_of((const char *const[]){ __VA_ARGS__, NULL })

static const struct bp_elem *elem_at(const struct plan_set *set, size_t i)
{
	return (const struct bp_elem *)(set->elems + i * set->elem_size);
}

static uint64_t filters_of(const char *line)
{
	struct rule *rule = rule_of(line);
	uint64_t n;

	assert_int_equal(filter_count(rule, &n), 0);
	rule_free(&rule);
	return n;
}

static void test_expansion(void **state)
{
	(void)state;
	assert_int_equal(filters_of("block in udp/1434"), 2);
	assert_int_equal(filters_of("block in udp/1434 from 10.0.0.0/8"), 1);
	assert_int_equal(filters_of("block in tcp/80,443,8000-8999"), 6);
	assert_int_equal(filters_of("block in icmp"), 1);
	assert_int_equal(filters_of("block in icmpv6 type 128"), 1);
	assert_int_equal(filters_of("block in ah"), 1);
	assert_int_equal(filters_of("block in from ::/0"), 1);
	assert_int_equal(filters_of("block inout tcp/445"), 4);
	/* A count rule counts once: what overlaps becomes one. */
	assert_int_equal(filters_of("block in tcp/80,80-90,85-100"), 6);
	assert_int_equal(filters_of("count in tcp/80,80-90,85-100"), 2);
}

static unsigned int tuples(const struct plan *p, int kind)
{
	return __builtin_popcountll(p->tables.live[BP_IN][BP_V4][kind]);
}

static void test_tuples(void **state)
{
	struct plan *p = PLAN("block in udp/1434", "block in tcp/80", "block in 10.0.0.0/8",
		"permit in 10.1.0.0/16", "block in 10.2.0.0/16", "count in udp/53");

	(void)state;
	/* {proto, port}, {/8}, {/16}; a count rule stands alone; one shadow {proto}. */
	assert_int_equal(tuples(p, BP_DECIDE), 3);
	assert_int_equal(tuples(p, BP_TALLY), 1);
	assert_int_equal(tuples(p, BP_SHADOW), 1);
	for (int i = 1; i < 3; i++)
		assert_true(p->tables.tuple[BP_IN][BP_V4][BP_SPACE_ALL][i - 1].bound >=
			    p->tables.tuple[BP_IN][BP_V4][BP_SPACE_ALL][i].bound);
	assert_int_equal(p->tables.filters, 2 + 2 + 1 + 1 + 1 + 2);
	plan_free(&p);
}

static void test_chain(void **state)
{
	struct plan *p = PLAN("block in tcp/1000-2000 from 10.0.0.1",
		"permit in tcp/1500-1600 from 10.0.0.1", "block in on eth0 tcp/1-2 from 10.0.0.1");
	const struct plan_set *set = &p->set[BP_V4];
	unsigned int seen = 0;

	(void)state;
	for (size_t i = 0; i < set->n; i++) {
		const struct bp_key4 *key = (const struct bp_key4 *)(set->keys + i * set->key_size);

		if (key->tuple >> 7 == BP_SPACE_ALL)
			seen |= 1 << key->slot;
	}
	assert_int_equal(seen, 7);
	plan_free(&p);
}

/* Shadows of equal match are one element that knows how many it stands for. */
static void test_shadow(void **state)
{
	struct plan *p = PLAN("block in tcp/80 from 10.0.0.1", "permit in tcp/443 from 10.0.0.1",
		"block in on eth0 tcp/22 from 10.0.0.1");
	const struct plan_set *set = &p->set[BP_V4];
	unsigned int shared = 0, own = 0;

	(void)state;
	for (size_t i = 0; i < set->n; i++) {
		const struct bp_elem *e = elem_at(set, i);

		if (set->keys[i * set->key_size] >> 7 != BP_SPACE_CUT)
			continue;
		shared += e->print == 2 && !e->ifindex;
		own += e->print == 1 && e->ifindex == 7;
	}
	assert_int_equal(shared, 1);
	assert_int_equal(own, 1);
	plan_free(&p);
}

static void test_gates(void **state)
{
	const char *lines[] = { "block in 10.0.0.1", "block in udp/1434", "block in 10.0.0.2",
		"block in 10.0.0.3", "block in on eth9 10.0.0.4", NULL };
	struct policy *policy = policy_of(lines);
	struct plan *p = NULL;
	struct diag diag = {};

	(void)state;
	policy->rules[2]->deadline = env.now + 3;
	policy->rules[3]->deadline = env.now; /* over: left out */
	assert_int_equal(compile(policy, &env, &p, &diag), 0);
	assert_int_equal(p->n_gates, 3);
	assert_true(p->gates[1] == BP_GATE_OPEN);
	assert_true(p->gates[2] == env.boot_now + 3000000000ULL);
	assert_int_equal(p->tables.rules, 4);
	for (size_t i = 0; i < p->set[BP_V4].n; i++) {
		const struct bp_elem *e = elem_at(&p->set[BP_V4], i);

		assert_true(e->rule != 1 || e->gate == 0);
		assert_true(e->rule != 4);
		assert_true(e->rule != 5 || e->ifindex == IFINDEX_ABSENT);
	}
	plan_free(&p);
	policy_free(&policy);
}

/* 500 pairs of prefix lengths, each with ports and without: they share tuples. */
static void test_merging(void **state)
{
	struct policy *policy = policy_new("test");
	struct plan *p = NULL;
	struct diag diag = {};

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		char line[128];
		struct rule *rule;

		snprintf(line, sizeof(line), "block in tcp from 10.%u.0.0/%u to 10.0.0.0/%u%s",
			i % 7, 8 + i / 2 % 25, 8 + i / 50, i & 1 ? " port 80" : "");
		rule = rule_of(line);
		rule->id = i + 1;
		assert_int_equal(policy_add(policy, &rule), 0);
	}
	assert_int_equal(compile(policy, &env, &p, &diag), 0);
	assert_true(p->shapes >= 1000);
	assert_true(tuples(p, BP_DECIDE) <= BP_TUPLES);
	assert_true(tuples(p, BP_SHADOW) <= BP_TUPLES);
	assert_int_equal(p->tables.filters, 1000);
	for (int i = 1; i < BP_TUPLES; i++) {
		const struct bp_tuple *t = p->tables.tuple[BP_IN][BP_V4][BP_SPACE_ALL];

		assert_true(t[i - 1].bound >= t[i].bound);
		assert_true(t[i].flags == 0 || t[i].flags & BPT_PROTO);
	}
	plan_free(&p);
	policy_free(&policy);
}

/* A plan's indices never rule out what is there. */
static void test_indices(void **state)
{
	struct plan *p = PLAN("block in udp/1434", "block in from 10.0.0.0/7 to 10.1.2.3",
		"block in tcp/1000-2000 from 2001:db8::/21", "count in to any port 53",
		"block in tcp from any port 20-21", "block in icmp type 8");
	const struct bp_tables *t = &p->tables;

	(void)state;
	for (int family = 0; family < BP_FAMILIES; family++) {
		const struct plan_set *set = &p->set[family];

		for (size_t i = 0; i < set->n; i++) {
			union filter_key key = {};

			memcpy(&key, set->keys + i * set->key_size, set->key_size);
			assert_true(present_has(&t->sizes, p->present, family, &key));
			key.v4.slot++;
			assert_false(present_has(&t->sizes, p->present, family, &key));
		}
	}
	/* 10/7 is 10 and 11: not 12. */
	for (unsigned int first = 9; first <= 12; first++) {
		uint32_t at = bp_sets_at(&t->sizes, BP_IN, BP_V4, BP_BY_REMOTE) +
			      bp_index_address(&t->sizes, BP_V4, first << 24 | 77 << 16);
		uint64_t indexed = t->indexed[BP_IN][BP_V4][BP_BY_REMOTE];

		assert_int_equal(
			__builtin_popcountll(indexed & t->live[BP_IN][BP_V4][BP_DECIDE]), 1);
		assert_int_equal(!(p->sets[at] & indexed), first == 9 || first == 12);
	}
	plan_free(&p);
}

static void test_too_long_chain(void **state)
{
	struct policy *policy = policy_new("test");
	struct plan *p = NULL;
	struct diag diag = {};

	(void)state;
	for (uint32_t i = 0; i <= BP_CHAIN; i++) {
		char line[128];
		struct rule *rule;

		snprintf(line, sizeof(line), "block in tcp/%u-%u from 10.0.0.1", i, i + 7);
		rule = rule_of(line);
		rule->id = i + 1;
		assert_int_equal(policy_add(policy, &rule), 0);
	}
	assert_int_equal(compile(policy, &env, &p, &diag), -E2BIG);
	assert_non_null(strstr(diag.message, "port ranges"));
	diag_free(&diag);
	policy_free(&policy);
}

static uint64_t rank_of(const char *line)
{
	struct plan *p = PLAN(line);
	uint64_t rank = elem_at(&p->set[BP_V4], 0)->rank;

	plan_free(&p);
	return rank;
}

/* "Which rule wins", most specific first. */
static void test_ranks(void **state)
{
	static const char *const order[] = {
		"permit in emergency",
		"permit in from 10.0.0.1",
		"permit in from 10.0.0.0/31 to 10.9.9.9",
		"permit in from 10.0.0.0/31 to me",
		"permit in from 10.0.0.0/31 to 10.9.9.8/31",
		"permit in from 10.0.0.0/31",
		"permit in on eth0 from 10.0.0.0/8",
		"permit in tcp/80 from 10.0.0.0/8 ",
		"permit in tcp/80-81 from 10.0.0.0/8",
		"permit in tcp/80-90 from 10.0.0.0/8",
		"permit in tcp from 10.0.0.0/8 port 7",
		"block in tcp from 10.0.0.0/8",
		"permit in tcp from 10.0.0.0/8",
		"block in from 10.0.0.0/8",
		"permit in from 0.0.0.0/0 to me port 5",
		"permit in to me",
		"block in to port 5",
		"permit in to port 5",
		"block in",
		"permit in",
	};

	(void)state;
	for (size_t i = 1; i < sizeof(order) / sizeof(order[0]); i++)
		if (rank_of(order[i - 1]) <= rank_of(order[i]))
			fail_msg("'%s' does not outrank '%s'", order[i - 1], order[i]);
	assert_true(rank_of("permit in") > 0);
}

static void test_keyset(void **state)
{
	uint64_t keys[1000];
	const uint8_t *at = (const uint8_t *)keys;
	struct keyset set;
	uint64_t none = 1;

	(void)state;
	assert_int_equal(keyset_init(&set, &at, sizeof(keys[0])), 0);
	for (uint32_t i = 0; i < 1000; i++) {
		keys[i] = (uint64_t)i << 32;
		assert_int_equal(keyset_find(&set, &keys[i]), KEYSET_NONE);
		assert_int_equal(keyset_add(&set, i), 0);
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(keyset_find(&set, &keys[i]), i);
	assert_int_equal(keyset_find(&set, &none), KEYSET_NONE);
	keyset_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expansion),
		cmocka_unit_test(test_tuples),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_shadow),
		cmocka_unit_test(test_gates),
		cmocka_unit_test(test_merging),
		cmocka_unit_test(test_indices),
		cmocka_unit_test(test_too_long_chain),
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_keyset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
