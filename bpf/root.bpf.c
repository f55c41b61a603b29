// SPDX-License-Identifier: GPL-2.0-only
/*
 * The root programs: attached once, never replaced. They ask `ctl` which generation judges and
 * tail-call its classifier, so that a change of policy touches no interface.
 */
#include "count.h"

char LICENSE[] SEC("license") = "GPL";

/* One element, mapped by the loader, which stores to it word by word. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bp_ctl);
} ctl SEC(".maps");

/* The two generations that can be loaded at once: slot = generation & 1. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} xdp_generations SEC(".maps");

SEC("xdp.frags")
int bpfpol_xdp(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct bp_ctl *c = bpf_map_lookup_elem(&ctl, &zero);

	if (!c || c->off)
		return XDP_PASS;
	/* Constant slots: the kernel turns such tail calls into jumps. */
	if (c->generation) {
		if (c->generation & 1)
			bpf_tail_call(ctx, &xdp_generations, 1);
		else
			bpf_tail_call(ctx, &xdp_generations, 0);
	}
	count_total(BP_IN, false, false);
	return XDP_PASS;
}
