// SPDX-License-Identifier: GPL-2.0-only
/* What is attached on trial, as it stands on disk. */
#include <zlib.h>

#include "store_kit.h"
#include "tried.h"
#include "tried_parts.h"

#define BODY                                                                                       \
	"confirm 60 1900000000000000000 77 -\nword eth*\ntried eth7\nkept eth0\ninterfaces\neth0 " \
	"auto\n"

/* As it is now: with its first line and its checksum. */
static void put_tried(const char *first, const char *body)
{
	char *text = NULL;
	uLong sum;

	assert_true(asprintf(&text, "%s%s", first, body) > 0);
	sum = crc32(0, (const Bytef *)text, strlen(text));
	free(text);
	assert_true(asprintf(&text, "%s%send %08lx\n", first, body, sum) > 0);
	put("state/tried", text);
	free(text);
}

static void is_read(void)
{
	struct tried t;

	if (tried_load(&t, &diag))
		fail_msg("%s", diag.message);
	assert_int_equal(t.confirm.seconds, 60);
	assert_string_equal(t.lines[0], "word eth*");
	assert_string_equal(t.lines[1], "tried eth7");
	assert_string_equal(t.lines[2], "kept eth0");
	assert_null(t.lines[3]);
	assert_string_equal(t.before, "eth0 auto\n");
	tried_free(&t);
}

static void is_damaged(void)
{
	struct tried t;
	uint64_t left;

	diag_clear(&diag);
	assert_int_equal(tried_load(&t, &diag), -EBADMSG);
	assert_non_null(strstr(diag.message, "stays attached"));
	assert_null(t.text);
	assert_int_equal(tried_left(&left), 0);
	assert_int_equal(left, 0);
}

static void it_reads_back(void **state)
{
	char *lines[] = { "word eth*", "tried eth7", "kept eth0", NULL };
	struct tried t = {
		.confirm = { 60, { 1, 77, "" } }, .lines = lines, .before = "eth0 auto\n"
	};
	struct tried read;

	(void)state;
	t.commit = 7;
	assert_int_equal(tried_save(&t, &diag), 0);
	is_read();
	assert_int_equal(tried_load(&read, &diag), 0);
	assert_int_equal(read.commit, 7);
	tried_free(&read);
	assert_memory_equal(content("state/tried"), "bpfpol tried 1\n", 15);
	/* Cut or changed anywhere it is damaged. */
	for (char *all = strdup(content("state/tried")), *c = all; c; c++) {
		char was = *c;

		if (!was) {
			free(all);
			break;
		}
		*c = '\0';
		put("state/tried", all);
		is_damaged();
		*c = was ^ 1;
		put("state/tried", all);
		is_damaged();
		*c = was;
	}
	t.before = NULL;
	assert_int_equal(tried_save(&t, &diag), 0);
	assert_int_equal(tried_load(&t, &diag), 0);
	assert_null(t.before);
	tried_free(&t);
}

static void one_of_the_first_versions(void **state)
{
	(void)state;
	put("state/tried", BODY);
	is_read();
	put_tried("bpfpol tried 1\n", BODY);
	is_read();
	put_tried("bpfpol tried 2\n", BODY);
	is_damaged();
}

static void what_is_none(void **state)
{
	static const char *const bodies[] = { "", "confirm 60 1 1 -", "confirm 60 1 1 -\n",
		"confirm 0 1 1 -\nnone\n", "confirm 604801 1 1 -\nnone\n",
		"confirm 60 1 1 -\nword \nnone\n", "confirm 60 1 1 -\nrules x\nnone\n",
		"confirm 60 1 1 -\nother x\nnone\n", "confirm 60 1 1 -\nword x\n",
		"confirm 60 1 1 -\nnone\nmore\n", "word x\nnone\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		put("state/tried", bodies[i]);
		is_damaged();
		put_tried("bpfpol tried 1\n", bodies[i]);
		is_damaged();
	}
	put_tried("bpfpol tried 1\n", "confirm 60 1 1 -\nnone\n");
	fuzz_put(in_dir("state/tried"), "confirm 60 1 1 -\nnone\n\0", 23);
	is_damaged();
}

static void a_disk_that_is_full(void **state)
{
	char *lines[] = { "word eth*", NULL };
	struct tried t = { .confirm = { 60, { 1, 77, "" } }, .lines = lines };

	(void)state;
	limit_files(10);
	assert_int_equal(tried_save(&t, &diag), -EFBIG);
	limit_files(RLIM_INFINITY);
	assert_false(is_there("state/tried"));
	assert_int_equal(tried_load(&t, &diag), -ENOENT);
}

static void set_aside(void **state)
{
	(void)state;
	put("state/tried", "rubbish\n");
	is_damaged();
	assert_int_equal(tried_set_aside(&diag), 0);
	assert_false(is_there("state/tried"));
	assert_string_equal(content("state/tried.damaged"), "rubbish\n");
	put("state/tried", "more of it\n");
	assert_int_equal(tried_set_aside(&diag), 0);
	assert_string_equal(content("state/tried.damaged"), "rubbish\n");
	assert_string_equal(content("state/tried.damaged.2"), "more of it\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = { T(it_reads_back), T(one_of_the_first_versions),
		T(what_is_none), T(a_disk_that_is_full), T(set_aside) };

	use_own_disk();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
