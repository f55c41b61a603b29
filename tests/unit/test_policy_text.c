// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen.h"
#include "policy_text.h"
#include "spec.h"

/* Files that texts name: policies, and lists with one address a name. */
struct file {
	const char *name, *text;
};

static int include_one(const char *from, const char *name, char **path, char **text, size_t *len,
	struct diag *diag, void *arg)
{
	(void)from;
	for (const struct file *f = arg; f->name; f++) {
		if (strcmp(f->name, name))
			continue;
		assert_true(asprintf(path, "/p/%s.policy", name) > 0);
		*text = strdup(f->text);
		*len = strlen(f->text);
		return 0;
	}
	return diag_set(diag, DIAG_UNKNOWN, ENOENT, "there is no policy '%s'", name);
}

static int list_one(const char *from, struct end *end, struct diag *diag, void *arg)
{
	char *path;
	const char *why;

	(void)arg;
	if (!strcmp(end->file, "gone"))
		return diag_set(diag, DIAG_USAGE, ENOENT, "cannot read the list 'gone'");
	if (!strcmp(end->file, "broken"))
		return spec_parse_list("/l/broken", "x", strlen("x"), &end->list, diag);
	if (!strcmp(end->file, "worse"))
		return spec_parse_list("/l/worse", "\nx\ny", strlen("\nx\ny"), &end->list, diag);
	assert_true(
		asprintf(&path, "%.*s/%s", (int)(strrchr(from, '/') - from), from, end->file) > 0);
	free(end->file);
	end->file = path;
	end->list.v = calloc(1, sizeof(*end->list.v));
	assert_int_equal(spec_parse_prefix("192.0.2.1", 9, end->list.v, &why), 0);
	end->list.n = 1;
	return 0;
}

static struct policy_text *parse_with(const char *text, const struct file *files)
{
	const struct policy_reader reader = { include_one, list_one, (void *)files };
	struct policy_text *out = NULL;

	assert_int_equal(policy_text_parse(
				 "/p/web.policy", strdup(text), strlen(text), "web", &reader, &out),
		0);
	return out;
}

static struct policy_text *parse(const char *text)
{
	static const struct file none[] = { {} };

	return parse_with(text, none);
}

/* The rules of a text that holds no error, a line each. */
static char *rules_of(const struct policy_text *t)
{
	char *all = NULL;
	size_t size;
	FILE *out = open_memstream(&all, &size);

	assert_int_equal(t->n_flaws, 0);
	for (size_t i = 0; i < t->policy->n; i++) {
		char *text = spec_text(t->policy->rules[i], SPEC_ALL);

		fprintf(out, "%s\n", text);
		free(text);
	}
	fclose(out);
	return all;
}

static void expect_rules(const char *text, const struct file *files, const char *expected)
{
	struct policy_text *t = parse_with(text, files);
	char *rules = rules_of(t);

	assert_string_equal(rules, expected);
	free(rules);
	policy_text_free(&t);
}

static void expect_error(const char *text, const struct file *files, const char *expected)
{
	struct policy_text *t = parse_with(text, files);
	struct diag diag = {};
	char *said;

	assert_int_equal(policy_text_fail(t, 1000, &diag), -EINVAL);
	assert_int_equal(diag.kind, DIAG_USAGE);
	said = diag_text(&diag);
	assert_string_equal(said, expected);
	free(said);
	diag_free(&diag);
	policy_text_free(&t);
}

static void what_a_text_says(void **state)
{
	struct policy_text *t = parse("# a comment\n"
				      "policy \"the web\"\n"
				      "description \"all \\\"of\\\" it\"\n"
				      "\n"
				      "  block udp/1434 # worm\n"
				      "permit out tcp/80 for 2h log name \"x\"");

	(void)state;
	assert_int_equal(t->n_flaws, 0);
	assert_true(t->named);
	assert_string_equal(t->policy->name, "the web");
	assert_string_equal(t->policy->description, "all \"of\" it");
	assert_int_equal(t->policy->n, 2);
	assert_int_equal(t->place[0].line, 5);
	assert_int_equal(t->place[1].line, 6);
	assert_string_equal(policy_text_line(t, &t->place[0]), "  block udp/1434 # worm");
	assert_int_equal(t->policy->rules[1]->lifetime, 7200);
	policy_text_free(&t);

	t = parse("");
	assert_false(t->named);
	assert_string_equal(t->policy->name, "web");
	assert_null(t->policy->description);
	assert_int_equal(t->policy->n, 0);
	policy_text_free(&t);
	policy_text_free(&t);
}

