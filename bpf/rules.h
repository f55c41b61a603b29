/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps of one generation. The loader sets max_entries of rules4, rules6 and gates to what the
 * policy needs and room for more. Hash maps are not preallocated: only what is used costs memory.
 */
#ifndef BPFPOL_RULES_H
#define BPFPOL_RULES_H

#include "maps.h"

/*
 * This instance is asked what it would do with a packet (see struct bp_answer), and counts nothing.
 * A program's tag does not depend on what stands in .rodata: equal tags, the same program.
 */
const volatile bool explain = false;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bp_tables);
} tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct bp_key4);
	__type(value, struct bp_elem);
} rules4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct bp_key6);
	__type(value, struct bp_elem);
} rules6 SEC(".maps");

/* Gates, see abi.h; index 0 is never given out. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} gates SEC(".maps");

/* Written only by an instance that was loaded to explain. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bp_answer);
} answer SEC(".maps");

#endif
