/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rule language by example: rules.ok (input => canonical text) and rules.bad (input, then
 * exactly what is said about it); packets.ok and packets.bad likewise, of `explain`. The directory
 * is argv[1], or tests/golden.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "golden.h"
#include "spec.h"

typedef int (*parse_fn)(const char *line, struct rule **rule, struct diag *diag);

static int parse_rule(const char *line, struct rule **rule, struct diag *diag)
{
	const struct spec_opts opts = { .action = -1 };

	return spec_parse_line(line, &opts, rule, diag);
}

static int parse_packet(const char *line, struct rule **rule, struct diag *diag)
{
	struct spec_packet packet = { 0 };
	int err = spec_parse_packet(1, (char *[]){ (char *)line }, &packet, diag);

	*rule = packet.rule;
	packet.rule = NULL;
	spec_packet_free(&packet);
	return err;
}

/* The canonical text of a rule that must be good; caller frees. */
static char *canonical(parse_fn parse, const char *input)
{
	struct diag diag = { 0 };
	struct rule *rule = NULL;
	char *text;

	if (parse(input, &rule, &diag))
		fail_msg("%s: %s", input, diag.message);
	text = spec_text(rule, parse == parse_rule ? SPEC_ALL : SPEC_MATCH);
	rule_free(&rule);
	return text;
}

static void check_ok(parse_fn parse, const char *input, const char *expected)
{
	char *once = canonical(parse, input), *again = canonical(parse, once);

	assert_string_equal(once, expected);
	assert_string_equal(again, expected);
	free(once);
	free(again);
}

static void all_ok(parse_fn parse, const char *name)
{
	char *text = read_whole(name), *rest = text, *line;
	int n = 0;

	while ((line = strsep(&rest, "\n"))) {
		char *arrow = strstr(line, " => ");

		if (!arrow || line[0] == '#')
			continue;
		*arrow = '\0';
		check_ok(parse, line, arrow + 4);
		n++;
	}
	assert_true(n > 0);
	free(text);
}

static void rules_ok(void **state)
{
	(void)state;
	all_ok(parse_rule, "rules.ok");
}

static void packets_ok(void **state)
{
	(void)state;
	all_ok(parse_packet, "packets.ok");
}

static void check_bad(parse_fn parse, const char *input, const char *expected)
{
	struct diag diag = { 0 };
	struct rule *rule = NULL;
	char *text;

	if (!parse(input, &rule, &diag))
		fail_msg("%s: is accepted", input);
	assert_null(rule);
	assert_int_equal(diag.kind, DIAG_USAGE);
	text = diag_text(&diag);
	assert_string_equal(text, expected);
	free(text);
	diag_free(&diag);
}

static void all_bad(parse_fn parse, const char *name)
{
	char *text = read_whole(name), *rest = text, *record;
	int n = 0;

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
		check_bad(parse, record, message);
		n++;
	}
	assert_true(n > 0);
	free(text);
}

static void rules_bad(void **state)
{
	(void)state;
	all_bad(parse_rule, "rules.bad");
}

static void packets_bad(void **state)
{
	(void)state;
	all_bad(parse_packet, "packets.bad");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_ok),
		cmocka_unit_test(rules_bad),
		cmocka_unit_test(packets_ok),
		cmocka_unit_test(packets_bad),
	};

	if (argc > 1)
		dir = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
