/* SPDX-License-Identifier: GPL-2.0-only */
/* What the agent tells of its rules reads back as the same rules; cut or mangled it is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "filter.h"
#include "held_text.h"
#include "spec.h"
#include "stream.h"
#include "../prog/gen.h"

static char *text_of(const struct policy *rules, bool lists, size_t *len)
{
	char *text = NULL;
	FILE *out = stream_open(&text, len);

	assert_non_null(out);
	assert_int_equal(held_write(out, rules, lists), 0);
	assert_int_equal(stream_close(out), 0);
	return text;
}

/* From memory of just that size, so that a sanitizer sees a step too far. */
static int read_copy(const char *text, size_t len, struct policy **rules)
{
	char *copy = malloc(len ? len : 1);
	int rc;

	memcpy(copy, text, len);
	rc = held_read(copy, len, rules);
	free(copy);
	return rc;
}

static void add(struct policy *policy, uint32_t id, const char *line)
{
	const struct spec_opts opts = { .action = -1 };
	struct diag diag = {};
	struct rule *rule = NULL;

	assert_int_equal(spec_parse_line(line, &opts, &rule, &diag), 0);
	rule->id = id;
	rule->layer = LAYER_DYNAMIC;
	assert_int_equal(policy_add(policy, &rule), 0);
}

static void set_list(struct end *end, const char *text)
{
	struct diag diag = {};

	assert_int_equal(spec_parse_list("list", text, strlen(text), &end->list, &diag), 0);
}

static void what_it_says(void **state)
{
	struct policy *policy = policy_new("dynamic"), *back;
	char *text;
	size_t len;

	(void)state;
	add(policy, 7, "block udp/1434 log name \"the \\\"worm\\\"\"");
	add(policy, 9, "permit in tcp from @/lists/friends to me port 22");
	policy->rules[0]->deadline = 2000000000;
	policy->rules[0]->lifetime = 900;
	set_list(&policy->rules[1]->from,
		"192.0.2.0/24\n198.51.100.7\n203.0.113.0/25\n2001:db8::/32\n");
	text = text_of(policy, true, &len);
	assert_string_equal(text,
		"held 1 2\n"
		"rule 7 2000000000 900 block in udp to port 1434 log name \"the \\\"worm\\\"\"\n"
		"rule 9 0 0 permit in tcp from @/lists/friends to me port 22\n"
		"list from 4\n192.0.2.0/24\n198.51.100.7\n203.0.113.0/25\n2001:db8::/32\n"
		"end\n");
	free(text);
	/* What ranks are made of is enough for a report. */
	text = text_of(policy, false, &len);
	assert_non_null(strstr(text, "list from 2\n198.51.100.7\n2001:db8::/32\nend\n"));
	assert_int_equal(read_copy(text, len, &back), 0);
	assert_int_equal(back->rules[1]->from.list.n, 2);
	assert_int_equal(back->rules[0]->deadline, 2000000000);
	assert_int_equal(back->rules[0]->lifetime, 900);
	policy_free(&back);
	free(text);
	policy_free(&policy);
}

static void no_rules(void **state)
{
	struct policy *policy = policy_new("x"), *back;
	size_t len;
	char *text = text_of(policy, true, &len);

	(void)state;
	assert_string_equal(text, "held 1 0\nend\n");
	assert_int_equal(read_copy(text, len, &back), 0);
	assert_int_equal(back->n, 0);
	policy_free(&back);
	policy_free(&policy);
	free(text);
}

static void refused(void **state)
{
	static const char *const bad[] = {
		"",
		"end\n",
		"held 2 0\nend\n",
		"held 1 0",
		"held 1 0\nend",
		"held 1 0\nend\n\n",
		"held 1 0 \nend\n",
		"held 1 1\nend\n",
		"held 1 0\nrule 1 0 0 block in udp\nend\n",
		"held 1 1\nrule 0 0 0 block in udp\nend\n",
		"held 1 1\nrule 1 0 block in udp\nend\n",
		"held 1 1\nrule 1 0 0 bluck in udp\nend\n",
		"held 1 1\nrule 1 0 0 block in udp\nlist from 0\nend\n",
		"held 1 1\nrule 1 0 0 block in from @x\nend\n",
		"held 1 1\nrule 1 0 0 block in from @x\nlist to 0\nend\n",
		"held 1 1\nrule 1 0 0 block in from @x\nlist from 2\n192.0.2.1\nend\n",
		"held 1 1\nrule 1 0 0 block in from @x\nlist from 2\n192.0.2.1\n# none\nend\n",
		"held 1 1\nrule 1 0 0 block in from @x\nlist from 99999999999\n192.0.2.1\nend\n",
		"held 1 1\nrule 1 0 0 block in from @x\nlist from 1\n192.0.2.300\nend\n",
	};
	struct policy *back = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(read_copy(bad[i], strlen(bad[i]), &back), -EBADMSG);
	assert_int_equal(read_copy("held 1 0\nend\0\n", 14, &back), -EBADMSG);
	assert_null(back);
}

