/* SPDX-License-Identifier: GPL-2.0-only */
/* The picture: widths, cutting, what must not reach a terminal. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "canvas.h"

#define WIDTH 10

/* What a line of ten columns looks like when text was put in so many cells. */
static void expect(bool utf8, int cells, const char *text, const char *line, int written)
{
	struct canvas c;

	assert_int_equal(canvas_new(&c, WIDTH, 1, utf8), 0);
	canvas_put(&c, 0, STYLE_PLAIN, cells, text);
	assert_string_equal(c.lines[0].text, line);
	assert_int_equal(c.lines[0].cells, written);
	assert_int_equal(canvas_left(&c, 0), WIDTH - written);
	canvas_free(&c);
}

static void test_fits(void **state)
{
	expect(true, 0, "", "", 0);
	expect(true, 3, "", "   ", 3);
	expect(true, 0, "abc", "abc", 3);
	expect(true, 5, "abc", "abc  ", 5);
	expect(true, 0, "abcdefghij", "abcdefghij", 10);
	expect(true, 99, "ab", "ab        ", 10);
}

static void test_cut(void **state)
{
	expect(true, 0, "abcdefghijk", "abcdefghi\xe2\x80\xa6", 10);
	expect(false, 0, "abcdefghijk", "abcdefghi~", 10);
	expect(false, 3, "abcd", "ab~", 3);
	expect(false, 1, "abcd", "~", 1);
}

/* Two columns wide, none at all, and one that does not fit into what is left of two. */
static void test_widths(void **state)
{
	expect(true, 0, "gr\xc3\xbcn", "gr\xc3\xbcn", 4);
	expect(true, 0, "\xe7\x94\xb0x", "\xe7\x94\xb0x", 3);
	expect(true, 0, "e\xcc\x81x", "e\xcc\x81x", 2);
	expect(true, 4, "\xe7\x94\xb0\xe7\x94\xb0\xe7\x94\xb0", "\xe7\x94\xb0\xe2\x80\xa6 ", 4);
	expect(true, 3, "\xe7\x94\xb0\xe7\x94\xb0\xe7\x94\xb0", "\xe7\x94\xb0\xe2\x80\xa6", 3);
	expect(false, 0, "gr\xc3\xbcn \xe7\x94\xb0", "gr?n ?", 6);
}

/* Escapes, direction marks, bytes that are no letters. */
static void test_unsafe(void **state)
{
	expect(true, 0, "a\x1b[2J\x07\x7f", "a?[2J??", 7);
	expect(true, 0,
		"a\xe2\x80\xae"
		"b",
		"a?b", 3);
	expect(true, 0, "a\xff\xc3", "a??", 3);
	expect(true, 0,
		"\xc2\x9b"
		"1m",
		"?1m", 3);
}

/* Marks without width are dropped where they would fill the memory of a line. */
static void test_marks(void **state)
{
	char text[2001] = "a";
	struct canvas c;

	for (int i = 1; i < 1998; i += 2)
		memcpy(text + i, "\xcc\x81", 3);
	assert_int_equal(canvas_new(&c, WIDTH, 1, true), 0);
	canvas_put(&c, 0, STYLE_PLAIN, 0, text);
	assert_true(c.lines[0].len <= WIDTH * 8);
	assert_int_equal(c.lines[0].cells, 1);
	canvas_free(&c);
}

static void test_runs(void **state)
{
	struct canvas c;

	assert_int_equal(canvas_new(&c, WIDTH, 2, true), 0);
	canvas_put(&c, 1, STYLE_PLAIN, 0, "ab");
	canvas_put(&c, 1, STYLE_PLAIN, 0, "c");
	canvas_put(&c, 1, STYLE_ALERT, 0, "d");
	canvas_printf(&c, 1, STYLE_PLAIN, 0, "%d", 7);
	assert_int_equal(c.lines[1].n_runs, 3);
	assert_int_equal(c.lines[1].runs[1].style, STYLE_ALERT);
	assert_int_equal(c.lines[1].runs[1].at, 3);
	assert_int_equal(c.lines[1].runs[2].at, 4);
	assert_int_equal(c.lines[0].cells, 0);
	/* Below the picture. */
	canvas_put(&c, 2, STYLE_PLAIN, 0, "x");
	assert_int_equal(canvas_left(&c, 2), 0);
	for (int i = 0; i < 100; i++)
		canvas_put(&c, 0, i % 2 ? STYLE_PLAIN : STYLE_ALERT, 1, "x");
	assert_int_equal(c.lines[0].cells, WIDTH);
	canvas_free(&c);
}

static void test_no_size(void **state)
{
	struct canvas c;

	assert_int_equal(canvas_new(&c, 0, 1, true), 0);
	canvas_put(&c, 0, STYLE_PLAIN, 0, "x");
	assert_int_equal(c.lines[0].len, 0);
	canvas_free(&c);
	assert_int_equal(canvas_new(&c, 5, 0, true), 0);
	canvas_put(&c, 0, STYLE_PLAIN, 0, "x");
	canvas_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_unsafe),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_no_size),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
