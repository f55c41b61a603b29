/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The spare: the generation before the one in force, kept to be filled again for the next change.
 * What a new one costs is the verifier, 10 ms for each of its classifiers; this one's are there.
 *
 * It lies in BPFPOL_BPFFS/spare. Nothing is read there: its counters are kept elsewhere, and no
 * packet is judged by it any more. Whoever takes it moves it first to where a generation that was
 * never finished lies, so that one that somebody died over is thrown away like any other. Its
 * classifiers stay in the slots of the program arrays, which are the next generation's.
 *
 * A generation that must stay whole, to go back to, must not lie here: what is taken is emptied.
 */
#ifndef BPFPOL_SPARE_H
#define BPFPOL_SPARE_H

#include "generation.h"

/*
 * Makes a generation that was in force the spare: when all that was judged by it is counted, and
 * its counts are kept. -EINVAL: it is too large to keep, or its classifiers are not this program's.
 */
int spare_keep(const struct generation *gen);
/*
 * The spare as generation `number`, empty, with the classifiers of those hooks. NULL: there is none
 * that would do; one of another size stays, others go. wants: the sizes that one loaded anew would
 * have.
 */
struct generation *spare_take(uint64_t number, const struct bp_sizes *wants, unsigned int hooks,
	const struct shared *shared);
/* Frees a generation that was not put in force; one that was taken is the spare again. */
void spare_give_back(struct generation **gen);
void spare_drop(void);

#endif
