// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pairs.h"
#include "spec.h"

static struct policy *policy_of(const char *const *lines)
{
	const struct spec_opts opts = { .action = -1 };
	struct policy *policy = policy_new("p");

	for (; *lines; lines++) {
		struct rule *rule = NULL;
		struct diag diag = {};

		assert_int_equal(spec_parse_line(*lines, &opts, &rule, &diag), 0);
		assert_int_equal(policy_add(policy, &rule), 0);
	}
	return policy;
}

/* "a b": in both; "a -", "- b": in one; ports tell the rules. */
static char *pairs_text(const struct policy *a, const struct policy *b)
{
	struct rule_pairs pairs;
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(rule_pairs(a, b, &pairs), 0);
	for (size_t i = 0; i < pairs.n; i++) {
		const struct rule *x = pairs.v[i].a, *y = pairs.v[i].b;

		fprintf(out, "%d/%d ", x ? x->to.ports.v[0].lo : -1, y ? y->to.ports.v[0].lo : -1);
	}
	fclose(out);
	rule_pairs_free(&pairs);
	return text;
}

static void expect_pairs(const char *const *left, const char *const *right, const char *expected)
{
	struct policy *a = left ? policy_of(left) : NULL, *b = policy_of(right);
	char *text = pairs_text(a, b);

	assert_string_equal(text, expected);
	free(text);
	policy_free(&a);
	policy_free(&b);
}

#define RULES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void pairs_of_two(void **state)
{
	(void)state;
	expect_pairs(RULES("block udp/3", "block udp/1", "block udp/2"),
		RULES("block udp/2", "block udp/9", "block udp/3"), "2/2 -1/9 3/3 1/-1 ");
	/* Written otherwise, but the same; the label and the time make no difference. */
	expect_pairs(RULES("block in udp from any to any port 5 name \"x\""),
		RULES("block udp/5 for 2h"), "5/5 ");
	/* Another action is another rule. */
	expect_pairs(RULES("block udp/5"), RULES("permit udp/5"), "-1/5 5/-1 ");
	expect_pairs(NULL, RULES("block udp/2", "block udp/1"), "-1/2 -1/1 ");
	expect_pairs(RULES("block udp/2"), (const char *const[]){ NULL }, "2/-1 ");
}

static void repeats_go(void **state)
{
	struct policy *p = policy_of(RULES("block udp/2 name \"first\"", "block udp/1",
		"block in udp to port 2", "permit udp/2", "block udp/2", "block udp/1"));

	(void)state;
	assert_int_equal(policy_drop_repeats(p), 0);
	assert_int_equal(p->n, 3);
	assert_string_equal(p->rules[0]->label, "first");
	assert_int_equal(p->rules[1]->to.ports.v[0].lo, 1);
	assert_int_equal(p->rules[2]->action, BP_PERMIT);
	policy_free(&p);
	p = policy_of(RULES("block udp/1", "block udp/2", "block udp/1", "block udp/2",
		"block udp/3", "block udp/2", "block udp/3"));
	for (size_t i = 1; i < p->n; i++)
		p->rules[i]->included = i != 3;
	assert_int_equal(policy_drop_repeats(p), 0);
	for (size_t i = 0; i < p->n; i++) {
		assert_true(p->rules[i]->included);
		assert_int_equal(p->rules[i]->own_line, i < 2);
	}
	policy_free(&p);
	p = policy_new("empty");
	assert_int_equal(policy_drop_repeats(p), 0);
	policy_free(&p);
}

/* A rule of the policy's own file and the same of an included one, in either order. */
static void own_and_included(const char *own, const char *included, const char *joined)
{
	for (int order = 0; order < 2; order++) {
		struct policy *p = policy_of(order ? RULES(own, included) : RULES(included, own));
		char *text;

		p->rules[order]->included = true;
		assert_int_equal(policy_drop_repeats(p), 0);
		assert_int_equal(p->n, 1);
		text = spec_text(p->rules[0], SPEC_ALL);
		assert_string_equal(text, joined);
		free(text);
		assert_true(p->rules[0]->included && p->rules[0]->own_line);
		policy_free(&p);
	}
}

