/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The arguments of ipsecpol by example. ipsecpol.ok: a command line, what it asks for, its rules,
 * and an empty line. ipsecpol.bad: a command line, exactly what is said about it, and an empty
 * line. The names, files and interfaces of that host are those of ipsecpol_kit.h. The directory is
 * argv[1], or tests/golden.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "golden.h"
#include "ipsecpol_kit.h"

static void put_asked(FILE *out, const struct ipsecpol *p)
{
	const struct {
		bool is;
		const char *word;
	} words[] = { { p->help, " help" }, { p->assign, " assign" }, { p->unassign, " unassign" },
		{ p->delete, " delete" }, { p->drop_dynamic, " drop-dynamic" },
		{ p->confirm, " confirm" }, { p->lan, " lan" }, { p->dialup, " dialup" },
		{ p->poll, " poll" } };

	fputs(p->stored ? "stored" : "dynamic", out);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		fputs(words[i].is ? words[i].word : "", out);
	fprintf(out, p->policy->name[0] ? " policy \"%s\"\n" : "\n", p->policy->name);
}

static char *outcome(const struct ipsecpol *p)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	put_asked(out, p);
	for (size_t i = 0; i < p->policy->n; i++) {
		char *rule = spec_text(p->policy->rules[i], SPEC_ALL);

		fprintf(out, "%s\n", rule);
		free(rule);
	}
	for (size_t i = 0; i < p->n_names; i++)
		fprintf(out, "looked up %s: %zu\n", p->names[i].name, p->names[i].addresses.n);
	fclose(out);
	return text;
}

static char *give(const char *input)
{
	char *copy = strdup(input), *words[KIT_WORDS], *text;
	struct ipsecpol p = {};
	struct diag diag = {};
	int n = kit_words(copy, words);
	int rc = ipsecpol_parse(n, words, &kit_env, &p, &diag);

	if (rc) {
		assert_null(p.policy);
		assert_int_equal(diag.kind, rc == -ENOENT ? DIAG_UNKNOWN : DIAG_USAGE);
		text = diag_text(&diag);
	} else {
		assert_int_equal(diag.kind, DIAG_NONE);
		text = outcome(&p);
	}
	diag_free(&diag);
	ipsecpol_free(&p);
	free(copy);
	return text;
}

static void check_file(const char *name, bool good)
{
	char *text = read_whole(name), *rest = text;
	int n = 0;

	while (rest && *rest) {
		char *record = rest, *end = strstr(record, "\n\n"), *expected, *got;

		rest = end ? end + 2 : NULL;
		if (end)
			end[1] = '\0';
		expected = strchr(record, '\n');
		if (!expected || record[0] == '#')
			continue;
		*expected++ = '\0';
		got = give(record);
		if (strcmp(got, expected) || !strncmp(got, "bpfpol: ", 8) == good)
			fail_msg("%s\nexpected:\n%s\ngot:\n%s", record, expected, got);
		free(got);
		n++;
	}
	assert_true(n > 0);
	free(text);
}

static void accepted(void **state)
{
	(void)state;
	check_file("ipsecpol.ok", true);
}

static void refused(void **state)
{
	(void)state;
	check_file("ipsecpol.bad", false);
}

/* The rule that the manual shows: " Ta " stands between it and the SPEC. */
static void check_shown(const struct policy *policy, size_t index, const char *shown)
{
	char *text;

	if (index >= policy->n)
		fail_msg("the manual shows one rule more: %s", shown);
	text = spec_text(policy->rules[index], SPEC_MATCH);
	assert_string_equal(text, shown);
	free(text);
}

/* The manual's table of SPECs is true: each makes the rules beside it, and those alone. */
static void manual(void **state)
{
	char *text = read_whole("../../man/bpfpol-ipsecpol.8"), *rest, *line;
	struct ipsecpol p = {};
	struct diag diag = {};
	size_t n = 0, specs = 0;

	(void)state;
	rest = strstr(text, ".It Em SPEC Ta Em rule\n");
	assert_non_null(rest);
	strsep(&rest, "\n");
	while ((line = strsep(&rest, "\n")) && strcmp(line, ".El")) {
		char *shown = strstr(line, " Ta "), *spec = line + strlen(".It ");

		assert_non_null(shown);
		*shown = '\0';
		shown += strlen(" Ta ");
		if (strcmp(spec, "\\&")) {
			char *argv[] = { "-n", "BLOCK", "-f", spec };

			assert_true(!p.policy || n == p.policy->n);
			ipsecpol_free(&p);
			if (ipsecpol_parse(4, argv, &kit_env, &p, &diag))
				fail_msg("%s: %s", spec, diag.message);
			n = 0;
			specs++;
		}
		check_shown(p.policy, n++, shown);
	}
	assert_true(specs > 5 && n == p.policy->n);
	ipsecpol_free(&p);
	free(text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted),
		cmocka_unit_test(refused),
		cmocka_unit_test(manual),
	};

	if (argc > 1)
		dir = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
