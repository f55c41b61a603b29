/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rule language by example: rules.ok (input => canonical text) and rules.bad (input, then
 * exactly what is said about it). The directory is argv[1], or tests/golden.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "spec.h"

static const char *dir = "tests/golden";
static const struct spec_opts opts = { .action = -1 };

static char *read_whole(const char *name)
{
	char *path, *text = NULL;
	size_t size = 0;
	FILE *file;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	file = fopen(path, "r");
	if (!file)
		fail_msg("cannot read %s", path);
	assert_true(getdelim(&text, &size, '\0', file) > 0);
	fclose(file);
	free(path);
	return text;
}

/* The canonical text of a rule that must be good; caller frees. */
static char *canonical(const char *input)
{
	struct diag diag = { 0 };
	struct rule *rule = NULL;
	char *text;

	if (spec_parse_line(input, &opts, &rule, &diag))
		fail_msg("%s: %s", input, diag.message);
	text = spec_text(rule, SPEC_ALL);
	rule_free(&rule);
	return text;
}

static void check_ok(const char *input, const char *expected)
{
	char *once = canonical(input), *again = canonical(once);

	assert_string_equal(once, expected);
	assert_string_equal(again, expected);
	free(once);
	free(again);
}

static void rules_ok(void **state)
{
	char *text = read_whole("rules.ok"), *rest = text, *line;
	int n = 0;

	(void)state;
	while ((line = strsep(&rest, "\n"))) {
		char *arrow = strstr(line, " => ");

		if (!arrow || line[0] == '#')
			continue;
		*arrow = '\0';
		check_ok(line, arrow + 4);
		n++;
	}
	assert_true(n > 0);
	free(text);
}

static void check_bad(const char *input, const char *expected)
{
	struct diag diag = { 0 };
	struct rule *rule = NULL;
	char *text;

	if (!spec_parse_line(input, &opts, &rule, &diag))
		fail_msg("%s: is accepted", input);
	assert_null(rule);
	assert_int_equal(diag.kind, DIAG_USAGE);
	text = diag_text(&diag);
	assert_string_equal(text, expected);
	free(text);
	diag_free(&diag);
}

static void rules_bad(void **state)
{
	char *text = read_whole("rules.bad"), *rest = text, *record;
	int n = 0;

	(void)state;
	while (rest && *rest) {
		char *end, *message;

		record = rest;
		end = strstr(record, "\n\n");
		rest = end ? end + 2 : NULL;
		if (end)
			end[1] = '\0';
		message = strchr(record, '\n');
		if (!message || record[0] == '#')
			continue;
		*message++ = '\0';
		check_bad(record, message);
		n++;
	}
	assert_true(n > 0);
	free(text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_ok),
		cmocka_unit_test(rules_bad),
	};

	if (argc > 1)
		dir = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
