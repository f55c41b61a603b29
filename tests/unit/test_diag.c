/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "diag.h"

static void prints(struct diag *diag, const char *expected)
{
	char *text = diag_text(diag);

	assert_string_equal(text, expected);
	free(text);
}

static void message_alone(void **state)
{
	struct diag diag = { 0 };

	(void)state;
	assert_int_equal(diag_set(&diag, DIAG_REFUSED, EBUSY, "no %d", 7), -EBUSY);
	assert_int_equal(diag.kind, DIAG_REFUSED);
	prints(&diag, "bpfpol: no 7\n");
}

static void place_and_caret(void **state)
{
	struct diag diag = { .file = "web.policy", .line = 3 };

	(void)state;
	diag_set(&diag, DIAG_USAGE, EINVAL, "wrong");
	prints(&diag, "bpfpol: web.policy:3: wrong\n");
	diag_place(&diag, "block tpc/80", 6, 3);
	prints(&diag, "bpfpol: web.policy:3:7: wrong\n  block tpc/80\n        ^^^\n");
	diag_place(&diag, "block", 6, 0);
	prints(&diag, "bpfpol: web.policy:3:7: wrong\n  block\n        ^\n");
	diag.line = 0;
	diag_free(&diag);
	prints(&diag, "bpfpol: web.policy: wrong\n");
}

static void caret_lines_up(void **state)
{
	struct diag diag = { .message = "wrong" };

	(void)state;
	diag_place(&diag, "\ta\tb", 3, 1);
	prints(&diag, "bpfpol: wrong\n  \ta\tb\n  \t \t^\n");
	diag_place(&diag, "\xc3\xbc \xc3\xbc\xc3\xbc", 3, 4);
	prints(&diag, "bpfpol: wrong\n  \xc3\xbc \xc3\xbc\xc3\xbc\n    ^^\n");
	diag_free(&diag);
}

static void terminal_is_safe(void **state)
{
	struct diag diag = { .message = "a\033[2J\nb" };

	(void)state;
	diag_place(&diag, "\033]0;x\a", 0, 1);
	prints(&diag, "bpfpol: a?[2J\nb\n  ?]0;x?\n  ^\n");
	/* What ESC [ is, as one character. */
	diag_place(&diag,
		"\xc2\x9b"
		"2J\xc2\xa0\xc2",
		4, 2);
	prints(&diag, "bpfpol: a?[2J\nb\n  ?2J\xc2\xa0\xc2\n     ^\n");
	diag_free(&diag);
}

/* `c` n times, with `what` at `at`: what is shown of it, and the caret below `what`. */
static void shows(size_t n, size_t at, size_t width, const char *line, const char *caret)
{
	struct diag diag = { .message = "wrong" };
	char *text = malloc(n + 1), expected[4096];

	memset(text, 'x', n);
	text[n] = '\0';
	memset(text + at, 'o', width);
	diag_place(&diag, text, at, width);
	snprintf(expected, sizeof(expected), "bpfpol: wrong\n  %s\n  %s\n", line, caret);
	prints(&diag, expected);
	diag_free(&diag);
	free(text);
}

static void long_lines_are_cut(void **state)
{
	char before[65] = "", after[1025] = "", line[2048], caret[2048];

	(void)state;
	memset(before, 'x', 64);
	memset(after, 'x', 1024);
	snprintf(line, sizeof(line), "...%soo%.958s...", before, after);
	snprintf(caret, sizeof(caret), "%67s^^", "");
	shows(200000, 100000, 2, line, caret);
	snprintf(line, sizeof(line), "oo%.1022s...", after);
	shows(200000, 0, 2, line, "^^");
	snprintf(line, sizeof(line), "...%soo", before);
	shows(200000, 199998, 2, line, caret);
	snprintf(line, sizeof(line), "oo%.1022s", after);
	shows(1024, 0, 2, line, "^^");
}

static void system_errors(void **state)
{
	struct diag diag = { 0 };

	(void)state;
	assert_int_equal(diag_errno(&diag, ENOENT, "cannot open %s", "x"), -ENOENT);
	assert_int_equal(diag.kind, DIAG_SYSTEM);
	prints(&diag, "bpfpol: cannot open x: No such file or directory\n");
	diag_errno(&diag, EPERM, "bpf");
	assert_int_equal(diag.kind, DIAG_DENIED);
	diag_errno(&diag, EACCES, "bpf");
	assert_int_equal(diag.kind, DIAG_DENIED);
}

static void long_messages_are_cut(void **state)
{
	struct diag diag = { 0 };
	char text[3000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	diag_errno(&diag, EIO, "%s", text);
	assert_int_equal(strlen(diag.message), sizeof(diag.message) - 1);
}

static void warned_twice_is_once(void **state)
{
	struct diag diag = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		diag_set(&diag, DIAG_SYSTEM, EIO, "file %d", i / 2);
		diag_to_warning(&diag, "lost");
		assert_int_equal(diag.kind, DIAG_NONE);
	}
	assert_string_equal(diag.warnings, "lost: file 0\nlost: file 1\n");
}

static void a_full_disk(void **state)
{
	struct diag diag = { 0 };

	(void)state;
	diag_unwritten(&diag, EIO, "cannot write", "/a/b/c");
	prints(&diag, "bpfpol: cannot write /a/b/c: Input/output error\n");
	diag_unwritten(&diag, ENOSPC, "cannot write", "/a/b/c");
	prints(&diag,
		"bpfpol: cannot write /a/b/c: No space left on device; free some space in /a/b and "
		"try again; nothing is changed\n");
	diag_to_warning(&diag, "done, but");
	assert_string_equal(diag.warnings, "done, but: cannot write /a/b/c: No space left on "
					   "device; free some space in /a/b\n");
	diag_unwritten(&diag, EDQUOT, "cannot make the directory", "c");
	assert_non_null(strstr(diag.message, "quota exceeded; free some space in ."));
	diag_set(&diag, DIAG_SYSTEM, EIO, "and more happened");
	prints(&diag, "bpfpol: and more happened\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_alone),
		cmocka_unit_test(place_and_caret),
		cmocka_unit_test(caret_lines_up),
		cmocka_unit_test(terminal_is_safe),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(system_errors),
		cmocka_unit_test(long_messages_are_cut),
		cmocka_unit_test(warned_twice_is_once),
		cmocka_unit_test(a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
