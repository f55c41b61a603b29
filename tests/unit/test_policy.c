/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "policy.h"

static struct prefix ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint8_t len)
{
	return (struct prefix){ .family = 4, .len = len, .bytes = { a, b, c, d } };
}

static void add_ids(struct policy *policy, uint32_t n)
{
	struct rule *rule;
	uint32_t id;

	for (id = 1; id <= n; id++) {
		assert_int_equal(rule_new(&rule), 0);
		rule->id = id;
		assert_int_equal(policy_add(policy, &rule), 0);
		assert_null(rule);
	}
}

static void new_rule_matches_everything(void **state)
{
	struct rule *rule = NULL;

	(void)state;
	assert_int_equal(rule_new(&rule), 0);
	assert_int_equal(rule->proto, PROTO_ANY);
	assert_int_equal(rule->type, -1);
	assert_int_equal(rule->code, -1);
	assert_int_equal(rule->from.kind, END_ANY);
	assert_null(rule->ifname);
	rule_free(&rule);
	assert_null(rule);
	rule_free(&rule);
}

static void policy_keeps_order(void **state)
{
	struct policy *policy = policy_new("web");

	(void)state;
	assert_string_equal(policy->name, "web");
	add_ids(policy, 100);
	assert_int_equal(policy->n, 100);
	assert_int_equal(policy_find_id(policy, 100), 99);
	assert_int_equal(policy_find_id(policy, 101), -1);
	policy_remove(policy, 0);
	policy_remove(policy, 98);
	assert_int_equal(policy->n, 98);
	assert_int_equal(policy_find_id(policy, 1), -1);
	assert_int_equal(policy_find_id(policy, 2), 0);
	assert_int_equal(policy_find_id(policy, 99), 97);
	policy_free(&policy);
	assert_null(policy);
	policy_free(&policy);
}

static void remote_end_by_direction(void **state)
{
	struct rule rule = { .dir = DIR_IN };

	(void)state;
	assert_ptr_equal(rule_remote(&rule, BP_IN), &rule.from);
	assert_ptr_equal(rule_local(&rule, BP_IN), &rule.to);
	rule.dir = DIR_OUT;
	assert_ptr_equal(rule_remote(&rule, BP_OUT), &rule.to);
	assert_ptr_equal(rule_local(&rule, BP_OUT), &rule.from);
	rule.dir = DIR_INOUT;
	assert_ptr_equal(rule_remote(&rule, BP_IN), &rule.from);
	assert_ptr_equal(rule_remote(&rule, BP_OUT), &rule.from);
	assert_ptr_equal(rule_local(&rule, BP_OUT), &rule.to);
}

static void directions_of_rules(void **state)
{
	struct rule rule = { .dir = DIR_IN };

	(void)state;
	assert_true(rule_has_dir(&rule, BP_IN));
	assert_false(rule_has_dir(&rule, BP_OUT));
	rule.dir = DIR_OUT;
	assert_false(rule_has_dir(&rule, BP_IN));
	assert_true(rule_has_dir(&rule, BP_OUT));
	rule.dir = DIR_INOUT;
	assert_true(rule_has_dir(&rule, BP_IN));
	assert_true(rule_has_dir(&rule, BP_OUT));
}

static void protocols_with_ports(void **state)
{
	int proto, n = 0;

	(void)state;
	for (proto = 0; proto < 256; proto++)
		n += proto_has_ports(proto);
	assert_int_equal(n, 5);
	assert_true(proto_has_ports(IPPROTO_DCCP) && proto_has_ports(IPPROTO_UDPLITE));
	assert_false(proto_has_ports(PROTO_ANY));
	assert_true(proto_has_type(IPPROTO_ICMP) && proto_has_type(IPPROTO_ICMPV6));
	assert_false(proto_has_type(IPPROTO_TCP));
}

static void sorting_drops_repetitions(void **state)
{
	struct prefix v[] = {
		ipv4(10, 0, 0, 0, 16),
		ipv4(192, 0, 2, 1, 32),
		ipv4(10, 0, 0, 0, 8),
		{ .family = 6, .len = 0 },
		ipv4(192, 0, 2, 1, 32),
		ipv4(9, 255, 0, 0, 16),
	};
	struct prefixes list = { v, 6 }, none = { 0 };
	size_t i;

	(void)state;
	prefixes_sort(&none);
	assert_int_equal(none.n, 0);
	prefixes_sort(&list);
	assert_int_equal(list.n, 5);
	for (i = 1; i < list.n; i++)
		assert_true(prefix_cmp(&v[i - 1], &v[i]) < 0);
	assert_int_equal(v[0].bytes[0], 9);
	assert_int_equal(v[1].len, 8);
	assert_int_equal(v[4].family, 6);
}

static bool has(const struct prefixes *list, const struct prefix *prefix)
{
	for (size_t i = 0; i < list->n; i++)
		if (!prefix_cmp(&list->v[i], prefix))
			return true;
	return false;
}

/* Long lists are sorted in another way. */
static void sorting_many(void **state)
{
	struct prefixes list = { calloc(20000, sizeof(struct prefix)), 20000 };
	struct prefix some[20];
	unsigned int seed = 1;

	(void)state;
	assert_non_null(list.v);
	for (size_t i = 0; i < list.n; i++) {
		struct prefix *p = &list.v[i];

		for (int k = 0; k < 5; k++)
			p->bytes[k] = (seed = seed * 1103515245 + 12345) >> 16 & (k % 2 ? 3 : 255);
		p->family = seed >> 24 & 1 ? 4 : 6;
		p->bytes[4] = p->family == 4 ? 0 : p->bytes[4];
		p->len = 31 + (seed >> 25 & 1);
		if (i % 1000 == 0)
			some[i / 1000] = *p;
	}
	prefixes_sort(&list);
	assert_in_range(list.n, 10000, 19999);
	for (size_t i = 1; i < list.n; i++)
		assert_true(prefix_cmp(&list.v[i - 1], &list.v[i]) < 0);
	for (size_t i = 0; i < 20; i++)
		assert_true(has(&list, &some[i]));
	free(list.v);
}

