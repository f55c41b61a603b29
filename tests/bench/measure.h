/* SPDX-License-Identifier: GPL-2.0-only */
/* What a program costs a packet in BPF_PROG_TEST_RUN, over an empty one. */
#ifndef BPFPOL_BENCH_MEASURE_H
#define BPFPOL_BENCH_MEASURE_H

#include <linux/types.h>
#include <stdint.h>

#include "driver.h"

#define FRAME 128 /* bytes, of every frame */

/* Of several rounds: their median, and how far apart the middle half of them is. */
struct cost {
	double ns, spread;
};

extern int rounds;
extern struct driver_packet *packets; /* the driver's; DRIVER_PACKETS of them */

/* Dies when the programs do not load. */
void measure_open(void);
void measure_close(void);

void make_frame(const struct driver_packet *packet, int family, uint8_t *frame);
__u32 verdict_of(int prog, const uint8_t *frame);
/* One frame again and again. */
struct cost hot_frame(int prog, const uint8_t *frame);
/* Some of the packets, each again and again: the median one. */
struct cost hot_cost(int prog, int family);
/* All the packets in turn. */
struct cost cold_cost(int prog, int family);
/* What a lookup costs that finds nothing in the kernel's hash map of that many keys, cold. */
struct cost miss_cost(unsigned int keys);

void die(const char *what);

#endif
