/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arguments of ipsecpol that no golden file can hold: random ones, and what the caller's host
 * answers. BPFPOL_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include "../golden/ipsecpol_kit.h"

#define ROUNDS 20000

static int parse(
	const char *line, const struct ipsecpol_env *env, struct ipsecpol *p, struct diag *diag)
{
	char *copy = strdup(line), *words[KIT_WORDS];
	int rc = ipsecpol_parse(kit_words(copy, words), words, env, p, diag);

	free(copy);
	return rc;
}

static unsigned int roll(unsigned int *seed, unsigned int sides)
{
	return rand_r(seed) % sides;
}

/* Pieces of which SPECs are made, right ones and wrong ones. */
static void random_spec(unsigned int *seed, char *out)
{
	static const char *const pieces[] = { "*", "0", "me", "any", "10.0.0.1", "10.*.*.*", "10.*",
		"[2001:db8::1]", "2001:db8::1", "[", "]", "(", ")", "=", "+", ":", "::", "/", "/8",
		"/255.255.0.0", "/33", "80", "1434", "0", "65536", "TCP", "udp", "icmp", "icmpv6",
		"frob", "17", "dual.example", "two.example", "no.example", "P", " ", "-", "\xc3",
		"\xff", "*0=:1434:UDP", "*=0:1434:UDP", "0:80+*::TCP" };
	unsigned int n = 1 + roll(seed, 9);

	*out = '\0';
	while (n--)
		strcat(out, pieces[roll(seed, sizeof(pieces) / sizeof(pieces[0]))]);
}

/* One of the right shape, most of them right. */
static void likely_spec(unsigned int *seed, char *out)
{
	static const char *const ends[] = { "*", "0", "10.0.0.1", "10.*.*.*", "[2001:db8::1]",
		"any", "192.0.2.0/24", "[2001:db8::]/32", "dual.example", "*:7" };
	static const char *const protos[] = { "", ":80:TCP", "::UDP", ":53:udp", "::icmp", "::58",
		":5", "::any", "::" };
	const char *open[] = { "", "(", "[" }, *close[] = { "", ")", "]" };
	int bracket = roll(seed, 3);

	sprintf(out, "%s%s%c%s%s%s", open[bracket], ends[roll(seed, 10)], "=+"[roll(seed, 2)],
		ends[roll(seed, 10)], protos[roll(seed, 9)], close[bracket]);
}

/* What the rule language says of a rule is the rule again: so it can be stored. */
static void reads_back(const struct rule *rule)
{
	const struct spec_opts opts = { .action = -1 };
	struct rule *again = NULL;
	struct diag diag = {};
	char *text = spec_text(rule, SPEC_ALL), *twice;

	if (spec_parse_line(text, &opts, &again, &diag))
		fail_msg("%s: %s", text, diag.message);
	twice = spec_text(again, SPEC_ALL);
	assert_string_equal(text, twice);
	rule_free(&again);
	free(twice);
	free(text);
}

/* A caret points into its line, and what is wrong is said. */
static void is_told(const struct diag *diag, int rc)
{
	char *text = diag_text(diag);

	assert_true(rc == -EINVAL || rc == -ENOENT);
	assert_int_equal(diag->kind, rc == -EINVAL ? DIAG_USAGE : DIAG_UNKNOWN);
	assert_true(strlen(diag->message) > 0);
	if (diag->text) {
		assert_true(diag->column <= strlen(diag->text));
		assert_true(diag->column + diag->width <= strlen(diag->text) + 1);
	}
	free(text);
}

static int random_arguments(unsigned int *seed)
{
	static char *const flags[] = { "-w", "REG", "-p", "P", "-r", "R", "-f", "-f", "-n", "BLOCK",
		"PASS", "-x", "-y", "-o", "-u", "-lan", "-dialup", "-confirm", "-t", "/f", "" };
	char specs[4][256];
	char *argv[12] = { "-n", "BLOCK", "-f" };
	struct ipsecpol p = {};
	struct diag diag = {};
	int argc = roll(seed, 3) ? 3 : 0, rc, rules = 0;

	for (size_t i = 0; i < 4; i++) {
		(roll(seed, 4) ? likely_spec : random_spec)(seed, specs[i]);
		argv[argc++] = specs[i];
		if (!roll(seed, 3))
			argv[argc++] = flags[roll(seed, sizeof(flags) / sizeof(flags[0]))];
	}
	if (argc > 3 && roll(seed, 2))
		argc = 4;
	rc = ipsecpol_parse(argc, argv, &kit_env, &p, &diag);
	if (rc) {
		is_told(&diag, rc);
		assert_null(p.policy);
	} else {
		assert_int_equal(diag.kind, DIAG_NONE);
		for (size_t i = 0; i < p.policy->n; i++)
			reads_back(p.policy->rules[i]);
		rules = p.policy->n;
		ipsecpol_free(&p);
	}
	diag_free(&diag);
	return rules;
}

