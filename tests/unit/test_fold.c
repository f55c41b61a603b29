// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fold.h"
#include "gen.h"
#include "pairs.h"
#include "policy_text.h"
#include "spec.h"

static char *absolute(const char *file, void *arg)
{
	char *path;

	(void)arg;
	assert_true(asprintf(&path, "/lists/%s", file) > 0);
	return path;
}

static struct rule *rule_of(const char *line)
{
	const struct spec_opts opts = { .action = -1 };
	struct rule *rule = NULL;
	struct diag diag = {};

	assert_int_equal(spec_parse_line(line, &opts, &rule, &diag), 0);
	return rule;
}

/* "+line" adds or changes, "-line" removes; "+line!" is timed, and no line of a file. */
static void note(struct fold *fold, const char *change)
{
	enum change_op op = change[0] == '-' ? CHANGE_DEL : CHANGE_PUT;
	size_t len = strlen(change);
	bool timed = change[len - 1] == '!';
	char *line = strndup(change + 1, len - 1 - timed);
	struct rule *rule = rule_of(line);

	if (timed)
		rule->deadline = 1;
	assert_int_equal(fold_add(fold, op, rule), 0);
	rule_free(&rule);
	free(line);
}

static void expect(const char *old, const char *const *changes, const char *expected)
{
	struct fold fold = { .policy = strdup("p") };
	char *text;
	size_t len;

	for (; *changes; changes++)
		note(&fold, *changes);
	assert_int_equal(fold_text(&fold, old, absolute, NULL, &text, &len), 0);
	assert_string_equal(text, expected);
	assert_int_equal(strlen(text), len);
	free(text);
	fold_free(&fold);
}

#define CHANGES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void lines_come_and_go(void **state)
{
	static const char old[] = "# mine\npolicy \"p\"\n\n  block udp/1434   # the worm\n"
				  "block tcp/80\n# end\n";

	(void)state;
	expect(old, CHANGES("+block udp/53"),
		"# mine\npolicy \"p\"\n\n  block udp/1434   # the worm\nblock tcp/80\n# end\n"
		"block in udp to port 53\n");
	expect(old, CHANGES("-block in udp to port 1434"),
		"# mine\npolicy \"p\"\n\nblock tcp/80\n# end\n");
	/* Another action, or another match, is another rule. */
	expect(old, CHANGES("-permit udp/1434", "-block udp/1435"), old);
	expect("block tcp/80", CHANGES("+block tcp/81"), "block tcp/80\nblock in tcp to port 81\n");
	expect("", CHANGES("+block tcp/81"), "block in tcp to port 81\n");
	expect(NULL, CHANGES("+block tcp/81"), "block in tcp to port 81\n");
	/* The same rule twice: both lines go. */
	expect("block tcp/80\nblock in tcp to port 80\n", CHANGES("-block tcp/80"), "");
}

static void wording_stays(void **state)
{
	(void)state;
	expect("\tblock tcp/80 # web\n", CHANGES("+block tcp/80"), "\tblock tcp/80 # web\n");
	expect("\tblock tcp/80  # web \"x\n", CHANGES("+block tcp/80 name \"#1\" log"),
		"\tblock in tcp to port 80 log name \"#1\"  # web \"x\n");
	expect("block tcp/80 name \"# no comment\"#\n", CHANGES("+block tcp/80 log"),
		"block tcp/80 name \"# no comment\"#\nblock in tcp to port 80 log\n");
	expect("block tcp/80 name \"a\\\"b # c\" # d\n", CHANGES("+block tcp/80 name \"e\""),
		"block in tcp to port 80 name \"e\" # d\n");
	/* One that says something else than the rule that came, though it was not in force. */
	expect("\tblock tcp/80 log name \"own\" # web\n", CHANGES("+block tcp/80 name \"L1\""),
		"\tblock in tcp to port 80 name \"L1\" # web\n");
	expect("block tcp/80 log for 1h\n", CHANGES("+block tcp/80"), "block in tcp to port 80\n");
	expect("rule \"a\"\nblock tcp/80\n", CHANGES("+block tcp/80 name \"a\""),
		"rule \"a\"\nblock tcp/80\n");
	expect("rule \"a\" # b\nblock tcp/80\n", CHANGES("+block tcp/80"),
		"rule \"a\" # b\nrule \"\"\nblock in tcp to port 80\n");
	/* A line that went and came back is worded as it came. */
	expect("block tcp/80 name \"old\"\n",
		CHANGES("-block tcp/80", "+block tcp/80 name \"new\""),
		"block in tcp to port 80 name \"new\"\n");
	expect("", CHANGES("+block tcp/80", "+block tcp/80 log"), "block in tcp to port 80 log\n");
	expect("", CHANGES("+block tcp/80", "-block tcp/80"), "");
	expect("", CHANGES("-block tcp/80", "+block tcp/80", "-block tcp/80"), "");
}