static void cut_anywhere(void **state)
{
	struct policy *policy = policy_new("dynamic"), *back = NULL;
	size_t len;
	char *text;

	(void)state;
	add(policy, 1, "block udp/1434");
	add(policy, 2, "block out tcp to @/lists/foes port 25");
	set_list(&policy->rules[1]->to, "192.0.2.0/24\n198.51.100.7\n");
	text = text_of(policy, true, &len);
	for (size_t n = 0; n < len; n++)
		assert_int_equal(read_copy(text, n, &back), -EBADMSG);
	assert_null(back);
	free(text);
	policy_free(&policy);
}

static int best_rank(const struct filter *f, void *arg)
{
	uint64_t *best = arg;

	if (!is_shadow(&f->shape) && f->rank > *best)
		*best = f->rank;
	return 0;
}

static uint64_t rank_of(const struct rule *rule)
{
	uint64_t best = 0;

	assert_int_equal(filter_each(rule, best_rank, &best), 0);
	return best;
}

static void assert_same_end(const struct end *a, const struct end *b, bool lists)
{
	assert_int_equal(a->list.n > 0, b->list.n > 0);
	if (lists) {
		assert_int_equal(a->list.n, b->list.n);
		if (a->list.n)
			assert_memory_equal(a->list.v, b->list.v, a->list.n * sizeof(*a->list.v));
	}
}

static void assert_same(const struct policy *a, const struct policy *b, bool lists)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		const struct rule *x = a->rules[i], *y = b->rules[i];
		char *is = spec_text(x, SPEC_ALL), *was = spec_text(y, SPEC_ALL);

		assert_string_equal(is, was);
		free(is);
		free(was);
		assert_int_equal(x->id, y->id);
		assert_int_equal(x->deadline, y->deadline);
		assert_int_equal(x->lifetime, y->lifetime);
		assert_int_equal(y->layer, LAYER_DYNAMIC);
		assert_same_end(&x->from, &y->from, lists);
		assert_same_end(&x->to, &y->to, lists);
		assert_int_equal(rank_of(x), rank_of(y));
	}
}

static void decorate(struct gen *g, struct policy *policy)
{
	static const char *const names[] = { "/lists/a", "/a list/\"b\"", "dns:example.net" };

	for (size_t i = 0; i < policy->n; i++) {
		struct rule *rule = policy->rules[i];
		struct end *ends[] = { &rule->from, &rule->to };

		rule->layer = LAYER_DYNAMIC;
		for (int e = 0; e < 2; e++) {
			if (ends[e]->kind != END_FILE)
				continue;
			free(ends[e]->file);
			ends[e]->file = strdup(names[gen_below(g, 3)]);
			prefixes_sort(&ends[e]->list);
		}
		if (gen_chance(g, 30))
			rule->lifetime = 1 + gen_below(g, 1000000);
		if (gen_chance(g, 30))
			rule->deadline = 1 + gen_below(g, 2000000000);
		rule->log = gen_chance(g, 20);
		if (gen_chance(g, 20) && !rule->label)
			rule->label = strdup("back\\slash \"q\" \xc3\xa4");
	}
}

static void random_rules_read_back(void **state)
{
	static const char *const ifnames[] = { "eth0", "br-lan", "a\"b", "#0" };
	struct gen g = { .seed = 11, .ifnames = ifnames, .n_ifnames = 4 };

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct policy *policy, *back = NULL;
		bool lists = round & 1;
		char *text, *again;
		size_t len;

		gen_policy(&g, &policy, 1 + gen_below(&g, 60), 60);
		decorate(&g, policy);
		text = text_of(policy, lists, &len);
		assert_int_equal(read_copy(text, len, &back), 0);
		assert_same(policy, back, lists);
		again = text_of(back, lists, &len);
		assert_string_equal(again, text);
		/* Mangled it is refused, or read as something; never worse. */
		for (int i = 0; i < 20; i++) {
			struct policy *other = NULL;
			size_t at = gen_below(&g, len);

			again[at] ^= 1 << gen_below(&g, 8);
			if (!read_copy(again, len, &other))
				policy_free(&other);
		}
		free(text);
		free(again);
		policy_free(&back);
		policy_free(&policy);
	}
}

/* A million addresses. */
static void a_long_list(void **state)
{
	struct policy *policy = policy_new("dynamic"), *back = NULL;
	struct prefixes *list;
	size_t n = 1000000, len;
	char *text;

	(void)state;
	add(policy, 1, "block from @/lists/million");
	list = &policy->rules[0]->from.list;
	list->v = calloc(n, sizeof(*list->v));
	for (list->n = 0; list->n < n; list->n++)
		list->v[list->n] = (struct prefix){ 4, 32,
			{ 11, list->n >> 16, list->n >> 8 & 255, list->n & 255 } };
	text = text_of(policy, true, &len);
	assert_int_equal(held_read(text, len, &back), 0);
	assert_same(policy, back, true);
	free(text);
	policy_free(&back);
	policy_free(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says),
		cmocka_unit_test(no_rules),
		cmocka_unit_test(refused),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(random_rules_read_back),
		cmocka_unit_test(a_long_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
