// SPDX-License-Identifier: GPL-2.0-only
/* What arrives, before the kernel has made anything of it. */
#define CTX struct xdp_md
#include "classify.h"

char LICENSE[] SEC("license") = "GPL";

/* bpf_xdp_get_buff_len() is there (5.18), and with it frames of several buffers. */
const volatile bool have_frags = true;

SEC("xdp.frags")
int classify_xdp(struct xdp_md *ctx)
{
	struct frame f = {
		.data = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
	};
	struct cursor c;
	struct query *q = query_begin(ctx->ingress_ifindex, -1);

	if (!q)
		return XDP_PASS;
	f.len = have_frags ? bpf_xdp_get_buff_len(ctx) : f.end - f.data;
	q->packets = 1;
	q->bytes = f.len;
	*(volatile __u32 *)&q->reading = read_frame(&f, &c, &q->p, BP_IN);
	return classify(q, ctx, BP_IN) ? XDP_DROP : XDP_PASS;
}