static void timed_rules_have_no_line(void **state)
{
	(void)state;
	expect("block tcp/80\n", CHANGES("+block tcp/81!"), "block tcp/80\n");
	expect("block tcp/80 for 2h\n", CHANGES("+block tcp/80!"), "block tcp/80 for 2h\n");
	expect("block tcp/80\n", CHANGES("-block tcp/80", "+block tcp/80!"), "");
	expect("block tcp/80 for 2h\n", CHANGES("+block tcp/80"), "block in tcp to port 80\n");
	expect("", CHANGES("+block tcp/80!", "+block tcp/80"), "block in tcp to port 80\n");
}

static void labels_are_not_caught(void **state)
{
	(void)state;
	expect("rule \"a\"\nblock tcp/80\n", CHANGES("+block tcp/81"),
		"rule \"a\"\nblock tcp/80\nrule \"\"\nblock in tcp to port 81\n");
	expect("rule \"a\"\nblock tcp/80\n", CHANGES("+block tcp/81 name \"b\""),
		"rule \"a\"\nblock tcp/80\nblock in tcp to port 81 name \"b\"\n");
	expect("rule \"a\"\nblock tcp/80\n rule  \"\"\nblock tcp/82\n",
		CHANGES("+block tcp/81", "+block tcp/83"),
		"rule \"a\"\nblock tcp/80\n rule  \"\"\nblock tcp/82\nblock in tcp to port 81\n"
		"block in tcp to port 83\n");
	expect("rule \"a\"\nblock tcp/80\nblock tcp/81\n",
		CHANGES("-block tcp/80", "+block tcp/80"),
		"rule \"a\"\nblock tcp/81\nrule \"\"\nblock in tcp to port 80\n");
	/* What was added there and goes again leaves nothing. */
	expect("rule \"a\"\nblock tcp/80\nrule \"\"\nblock tcp/81\n", CHANGES("-block tcp/81"),
		"rule \"a\"\nblock tcp/80\n");
	expect("rule \"a\"\nblock tcp/80\nrule \"\"\nblock tcp/81\n",
		CHANGES("-block tcp/81", "+block tcp/82"),
		"rule \"a\"\nblock tcp/80\nrule \"\"\nblock in tcp to port 82\n");
	expect("rule \"\"\n# x\nblock tcp/81\n", CHANGES("-block tcp/81"), "rule \"\"\n# x\n");
	expect("rule \"\"\n", CHANGES("-block tcp/81"), "rule \"\"\n");
	expect("rule \"a\"\n", CHANGES("+block tcp/81", "+block tcp/83"),
		"rule \"a\"\nrule \"\"\nblock in tcp to port 81\nblock in tcp to port 83\n");
}

static void texts_from_windows(void **state)
{
	(void)state;
	expect("policy \"p\"\r\nblock tcp/80\r\n", CHANGES("+block tcp/81"),
		"policy \"p\"\r\nblock tcp/80\r\nblock in tcp to port 81\r\n");
	expect("policy \"p\"\r\nblock tcp/80\r\n", CHANGES("-block tcp/80"), "policy \"p\"\r\n");
	expect("block tcp/80 # a\r\n", CHANGES("+block tcp/80 log"),
		"block in tcp to port 80 log # a\r\n");
	expect("block tcp/80\r\n", CHANGES("+block tcp/80 log"), "block in tcp to port 80 log\r\n");
	expect("\xef\xbb\xbf"
	       "block tcp/80\nblock tcp/81\n",
		CHANGES("-block tcp/80"),
		"\xef\xbb\xbf"
		"block tcp/81\n");
}

static void lists_from_where_the_file_lies(void **state)
{
	(void)state;
	expect("block @a\nblock @/lists/b\nblock @c\n",
		CHANGES("-block @/lists/a", "-block @/lists/b", "+block @/lists/c"), "block @c\n");
}

/* --- random texts and changes: what is read back is what the changes made of it --- */

static void put_comment(struct gen *g, FILE *out, unsigned int *comments)
{
	static const char *const lines[] = { "", "   ", "# %u", "  # block udp/1434 %u" };

	fprintf(out, lines[gen_below(g, 4)], ++*comments);
	putc('\n', out);
}

