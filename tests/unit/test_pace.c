// SPDX-License-Identifier: GPL-2.0-only
/* When the agent looks again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "pace.h"

/* A look that ended at 1000 and took so long, and rules that were put in force before until 900. */
static struct pace behind(uint64_t took, uint64_t rebuild)
{
	struct pace p = {};

	pace_rebuild(&p);
	pace_rebuilt(&p, 900 - rebuild, 900, false);
	p.took = took;
	pace_looked(&p, 1000, false);
	return p;
}

static void without_events(void **state)
{
	struct pace p = behind(0, 0);

	assert_int_equal(pace_wait(&p, 1000), PACE_TICK);
	assert_int_equal(pace_wait(&p, 1000 + PACE_TICK), 0);
	assert_int_equal(pace_wait(&p, 5000), 0);
	p = behind(3, 0);
	assert_int_equal(pace_wait(&p, 1000), PACE_TICK + 300);
	p = behind(5000, 0);
	assert_int_equal(pace_wait(&p, 1000), PACE_TICK_MOST);
}

static void behind_an_event(void **state)
{
	struct pace p = behind(3, 0);

	pace_event(&p);
	assert_int_equal(pace_wait(&p, 1000), 30);
	p = behind(5000, 0);
	pace_event(&p);
	assert_int_equal(pace_wait(&p, 1000), 500);
	/* It puts nothing off. */
	p.at = 1001;
	pace_event(&p);
	assert_int_equal(pace_wait(&p, 1000), 1);
}

static void others_have_their_turn(void **state)
{
	struct pace p = behind(3, 0);

	pace_looked(&p, 2000, true);
	assert_true(pace_wait(&p, 2000) > 0 && pace_wait(&p, 2000) < 10);
	pace_busy(&p, 3000);
	assert_true(pace_wait(&p, 3000) > 0 && pace_wait(&p, 3000) < 100);
}

/* An interface that comes back at once, when its rules were just put in force without it. */
static void rules_put_off(void **state)
{
	struct pace p = behind(50, 60); /* 840 to 900: again from 1140 on */

	assert_int_equal(p.rebuild_at, 1140);
	pace_event(&p);
	p.put_off = true;
	pace_looked(&p, 1010, false);
	assert_int_equal(pace_wait(&p, 1010), 130);
	/* It was time to before this look was over. */
	pace_looked(&p, 1200, false);
	assert_int_equal(pace_wait(&p, 1200), 0);
	p.put_off = false;
	pace_looked(&p, 1210, false);
	assert_int_equal(pace_wait(&p, 1210), PACE_TICK + 5000);
}

/* What is never in step is put in force once a tick, and not as often as it may be. */
static void never_in_step(void **state)
{
	struct pace p = behind(0, 60);

	pace_event(&p);
	pace_rebuild(&p);
	pace_rebuilt(&p, 1000, 1060, false);
	p.put_off = true;
	pace_looked(&p, 1060, false);
	assert_int_equal(pace_wait(&p, 1060), PACE_TICK);
	/* What came while they were put in force is not known to them. */
	pace_rebuild(&p);
	pace_event(&p);
	pace_rebuilt(&p, 1100, 1120, false);
	pace_looked(&p, 1120, false);
	assert_int_equal(pace_wait(&p, 1120), 80);
}

static void failed_ones_wait(void **state)
{
	struct pace p = behind(0, 0);

	pace_rebuilt(&p, 1000, 1010, true);
	assert_int_equal(p.rebuild_at, 1050 + PACE_TICK_MOST);
	pace_swept(&p, 1000, 1010);
	assert_int_equal(p.sweep_at, 2000 + PACE_TICK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_events),
		cmocka_unit_test(behind_an_event),
		cmocka_unit_test(others_have_their_turn),
		cmocka_unit_test(rules_put_off),
		cmocka_unit_test(never_in_step),
		cmocka_unit_test(failed_ones_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