static void own_words_count(void **state)
{
	struct policy *p = policy_of(
		RULES("block udp/1", "block udp/1 name \"own\"", "block udp/1 name \"again\""));

	(void)state;
	p->rules[0]->included = true;
	assert_int_equal(policy_drop_repeats(p), 0);
	assert_string_equal(p->rules[0]->label, "again");
	policy_free(&p);
	own_and_included("block udp/1", "block udp/1 for 1h", "block in udp to port 1");
	own_and_included("block udp/1 for 1h", "block udp/1", "block in udp to port 1");
	own_and_included(
		"block udp/1 for 1h", "block udp/1 for 2h", "block in udp to port 1 for 2h");
	own_and_included(
		"block udp/1 for 2h", "block udp/1 for 1h", "block in udp to port 1 for 2h");
	own_and_included("block udp/1 log name \"own\"", "block udp/1 name \"included\"",
		"block in udp to port 1 log name \"own\"");
	own_and_included(
		"block udp/1", "block udp/1 log name \"included\"", "block in udp to port 1");
}

/* Of one file: what stands in it twice is as if a command had said the second again. */
static void said_again(const char *a, const char *b, const char *joined)
{
	for (int included = 0; included < 2; included++) {
		struct policy *p = policy_of(RULES(a, b));
		char *text;

		p->rules[0]->included = p->rules[1]->included = included;
		assert_int_equal(policy_drop_repeats(p), 0);
		assert_int_equal(p->n, 1);
		text = spec_text(p->rules[0], SPEC_ALL);
		assert_string_equal(text, joined);
		free(text);
		assert_false(p->rules[0]->own_line);
		policy_free(&p);
	}
}

static void the_later_end_holds(void **state)
{
	(void)state;
	said_again("block udp/1 for 2s", "block udp/1", "block in udp to port 1");
	said_again("block udp/1", "block udp/1 for 2s", "block in udp to port 1");
	said_again("block udp/1 for 2s", "block udp/1 for 1h", "block in udp to port 1 for 1h");
	said_again("block udp/1 for 1h", "block udp/1 for 2s", "block in udp to port 1 for 1h");
	said_again("block udp/1 log name \"a\"", "block udp/1",
		"block in udp to port 1 log name \"a\"");
	said_again("block udp/1 log name \"a\"", "block udp/1 name \"b\"",
		"block in udp to port 1 name \"b\"");
	said_again("block udp/1", "block udp/1 log", "block in udp to port 1 log");
}

/* Some differ in their action, options and spelling alone: five pairs. */
static const char *const of_each[] = { "block in", "permit in", "block out", "block inout",
	"block in emergency", "block in on eth0", "block in on eth1", "block in tcp",
	"block in 6 for 2h log name \"x\"", "block in udp", "block in icmp", "block in icmp type 8",
	"block in icmp type 8 code 0", "block in icmp type 0", "block 0.0.0.0/0", "block ::/0",
	"block 10.0.0.0/8", "block 10.1.2.3/8", "block 10.0.0.0/9", "block 10.0.0.0",
	"block a00::/8", "block in to 10.0.0.0/8", "block in to me", "block @list", "block @other",
	"block dns:host", "block tcp/5", "count in tcp to any port 5", "block in tcp from port 5",
	"block tcp/5,6", "block tcp/6,5", "block tcp/5-6", "block tcp/5,7", "block in to port 5",
	"block in from 10.0.0.0/8 port 5", "block in from 10.0.0.0/8 to me port 5", NULL };

static void same_match_is_same_text(void **state)
{
	struct policy *p = policy_of(of_each);
	size_t same = 0;

	(void)state;
	for (size_t i = 0; i < p->n; i++) {
		for (size_t k = 0; k < p->n; k++) {
			char *a = spec_text(p->rules[i], SPEC_MATCH);
			char *b = spec_text(p->rules[k], SPEC_MATCH);

			if (rule_same_match(p->rules[i], p->rules[k]) != !strcmp(a, b))
				fail_msg("%s and %s", a, b);
			same += i != k && !strcmp(a, b);
			free(a);
			free(b);
		}
	}
	assert_int_equal(same, 10);
	policy_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_of_two),
		cmocka_unit_test(repeats_go),
		cmocka_unit_test(own_words_count),
		cmocka_unit_test(the_later_end_holds),
		cmocka_unit_test(same_match_is_same_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
