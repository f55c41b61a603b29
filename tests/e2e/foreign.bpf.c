/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Somebody else's programs: they drop frames of one length each, and let everything else pass to
 * whoever comes next; but foreign_accept lets nobody else be asked.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

SEC("xdp")
int foreign(struct xdp_md *ctx)
{
	return ctx->data_end - ctx->data == 666 ? XDP_DROP : XDP_PASS;
}

SEC("tc")
int foreign_tc(struct __sk_buff *skb)
{
	return skb->len == 667 ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

SEC("tc")
int foreign_accept(struct __sk_buff *skb)
{
	return skb->len == 667 ? TC_ACT_SHOT : TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
