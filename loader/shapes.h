/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shapes of a policy's filters of one direction, family and space, and the tuples that they
 * come to: passes 1 to 3 of the compiler (compile.h). Begins as {}. Pure.
 */
#ifndef BPFPOL_SHAPES_H
#define BPFPOL_SHAPES_H

#include "diag.h"
#include "keyset.h"
#include "merge.h"

struct shapes {
	struct merge_shape *v;
	uint64_t *bounds; /* of each, its highest rank */
	size_t n, room;
	struct keyset index; /* of `packed`: the shapes as words */
	uint8_t *packed;
	unsigned int *number; /* of each group, its tuple */
};

/* Pass 1: notes the filter's shape. -ENOMEM; -E2BIG with a diag. */
int shapes_add(struct shapes *shapes, const struct filter *filter, struct diag *diag);
/* Whether there are more of them than tuples, so that samples of the filters are needed. */
bool shapes_crowded(const struct shapes *shapes);
/* The filters again, in the same order: some are kept to see how they would collide. -ENOMEM. */
int shapes_sample(struct shapes *shapes, const struct filter *filter);
/* Passes 2 and 3: merges what does not fit, and writes the tuples, by falling bound. -ENOMEM. */
int shapes_number(struct shapes *shapes, struct bp_tables *tables);
/* The tuple of a shape that was added. */
unsigned int shapes_tuple(const struct shapes *shapes, const struct shape *shape);
void shapes_free(struct shapes *shapes);

#endif
