/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rule sets of the bench, the same each time, and packets that meet them or do not, which go by
 * set_seed().
 */
#ifndef BPFPOL_BENCH_SETS_H
#define BPFPOL_BENCH_SETS_H

#include "driver.h"
#include "policy.h"

/* n single addresses, scattered over 16.0.0.0 to 79.255.255.255, as one list. */
struct policy *set_hosts(size_t n);
/* n rules in as many as `tuples` shapes: prefixes of several lengths at both ends, ports,
 * protocols. */
struct policy *set_shapes(size_t n, unsigned int tuples);
/* One rule for a list file (.xz too). NULL: it is not there. */
struct policy *set_list(const char *path);
/* At most n rules of a ClassBench file, as block and permit rules in turn. NULL: it is not there.
 */
struct policy *set_classbench(const char *path, size_t n);

uint64_t set_random(void);
void set_seed(uint64_t seed);

/* A packet that some rule of the policy matches, and one at random. family: 4 or 6. */
void packet_of(const struct policy *policy, struct driver_packet *packet);
void packet_random(int family, struct driver_packet *packet);

#endif
