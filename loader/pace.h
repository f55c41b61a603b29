/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How often the agent looks at the interfaces: soon behind an event, rarely without one, and never
 * so that looking, or putting rules in force, takes all of a processor. All times are ms of
 * CLOCK_MONOTONIC.
 */
#ifndef BPFPOL_PACE_H
#define BPFPOL_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_TICK 1000 /* between two looks without an event */
#define PACE_TICK_MOST                                                             \
	10000 /* ...where a look takes long: it is to cost a hundredth of the time \
	       */

struct pace {
	uint64_t at;	     /* the next look */
	uint64_t rebuild_at; /* rules are put in force anew no earlier than this */
	uint64_t sweep_at;   /* and those whose time is over leave the store */
	uint64_t last;	     /* when the last look ended */
	uint64_t took;	     /* and how long, without what there was to do */
	bool heard;	     /* an event came since rules were put in force */
	bool put_off;	     /* the last look has left rules for rebuild_at */
};

/* An event came: soon; at once, unless there is one after the other. */
void pace_event(struct pace *p);
/* The lock is not free. */
void pace_busy(struct pace *p, uint64_t now);
/* A look ended at now. more: it has left some, and others are to have their turn. */
void pace_looked(struct pace *p, uint64_t now, bool more);
/* Rules are about to be put in force: events that come from now on are not known to them. */
void pace_rebuild(struct pace *p);
/* That took from begun until now. */
void pace_rebuilt(struct pace *p, uint64_t begun, uint64_t now, bool failed);
/* Those whose time is over have left the store in it, which costs more. */
void pace_swept(struct pace *p, uint64_t begun, uint64_t now);
/* ms until the next look. */
uint64_t pace_wait(const struct pace *p, uint64_t now);

#endif
