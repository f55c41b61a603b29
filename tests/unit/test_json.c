/* SPDX-License-Identifier: GPL-2.0-only */
/* The JSON writer: what it writes is read back by jansson, a reader that is not ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "json.h"

/* A document that is being written to memory. */
struct doc {
	struct jw j;
	FILE *out;
	char *text;
	size_t len;
};

static void doc_begin(struct doc *d)
{
	d->out = open_memstream(&d->text, &d->len);
	assert_non_null(d->out);
	jw_begin(&d->j, d->out);
}

static void doc_end(struct doc *d)
{
	assert_int_equal(fclose(d->out), 0);
}

/* Reads the document back; refuses what is not JSON, and repeated keys. */
static json_t *doc_read(const struct doc *d)
{
	json_error_t error;
	json_t *root = json_loadb(d->text, d->len, JSON_REJECT_DUPLICATES, &error);

	if (!root)
		fail_msg("%s at %d:%d of %s", error.text, error.line, error.column, d->text);
	return root;
}

/* What a reader gets back for `value`. Caller frees. */
static char *through(const char *value)
{
	struct doc d;
	json_t *root;
	char *copy;

	doc_begin(&d);
	jw_object(&d.j, NULL);
	jw_str(&d.j, value, value);
	jw_object_end(&d.j);
	doc_end(&d);
	root = doc_read(&d);
	copy = strdup(json_string_value(json_object_iter_value(json_object_iter(root))));
	assert_non_null(copy);
	assert_string_equal(copy, json_object_iter_key(json_object_iter(root)));
	json_decref(root);
	free(d.text);
	return copy;
}

static void expect_through(const char *value, const char *expected)
{
	char *got = through(value);

	assert_string_equal(got, expected);
	free(got);
}

static void test_layout(void **state)
{
	struct doc d;

	(void)state;
	doc_begin(&d);
	jw_object(&d.j, NULL);
	jw_str(&d.j, "name", "local");
	jw_array(&d.j, "rules");
	jw_u64(&d.j, NULL, 1);
	jw_object(&d.j, NULL);
	jw_bool(&d.j, "off", false);
	jw_object_end(&d.j);
	jw_array_end(&d.j);
	jw_array(&d.j, "none");
	jw_array_end(&d.j);
	jw_object(&d.j, "empty");
	jw_object_end(&d.j);
	jw_null(&d.j, "last");
	jw_object_end(&d.j);
	doc_end(&d);
	assert_string_equal(d.text, "{\n"
				    "  \"name\": \"local\",\n"
				    "  \"rules\": [\n"
				    "    1,\n"
				    "    {\n"
				    "      \"off\": false\n"
				    "    }\n"
				    "  ],\n"
				    "  \"none\": [],\n"
				    "  \"empty\": {},\n"
				    "  \"last\": null\n"
				    "}\n");
	json_decref(doc_read(&d));
	free(d.text);
}

static void test_values(void **state)
{
	int is_true = 0;
	json_int_t low = 0;
	const char *text = "x";
	struct doc d;
	json_t *root;

	(void)state;
	doc_begin(&d);
	jw_object(&d.j, NULL);
	jw_i64(&d.j, "low", INT64_MIN);
	jw_u64(&d.j, "big", UINT32_MAX);
	jw_bool(&d.j, "true", true);
	jw_str(&d.j, "null", NULL);
	jw_str(&d.j, "text", "");
	jw_object_end(&d.j);
	doc_end(&d);
	root = doc_read(&d);
	assert_int_equal(json_unpack(root, "{s:I, s:b, s:n, s:s}", "low", &low, "true", &is_true,
				 "null", "text", &text),
		0);
	assert_true(low == INT64_MIN && is_true);
	assert_int_equal(json_integer_value(json_object_get(root, "big")), UINT32_MAX);
	assert_string_equal(text, "");
	json_decref(root);
	free(d.text);
}

/* Beyond what jansson reads: the digits themselves. */
static void test_largest_number(void **state)
{
	struct doc d;

	(void)state;
	doc_begin(&d);
	jw_array(&d.j, NULL);
	jw_u64(&d.j, NULL, UINT64_MAX);
	jw_array_end(&d.j);
	doc_end(&d);
	assert_string_equal(d.text, "[\n  18446744073709551615\n]\n");
	free(d.text);
}

static void test_escapes(void **state)
{
	char value[4];

	(void)state;
	for (int c = 1; c < 0x80; c++) {
		snprintf(value, sizeof(value), "a%cb", c);
		expect_through(value, value);
	}
	expect_through("\\\"/\b\f\n\r\t", "\\\"/\b\f\n\r\t");
}

static void test_utf8(void **state)
{
	static const char *const whole[] = {
		"\xc2\x80",
		"\xdf\xbf",
		"\xe0\xa0\x80",
		"\xed\x9f\xbf",
		"\xee\x80\x80",
		"\xef\xbf\xbf",
		"\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf",
		"gr\xc3\xbc\xc3\x9f",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++)
		expect_through(whole[i], whole[i]);
}

#define BAD "\xef\xbf\xbd"

static void test_not_utf8(void **state)
{
	(void)state;
	expect_through("\x80", BAD);
	expect_through("a\xff"
		       "b",
		"a" BAD "b");
	expect_through("\xc3", BAD);
	expect_through("\xc3(", BAD "(");
	expect_through("\xe2\x82", BAD BAD);
	expect_through("\xc0\xaf", BAD BAD); /* overlong */
	expect_through("\xe0\x9f\xbf", BAD BAD BAD);
	expect_through("\xf0\x8f\xbf\xbf", BAD BAD BAD BAD);
	expect_through("\xed\xa0\x80", BAD BAD BAD);	     /* surrogate */
	expect_through("\xf4\x90\x80\x80", BAD BAD BAD BAD); /* beyond U+10FFFF */
	expect_through("\xf8\x88\x80\x80\x80", BAD BAD BAD BAD BAD);
}

static void test_depth(void **state)
{
	struct doc d;

	(void)state;
	doc_begin(&d);
	for (int i = 0; i < JW_DEPTH - 1; i++)
		jw_array(&d.j, NULL);
	for (int i = 0; i < JW_DEPTH - 1; i++)
		jw_array_end(&d.j);
	doc_end(&d);
	json_decref(doc_read(&d));
	free(d.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_largest_number),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_not_utf8),
		cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
