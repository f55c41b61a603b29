// SPDX-License-Identifier: GPL-2.0-only
/* Captures and copies of them on a disk: what cannot be read or written is told, and leaves
 * nothing. */
#include "store_kit.h"

#include "capture.h"

/* A pcap of Ethernet frames in this machine's byte order: its head, and one record of 4 bytes. */
static const uint32_t whole[] = { 0xa1b2c3d4, 4 << 16 | 2, 0, 0, 65535, 1, 7, 5, 4, 60,
	0x01020304 };

static void put_capture(const char *name, size_t size, uint32_t link)
{
	uint32_t words[sizeof(whole) / sizeof(whole[0])];

	memcpy(words, whole, sizeof(whole));
	words[5] = link;
	fuzz_put(in_dir(name), words, size);
}

static struct capture *opened(const char *name)
{
	struct capture *c = NULL;

	if (capture_open(in_dir(name), &c, &diag))
		fail_msg("%s", diag.message);
	return c;
}

static void refused(const char *name, const char *why)
{
	struct capture *c = NULL;

	assert_true(capture_open(in_dir(name), &c, &diag) < 0);
	assert_null(c);
	assert_int_equal(diag.kind, DIAG_USAGE);
	if (!strstr(diag.message, why))
		fail_msg("%s", diag.message);
	diag_clear(&diag);
}

static void what_is_none(void **state)
{
	(void)state;
	refused("nowhere", "cannot read the capture");
	refused("state", "is a directory");
	put("text", "no capture at all, but long enough to be one");
	refused("text", "no capture that can be read");
	put_capture("wifi", sizeof(whole), 105);
	refused("wifi", "IEEE802_11");
	put_capture("unknown", sizeof(whole), 200);
	refused("unknown", "link type");
}

static void records(void **state)
{
	struct capture_record record;
	struct capture *c;

	(void)state;
	put_capture("one", sizeof(whole), 1);
	c = opened("one");
	assert_false(capture_l3(c));
	assert_int_equal(capture_next(c, &record, &diag), 1);
	assert_int_equal(record.caplen, 4);
	assert_int_equal(record.len, 60);
	assert_int_equal(record.nanoseconds, 5000);
	assert_true(capture_read(c) > 0.99);
	assert_int_equal(capture_next(c, &record, &diag), 0);
	capture_free(&c);
	capture_free(&c);
	put_capture("cut", sizeof(whole) - 2, 101);
	c = opened("cut");
	assert_true(capture_l3(c));
	assert_true(capture_next(c, &record, &diag) < 0);
	assert_non_null(strstr(diag.message, "beyond its packet 0"));
	capture_free(&c);
}

static int copy_to(const struct capture *c, const char *name)
{
	struct capture_copy *copy = NULL;
	struct capture_record record = { .data = (const uint8_t *)"abcd", .caplen = 4, .len = 9 };
	int rc = capture_copy_begin(c, in_dir(name), &copy, &diag);

	assert_int_equal(!rc, copy != NULL);
	if (!rc)
		rc = capture_copy_add(copy, &record, &diag);
	if (!rc)
		rc = capture_copy_end(copy, &diag);
	capture_copy_free(&copy);
	return rc;
}

/* No file is there but those. */
static void left(const char *names)
{
	char command[400];

	snprintf(command, sizeof(command), "test \"$(cd %s && ls | tr '\\n' ' ')\" = '%s'",
		fuzz_dir(), names);
	assert_int_equal(system(command), 0);
}

static void copies(void **state)
{
	struct capture_record record;
	struct capture *c, *copy;

	(void)state;
	put_capture("one", sizeof(whole), 1);
	c = opened("one");
	assert_int_equal(copy_to(c, "copy"), 0);
	copy = opened("copy");
	assert_int_equal(capture_next(copy, &record, &diag), 1);
	assert_int_equal(record.len, 9);
	assert_memory_equal(record.data, "abcd", 4);
	capture_free(&copy);
	/* What a link names is replaced, not the link. */
	assert_int_equal(symlink("copy", in_dir("link")), 0);
	put("copy", "");
	assert_int_equal(copy_to(c, "link"), 0);
	copy = opened("copy");
	capture_free(&copy);
	capture_free(&c);
}

static void copies_that_cannot_be(void **state)
{
	struct capture *c;

	(void)state;
	put_capture("one", sizeof(whole), 1);
	c = opened("one");
	assert_int_equal(copy_to(c, "one"), -EEXIST); /* it is the one that is read */
	assert_non_null(strstr(diag.message, "capture that is read"));
	assert_int_equal(copy_to(c, "state"), -EEXIST);
	assert_non_null(strstr(diag.message, "no file"));
	assert_true(copy_to(c, "nowhere/copy") < 0);
	put("file", "x");
	assert_int_equal(copy_to(c, "file/copy"), -ENOTDIR);
	assert_non_null(strstr(diag.message, "cannot write"));
	limit_files(30); /* the head, and a part of the record */
	assert_true(copy_to(c, "copy") < 0);
	limit_files(RLIM_INFINITY);
	left("conf file one state ");
	capture_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(what_is_none), T(records), T(copies),
		T(copies_that_cannot_be) };

	use_own_disk();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
