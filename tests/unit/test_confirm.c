// SPDX-License-Identifier: GPL-2.0-only
/* How much of the time to confirm a change is left, whatever the clocks do; and its line. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "confirm.h"

#define S 1000000000ULL

static const struct moment begin = { 1000 * S, 50 * S, "boot-1" };

static uint64_t left(uint64_t real, uint64_t boot, const char *id)
{
	struct moment now = { real * S, boot * S, "" };
	struct confirm c;

	strcpy(now.boot_id, id);
	confirm_begin(&c, 60, &begin);
	return confirm_left(&c, &now) / S;
}

/* The clock that nobody can set; the other one may say what it likes. */
static void same_boot(void **state)
{
	assert_int_equal(left(1000, 50, "boot-1"), 60);
	assert_int_equal(left(1000, 109, "boot-1"), 1);
	assert_int_equal(left(1000, 110, "boot-1"), 0);
	assert_int_equal(left(5, 51, "boot-1"), 59);
	assert_int_equal(left(999999, 51, "boot-1"), 59);
}

static void another_boot(void **state)
{
	assert_int_equal(left(1010, 1, "boot-2"), 50);
	assert_int_equal(left(1060, 1, "boot-2"), 0);
	assert_int_equal(left(1000, 1, "boot-2"), 60);
	assert_int_equal(left(1010, 1, ""), 50);
}

/* Set back to before it began: no boot may prolong it again and again. */
static void clock_set_back(void **state)
{
	assert_int_equal(left(999, 1, "boot-2"), 0);
	assert_int_equal(left(0, 1, "boot-2"), 0);
}

static void boot_unknown(void **state)
{
	struct moment unknown = { 1000 * S, 50 * S, "" }, later = { 1001 * S, 2 * S, "" };
	struct confirm c;

	confirm_begin(&c, 60, &unknown);
	assert_int_equal(confirm_left(&c, &later), 59 * S);
}

static uint64_t over(uint64_t real, uint64_t boot, const char *id)
{
	struct moment now = { real * S, boot * S, "" };
	struct confirm c;

	strcpy(now.boot_id, id);
	confirm_begin(&c, 60, &begin);
	return confirm_over(&c, &now);
}

/* The calendar says when, as it is set now; never in the future. */
static void when_it_was(void **state)
{
	(void)state;
	assert_int_equal(over(1065, 115, "boot-1"), 1060);
	assert_int_equal(over(5005, 115, "boot-1"), 5000);
	assert_int_equal(over(3, 115, "boot-1"), 1);
	assert_int_equal(over(1100, 4, "boot-2"), 1060);
	assert_int_equal(over(990, 4, "boot-2"), 990);
}

static char *print(const struct confirm *c)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	confirm_print(out, c);
	fclose(out);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void reads_back(void **state)
{
	struct moment now = begin;

	for (int i = 0; i < 2; i++) {
		struct confirm c, again;
		char *text;

		confirm_begin(&c, 60, &now);
		text = print(&c);
		assert_int_equal(confirm_parse(text, &again), 0);
		assert_int_equal(again.seconds, 60);
		assert_true(again.by.real == 1060 * S && again.by.boot == 110 * S);
		assert_string_equal(again.by.boot_id, now.boot_id);
		free(text);
		now.boot_id[0] = '\0'; /* it is not known */
	}
}

static void is_none(void **state)
{
	static const char *const bad[] = { "", "confirm", "confirm 60", "confirm 60 1 2",
		"confirm 0 1 2 a", "confirm 604801 1 2 a", "confirm 60 1 2 a b", "confirm x 1 2 a",
		"confirm 60 1 2 0123456789012345678901234567890123456" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct confirm c = { .seconds = 7 };

		assert_int_equal(confirm_parse(bad[i], &c), -EBADMSG);
		assert_int_equal(c.seconds, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_boot),
		cmocka_unit_test(another_boot),
		cmocka_unit_test(clock_set_back),
		cmocka_unit_test(boot_unknown),
		cmocka_unit_test(when_it_was),
		cmocka_unit_test(reads_back),
		cmocka_unit_test(is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
