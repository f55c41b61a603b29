// SPDX-License-Identifier: GPL-2.0-only
/*
 * The classifier: one per hook and generation. The root program (root.bpf.c) tail-calls it with
 * the generation that is in force.
 */
#include "match.h"

char LICENSE[] SEC("license") = "GPL";

/* Who asks, and the packet's size, which depends on the hook. */
struct frame {
	struct xdp_md *ctx;
	void *data, *end;
	__u32 len; /* the whole frame, also what lies beyond end */
	__u32 ifindex;
};

static __always_inline enum reading read_frame(
	const struct frame *f, struct packet *p, const __u8 dir)
{
	struct cursor c = { .pos = f->data, .end = f->end };
	__u16 type = read_ethernet(&c);
	__u32 left = f->len - (c.pos - f->data);

	if (type == bpf_htons(ETH_P_IP))
		return read_ipv4(&c, left, p, dir);
	if (type == bpf_htons(ETH_P_IPV6))
		return read_ipv6(&c, left, p, dir);
	return is_tag(type) ? READ_OPAQUE : READ_EXEMPT;
}

/* True: blocked. */
static __always_inline bool judge(struct search *s, enum reading reading, const __u8 dir)
{
	const __u64 *live = s->tables->live[dir][s->q->p.family & (BP_FAMILIES - 1)];
	__u64 hidden = 0;

	/* A rule that asks for what this packet does not show: blocked before any rule is compared.
	 */
	if (reading == READ_CUT)
		hidden = live[BP_SHADOW];
	else if (reading == READ_BLIND)
		hidden = live[BP_BLIND];
	if (hidden) {
		search(s, hidden, 0);
		if (s->best)
			return true;
	}
	search(s, live[BP_DECIDE] | live[BP_TALLY], INLINE_STEPS);
	if (!s->best)
		return false;
	count_elem(s->best, s->q->packets, s->q->bytes);
	return s->q->best_action == BP_BLOCK;
}

static __always_inline bool classify(const struct frame *f, const __u8 dir)
{
	__u32 zero = 0;
	struct query *q = bpf_map_lookup_elem(&scratch, &zero);
	struct search s = {
		.q = q,
		.tables = bpf_map_lookup_elem(&tables, &zero),
		.ctx = f->ctx,
	};
	bool blocked = false;
	enum reading reading;

	if (!q || !s.tables)
		return false;
	*q = (struct query){ .me = -1, .ifindex = f->ifindex, .bytes = f->len, .packets = 1 };
	q->p.lacks = 0xff;
	/* Through memory: so the verifier follows one path from here on, not one per reading. */
	*(volatile __u32 *)&q->reading = read_frame(f, &q->p, dir);
	reading = *(volatile __u32 *)&q->reading;
	q->malformed = reading > READ_WHOLE;
	if (reading != READ_EXEMPT)
		blocked = judge(&s, reading, dir);
	count_total(dir, blocked, q->malformed);
	return blocked;
}

/* bpf_xdp_get_buff_len() is there (5.18), and with it frames of several buffers. */
const volatile bool have_frags = true;

SEC("xdp.frags")
int classify_xdp(struct xdp_md *ctx)
{
	struct frame f = {
		.ctx = ctx,
		.data = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
		.ifindex = ctx->ingress_ifindex,
	};

	f.len = have_frags ? bpf_xdp_get_buff_len(ctx) : f.end - f.data;
	return classify(&f, BP_IN) ? XDP_DROP : XDP_PASS;
}
