// SPDX-License-Identifier: GPL-2.0-only
/* Packets that are drawn from filters, and how many come by the key of a filter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drawn.h"
#include "spec.h"

#define PACKETS 1024  /* drawn from the filters */
#define STRANGERS 512 /* what the others count together */

static int keep(const struct filter *f, void *arg)
{
	struct filter *to = arg;

	*to = *f;
	return 1;
}

static struct filter filter_of(const char *line)
{
	const struct spec_opts opts = { .action = -1 };
	struct rule *rule = NULL;
	struct diag diag = {};
	struct filter f;

	assert_int_equal(spec_parse_line(line, &opts, &rule, &diag), 0);
	assert_int_equal(filter_each(rule, keep, &f), 1);
	rule_free(&rule);
	return f;
}

/* n hosts of 10.1.0.0/16. */
static struct filter *hosts(const char *action, size_t n)
{
	struct filter *v = calloc(n, sizeof(*v));
	char line[64];

	for (size_t i = 0; i < n; i++) {
		snprintf(line, sizeof(line), "%s in from 10.1.%zu.%zu", action, i / 256, i % 256);
		v[i] = filter_of(line);
	}
	return v;
}

static double meet(struct drawn *d, const struct filter *v, size_t n, struct mask mask)
{
	struct meeting *m = calloc(n, sizeof(*m));
	double times;

	for (size_t i = 0; i < n; i++)
		m[i] = drawn_meeting(d, &v[i]);
	assert_int_equal(drawn_meet(d, &mask, m, n, &times), 0);
	free(m);
	return times;
}

/* Under its whole key each is met by its own packets; under an empty one by all there are. */
static void test_keys(void **state)
{
	const size_t n = 512;
	struct merge_shape shape = { .count = n, .sample = hosts("block", n), .n_sample = n };
	struct drawn *d = NULL;

	shape.shape = shape.sample[0].shape;
	assert_int_equal(drawn_new(&shape, 1, &d), 0);
	for (int again = 0; again < 2; again++) {
		assert_true(meet(d, shape.sample, n, mask_of(&shape.shape)) == PACKETS);
		assert_true(
			meet(d, shape.sample, n, (struct mask){ 0 }) == n * (PACKETS + STRANGERS));
	}
	assert_true(meet(d, &shape.sample[7], 1, mask_of(&shape.shape)) == PACKETS / n);
	drawn_free(&d);
	free(shape.sample);
}

/* One prefix over hosts: of as many packets as there are filters one is its own. */
static double prefix_met(const char *action)
{
	struct merge_shape shapes[2] = { { .count = 1, .n_sample = 1 },
		{ .count = PACKETS - 1, .n_sample = PACKETS - 1 } };
	struct drawn *d = NULL;
	struct filter prefix;
	struct mask mask;
	char line[64];
	double met;

	snprintf(line, sizeof(line), "%s in from 10.1.0.0/16", action);
	prefix = filter_of(line);
	shapes[0].sample = &prefix;
	shapes[0].shape = prefix.shape;
	shapes[1].sample = hosts(action, PACKETS - 1);
	shapes[1].shape = shapes[1].sample[0].shape;
	assert_int_equal(drawn_new(shapes, 2, &d), 0);
	mask = mask_of(&prefix.shape);
	assert_true(meet(d, shapes[1].sample, 1, mask) >= PACKETS);
	met = meet(d, &prefix, 1, mask);
	drawn_free(&d);
	free(shapes[1].sample);
	return met;
}

/* A packet that a more specific filter matches does not meet what could not win any more. */
static void test_ranks(void **state)
{
	assert_true(prefix_met("block") >= 1);
	assert_true(prefix_met("block") <= 1 + STRANGERS / 4);
	assert_true(prefix_met("count") >= PACKETS); /* all of those are looked at */
}

/* More masks than are kept: those that come again are made again, and say the same. */
static void test_many_masks(void **state)
{
	struct filter f = filter_of("block in tcp from 10.0.0.0/8 to 10.1.1.1");
	struct merge_shape shape = { .shape = f.shape, .count = 1, .sample = &f, .n_sample = 1 };
	struct mask mask = mask_of(&f.shape);
	struct drawn *d = NULL;

	assert_int_equal(drawn_new(&shape, 1, &d), 0);
	for (int i = 0; i < 3; i++)
		for (mask.rlen = 0; mask.rlen <= 8; mask.rlen++)
			for (int more = 0; more < 4 * 33; more++) {
				mask.llen = more % 33;
				mask.rport = more / 33 & 1;
				mask.lport = more / 66;
				/* Of a port that the filter does not ask for a key holds any. */
				if (!mask.rport && !mask.lport)
					assert_true(meet(d, &f, 1, mask) >= PACKETS);
				else
					assert_true(meet(d, &f, 1, mask) < PACKETS);
			}
	drawn_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_many_masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
