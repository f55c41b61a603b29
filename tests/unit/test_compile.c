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

static int no_interface(const char *name, void *arg)
{
	(void)arg;
	return strcmp(name, "eth0") ? 0 : 7;
}

static const struct compile_env env = {
	.ifindex = no_interface, .now = 1000, .boot_now = 5000000000ULL
};

/* A policy that is compiled. */
struct made {
	struct policy *policy;
	struct plan *plan;
	struct table table;
};

static int make(struct policy *policy, struct made *made, struct diag *diag)
{
	*made = (struct made){ .policy = policy };
	return compile(policy, &env, &made->plan, &made->table, diag);
}

static struct made made_of(const char *const *lines)
{
	struct diag diag = {};
	struct made made;

	assert_int_equal(make(policy_of(lines), &made, &diag), 0);
	return made;
}

#define MAKE(...) made_of((const char *const[]){ __VA_ARGS__, NULL })

static void made_free(struct made *made)
{
	table_free(&made->table);
	plan_free(&made->plan);
	policy_free(&made->policy);
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

static int take_first(const union filter_elem *e, int family, void *arg)
{
	*(const union filter_elem **)arg = e;
	return family == BP_V4 && e->e.tuple >> 7 == BP_SPACE_ALL;
}

/* An element of IPv4, no shadow. */
static const union filter_elem *an_elem(const struct made *m)
{
	const union filter_elem *e;

	assert_int_equal(table_walk(&m->table, take_first, &e), 1);
	return e;
}

static unsigned int tuples(const struct made *m, int kind)
{
	return __builtin_popcountll(m->table.tables->live[BP_IN][BP_V4][kind]);
}

static void test_tuples(void **state)
{
	struct made m = MAKE("block in udp/1434", "block in tcp/80", "block in 10.0.0.0/8",
		"permit in 10.1.0.0/16", "block in 10.2.0.0/16", "count in udp/53");
	const struct bp_tuple *t = m.table.tables->tuple[BP_IN][BP_V4][BP_SPACE_ALL];

	/* {proto, port}, {/8}, {/16}; a count rule stands alone; one shadow {proto}. */
	assert_int_equal(tuples(&m, BP_DECIDE), 3);
	assert_int_equal(tuples(&m, BP_TALLY), 1);
	assert_int_equal(tuples(&m, BP_SHADOW), 1);
	for (int i = 1; i < 3; i++)
		assert_true(t[i - 1].bound >= t[i].bound);
	assert_int_equal(m.table.tables->filters, 2 + 2 + 1 + 1 + 1 + 2);
	made_free(&m);
}

/* The elements of one key, chained. */
static void test_chain(void **state)
{
	struct made m = MAKE("block in tcp/1000-2000 from 10.0.0.1",
		"permit in tcp/1500-1600 from 10.0.0.1", "block in on eth0 tcp/1-2 from 10.0.0.1");
	const union filter_elem *e = an_elem(&m);
	unsigned int seen = 0;
	struct filter_key key = { { bp_key_head(e->e.tuple, e->e.proto, 0, 0),
		bp_key_word(e->v4.remote, 0) } };

	for (uint32_t at = 0; (at = table_next(&m.table, BP_V4, &key, at));)
		seen |= 1 << table_elem(&m.table, BP_V4, at)->e.rule;
	assert_int_equal(seen, 1 << 1 | 1 << 2 | 1 << 3);
	made_free(&m);
}

static int each_shadow(const union filter_elem *e, int family, void *arg)
{
	unsigned int *seen = arg;

	if (family != BP_V4 || e->e.tuple >> 7 != BP_SPACE_CUT)
		return 0;
	seen[0] += e->e.print == 2 && !e->e.ifindex;
	seen[1] += e->e.print == 1 && e->e.ifindex == 7;
	seen[2]++;
	return 0;
}

/* Shadows of equal match are one element that knows how many it stands for. */
static void test_shadow(void **state)
{
	struct made m = MAKE("block in tcp/80 from 10.0.0.1", "permit in tcp/443 from 10.0.0.1",
		"block in on eth0 tcp/22 from 10.0.0.1");
	unsigned int seen[3] = { 0 };

	assert_int_equal(table_walk(&m.table, each_shadow, seen), 0);
	assert_int_equal(seen[0], 1);
	assert_int_equal(seen[1], 1);
	assert_int_equal(seen[2], 2);
	made_free(&m);
}

static int check_gate(const union filter_elem *elem, int family, void *arg)
{
	const struct bp_elem *e = &elem->e;

	(void)family;
	assert_int_equal(e->gate, e->rule == 3);
	assert_true(e->rule != 4);
	assert_true(e->rule != 5 || e->ifindex == IFINDEX_ABSENT);
	++*(unsigned int *)arg;
	return 0;
}

static void test_gates(void **state)
{
	const char *lines[] = { "block in 10.0.0.1", "block in udp/1434", "block in 10.0.0.2",
		"block in 10.0.0.3", "block in on eth9 10.0.0.4", NULL };
	struct policy *policy = policy_of(lines);
	struct diag diag = {};
	const struct rule rule = { .deadline = env.now + 3 };
	struct compile_env late = env;
	unsigned int n = 0;
	struct made m;

	policy->rules[2]->deadline = env.now + 3;
	policy->rules[3]->deadline = env.now; /* over: left out */
	assert_int_equal(make(policy, &m, &diag), 0);
	assert_int_equal(m.table.tables->gates, 1);
	assert_true(m.table.gates[1] == env.boot_now + 3000000000ULL);
	assert_int_equal(m.table.tables->rules, 4);
	assert_int_equal(table_walk(&m.table, check_gate, &n), 0);
	assert_true(n >= 4);
	late.past = 250000000; /* it closes where the second begins */
	assert_true(compile_gate(&rule, &late) == env.boot_now + 2750000000ULL);
	made_free(&m);
}

/* 500 pairs of prefix lengths, each with ports and without: they share tuples. */
static void test_merging(void **state)
{
	struct policy *policy = policy_new("test");
	const struct bp_tuple *t;
	struct diag diag = {};
	struct made m;

	for (uint32_t i = 0; i < 1000; i++) {
		char line[128];
		struct rule *rule;

		snprintf(line, sizeof(line), "block in tcp from 10.%u.0.0/%u to 10.0.0.0/%u%s",
			i % 7, 8 + i / 2 % 25, 8 + i / 50, i & 1 ? " port 80" : "");
		rule = rule_of(line);
		rule->id = i + 1;
		assert_int_equal(policy_add(policy, &rule), 0);
	}
	assert_int_equal(make(policy, &m, &diag), 0);
	assert_true(m.plan->n_shapes >= 1000);
	assert_true(tuples(&m, BP_DECIDE) <= BP_TUPLES);
	assert_true(tuples(&m, BP_SHADOW) <= BP_TUPLES);
	assert_int_equal(m.table.tables->filters, 1000);
	t = m.table.tables->tuple[BP_IN][BP_V4][BP_SPACE_ALL];
	for (int i = 1; i < BP_TUPLES; i++) {
		assert_true(t[i - 1].bound >= t[i].bound);
		assert_true(t[i].flags == 0 || t[i].flags & BPT_PROTO);
	}
	made_free(&m);
}

/* The indices never rule out what is there. */
static void test_indices(void **state)
{
	struct made m = MAKE("block in from 10.0.0.0/7 to 10.1.2.3");
	const struct bp_layout *l = &m.table.layout;

	/* 10/7 is 10 and 11: neither 9 nor 12. */
	for (unsigned int first = 9; first <= 12; first++) {
		uint32_t at = l->sets[BP_IN][BP_V4][BP_BY_REMOTE] +
			      bp_index_address(
				      l->index_mask[BP_IN][BP_V4], BP_V4, first << 24 | 77 << 16);
		uint64_t indexed = m.table.tables->indexed[BP_IN][BP_V4][BP_BY_REMOTE];

		assert_int_equal(indexed, 1);
		assert_int_equal(!(m.table.sets[at] & indexed), first == 9 || first == 12);
	}
	made_free(&m);
}

/* Of IPv6 prefixes too short for the index by 32 bits, 16 are asked. */
static void test_coarse(void **state)
{
	struct made m = MAKE("block in from 2400::/11");
	const struct bp_layout *l = &m.table.layout;
	const __u64 *indexed = m.table.tables->indexed[BP_IN][BP_V6];

	assert_int_equal(indexed[BP_BY_REMOTE], 0);
	assert_int_equal(indexed[BP_BY_REMOTE_COARSE], 1);
	for (unsigned int first = 0x23f0; first < 0x2430; first++) {
		uint32_t at = bp_index_coarse(l->index_mask[BP_IN][BP_V6], first << 16 | 0xd00d);
		uint64_t set = m.table.sets[l->sets[BP_IN][BP_V6][BP_BY_REMOTE_COARSE] + at];

		assert_int_equal(set & 1, first >> 5 == 0x2400 >> 5);
	}
	made_free(&m);
}

/* Whether the set of the fine index of the remote end names tuple 0 for that address. */
static bool fine_has(const struct made *m, uint32_t address)
{
	const struct bp_layout *l = &m->table.layout;
	const int fine = BP_BY_REMOTE_FINE - BP_BY_REMOTE_MIDDLE;
	uint32_t at = l->fine[BP_IN][BP_V4][fine] +
		      bp_index_fine(l->fine_mask[BP_IN][BP_V4][fine], BP_V4, address, 0);

	return m->table.fine[at] & 1;
}

/* With few tuples the fine indices are not asked; with more, by prefixes that are long enough. */
static void test_fine(void **state)
{
	struct made few = MAKE("block in from 10.1.2.3", "block in udp/53");
	struct made m =
		MAKE("block in from 10.1.2.3", "block in udp/53", "block in from 10.0.0.0/8");
	const __u64 *indexed = m.table.tables->indexed[BP_IN][BP_V4];

	assert_int_equal(few.table.tables->indexed[BP_IN][BP_V4][BP_BY_REMOTE_FINE], 0);
	assert_int_equal(indexed[BP_BY_REMOTE_FINE], 1);
	assert_int_equal(indexed[BP_BY_LOCAL_FINE], 0);
	assert_true(fine_has(&m, 0x0a010203));
	assert_true(fine_has(&m, 0x0a0102ff)); /* of the same /24 */
	assert_false(fine_has(&m, 0x0a010303));
	made_free(&few);
	made_free(&m);
}

/* A policy in tables with so many sets for what arrives by IPv4: log2, of `sets` and of `fine`. */
static struct made made_with(const char *const *lines, uint32_t sets, uint32_t fine)
{
	struct made m = { .policy = policy_of(lines) };
	struct diag diag = {};

	assert_int_equal(plan_new(m.policy, &env, &m.plan, &diag), 0);
	m.plan->tables.sizes.index[BP_IN][BP_V4] = sets;
	m.plan->tables.sizes.fine[BP_IN][BP_V4][0] = fine;
	assert_int_equal(table_alloc(&m.table, &m.plan->tables.sizes), 0);
	assert_int_equal(plan_fill(m.plan, &m.table, &diag), 0);
	return m;
}

/* A tuple that nearly all of many sets name is not looked for there; `asked` tells of the others.
 */
static void test_thin(void **state)
{
	static const char *const lines[] = { "block in from 0.0.0.0/1", "block in from 128.0.0.0/1",
		"block in from 10.0.0.0/8", "block in udp/53", NULL };
	struct made few = made_with(lines, 14, 0), many = made_with(lines, 15, 0);
	const struct bp_tables *t = many.table.tables;
	const __u64 *indexed = t->indexed[BP_IN][BP_V4];

	assert_int_equal(few.table.tables->indexed[BP_IN][BP_V4][BP_BY_REMOTE], 1 | 2);
	assert_int_equal(indexed[BP_BY_REMOTE], 1);
	assert_int_equal(t->tuple[BP_IN][BP_V4][BP_SPACE_ALL][0].rlen, 8);
	assert_int_equal(t->asked[BP_IN][BP_V4], 4);
	made_free(&few);
	made_free(&many);
}

/* How many tuples of what arrives by IPv4 are asked for by more than the first index. */
static int asked(const struct made *m)
{
	return __builtin_popcountll(m->table.tables->asked[BP_IN][BP_V4]);
}

/*
 * A tuple of long remote prefixes is probed where it is left alone: if the tuples are many, or its
 * ends are all that it asks for. Not in a table that is too large for the caches.
 */
static void test_asked(void **state)
{
	static const char *const lines[] = { "block in from 10.1.2.3", "block in from 10.1.0.0/16",
		"block in udp/53 from 10.1.2.0/24", "block in udp/53", NULL };
	struct made m = made_with(lines, 10, 0), large = { .policy = policy_of(lines) };
	struct made many = MAKE("block in udp/1 from 10.1.0.0/15",
		"block in udp/1 from 10.1.0.0/16", "block in udp/1 from 10.1.0.0/17",
		"block in udp/1 from 10.1.0.0/18", "block in udp/1 from 10.1.0.0/19",
		"block in udp/1 from 10.1.0.0/20", "block in udp/1 from 10.1.0.0/21",
		"block in udp/1 from 10.1.0.0/22", "block in udp/1 from 10.1.0.0/23");
	struct diag diag = {};

	assert_int_equal(asked(&m), 2); /* with ports: .../24, and from anywhere */
	assert_int_equal(many.table.tables->asked[BP_IN][BP_V4], 1 << 8); /* the /15 */
	assert_int_equal(plan_new(large.policy, &env, &large.plan, &diag), 0);
	large.plan->tables.sizes.homes[BP_V4] = BP_FEW_HOMES + 1;
	assert_int_equal(table_alloc(&large.table, &large.plan->tables.sizes), 0);
	assert_int_equal(plan_fill(large.plan, &large.table, &diag), 0);
	assert_int_equal(asked(&large), 3); /* those, and the host, which has a fine index */
	made_free(&m);
	made_free(&many);
	made_free(&large);
}

/* Where there is an index by 20 bits, prefixes of 18 and more stand in no other by fewer. */
static void test_middle(void **state)
{
	static const char *const lines[] = { "block in from 10.16.0.0/18",
		"block in from 10.0.0.0/16", "block in from 10.1.48.0/20 to 10.3.3.3", NULL };
	struct made m = made_with(lines, 10, BP_MOST_FINE);
	const __u64 *indexed = m.table.tables->indexed[BP_IN][BP_V4];
	const struct bp_layout *l = &m.table.layout;
	uint64_t long_ones = indexed[BP_BY_REMOTE_MIDDLE], n = 0;
	const uint32_t mask = l->fine_mask[BP_IN][BP_V4][0];

	assert_int_equal(__builtin_popcountll(long_ones), 2);
	assert_int_equal(__builtin_popcountll(indexed[BP_BY_REMOTE]), 1);
	assert_int_equal(indexed[BP_BY_REMOTE] & long_ones, 0);
	for (uint32_t at = 0; at <= mask; at++)
		n += !!m.table.fine[l->fine[BP_IN][BP_V4][0] + at];
	assert_int_equal(n, 5);
	for (uint32_t at = 0x0a0ff; at <= 0x0a104; at++) {
		uint32_t set = bp_index_middle(mask, BP_V4, at << 12 | 0xabc, 0);

		assert_int_equal(!m.table.fine[l->fine[BP_IN][BP_V4][0] + set],
			at == 0x0a0ff || at == 0x0a104);
	}
	made_free(&m);
}

static void test_too_long_chain(void **state)
{
	struct policy *policy = policy_new("test");
	struct diag diag = {};
	struct made m;

	for (uint32_t i = 0; i <= BP_CHAIN; i++) {
		char line[128];
		struct rule *rule;

		snprintf(line, sizeof(line), "block in tcp/%u-%u from 10.0.0.1", i, i + 7);
		rule = rule_of(line);
		rule->id = i + 1;
		assert_int_equal(policy_add(policy, &rule), 0);
	}
	assert_int_equal(make(policy, &m, &diag), -E2BIG);
	assert_null(m.plan);
	assert_non_null(strstr(diag.message, "port ranges"));
	diag_free(&diag);
	policy_free(&policy);
}

/* Three shapes, and the tuple that each has where all three are there. */
static const char *const forms[] = { "from %s to 10.255.0.1", "from %s", "to %s" };

static struct rule *form_rule(unsigned int form, uint32_t address, uint32_t port)
{
	char ip[32], ends[64], text[128];

	snprintf(ip, sizeof(ip), "10.%u.%u.%u", address >> 16, address >> 8 & 255, address & 255);
	snprintf(ends, sizeof(ends), forms[form], ip);
	snprintf(text, sizeof(text), "block in tcp/%u-%u %s", port, port + 7, ends);
	return rule_of(text);
}

#define HOMES                                                                               \
	8192 /* as many or fewer: those of whom it is the first are at the first there, too \
	      */

struct home_of {
	unsigned int number;
	uint32_t home;
};

/* Of the rule's first filter. */
static int note_home(const struct filter *f, void *arg)
{
	struct home_of *of = arg;
	struct bp_tuple tuple;
	struct filter_key key;

	if (is_shadow(&f->shape))
		return 0;
	shape_tuple(&f->shape, &tuple);
	filter_key(f, &tuple, of->number, &key);
	of->home = bp_home(bp_hash((const __u64 *)key.words, filter_key_words(BP_V4)), HOMES);
	return 1;
}

/* So many rules of one key, which differ in their ranges; its home is the first. */
static void add_key(struct policy *policy, unsigned int form, uint32_t n)
{
	static uint32_t address;
	struct home_of of = { .number = form };
	struct rule *rule;

	do {
		rule = form_rule(form, ++address, 1);
		filter_each(rule, note_home, &of);
		rule_free(&rule);
	} while (of.home != 1);
	for (uint32_t i = 1; i <= n; i++) {
		rule = form_rule(form, address, i);
		rule->id = policy->n + 1;
		assert_int_equal(policy_add(policy, &rule), 0);
	}
}

/* Keys of one home share its chain, which has an end, too. */
static void test_shared_chain(void **state)
{
	struct policy *policy = policy_new("test");
	struct diag diag = {};
	struct made m;

	add_key(policy, 2, 1);
	add_key(policy, 0, BP_CHAIN - 2);
	add_key(policy, 1, BP_CHAIN - 2);
	assert_int_equal(make(policy, &m, &diag), 0);
	assert_true(m.table.layout.homes[BP_V4] <= HOMES);
	m.policy = policy_new("none"); /* this one grows on */
	made_free(&m);
	add_key(policy, 2, 30);
	assert_int_equal(make(policy, &m, &diag), -E2BIG);
	diag_free(&diag);
	policy_free(&policy);
}

static uint64_t rank_of(const char *line)
{
	struct made m = MAKE(line);
	uint64_t rank = an_elem(&m)->e.rank;

	made_free(&m);
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
		cmocka_unit_test(test_coarse),
		cmocka_unit_test(test_fine),
		cmocka_unit_test(test_middle),
		cmocka_unit_test(test_thin),
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_too_long_chain),
		cmocka_unit_test(test_shared_chain),
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_keyset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