static void random_lines(void **state)
{
	const char *given = getenv("BPFPOL_SEED");
	unsigned int seed = given ? strtoul(given, NULL, 10) : (unsigned int)time(NULL);
	unsigned int made = 0;

	(void)state;
	print_message("BPFPOL_SEED=%u\n", seed);
	for (int i = 0; i < ROUNDS; i++)
		made += random_arguments(&seed);
	assert_true(made > ROUNDS / 10); /* else it tries nothing but refusals */
}

static int no_resolver(const char *name, struct prefixes *list, const char **why, void *arg)
{
	(void)name;
	(void)list;
	(void)arg;
	*why = "the name server does not answer";
	return -EAGAIN;
}

static int too_little(const char *name, struct prefixes *list, const char **why, void *arg)
{
	(void)name;
	(void)list;
	(void)why;
	(void)arg;
	return -ENOMEM;
}

static int nothing(const char *name, struct prefixes *list, const char **why, void *arg)
{
	(void)name;
	(void)why;
	(void)arg;
	*list = (struct prefixes){};
	return 0;
}

static void names_that_fail(void **state)
{
	const char *line = "-f host.example=0:22:TCP -n BLOCK";
	struct ipsecpol_env env = kit_env;
	struct ipsecpol p = {};
	struct diag diag = {};

	(void)state;
	env.resolve = no_resolver;
	assert_int_equal(parse(line, &env, &p, &diag), -EINVAL);
	assert_int_equal(diag.kind, DIAG_USAGE);
	assert_string_equal(diag.message,
		"no address is known for the host 'host.example': the name server does not answer");
	env.resolve = nothing;
	assert_int_equal(parse(line, &env, &p, &diag), -EINVAL);
	diag.kind = DIAG_NONE;
	env.resolve = too_little;
	assert_int_equal(parse(line, &env, &p, &diag), -ENOMEM);
	assert_int_equal(diag.kind, DIAG_NONE);
	assert_null(p.policy);
	diag_free(&diag);
}

/* Each name once, however often it stands there. */
static int count_lookups(const char *name, struct prefixes *list, const char **why, void *arg)
{
	(*(int *)arg)++;
	return kit_resolve(name, list, why, NULL);
}

static void names_are_asked_once(void **state)
{
	struct ipsecpol_env env = kit_env;
	struct ipsecpol p = {};
	struct diag diag = {};
	int asked = 0;

	(void)state;
	env.resolve = count_lookups;
	env.arg = &asked;
	assert_int_equal(parse("-f dual.example+0 two.example=0 dual.example=two.example -n PASS",
				 &env, &p, &diag),
		0);
	assert_int_equal(asked, 2);
	assert_int_equal(p.n_names, 2);
	/* A rule brings what its names are, as a list that was read does: sorted. */
	assert_int_equal(p.policy->rules[0]->from.list.n, 2);
	assert_int_equal(p.policy->rules[3]->to.list.n, 2);
	assert_int_equal(p.policy->rules[3]->to.list.v[0].bytes[3], 1);
	ipsecpol_free(&p);
	/* Nothing is asked for a line that is wrong elsewhere. */
	assert_int_equal(parse("-f dual.example=0 -n BLOCK -t 10.0.0.1", &env, &p, &diag), -EINVAL);
	assert_int_equal(asked, 2);
	diag_free(&diag);
}

/* A secret that was typed for -a is not shown again. */
static void secrets_stay_secret(void **state)
{
	struct ipsecpol p = {};
	struct diag diag = {};
	char *text;

	(void)state;
	assert_int_equal(
		parse("-f *=0:80:TCP -a PRESHARE:geheim -n BLOCK", &kit_env, &p, &diag), -EINVAL);
	text = diag_text(&diag);
	assert_null(strstr(text, "geheim"));
	free(text);
	diag_free(&diag);
	/* Nor when something else is wrong. */
	assert_int_equal(parse("-q -a PRESHARE:geheim", &kit_env, &p, &diag), -EINVAL);
	text = diag_text(&diag);
	assert_null(strstr(text, "geheim"));
	free(text);
	diag_free(&diag);
}

static void no_arguments(void **state)
{
	struct ipsecpol p = {};
	struct diag diag = {};

	(void)state;
	assert_int_equal(ipsecpol_parse(0, NULL, &kit_env, &p, &diag), -EINVAL);
	assert_int_equal(diag.kind, DIAG_USAGE);
	diag_free(&diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_lines),
		cmocka_unit_test(names_that_fail),
		cmocka_unit_test(names_are_asked_once),
		cmocka_unit_test(secrets_stay_secret),
		cmocka_unit_test(no_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
