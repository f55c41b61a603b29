/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent has to answer while others keep the processors busy: it goes before what merely runs,
 * and gives up the processor again after some microseconds.
 */
#ifndef BPFPOL_PRIORITY_H
#define BPFPOL_PRIORITY_H

/* Of the calling thread. Where this is not allowed, or somebody gave it another priority than the
 * usual one (nice, a unit's Nice=), that stays. */
void priority_raise(void);
/* Of a thread that computes for seconds: at most the usual one. */
void priority_lower(void);

#endif
