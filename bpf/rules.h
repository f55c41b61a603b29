/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps of one generation. The loader sets max_entries of rules4, rules6 and gates, and the
 * sizes of sets and present, to what the policy needs and room for more. Hash maps are not
 * preallocated: only what is used costs memory. Sets and present are one large element each: the
 * sizes are constants to the verifier, so that an index is known to be inside without a question
 * asked.
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

const volatile struct bp_sizes sizes = { .address = 1, .port = 1, .present = { 6, 6 } };

/* Words of sets and of present before the loader has set their sizes. */
#define LEAST_SETS (BP_DIRS * BP_FAMILIES * (4 + 2 + 2 * BP_RANGES + 256))
#define LEAST_PRESENT 2

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, LEAST_SETS * sizeof(__u64));
} sets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, LEAST_PRESENT * sizeof(__u64));
} present SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct bp_key4);
	__type(value, struct bp_elem4);
} rules4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct bp_key6);
	__type(value, struct bp_elem6);
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