static void prefixes_hold_addresses(void **state)
{
	const uint8_t inside[16] = { 10, 15, 255, 255 }, outside[16] = { 10, 16, 0, 0 };
	const uint8_t one[16] = { 10, 0, 0, 1 };
	struct prefix prefix = ipv4(10, 0, 0, 0, 12), all = ipv4(0, 0, 0, 0, 0);
	struct prefix host = ipv4(10, 0, 0, 1, 32), six = { .family = 6, .len = 128 };

	(void)state;
	assert_true(prefix_holds(&prefix, 4, inside));
	assert_false(prefix_holds(&prefix, 4, outside));
	assert_false(prefix_holds(&prefix, 6, inside));
	assert_true(prefix_holds(&all, 4, outside));
	assert_false(prefix_holds(&all, 6, outside));
	assert_true(prefix_holds(&host, 4, one));
	assert_false(prefix_holds(&host, 4, inside));
	memcpy(six.bytes, one, 16);
	assert_true(prefix_holds(&six, 6, one));
	assert_false(prefix_holds(&six, 6, inside));
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(action_name(BP_COUNT), "count");
	assert_string_equal(dir_name(DIR_INOUT), "inout");
	assert_string_equal(layer_name(LAYER_DYNAMIC), "dynamic");
}

static void a_copy_owns_all(void **state)
{
	struct prefix list[] = { ipv4(10, 0, 0, 1, 32), ipv4(10, 0, 0, 2, 32) };
	struct port_range ports[] = { { 1, 2 }, { 80, 80 } };
	struct rule *rule, *copy = NULL;

	(void)state;
	assert_int_equal(rule_new(&rule), 0);
	rule->id = 7;
	rule->label = strdup("label");
	rule->ifname = strdup("eth0");
	rule->from.kind = END_FILE;
	rule->from.file = strdup("/list");
	rule->from.list.v = malloc(sizeof(list));
	memcpy(rule->from.list.v, list, sizeof(list));
	rule->from.list.n = 2;
	rule->to.ports.v = malloc(sizeof(ports));
	memcpy(rule->to.ports.v, ports, sizeof(ports));
	rule->to.ports.n = 2;
	assert_int_equal(rule_copy(rule, &copy), 0);
	assert_true(rule_has_list(copy));
	assert_true(rule_same_lists(rule, copy));
	copy->from.list.v[1].bytes[3]++;
	assert_false(rule_same_lists(rule, copy));
	rule_free(&rule);
	assert_int_equal(copy->id, 7);
	assert_string_equal(copy->label, "label");
	assert_string_equal(copy->ifname, "eth0");
	assert_string_equal(copy->from.file, "/list");
	assert_int_equal(copy->to.ports.v[1].lo, 80);
	rule_free(&copy);
	assert_int_equal(rule_new(&rule), 0);
	assert_int_equal(rule_copy(rule, &copy), 0);
	assert_false(rule_has_list(copy));
	rule_free(&copy);
	rule_free(&rule);
}

static struct prefix one_address[] = { { .family = 4, .len = 32 } };

static void change(struct rule *rule, int which)
{
	switch (which) {
	case 0:
		rule->id = 9;
		break;
	case 1:
		rule->action = BP_PERMIT;
		break;
	case 2:
		rule->log = true;
		break;
	case 3:
		rule->label = strdup("label");
		break;
	case 4:
		rule->deadline = 100;
		break;
	case 5:
		rule->lifetime = 100;
		break;
	case 6:
		rule->proto = IPPROTO_UDP;
		break;
	case 7:
		rule->ifname = strdup("eth0");
		break;
	case 8:
		rule->included = true;
		break;
	case 9:
		rule->from.list = (struct prefixes){ one_address, 1 };
		break;
	}
}

/* What is not told apart would be taken for no change: nobody could undo it. */
static void what_makes_another_policy(void **state)
{
	struct policy *a, *b;

	(void)state;
	for (int which = -2; which < 10; which++) {
		a = policy_new("a");
		b = policy_new("a");
		add_ids(a, 3);
		add_ids(b, 3);
		b->rules[1]->lists = 7;
		if (which == -1) {
			struct rule *first = b->rules[0];

			b->rules[0] = b->rules[2];
			b->rules[2] = first;
		}
		if (which == -2)
			policy_remove(b, 2);
		change(b->rules[1], which);
		assert_int_equal(policy_same(a, b), which == -1);
		if (which == 9)
			b->rules[1]->from.list = (struct prefixes){};
		policy_free(&a);
		policy_free(&b);
	}
	a = policy_new("a");
	b = policy_new("b");
	assert_false(policy_same(a, b));
	policy_free(&b);
	b = policy_new("a");
	b->description = strdup("text");
	assert_true(policy_same(a, b));
	policy_free(&a);
	policy_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_owns_all),
		cmocka_unit_test(new_rule_matches_everything),
		cmocka_unit_test(policy_keeps_order),
		cmocka_unit_test(remote_end_by_direction),
		cmocka_unit_test(directions_of_rules),
		cmocka_unit_test(protocols_with_ports),
		cmocka_unit_test(sorting_drops_repetitions),
		cmocka_unit_test(sorting_many),
		cmocka_unit_test(prefixes_hold_addresses),
		cmocka_unit_test(names),
		cmocka_unit_test(what_makes_another_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