static void labels(void **state)
{
	const struct file files[] = {
		{ "plain", "block udp/1\nrule \"own\"\nblock udp/2\n" },
		{ "quiet", "rule \"\"\nblock udp/4\n" },
		{},
	};

	(void)state;
	expect_rules("block udp/9\n"
		     "rule \"a\"\nblock udp/10\nblock udp/11 name \"nearer\"\n"
		     "rule \"b\"\nblock udp/12\nrule \"\"\nblock udp/13\n",
		files,
		"block in udp to port 9\n"
		"block in udp to port 10 name \"a\"\n"
		"block in udp to port 11 name \"nearer\"\n"
		"block in udp to port 12 name \"b\"\n"
		"block in udp to port 13\n");
	expect_rules("rule \"a\"\ninclude \"plain\"\nblock udp/3\ninclude \"quiet\"\n", files,
		"block in udp to port 1 name \"a\"\n"
		"block in udp to port 2 name \"own\"\n"
		"block in udp to port 3 name \"a\"\n"
		"block in udp to port 4\n");
}

static void includes(void **state)
{
	const struct file files[] = {
		{ "a", "policy \"a\"\ndescription \"of a\"\nblock udp/1\ninclude \"c\"\n" },
		{ "b", "include \"c\"\nblock udp/2\n" },
		{ "c", "block udp/3\n" },
		{},
	};
	struct policy_text *t;

	(void)state;
	/* Twice, and by two ways: its rules are there once. */
	expect_rules("include \"a\"\ninclude \"b\"\ninclude \"a\"\nblock udp/4\n", files,
		"block in udp to port 1\nblock in udp to port 3\n"
		"block in udp to port 2\nblock in udp to port 4\n");
	t = parse_with("include \"a\"\n", files);
	assert_false(t->named);
	assert_string_equal(t->policy->name, "web");
	assert_null(t->policy->description);
	assert_int_equal(t->n_sources, 3);
	assert_string_equal(t->sources[t->place[1].source].path, "/p/c.policy");
	assert_int_equal(t->place[1].line, 1);
	policy_text_free(&t);
}

static void includes_that_cannot_be(void **state)
{
	const struct file files[] = {
		{ "a", "include \"b\"\n" },
		{ "b", "\ninclude \"c\"\n" },
		{ "c", "block udp/1\ninclude \"a\"\n" },
		{ "web", "include \"web\"\n" },
		{ "bad", "block udp/70000\n" },
		{},
	};

	(void)state;
	expect_error("include \"a\"\n", files,
		"bpfpol: /p/c.policy:2:9: policies include each other in a circle, so none can be "
		"read: this is /p/a.policy, which /p/c.policy includes, which /p/b.policy "
		"includes, which /p/a.policy includes; take one of the includes out\n"
		"  include \"a\"\n          ^^^\n");
	expect_error("include \"web\"\n", files,
		"bpfpol: /p/web.policy:1:9: policies include each other in a circle, so none can "
		"be read: this is /p/web.policy, which /p/web.policy includes; take one of the "
		"includes out\n  include \"web\"\n          ^^^^^\n");
	expect_error("block udp/1\n include \"none\" # why\n", files,
		"bpfpol: /p/web.policy:2:10: there is no policy 'none'\n"
		"   include \"none\" # why\n           ^^^^^^\n");
	expect_error("include \"../a\"\n", files,
		"bpfpol: /p/web.policy:1:9: a policy's name holds no slash: it is a name, not a "
		"path\n  include \"../a\"\n          ^^^^^^\n");
	expect_error("include \"a\\\\b\"\n", files,
		"bpfpol: /p/web.policy:1:9: a policy's name holds no backslash\n"
		"  include \"a\\\\b\"\n          ^^^^^^\n");
	/* What is wrong in an included file is wrong there. */
	expect_error("include \"bad\"\n", files,
		"bpfpol: /p/bad.policy:1:11: '70000' is above 65535, the highest port\n"
		"  block udp/70000\n            ^^^^^\n");
}

static int include_next(const char *from, const char *name, char **path, char **text, size_t *len,
	struct diag *diag, void *arg)
{
	int n = atoi(name);

	(void)from;
	(void)arg;
	(void)diag;
	assert_true(asprintf(path, "/p/%s.policy", name) > 0);
	*len = asprintf(text, "block udp/%d\ninclude \"%d\"\n", n, n + 1);
	return 0;
}

