/* SPDX-License-Identifier: GPL-2.0-only */
/* What root programs and classifiers share; the loader hands the first one's to the others. */
#ifndef BPFPOL_MAPS_H
#define BPFPOL_MAPS_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "scratch.h"

/* Packets of each direction. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BP_DIRS);
	__type(key, __u32);
	__type(value, struct bp_totals);
} totals SEC(".maps");

/* One element, mapped by the loader, which stores to it word by word. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bp_ctl);
} ctl SEC(".maps");

/* Two generations can be loaded at once: bp_slot(hook, generation). Behind them: bp_watch_slot().
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, BP_SLOTS);
	__type(key, __u32);
	__type(value, __u32);
} xdp_generations SEC(".maps"), generic_generations SEC(".maps"), tc_generations SEC(".maps");

/*
 * The dynamic layer's. Programs that refer to them keep the maps; what is in them goes with the
 * last descriptor, which is why nobody but the layer's holder may keep one, nor pin them.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, BP_DYNAMIC_SLOTS);
	__type(key, __u32);
	__type(value, __u32);
} xdp_dynamic SEC(".maps"), generic_dynamic SEC(".maps"), tc_dynamic SEC(".maps");

/*
 * The generation that judges; 0: none was put in force, and that of no rules does, or none is
 * there. Once its time to be confirmed is over it is the one before, though nobody is there to say
 * so. The clock is read only while there is such a time.
 */
static __always_inline __u64 in_force(const struct bp_ctl *c)
{
	__u64 generation = *(const volatile __u64 *)&c->generation;

	if (c->confirm_of && c->confirm_of == generation &&
		bpf_ktime_get_boot_ns() >= c->confirm_by)
		generation--;
	return generation;
}

/* From constant slots, of which the kernel makes jumps. Returns only if there is no program. */
static __always_inline void jump(void *ctx, void *programs, const __u32 even, bool odd)
{
	if (odd)
		bpf_tail_call(ctx, programs, even + 1);
	else
		bpf_tail_call(ctx, programs, even);
}

#endif
