// SPDX-License-Identifier: GPL-2.0-only
/*
 * The root programs: attached once, never replaced. They ask `ctl` which generation judges and
 * tail-call its classifier, so that a change of policy touches no interface.
 */
#include <linux/pkt_cls.h>

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

/* Two generations can be loaded at once: bp_slot(hook, generation). */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, BP_HOOKS * 2);
	__type(key, __u32);
	__type(value, __u32);
} xdp_generations SEC(".maps"), generic_generations SEC(".maps"), tc_generations SEC(".maps");

/* Constant slots: the kernel turns such tail calls into jumps. Returns only if there is none. */
static __always_inline void judge(void *ctx, void *generations, const __u32 hook, const __u32 dir)
{
	__u32 zero = 0;
	struct bp_ctl *c = bpf_map_lookup_elem(&ctl, &zero);

	if (!c || c->off)
		return;
	if (c->generation) {
		if (c->generation & 1)
			bpf_tail_call(ctx, generations, bp_slot(hook, 1));
		else
			bpf_tail_call(ctx, generations, bp_slot(hook, 0));
	}
	count_total(dir, 1, false, false);
}

/* For several buffers where the kernel knows that: the loader says so (BPF_F_XDP_HAS_FRAGS). */
SEC("xdp")
int bpfpol_xdp(struct xdp_md *ctx)
{
	judge(ctx, &xdp_generations, BP_XDP, BP_IN);
	return XDP_PASS;
}

SEC("xdp")
int bpfpol_generic(struct xdp_md *ctx)
{
	judge(ctx, &generic_generations, BP_GENERIC, BP_IN);
	return XDP_PASS;
}

SEC("tc")
int bpfpol_tc_in(struct __sk_buff *skb)
{
	judge(skb, &tc_generations, BP_TC_IN, BP_IN);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int bpfpol_tc_out(struct __sk_buff *skb)
{
	judge(skb, &tc_generations, BP_TC_OUT, BP_OUT);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int bpfpol_l3_in(struct __sk_buff *skb)
{
	judge(skb, &tc_generations, BP_L3_IN, BP_IN);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int bpfpol_l3_out(struct __sk_buff *skb)
{
	judge(skb, &tc_generations, BP_L3_OUT, BP_OUT);
	return TC_ACT_UNSPEC;
}
