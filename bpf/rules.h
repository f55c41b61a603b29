/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps of one generation. The loader sets their sizes to what the policy needs and room for
 * more. Sets and present are one large element each: where things begin in them, and how large they
 * are, are constants to the verifier, so that an index is known to be inside without a question
 * asked. An element has 4 MB at most; fine, which may be larger, is one for each set.
 */
#ifndef BPFPOL_RULES_H
#define BPFPOL_RULES_H

#include "maps.h"

/*
 * This instance is asked what it would do with a packet (see struct bp_answer), and counts nothing.
 * A program's tag does not depend on what stands in .rodata: equal tags, the same program.
 */
const volatile bool explain = false;

/* Its rules are dynamic; odd: its generation's number is. */
const volatile bool dynamic = false, odd = false;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bp_tables);
} tables SEC(".maps");

const volatile struct bp_layout layout = {};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u64));
} sets SEC(".maps"), present SEC(".maps");

/*
 * The one element of sets or present, which need not be looked up: the loader puts its address
 * where the program names the map (direct.h). So these two are not named otherwise.
 */
static __always_inline void *value_of(void *map)
{
	barrier_var(map);
	return map;
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} fine SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bp_elem4);
} elems4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bp_elem6);
} elems6 SEC(".maps");

/* Gates, see abi.h; index 0 is never given out. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} gates SEC(".maps");

/* Of an instance that was loaded to explain alone. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bp_answer);
} answer SEC(".maps");

#endif
