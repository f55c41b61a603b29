/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Our filter in an interface's clsact qdisc, one for each direction: how programs stand on TC where
 * the kernel has no TCX (before 6.6). It has a priority and a handle of its own, which another's
 * filter is never pushed out of. The priority is one that others do not choose, as whoever deletes
 * all filters of a priority takes off each of them, and filters of another kind cannot share it.
 */
#ifndef BPFPOL_CLSACT_H
#define BPFPOL_CLSACT_H

#include <stdbool.h>
#include <stdint.h>

#define CLSACT_PRIORITY 7
#define CLSACT_HANDLE 0xbf

enum clsact_qdisc {
	CLSACT_NONE,
	CLSACT_THERE,
	CLSACT_INGRESS, /* the older kind: for what arrives alone, and no clsact beside it */
};

int clsact_qdisc_get(int ifindex, enum clsact_qdisc *qdisc);
/* -EEXIST: one is there; -ENOENT: the kernel has none such. */
int clsact_qdisc_make(int ifindex);
/* Takes the qdisc away unless it holds a filter. */
int clsact_qdisc_unmake(int ifindex);

struct clsact_place {
	uint32_t prog; /* id of the program in our place; 0: none, or a filter of another kind */
	bool taken;    /* something is there, or keeps us from it */
	bool behind;   /* filters come before it, and what they accept ends there */
};
int clsact_look(int ifindex, bool out, struct clsact_place *place);

int clsact_add(int ifindex, bool out, int prog_fd);
int clsact_replace(int ifindex, bool out, int prog_fd);
int clsact_remove(int ifindex, bool out);

#endif
