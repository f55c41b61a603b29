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
	bool whole;	     /* ...and that is all that the files say */
	uint32_t *ids;	     /* of rules that came from there, rising */
	size_t n;
};

/*
 * Reads the files. One that does not parse, or cannot be read, is named on stderr, with all that is
 * wrong in it, and left out: *whole is false then. Lists of others need rights that the agent gives
 * up when it has begun. Nobody is asked for the addresses of hosts: those of last time count. It
 * touches nothing of a struct dropins, as it may take long. NULL: no memory.
 */
struct policy *dropins_load(bool *whole);
void dropins_take(struct dropins *d, struct policy *read, bool whole);
/*
 * Puts what was read in force, in place of what came from there before; where that was not all,
 * beside it. Rules that stand in both keep ids and counters. -EAGAIN without a diag: later, see
 * held_add().
 */
int dropins_put(struct dropins *d, struct held *h, struct diag *diag);
void dropins_free(struct dropins *d);

#endif