static void includes_without_end(void **state)
{
	const struct policy_reader reader = { .include = include_next };
	const char *text = "include \"1\"\n";
	struct policy_text *t = NULL;

	(void)state;
	assert_int_equal(
		policy_text_parse("/p/0.policy", strdup(text), strlen(text), "0", &reader, &t), 0);
	assert_int_equal(t->n_flaws, 1);
	assert_non_null(strstr(t->flaws[0].message, "nested more than 32 deep"));
	policy_text_free(&t);
}

static void all_errors_at_once(void **state)
{
	struct policy_text *t;
	struct diag diag = {};

	(void)state;
	expect_error("blok udp/1434\n"
		     "block udp/70000\n"
		     "\tpolicy web\n"
		     "policy \"web\"\n"
		     "policy \"two\"\n"
		     "block @gone\n"
		     "block udp/53 # fine\n"
		     "include\n"
		     "rule \"a\" \"b\"\n"
		     "description \"\"\n"
		     "drop everything\n",
		(const struct file[]){ {} },
		"bpfpol: /p/web.policy:1:1: no line begins with 'blok': did you mean block?\n"
		"  blok udp/1434\n  ^^^^\n"
		"bpfpol: /p/web.policy:2:11: '70000' is above 65535, the highest port\n"
		"  block udp/70000\n            ^^^^^\n"
		"bpfpol: /p/web.policy:3:9: put the text in quotes: policy \"web\"\n"
		"  \tpolicy web\n  \t       ^^^\n"
		"bpfpol: /p/web.policy:5:1: `policy` is given twice: leave one out\n"
		"  policy \"two\"\n  ^^^^^^\n"
		"bpfpol: /p/web.policy:6:7: cannot read the list 'gone'\n"
		"  block @gone\n        ^^^^^\n"
		"bpfpol: /p/web.policy:8:1: `include` needs the name of a policy in quotes: "
		"include \"...\"\n  include\n  ^^^^^^^\n"
		"bpfpol: /p/web.policy:9:10: behind `rule` and its text the line ends: leave this "
		"out\n  rule \"a\" \"b\"\n           ^^^\n"
		"bpfpol: /p/web.policy:10:13: a description is UTF-8 text on one line, not empty "
		"and without control characters\n  description \"\"\n              ^^\n"
		"bpfpol: /p/web.policy:11:1: a line begins with block, permit or count, or with "
		"policy, description, rule or include\n  drop everything\n  ^^^^\n");
	/* A few, and how many more there are. */
	t = parse("a\nb\nc\nd\n");
	assert_int_equal(policy_text_fail(t, 2, &diag), -EINVAL);
	assert_int_equal(diag.line, 1);
	assert_non_null(strstr(diag.more, "web.policy:2:1"));
	assert_null(strstr(diag.more, "web.policy:3:1"));
	assert_non_null(strstr(diag.more, "2 more errors"));
	diag_free(&diag);
	policy_text_free(&t);
}

static void texts_from_elsewhere(void **state)
{
	static const char zero[] = "block udp/1\nblock udp/2\0\nblock udp/3\n";
	struct policy_text *t = NULL;
	char *copy;

	(void)state;
	expect_rules("\xef\xbb\xbf"
		     "policy \"w\"\r\nblock udp/1\r\n\r\n# so\r\nblock udp/2\r\n",
		(const struct file[]){ {} }, "block in udp to port 1\nblock in udp to port 2\n");
	copy = malloc(sizeof(zero));
	memcpy(copy, zero, sizeof(zero));
	assert_int_equal(policy_text_parse("/p/z", copy, sizeof(zero) - 1, "z", NULL, &t), 0);
	assert_int_equal(t->n_flaws, 1);
	assert_int_equal(t->flaws[0].place.line, 2);
	assert_int_equal(t->policy->n, 2);
	policy_text_free(&t);
}

static void lists_lie_beside_the_file(void **state)
{
	struct policy_text *t = parse("block @bad.txt\nblock @\"with blank\"\n");

	(void)state;
	assert_string_equal(t->policy->rules[0]->from.file, "/p/bad.txt");
	assert_int_equal(t->policy->rules[0]->from.list.n, 1);
	policy_text_free(&t);
	expect_rules("block @\"with blank\"\n", (const struct file[]){ {} },
		"block in from @\"/p/with blank\"\n");
}

