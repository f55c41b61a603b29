/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sets of tuples by bits of the packet (abi.h), which say beforehand that a lookup is in vain.
 * Pure.
 */
#ifndef BPFPOL_INDEX_H
#define BPFPOL_INDEX_H

#include "table.h"

/* Those of enum bp_index by which a filter can be found in tables of those sizes, as bits. */
unsigned int index_of(const struct bp_sizes *sizes, const struct filter *filter);

/* Whether its sets stand in PART_FINE. */
bool index_is_fine(enum bp_index index);

/*
 * When all filters are in: takes tuples out of indices of the remote end that tell too little, or
 * less than another one does that they stand in, where there are many elements. Notes which are
 * asked for more.
 */
void index_thin(struct table *table);

/*
 * Adds the tuple of that number to every set that a packet of the filter's could ask for, of the
 * indices that the tuple stands in. After an error it is in some of them, which does no harm.
 */
int index_add(const struct table *table, const struct filter *filter, unsigned int number);

#endif
