// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each allocation fails in turn, in parsers, compiler and wire: -ENOMEM or a result that is whole,
 * and nothing is left or freed twice (under ASan: make sanitize). The allocating functions are
 * wrapped by the linker, as the Makefile says.
 */
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
#include "fold.h"
#include "never.h"
#include "pairs.h"
#include "policy_text.h"
#include "protect.h"
#include "spec.h"
#include "wire.h"

#include "../golden/ipsecpol_kit.h"

static unsigned long seen, fail_at; /* 0: none */

static int fails(void)
{
	return ++seen == fail_at;
}

#define WRAP(result, name, failure, parameters, ...) \
	result __real_##name parameters;             \
	result __wrap_##name parameters;             \
	result __wrap_##name parameters              \
	{                                            \
		if (fails()) {                       \
			errno = ENOMEM;              \
			return failure;              \
		}                                    \
		return __real_##name(__VA_ARGS__);   \
	}

WRAP(void *, malloc, NULL, (size_t size), size)
WRAP(void *, calloc, NULL, (size_t n, size_t size), n, size)
WRAP(void *, realloc, NULL, (void *p, size_t size), p, size)
WRAP(void *, reallocarray, NULL, (void *p, size_t n, size_t size), p, n, size)
WRAP(char *, strdup, NULL, (const char *s), s)
WRAP(char *, strndup, NULL, (const char *s, size_t n), s, n)
WRAP(int, vasprintf, -1, (char **s, const char *f, va_list a), s, f, a)
WRAP(FILE *, open_memstream, NULL, (char **text, size_t *len), text, len)

int __wrap_asprintf(char **s, const char *f, ...) __attribute__((format(printf, 2, 3)));

int __wrap_asprintf(char **s, const char *f, ...)
{
	va_list args;
	int n;

	va_start(args, f);
	n = __wrap_vasprintf(s, f, args);
	va_end(args);
	return n;
}

/* Runs it with each allocation failing, until none is left that could. */
static void each_fails(int (*run)(void *arg), void *arg)
{
	unsigned long all;
	int rc;

	seen = fail_at = 0;
	rc = run(arg);
	all = seen;
	assert_int_equal(rc, 0);
	assert_true(all > 0);
	for (unsigned long n = 1; n <= all; n++) {
		seen = 0;
		fail_at = n;
		rc = run(arg);
		fail_at = 0;
		if (rc && rc != -ENOMEM)
			fail_msg("allocation %lu of %lu: %d", n, all, rc);
	}
	print_message("# %lu allocations failed in turn\n", all);
}

static const char *const lines[] = {
	"block udp/1434",
	"block emergency udp/1434,1435-1440",
	"block inout tcp from 10.0.0.0/8 port 1-100 to me port 445,http log name \"a b\"",
	"permit icmp type 8 code 0 from any",
	"count out to 2001:db8::/32",
	"block in on eth0 sctp from 192.0.2.0/255.255.255.0 for 2h",
	"block from @list.txt",
	"block 192.0.2.1",
};

static int parse_line(void *arg)
{
	const struct spec_opts opts = { .action = -1 };
	struct rule *rule = NULL;
	struct diag diag = {};
	int rc = spec_parse_line(arg, &opts, &rule, &diag);
	char *text = rc ? NULL : spec_text(rule, SPEC_ACTION | SPEC_MATCH | SPEC_OPTIONS);

	assert_true(!rc == !!rule);
	if (!rc && !text)
		rc = -ENOMEM;
	free(text);
	rule_free(&rule);
	diag_free(&diag);
	return rc;
}

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		each_fails(parse_line, (void *)lines[i]);
}

/* What is wrong is told, or for want of memory not with a caret. */
static int parse_wrong(void *arg)
{
	const struct spec_opts opts = { .action = -1 };
	struct rule *rule = NULL;
	struct diag diag = {};
	int rc = spec_parse_line(arg, &opts, &rule, &diag);
	char *text = diag_text(&diag);

	assert_null(rule);
	free(text);
	diag_free(&diag);
	return rc == -EINVAL ? 0 : rc;
}

static void test_wrong_rules(void **state)
{
	(void)state;
	each_fails(parse_wrong, "block udp/14x4 from 10.0.0.0/8");
	each_fails(parse_wrong, "blok udp/1434");
	each_fails(parse_wrong, "block tcp from 10.0.0.0/255.0.255.0");
	each_fails(parse_wrong, "block in to 10.1 port");
}

static int read_list(const char *from, struct end *end, struct diag *diag, void *arg)
{
	static const char list[] = "192.0.2.1\n198.51.100.0/24\n2001:db8::/32\n";

	(void)from;
	(void)arg;
	return end->kind == END_FILE
		       ? spec_parse_list("list.txt", list, strlen(list), &end->list, diag)
		       : 0;
}

static int include(const char *from, const char *name, char **path, char **text, size_t *len,
	struct diag *diag, void *arg)
{
	(void)from;
	(void)diag;
	(void)arg;
	*path = strdup(name);
	*text = strdup("block tcp/99\nrule \"of the other\"\nblock tcp/98\n");
	if (!*path || !*text) {
		free(*path);
		free(*text);
		return -ENOMEM;
	}
	*len = strlen(*text);
	return 0;
}

