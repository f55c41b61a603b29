/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which packets `watch` is asked for, in the words of a rule:
 *
 *	[block | permit] [in | out | inout] [on IFACE] [BODY]
 *
 * Without a direction both, as written. block: what was blocked, permit: what was not. Pure.
 */
#ifndef BPFPOL_WANTED_H
#define BPFPOL_WANTED_H

#include <stdint.h>

#include "diag.h"
#include "event.h"

struct wanted {
	struct bp_wanted *v; /* owned */
	uint32_t n, room;    /* BP_WANTED at most */
	uint32_t verdict;    /* as in struct watch_want */
	char *ifname;	     /* on which all of v are wanted; owned; NULL: any */
};

/* -EINVAL with a diag, -ENOMEM. No words: all. */
int wanted_parse(int argc, char *const *argv, struct wanted *wanted, struct diag *diag);
void wanted_free(struct wanted *wanted);

#endif
