/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clocks as BPF programs read them. In a time namespace (time_namespaces(7)) this process is shown
 * others, set forward or back, while a deadline in a map is compared with the kernel's own.
 */
#ifndef BPFPOL_CLOCKS_H
#define BPFPOL_CLOCKS_H

#include <stdint.h>

/*
 * To be asked before any of these. -errno: it cannot be told by how much ours differ, and a
 * deadline would be another one than was meant.
 */
int clocks_begin(void);
/* CLOCK_BOOTTIME, ns: bpf_ktime_get_boot_ns(). */
uint64_t kernel_clock(void);
/* Comes back when it is that late by kernel_clock(). */
void kernel_clock_wait(uint64_t until);
/* CLOCK_MONOTONIC, ns: bpf_ktime_get_ns(). */
uint64_t kernel_clock_monotonic(void);
/* CLOCK_REALTIME, whole seconds. Not time(), which is up to a tick behind. */
uint64_t wall_clock(void);
/* When what is to last for so many seconds from now on is over, by wall_clock(): no earlier. */
uint64_t wall_deadline(uint64_t seconds);
/* The same moment by both clocks: *real in ns of CLOCK_REALTIME, *boot as kernel_clock(). */
void clocks_now(uint64_t *real, uint64_t *boot);

#endif
