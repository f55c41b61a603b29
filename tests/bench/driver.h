/* SPDX-License-Identifier: GPL-2.0-only */
/* A packet of the bench, as driver.bpf.c writes it into the frame. */
#ifndef BPFPOL_BENCH_DRIVER_H
#define BPFPOL_BENCH_DRIVER_H

#include <linux/types.h>

#define DRIVER_PACKETS (1 << 20)
#define DRIVER_MISSED 16384 /* keys that no packet has */

/* Network order. ports: source, then destination. */
struct driver_packet {
	__u32 remote[4], local[4];
	__u32 ports;
	__u8 proto, pad[3];
};

#endif
