/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hash of a row of numbers, one by one: different rows have different hashes, but for one
 * chance in 2^64. It must begin with what was mixed itself where the beginnings differ, or a small
 * difference there could be made up for by the first number.
 */
#ifndef BPFPOL_MIX_H
#define BPFPOL_MIX_H

#include <stdint.h>

static inline uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

#endif