/* A line of a list is wrong where it stands, and who names the list is told with it. */
static void what_is_wrong_in_a_list(void **state)
{
	(void)state;
	expect_error("block udp/1\nblock from @broken\nblok\nblock to @worse\n",
		(const struct file[]){ {} },
		"bpfpol: /l/broken:1:1: in the list that /p/web.policy:2 names: this is not an "
		"address, and host names are not looked up\n  x\n  ^\n"
		"bpfpol: /p/web.policy:3:1: no line begins with 'blok': did you mean block?\n"
		"  blok\n  ^^^^\n"
		"bpfpol: /l/worse:2: in the list that /p/web.policy:4 names: 2 lines are wrong; "
		"the first: this is not an address, and host names are not looked up\n"
		"  line 2: x\n  line 3: y\n");
}

static void names(void **state)
{
	static const char *const good[] = { "web", "Block UDP 1434 Filter", "b\xc3\xbcro", "a.b",
		"x-y_z", "1" };
	static const char *const bad[] = { "", "a/b", "../x", "/etc/passwd", ".", "..", ".hidden",
		"-x", "--json", " x", "x ", "a\"b", "a'b", "a`b", "a\\b", "a\nb", "a\tb", "\xff",
		"\xc3", "web.policy" };
	char longest[POLICY_NAME_MOST + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_null(policy_name_flaw(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(policy_name_flaw(bad[i]));
	memset(longest, 'x', sizeof(longest));
	longest[POLICY_NAME_MOST] = '\0';
	assert_null(policy_name_flaw(longest));
	longest[POLICY_NAME_MOST] = 'x';
	longest[POLICY_NAME_MOST + 1] = '\0';
	assert_non_null(policy_name_flaw(longest));
}

static void names_as_they_are_typed(void **state)
{
	char buf[POLICY_NAME_TYPED], longest[POLICY_NAME_MOST + 1];

	(void)state;
	assert_string_equal(policy_name_typed("web-1.b", buf), "web-1.b");
	assert_string_equal(policy_name_typed("two words", buf), "'two words'");
	assert_string_equal(policy_name_typed("a*b", buf), "'a*b'");
	memset(longest, '$', POLICY_NAME_MOST);
	longest[POLICY_NAME_MOST] = '\0';
	assert_int_equal(strlen(policy_name_typed(longest, buf)), POLICY_NAME_MOST + 2);
}

static void at_a_glance(void **state)
{
	size_t rules;
	char *description;

	(void)state;
	assert_int_equal(policy_text_glance("# block udp/1\n block udp/1\n\nrule \"block\"\n"
					    "permit tcp/2 # x\r\ncount udp\nblocks x\n"
					    "description \"a \\\"b\\\"\"\ndescription \"c\"\nblock",
				 &rules, &description),
		0);
	assert_int_equal(rules, 4);
	assert_string_equal(description, "a \"b\"");
	free(description);
	assert_int_equal(policy_text_glance("description none\xff\n", &rules, &description), 0);
	assert_int_equal(rules, 0);
	assert_null(description);
	assert_int_equal(policy_text_glance("", &rules, &description), 0);
	assert_null(description);
}

static void prints_what_it_read(void **state)
{
	struct policy_text *t = parse("description \"d\"\nrule \"l\"\nblock udp/1 for 90m\n");
	char *text;

	(void)state;
	text = policy_text_print(t->policy);
	assert_string_equal(text, "policy \"web\"\ndescription \"d\"\n\n"
				  "block in udp to port 1 for 90m name \"l\"\n");
	free(text);
	/* In force, with a deadline from the file's `for`: still the file's. One of its own: not.
	 */
	t->policy->rules[0]->deadline = 12345;
	text = policy_text_print(t->policy);
	assert_non_null(strstr(text, "for 90m"));
	free(text);
	t->policy->rules[0]->lifetime = 0;
	text = policy_text_print(t->policy);
	assert_null(strstr(text, "block"));
	free(text);
	policy_text_free(&t);
}

/* --- print, parse, print: the same policy, for random ones --- */

static int list_of(const char *from, struct end *end, struct diag *diag, void *arg)
{
	const struct policy *policy = arg;
	unsigned int rule;
	char side;
	const struct end *is;

	(void)from;
	(void)diag;
	assert_int_equal(sscanf(end->file, "/lists/%u.%c", &rule, &side), 2);
	is = side == 'f' ? &policy->rules[rule]->from : &policy->rules[rule]->to;
	end->list.v = calloc(is->list.n, sizeof(*is->list.v));
	memcpy(end->list.v, is->list.v, is->list.n * sizeof(*is->list.v));
	end->list.n = is->list.n;
	return 0;
}

static void name_list(struct end *end, size_t rule, char side)
{
	if (end->kind != END_FILE)
		return;
	free(end->file);
	assert_true(asprintf(&end->file, "/lists/%zu.%c", rule, side) > 0);
}

static void decorate(struct gen *g, struct policy *policy)
{
	static const char *const labels[] = { "a", "worm of \"may\"", "back\\slash", "\xc3\xa4 #x",
		"rule" };

	free(policy->name);
	policy->name = strdup(gen_below(g, 2) ? "Block UDP 1434 Filter" : "web");
	if (gen_below(g, 2))
		policy->description = strdup(labels[gen_below(g, 5)]);
	for (size_t i = 0; i < policy->n; i++) {
		struct rule *rule = policy->rules[i];

		name_list(&rule->from, i, 'f');
		name_list(&rule->to, i, 't');
		if (!gen_below(g, 3))
			rule->label = strdup(labels[gen_below(g, 5)]);
		rule->log = !gen_below(g, 4);
		if (!gen_below(g, 4))
			rule->lifetime = 1 + gen_below(g, 1000000);
	}
}

static void assert_same_end(const struct end *a, const struct end *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->list.n, b->list.n);
	if (a->list.n)
		assert_memory_equal(a->list.v, b->list.v, a->list.n * sizeof(*a->list.v));
	assert_int_equal(a->ports.n, b->ports.n);
	if (a->ports.n)
		assert_memory_equal(a->ports.v, b->ports.v, a->ports.n * sizeof(*a->ports.v));
	if (a->kind == END_FILE)
		assert_string_equal(a->file, b->file);
	if (a->kind == END_PREFIX)
		assert_int_equal(prefix_cmp(&a->prefix, &b->prefix), 0);
}

static void assert_same_text(const char *a, const char *b)
{
	assert_true(!a == !b);
	if (a)
		assert_string_equal(a, b);
}

static void assert_same_rule(const struct rule *a, const struct rule *b)
{
	assert_int_equal(a->action, b->action);
	assert_int_equal(a->dir, b->dir);
	assert_int_equal(a->emergency, b->emergency);
	assert_int_equal(a->log, b->log);
	assert_int_equal(a->proto, b->proto);
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->code, b->code);
	assert_int_equal(a->lifetime, b->lifetime);
	assert_same_text(a->ifname, b->ifname);
	assert_same_text(a->label, b->label);
	assert_same_end(&a->from, &b->from);
	assert_same_end(&a->to, &b->to);
}

static void random_policies_read_back(void **state)
{
	static const char *const ifnames[] = { "eth0", "br-lan", "a\"b", "#0" };
	struct gen g = {
		.seed = 42,
		.ifnames = ifnames,
		.n_ifnames = 4,
		.without = { .dynamic = true },
	};

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct policy *policy;
		struct policy_text *t = NULL;
		struct policy_reader reader = { .list = list_of };
		char *text, *again;

		gen_policy(&g, &policy, 1 + gen_below(&g, 60), 60);
		decorate(&g, policy);
		text = policy_text_print(policy);
		reader.arg = policy;
		assert_int_equal(policy_text_parse("/p/x.policy", strdup(text), strlen(text), "x",
					 &reader, &t),
			0);
		assert_int_equal(t->n_flaws, 0);
		assert_string_equal(t->policy->name, policy->name);
		assert_same_text(t->policy->description, policy->description);
		assert_int_equal(t->policy->n, policy->n);
		for (size_t i = 0; i < policy->n; i++)
			assert_same_rule(t->policy->rules[i], policy->rules[i]);
		again = policy_text_print(t->policy);
		assert_string_equal(again, text);
		free(again);
		free(text);
		policy_text_free(&t);
		policy_free(&policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_text_says),
		cmocka_unit_test(labels),
		cmocka_unit_test(includes),
		cmocka_unit_test(includes_that_cannot_be),
		cmocka_unit_test(includes_without_end),
		cmocka_unit_test(all_errors_at_once),
		cmocka_unit_test(texts_from_elsewhere),
		cmocka_unit_test(lists_lie_beside_the_file),
		cmocka_unit_test(what_is_wrong_in_a_list),
		cmocka_unit_test(names),
		cmocka_unit_test(names_as_they_are_typed),
		cmocka_unit_test(at_a_glance),
		cmocka_unit_test(prints_what_it_read),
		cmocka_unit_test(random_policies_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
