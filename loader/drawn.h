/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets as a policy will meet them, some drawn from its filters and some strangers, and how many
 * of them come by the key of a filter: what a merge of tuples costs. Always the same for the same
 * filters. Pure.
 */
#ifndef BPFPOL_DRAWN_H
#define BPFPOL_DRAWN_H

#include "merge.h"

struct drawn;

/* A filter that packets may meet. */
struct meeting {
	const struct filter *filter; /* not owned */
	unsigned int above; /* packets are numbered by rising rank: below this one it may win */
};

/* Packets for the filters of those shapes, as many for each as it has filters. -ENOMEM. */
int drawn_new(const struct merge_shape *shapes, size_t n, struct drawn **out);
void drawn_free(struct drawn **drawn);

struct meeting drawn_meeting(const struct drawn *drawn, const struct filter *filter);

/*
 * How many times a packet comes by the key that one of these filters has under the mask, and that
 * filter may still win, or is one of those of which all are looked at. -ENOMEM.
 */
int drawn_meet(struct drawn *drawn, const struct mask *mask, const struct meeting *v, size_t n,
	double *times);

#endif