static const char policy[] = "policy \"p\"\ndescription \"d\"\ninclude \"other\"\n"
			     "rule \"all\"\nblock emergency udp/1434,1435-1440\n"
			     "block inout tcp from 10.0.0.0/8 port 1-100 to any port 445 log\n"
			     "block in on eth0 sctp from @list.txt\nblock tcp/25 for 2h\n"
			     "count out to 2001:db8::/32\npermit icmp type 8 code 0\n"
			     "block to me port 22\nblock 192.0.2.1\nblock 192.0.2.0/24\n";
static const struct policy_reader reader = { include, read_list, NULL };

static int read_policy(const char *of, struct policy_text **t)
{
	char *text = strdup(of);
	int rc = text ? policy_text_parse("p.policy", text, strlen(of), "p", &reader, t) : -ENOMEM;

	return rc;
}

static int parse_policy(void *arg)
{
	struct policy_text *t = NULL;
	struct diag diag = {};
	size_t rules;
	char *text = NULL, *description = NULL;
	int rc = read_policy(arg, &t);

	if (!rc && t->n_flaws)
		policy_text_fail(t, 20, &diag);
	if (!rc)
		text = policy_text_print(t->policy);
	if (!rc && !text)
		rc = -ENOMEM;
	if (!rc)
		rc = policy_text_glance(text, &rules, &description);
	free(description);
	free(text);
	policy_text_free(&t);
	diag_free(&diag);
	return rc;
}

static void test_policy_text(void **state)
{
	(void)state;
	each_fails(parse_policy, (void *)policy);
	each_fails(
		parse_policy, "block udp/1x\nblok tcp/2\npolicy nothing\nblock tcp/3\ninclude x\n");
}

static int ifindex(const char *name, void *arg)
{
	(void)arg;
	return strcmp(name, "eth0") ? 0 : 7;
}

static const struct compile_env env = {
	.ifindex = ifindex, .now = 1000, .boot_now = 5000000000ULL
};

static int compile_it(void *arg)
{
	struct plan *plan = NULL;
	struct table table = {};
	struct diag diag = {};
	int rc = compile(arg, &env, &plan, &table, &diag);

	table_free(&table);
	plan_free(&plan);
	diag_free(&diag);
	return rc;
}

static int find_never(void *arg)
{
	struct never *never = NULL;
	bool cut_short;
	int rc = never_find(arg, &never, &cut_short);

	free(never);
	return rc;
}

static int pair_up(void *arg)
{
	struct rule_pairs pairs = {};
	size_t *firsts = policy_firsts(arg);
	int rc = firsts ? rule_pairs(arg, arg, &pairs) : -ENOMEM;

	if (!rc)
		rule_pairs_free(&pairs);
	free(firsts);
	return rc;
}

static char *same_path(const char *file, void *arg)
{
	(void)arg;
	return strdup(file);
}

static int fold_it(void *arg)
{
	const struct policy *p = arg;
	struct fold fold = { .policy = strdup("p") };
	char *text = NULL;
	size_t len;
	int rc = fold.policy ? 0 : -ENOMEM;

	for (size_t i = 0; i < p->n && !rc; i++)
		rc = fold_add(&fold, i % 3, p->rules[i]);
	if (!rc)
		rc = fold_text(&fold, policy, same_path, NULL, &text, &len);
	free(text);
	fold_free(&fold);
	return rc;
}

static void test_compiler(void **state)
{
	struct policy_text *t = NULL;

	(void)state;
	fail_at = 0;
	assert_int_equal(read_policy(policy, &t), 0);
	assert_int_equal(t->n_flaws, 0);
	for (size_t i = 0; i < t->policy->n; i++)
		t->policy->rules[i]->id = i + 1;
	each_fails(compile_it, t->policy);
	each_fails(find_never, t->policy);
	each_fails(pair_up, t->policy);
	each_fails(fold_it, t->policy);
	policy_text_free(&t);
}

static int parse_ipsecpol(void *arg)
{
	char *line = strdup(arg), *words[KIT_WORDS];
	struct ipsecpol p = {};
	struct diag diag = {};
	int rc =
		line ? ipsecpol_parse(kit_words(line, words), words, &kit_env, &p, &diag) : -ENOMEM;

	if (!rc)
		ipsecpol_free(&p);
	diag_free(&diag);
	free(line);
	return rc;
}

static void test_ipsecpol(void **state)
{
	(void)state;
	each_fails(parse_ipsecpol,
		"-w REG -p P -r R -f *=0:1434:UDP 10.*.*.*+0:22:TCP (0:80+*::TCP) "
		"[*=0::icmp] dual.example=0:1:TCP -n BLOCK -x");
}

static int over_the_wire(void *arg)
{
	char *words[] = { "block", "udp/1434", "--dynamic" };
	struct wire_request request = {};
	struct wire_reply reply = { .out = "yes\n", .out_len = 4, .err = "", .err_len = 0 };
	uint8_t *bytes = NULL, *answer = NULL;
	size_t len;
	int rc = wire_put_request(words, 3, &bytes, &len);

	(void)arg;
	if (!rc) {
		ssize_t took = wire_get_request(bytes, len, &request);

		rc = took < 0 ? took : 0;
	}
	if (!rc)
		rc = wire_put_reply(&reply, &answer, &len);
	free(request.words);
	free(answer);
	free(bytes);
	return rc;
}

static void test_wire(void **state)
{
	(void)state;
	each_fails(over_the_wire, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_wrong_rules),
		cmocka_unit_test(test_policy_text),
		cmocka_unit_test(test_compiler),
		cmocka_unit_test(test_ipsecpol),
		cmocka_unit_test(test_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
