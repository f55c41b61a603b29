/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether a change awaits confirmation, and how long still: what the store says of it, and what
 * the kernel does. Nothing here puts anything in force; await.h does. k: NULL: nothing is pinned.
 */
#ifndef BPFPOL_AWAITED_H
#define BPFPOL_AWAITED_H

#include "kernel.h"
#include "store.h"

/* The generation is what the store on disk says. gen: NULL: there is none, and it is not. */
bool awaited_is_stored(const struct generation *gen);
/* The trial in the kernel is what the store on disk says. */
bool awaited_is_known(const struct kernel *k);
/* It is over, which is only not written there yet: what the store holds in memory judges. */
bool awaited_is_back(const struct kernel *k, const struct store *s);

/* ns until what the store says to await confirmation goes back; 0: nothing awaits any more. */
uint64_t awaited_left(const struct kernel *k, const struct store *s);
/* That the last change went back by itself, and when, in words; false: it did not. */
#define AWAITED_ENDED 64
bool awaited_ended(const struct store *s, char text[AWAITED_ENDED]);
/* A part of a second is one. */
uint64_t in_seconds(uint64_t ns);

/*
 * The store was read: if the time to confirm it is over, it is in memory what was before. Where
 * that is lost the change stays, for good; an error: it cannot be read now.
 */
int awaited_check(const struct kernel *k, struct store *s, struct diag *diag);

/* What is tried is in force without what it goes back to: better than nothing, till that is read.
 */
void awaited_for_now(struct store *s);

/*
 * The trial in the kernel is that of the store, so that nothing is to be put in force. Whatever a
 * command that was killed has left of it is in order then.
 */
bool awaited_stands(struct kernel *k);
/*
 * What a store that awaits confirmation goes back to, to be put in force first; *before stays NULL
 * where it is what is in force. If it is lost the change stays, for good; if it cannot be read
 * now, for now.
 */
int awaited_before(
	const struct kernel *k, struct store *s, struct store **before, struct diag *diag);

#endif
