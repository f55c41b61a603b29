/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What says beforehand that a lookup is in vain (abi.h): the sets of tuples by bits of the packet,
 * and the bits of keys that are present. Shared by the compiler, which fills them in its own
 * memory, and by changes in place, which do it in the kernel's. Pure.
 */
#ifndef BPFPOL_INDEX_H
#define BPFPOL_INDEX_H

#include "filter.h"

/* Those of enum bp_index by which a filter can be found, as bits. */
unsigned int index_of(const struct filter *filter);

/* Adds the tuple of that number to every set that a packet of the filter's could ask for. */
void index_add(const struct bp_sizes *sizes, uint64_t *sets, const struct filter *filter,
	unsigned int number);

/* Marks the key as present. */
void present_add(
	const struct bp_sizes *sizes, uint64_t *present, int family, const union filter_key *key);
bool present_has(const struct bp_sizes *sizes, const uint64_t *present, int family,
	const union filter_key *key);

/* Sizes for that many elements and as many more as there is room for. */
void index_sizes(const uint64_t rooms[BP_FAMILIES], uint64_t elements, struct bp_sizes *sizes);

#endif
