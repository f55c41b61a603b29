// SPDX-License-Identifier: GPL-2.0-only
/* Packets in a capture, with comments of every length: blocks that are whole, and all options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pcapng.h"

#define COMMENT 1
#define FLAGS 2
#define IN 1
#define MOST 4096 /* bytes of a block's options */

static uint32_t word(const char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* The options of the last block, whose packet is of no bytes. Returns the comment's length. */
static size_t read_options(const char *text, size_t len, uint32_t *flags)
{
	const char *end = text + len - 4, *at = text + len - word(end) + 28;
	size_t comment = 0;
	uint16_t head[2];

	assert_in_range(word(end), 32, len);
	assert_int_equal(word(text + len - word(end) + 4), word(end));
	assert_in_range(end - at, 4, MOST);
	for (memcpy(head, at, 4); head[0]; memcpy(head, at, 4)) {
		if (head[0] == FLAGS)
			*flags = word(at + 4);
		if (head[0] == COMMENT)
			comment = head[1];
		at += 4 + (head[1] + 3) / 4 * 4;
		assert_true(at < end);
	}
	assert_ptr_equal(at + 4, end);
	return comment;
}

static size_t comment_of(size_t label)
{
	const struct bp_event event = { .rule = 1, .hook = BP_XDP, .blocked = 1 };
	struct rule rule = { .id = 1, .label = calloc(1, label + 1) };
	const struct watched w = { .event = &event, .rule = &rule };
	struct pcapng p;
	char *text = NULL;
	size_t len = 0, comment;
	uint32_t flags = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_non_null(rule.label);
	memset(rule.label, 'x', label);
	pcapng_begin(&p, out);
	assert_int_equal(pcapng_put(&p, &w), 0);
	pcapng_end(&p);
	fclose(out);
	comment = read_options(text, len, &flags);
	assert_int_equal(flags, IN);
	free(text);
	free(rule.label);
	return comment;
}

static void test_long_comments(void **state)
{
	size_t beside = comment_of(100) - 100, last = 0;

	(void)state;
	for (size_t label = 3900; label < 4200; label++) {
		size_t comment = comment_of(label);

		assert_true(comment == label + beside || comment > 4000);
		assert_true(comment >= last);
		last = comment;
	}
	assert_true(comment_of(100000) == last);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_long_comments) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
