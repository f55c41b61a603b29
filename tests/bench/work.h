/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a search does to a packet, counted: by the classifier itself in a build of its own (this
 * file stands before all else in it, -include), and by the twin that walks the same tables.
 */
#ifndef BPFPOL_BENCH_WORK_H
#define BPFPOL_BENCH_WORK_H

#include <linux/types.h>

/* tuples: probed for the packet's key. elems: elements looked at, homes that are empty with them.
 */
struct work {
	__u64 tuples, elems;
};

#ifdef __bpf__
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct work);
} work SEC(".maps");

#define WORK(what)                                                    \
	do {                                                          \
		__u32 zero_ = 0;                                      \
		struct work *w_ = bpf_map_lookup_elem(&work, &zero_); \
                                                                      \
		if (w_)                                               \
			w_->what++;                                   \
	} while (0)
#endif

#endif
