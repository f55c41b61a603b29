// SPDX-License-Identifier: GPL-2.0-only
/* What arrives, before the kernel has made anything of it. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define CTX struct xdp_md

/* The helpers for frames of several buffers are there (5.18). */
const volatile bool have_frags = true;

static __always_inline long load_bytes(CTX *ctx, __u32 offset, void *to, __u32 size)
{
	return have_frags ? bpf_xdp_load_bytes(ctx, offset, to, size) : -1;
}

#include "classify.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline __u32 length(CTX *ctx)
{
	return have_frags ? bpf_xdp_get_buff_len(ctx) : ctx->data_end - ctx->data;
}

/* To ask for the length costs 5 ns: not for a packet that no rule counts. */
static __always_inline __u64 bytes_of(const struct query *q, CTX *ctx)
{
	return length(ctx);
}

/* A frame whose first buffer was not enough. A function of its own, which is verified once. */
__noinline int read_far(CTX *ctx, struct packet *p, bool unsaid)
{
	struct frame f = { .ctx = ctx, .len = length(ctx), .unsaid = unsaid };

	return p ? read_frame(&f, p, BP_IN, true) : READ_EXEMPT;
}

static __always_inline int classify_frame(CTX *ctx, const bool unsaid, const struct place at)
{
	struct frame f = {
		.ctx = ctx,
		.len = ctx->data_end - ctx->data,
		.unsaid = unsaid,
	};
	struct query *q = query_begin(ctx->ingress_ifindex, -1);
	enum bp_reading reading;

	if (!q)
		return XDP_PASS;
	reading = read_frame(&f, &q->p, BP_IN, false);
	if (reading != READ_WHOLE && have_frags && bpf_xdp_get_buff_len(ctx) > f.len) {
		forget(&q->p);
		reading = read_far(ctx, &q->p, unsaid);
	}
	*(volatile __u32 *)&q->reading = reading;
	q->packets = 1;
	return classify(q, ctx, at) ? XDP_DROP : XDP_PASS;
}

/* For several buffers where the kernel knows that: the loader says so (BPF_F_XDP_HAS_FRAGS). */
#define IN_XDP ((struct place){ &xdp_generations, &xdp_dynamic, BP_XDP, BP_IN })
#define IN_GENERIC ((struct place){ &generic_generations, &generic_dynamic, BP_GENERIC, BP_IN })

SEC("classifier_xdp")
int classify_xdp(CTX *ctx)
{
	return classify_frame(ctx, false, IN_XDP);
}

SEC("classifier_xdp")
int count_xdp(CTX *ctx)
{
	return settle(ctx, IN_XDP) ? XDP_DROP : XDP_PASS;
}

/* What it sees may be an aggregate, without a word that it is. */
SEC("classifier_xdp")
int classify_generic(CTX *ctx)
{
	return classify_frame(ctx, true, IN_GENERIC);
}

SEC("classifier_xdp")
int count_generic(CTX *ctx)
{
	return settle(ctx, IN_GENERIC) ? XDP_DROP : XDP_PASS;
}
