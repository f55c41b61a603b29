/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pass 2 of the compiler: where a policy asks for more shapes than there are tuples, shapes share
 * coarser ones. Pure.
 */
#ifndef BPFPOL_MERGE_H
#define BPFPOL_MERGE_H

#include "filter.h"

/* Filters of a group that are looked at to tell how they would collide. */
#define MERGE_SAMPLE 512

/* What a tuple's key holds. */
struct mask {
	uint8_t kind, proto, rport, lport; /* proto, ports: 0 or 1 */
	uint8_t rlen, llen;
};

/* A shape: what it asks for, how many filters have it, and some of them, evenly chosen. */
struct merge_shape {
	struct shape shape;
	uint64_t count;
	struct filter *sample; /* MERGE_SAMPLE of them, or all */
	size_t n_sample, seen;
	unsigned int group; /* out: which of the groups it went to */
};

/*
 * Puts the n shapes, of one direction, family and space, into at most `most` groups. *masks: each
 * group's, to be freed; *n_groups: how many. -ENOMEM.
 */
int merge_shapes(struct merge_shape *shapes, size_t n, unsigned int most, struct mask **masks,
	unsigned int *n_groups);

/* The mask whose key holds all that a shape asks for. */
struct mask mask_of(const struct shape *shape);

#endif
