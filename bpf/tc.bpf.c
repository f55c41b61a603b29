// SPDX-License-Identifier: GPL-2.0-only
/*
 * What leaves, and what arrives where XDP cannot be. Here the kernel has made skbs of the frames:
 * the outermost VLAN tag may be taken off, headers may lie outside the linear part, several packets
 * may be one aggregate. l3_*: devices without Ethernet header.
 */
#include <linux/pkt_cls.h>

#define CTX struct __sk_buff
#include "classify.h"

char LICENSE[] SEC("license") = "GPL";

/* As far as headers are looked for outside the linear part. */
#define MOST_HEADERS 4096

static __always_inline enum bp_reading read_skb(
	struct __sk_buff *skb, struct packet *p, const __u8 dir, const bool l3)
{
	struct frame f = {
		.data = (void *)(long)skb->data,
		.end = (void *)(long)skb->data_end,
		.len = skb->len,
		.tags = !l3 && skb->vlan_present,
		.l3 = l3,
		.aggregate = skb->gso_segs > 1,
	};
	enum bp_reading reading;
	struct cursor c;

	reading = read_frame(&f, &c, p, dir);
	p->headers = c.pos - f.data;
	p->more = (__u64)f.end - (__u64)f.data < f.len;
	return reading;
}

/* An aggregate is as many packets on the wire, each with the headers in front of it. */
static __always_inline void count_segments(struct __sk_buff *skb, struct query *q)
{
	__u32 tag = skb->vlan_present ? 4 : 0;
	__u32 l4 = 0;	/* bytes of the TCP or UDP header */
	__u8 words = 0; /* of the TCP header, in the upper half of its byte */

	q->packets = 1;
	q->bytes = skb->len + tag;
	if (skb->gso_segs <= 1)
		return;
	if (!(q->p.lacks & BPT_L4))
		l4 = 8;
	if (l4 && q->p.proto == IPPROTO_TCP &&
		!bpf_skb_load_bytes(skb, q->p.headers + 12, &words, 1))
		l4 = (words >> 4) * 4;
	q->packets = skb->gso_segs;
	q->bytes += (__u64)(skb->gso_segs - 1) * (q->p.headers + tag + l4);
}

/*
 * A hook's programs: read_ and classify_. The reader is a function of its own to the verifier,
 * which goes through it once though it is called twice: headers are pulled into the linear part,
 * which copies, only where that part was too short to tell.
 */
#define HOOK(name, dir, l3)                                                 \
	__noinline int read_##name(struct __sk_buff *skb, struct packet *p) \
	{                                                                   \
		return p ? read_skb(skb, p, dir, l3) : READ_EXEMPT;         \
	}                                                                   \
                                                                            \
	SEC("tc") int classify_##name(struct __sk_buff *skb)                \
	{                                                                   \
		return classify_skb(skb, read_##name, dir);                 \
	}

static __always_inline int classify_skb(
	struct __sk_buff *skb, int (*read)(struct __sk_buff *, struct packet *), const __u8 dir)
{
	/* What leaves is this host's own if it did not come in by another interface. */
	__s8 me = dir == BP_IN ? -1 : skb->ingress_ifindex == 0;
	struct query *q = query_begin(skb->ifindex, me);

	if (!q)
		return TC_ACT_UNSPEC;
	*(volatile __u32 *)&q->reading = read(skb, &q->p);
	if (*(volatile __u32 *)&q->reading != READ_WHOLE && q->p.more &&
		!bpf_skb_pull_data(skb, skb->len < MOST_HEADERS ? skb->len : MOST_HEADERS)) {
		q->p.lacks = 0xff;
		q->p.family = BP_V4;
		*(volatile __u32 *)&q->reading = read(skb, &q->p);
	}
	count_segments(skb, q);
	return classify(q, skb, dir) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

HOOK(tc_in, BP_IN, false)
HOOK(tc_out, BP_OUT, false)
HOOK(l3_in, BP_IN, true)
HOOK(l3_out, BP_OUT, true)