/* The policy written by hand: groups, comments, blanks. Labels in the policy become the file's. */
static char *handwritten(struct gen *g, struct policy *policy)
{
	const char *label = NULL;
	char *text, *line;
	size_t size;
	unsigned int comments = 0;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < policy->n; i++) {
		struct rule *rule = policy->rules[i];

		if (!gen_below(g, 3))
			put_comment(g, out, &comments);
		if (!gen_below(g, 6)) {
			label = gen_below(g, 3) ? "group" : NULL;
			fprintf(out, "rule \"%s\"\n", label ? label : "");
		}
		line = spec_text(rule, SPEC_ALL);
		fprintf(out, "%*s%s%s\n", gen_below(g, 4), "", line,
			gen_below(g, 3) ? "" : "  # why \"so\"");
		free(line);
		if (!rule->label && label)
			rule->label = strdup(label);
	}
	fclose(out);
	return text;
}

static void change_some(struct gen *g, struct policy *model, struct policy *more, struct fold *fold)
{
	static const char *const labels[] = { "x", "#y", "a \"b\"" };

	for (unsigned int i = gen_below(g, 12); i; i--) {
		size_t at = model->n ? gen_below(g, model->n) : 0;
		struct rule *rule;

		switch (gen_below(g, 3)) {
		case 0:
			if (!model->n)
				break;
			assert_int_equal(fold_add(fold, CHANGE_DEL, model->rules[at]), 0);
			assert_int_equal(rule_copy(model->rules[at], &rule), 0);
			policy_remove(model, at);
			free(rule->label);
			rule->label = NULL;
			assert_int_equal(policy_add(more, &rule), 0); /* may come back */
			break;
		case 1:
			if (!more->n)
				break;
			rule = more->rules[more->n - 1];
			more->rules[--more->n] = NULL;
			if (policy_find_same(model, rule, rule->action, 0) >= 0) {
				rule_free(&rule);
				break;
			}
			assert_int_equal(fold_add(fold, CHANGE_PUT, rule), 0);
			assert_int_equal(policy_add(model, &rule), 0);
			break;
		default:
			if (!model->n)
				break;
			free(model->rules[at]->label);
			model->rules[at]->label = strdup(labels[gen_below(g, 3)]);
			assert_int_equal(fold_add(fold, CHANGE_PUT, model->rules[at]), 0);
		}
	}
}

static void assert_same(const char *text, const struct policy *model)
{
	struct policy_text *t = NULL;
	struct rule_pairs pairs;

	assert_int_equal(policy_text_parse("/p", strdup(text), strlen(text), "p", NULL, &t), 0);
	assert_int_equal(t->n_flaws, 0);
	assert_int_equal(t->policy->n, model->n);
	assert_int_equal(rule_pairs(model, t->policy, &pairs), 0);
	for (size_t i = 0; i < pairs.n; i++) {
		assert_non_null(pairs.v[i].a);
		assert_non_null(pairs.v[i].b);
		assert_true(!pairs.v[i].a->label == !pairs.v[i].b->label);
		if (pairs.v[i].a->label)
			assert_string_equal(pairs.v[i].a->label, pairs.v[i].b->label);
	}
	rule_pairs_free(&pairs);
	policy_text_free(&t);
}

/* Lines that are no rules are all there, in their order. */
static void assert_rest_stays(const char *old, const char *new)
{
	for (const char *line = old; *line;) {
		size_t len = strcspn(line, "\n");
		const char *first = line + strspn(line, " ");

		if (*first == '#') {
			char *whole = strndup(line, len + 1);

			new = strstr(new, whole);
			assert_non_null(new);
			new += len;
			free(whole);
		}
		line += len + 1;
	}
}

static void random_changes(void **state)
{
	struct gen g = { .seed = 5, .without = { .dynamic = true, .lists = true } };

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct policy *model, *more;
		char *text;

		gen_policy(&g, &model, 1 + gen_below(&g, 30), 10);
		gen_policy(&g, &more, 1 + gen_below(&g, 30), 10);
		assert_int_equal(policy_drop_repeats(model), 0);
		assert_int_equal(policy_drop_repeats(more), 0);
		text = handwritten(&g, model);
		assert_same(text, model);
		for (int step = 0; step < 4; step++) {
			struct fold fold = {};
			char *new;
			size_t len;

			change_some(&g, model, more, &fold);
			assert_int_equal(fold_text(&fold, text, absolute, NULL, &new, &len), 0);
			assert_same(new, model);
			assert_rest_stays(text, new);
			free(text);
			/* Once more changes nothing: it may be done again after a power cut. */
			assert_int_equal(fold_text(&fold, new, absolute, NULL, &text, &len), 0);
			assert_string_equal(text, new);
			free(new);
			fold_free(&fold);
		}
		free(text);
		policy_free(&model);
		policy_free(&more);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_and_go),
		cmocka_unit_test(wording_stays),
		cmocka_unit_test(timed_rules_have_no_line),
		cmocka_unit_test(labels_are_not_caught),
		cmocka_unit_test(texts_from_windows),
		cmocka_unit_test(lists_from_where_the_file_lies),
		cmocka_unit_test(random_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
