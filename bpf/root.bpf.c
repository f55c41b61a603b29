// SPDX-License-Identifier: GPL-2.0-only
/*
 * The root programs: attached once, never replaced. They ask `ctl` which generation judges and
 * tail-call its classifier, so that a change of policy touches no interface. Where there are
 * dynamic rules their classifier comes first, and calls the other itself.
 */
#include <linux/pkt_cls.h>

#include "count.h"

char LICENSE[] SEC("license") = "GPL";

/* The clock is read only while that is on trial. */
static __always_inline bool is_off(const struct bp_ctl *c)
{
	__u64 until = *(const volatile __u64 *)&c->off;

	return until && (until == BP_OFF || bpf_ktime_get_boot_ns() < until);
}

/* Returns only if nobody judges. */
static __always_inline void judge(
	void *ctx, void *generations, void *layer, const __u32 hook, const __u32 dir)
{
	__u32 zero = 0;
	struct bp_ctl *c = bpf_map_lookup_elem(&ctl, &zero);
	__u64 dynamic;

	if (!c || is_off(c))
		return;
	dynamic = *(const volatile __u64 *)&c->dynamic;
	if (dynamic)
		jump(ctx, layer, bp_slot(hook, 0), dynamic & 1);
	/* Where none is in force, number 0, which has no rules. */
	jump(ctx, generations, bp_slot(hook, 0), in_force(c) & 1);
	count_total(dir, 1, false, false);
}

/*
 * For several buffers where the kernel knows that: the loader says so (BPF_F_XDP_HAS_FRAGS). Not in
 * section "xdp", see direct_begin().
 */
SEC("root_xdp")
int bpfpol_xdp(struct xdp_md *ctx)
{
	judge(ctx, &xdp_generations, &xdp_dynamic, BP_XDP, BP_IN);
	return XDP_PASS;
}

SEC("root_xdp")
int bpfpol_generic(struct xdp_md *ctx)
{
	judge(ctx, &generic_generations, &generic_dynamic, BP_GENERIC, BP_IN);
	return XDP_PASS;
}

SEC("tc")
int bpfpol_tc_in(struct __sk_buff *skb)
{
	judge(skb, &tc_generations, &tc_dynamic, BP_TC_IN, BP_IN);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int bpfpol_tc_out(struct __sk_buff *skb)
{
	judge(skb, &tc_generations, &tc_dynamic, BP_TC_OUT, BP_OUT);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int bpfpol_l3_in(struct __sk_buff *skb)
{
	judge(skb, &tc_generations, &tc_dynamic, BP_L3_IN, BP_IN);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int bpfpol_l3_out(struct __sk_buff *skb)
{
	judge(skb, &tc_generations, &tc_dynamic, BP_L3_OUT, BP_OUT);
	return TC_ACT_UNSPEC;
}
