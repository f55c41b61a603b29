/* SPDX-License-Identifier: GPL-2.0-only */
/* A rule put together again from its filters is the rule, or is not said to be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "filters.h"
#include "spec.h"
#include "../prog/gen.h"

struct made {
	struct filters filters;
	const struct rule *rule;
};

static int keep(const struct filter *f, void *arg)
{
	struct made *made = arg;
	struct filters *all = &made->filters;
	uint32_t print;

	if (is_shadow(&f->shape))
		return 0;
	assert_int_equal(rule_print(made->rule, &print), 0);
	all->v = realloc(all->v, (all->n + 1) * sizeof(*all->v));
	all->v[all->n++] = (struct status_filter){
		.filter = *f,
		.rule = made->rule->id,
		.print = print,
		.action = made->rule->action,
		.layer = LAYER_DYNAMIC,
		.ends = UINT64_MAX,
	};
	return 0;
}

/* Whether it is told to be exact; it must be so then. NULL: the rule has no filters. */
static bool comes_back(const struct rule *rule, struct rule **back)
{
	struct made made = { .rule = rule };
	bool exact = false;

	*back = NULL;
	assert_int_equal(filter_each(rule, keep, &made), 0);
	if (!made.filters.n)
		return false;
	filters_sort(&made.filters);
	assert_int_equal(
		filters_rule(made.filters.v, made.filters.n, rule->ifname, back, &exact), 0);
	if (exact) {
		char *is = spec_text(*back, SPEC_ACTION | SPEC_MATCH);
		char *was = spec_text(rule, SPEC_ACTION | SPEC_MATCH);

		assert_string_equal(is, was);
		free(is);
		free(was);
	}
	assert_int_equal((*back)->id, rule->id);
	assert_int_equal((*back)->action, rule->action);
	assert_int_equal((*back)->layer, LAYER_DYNAMIC);
	free(made.filters.v);
	return exact;
}

static bool line_comes_back(const char *line)
{
	const struct spec_opts opts = { .action = -1 };
	struct rule *rule = NULL, *back;
	struct diag diag = {};
	bool exact;

	assert_int_equal(spec_parse_line(line, &opts, &rule, &diag), 0);
	rule->id = 7;
	rule->layer = LAYER_DYNAMIC;
	exact = comes_back(rule, &back);
	rule_free(&rule);
	rule_free(&back);
	return exact;
}

static void what_people_write(void **state)
{
	static const char *const lines[] = {
		"block udp/1434",
		"permit out emergency tcp to 192.0.2.0/24 port 25",
		"block inout on eth0 any",
		"count in",
		"block tcp to me port 80,443,8000-8080",
		"block from 0.0.0.0/0",
		"block from 0.0.0.0/0 to 0.0.0.0/0",
		"block to ::/0",
		"block icmp type 8 code 0",
		"block icmpv6",
		"block out from me",
		"permit from 2001:db8::/32 port 53",
		"block inout gre from 10.0.0.0/8 to 10.1.0.0/16",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!line_comes_back(lines[i]))
			fail_msg("%s", lines[i]);
}

static void random_rules(void **state)
{
	static const char *const ifnames[] = { "eth0", "br-lan" };
	struct gen g = { .seed = 5, .ifnames = ifnames, .n_ifnames = 2 };
	size_t back = 0, all = 0;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct policy *policy;

		gen_policy(&g, &policy, 40, 40);
		for (size_t i = 0; i < policy->n; i++) {
			struct rule *rule = policy->rules[i], *again;
			bool list = rule_has_list(rule), exact;

			rule->layer = LAYER_DYNAMIC;
			for (int e = 0; list && e < 2; e++) {
				struct end *end = e ? &rule->to : &rule->from;

				if (end->kind == END_FILE && !end->file)
					end->file = strdup("/a");
			}
			exact = comes_back(rule, &again);
			all += again && !list;
			back += exact && !list;
			assert_false(exact && list);
			/* Ranges of a count rule that overlap have become one. */
			if (again && !list && !exact && rule->action != BP_COUNT)
				fail_msg("%s", spec_text(rule, SPEC_ALL));
			rule_free(&again);
		}
		policy_free(&policy);
	}
	assert_true(all > 1000);
	assert_true(back > all - all / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_people_write),
		cmocka_unit_test(random_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
