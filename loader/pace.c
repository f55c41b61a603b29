// SPDX-License-Identifier: GPL-2.0-only
#include "pace.h"

#define SPACE_MOST 500 /* between two looks with events all the time */
#define BUSY 20	       /* until the lock is tried again */
#define BREATH 5       /* without it, where some are left: flock(2) has no queue */

static uint64_t at_most(uint64_t value, uint64_t most)
{
	return value < most ? value : most;
}

void pace_event(struct pace *p)
{
	p->heard = true;
	p->at = at_most(p->at, p->last + at_most(10 * p->took, SPACE_MOST));
}

void pace_busy(struct pace *p, uint64_t now)
{
	p->at = now + BUSY;
}

/*
 * Rules that were put off are looked at again as soon as they may be, but only where an event came
 * since the last time: a store that is never in step, whatever is done, is not to be loaded all the
 * time.
 */
void pace_looked(struct pace *p, uint64_t now, bool more)
{
	p->last = now;
	p->at = now +
		(more ? BREATH : PACE_TICK + at_most(100 * p->took, PACE_TICK_MOST - PACE_TICK));
	if (p->put_off && p->heard)
		p->at = at_most(p->at, p->rebuild_at);
}

void pace_rebuild(struct pace *p)
{
	p->heard = false;
}

void pace_rebuilt(struct pace *p, uint64_t begun, uint64_t now, bool failed)
{
	p->rebuild_at = begun + 5 * (now - begun) + (failed ? PACE_TICK_MOST : 0);
}

void pace_swept(struct pace *p, uint64_t begun, uint64_t now)
{
	p->sweep_at = begun + 100 * (now - begun) + PACE_TICK;
}

uint64_t pace_wait(const struct pace *p, uint64_t now)
{
	return p->at > now ? p->at - now : 0;
}
