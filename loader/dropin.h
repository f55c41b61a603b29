/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules that the agent holds from its start on: those of the files NAME.policy and NAME.rules in a
 * directory, BPFPOL_CONF_DIR/dynamic.d unless bpfpol.conf says `dropin = DIRECTORY`. They are
 * dynamic; what stands in a file is the word of whoever may write there, so that nobody is asked
 * whether it would cut anything.
 */
#ifndef BPFPOL_DROPIN_H
#define BPFPOL_DROPIN_H

#include "held.h"

struct dropins {
	struct policy *read; /* and not in force yet; NULL: nothing is to be done */
	uint32_t *ids;	     /* of rules that came from there, rising */
	size_t n;
};

/*
 * Reads the files. One that does not parse is named on stderr, with all that is wrong in it, and
 * left out. Lists of others need rights that the agent gives up when it has begun. Nobody is asked
 * for the addresses of hosts: those of last time count.
 */
void dropins_read(struct dropins *d);
/* The same in two steps, of which the long one touches nothing of `d`. NULL: no memory. */
struct policy *dropins_load(void);
void dropins_take(struct dropins *d, struct policy *read);
/*
 * Puts what was read in force, in place of what came from there before. Rules that stand in both
 * keep ids and counters. -EAGAIN without a diag: later, see held_add().
 */
int dropins_put(struct dropins *d, struct held *h, struct diag *diag);
void dropins_free(struct dropins *d);

#endif
