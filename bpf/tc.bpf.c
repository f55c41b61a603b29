// SPDX-License-Identifier: GPL-2.0-only
/*
 * What leaves, and what arrives where XDP cannot be. Here the kernel has made skbs of the frames:
 * the outermost VLAN tag may be taken off, headers may lie outside the linear part, several packets
 * may be one aggregate. l3_*: devices without Ethernet header.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define CTX struct __sk_buff
#define load_bytes bpf_skb_load_bytes
#include "classify.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline struct frame skb_frame(CTX *skb, const bool l3)
{
	return (struct frame){
		.ctx = skb,
		.len = skb->len,
		.tag_taken = !l3 && skb->vlan_present,
		.l3 = l3,
		.aggregate = skb->gso_size,
	};
}

static __always_inline __u64 bytes_of(const struct query *q, CTX *skb)
{
	return q->bytes;
}

/*
 * How many packets an aggregate is on the wire. What a program or a guest made itself comes without
 * their number.
 */
static __always_inline __u32 segments(CTX *skb, __u32 headers)
{
	__u32 size = skb->gso_size;

	if (skb->gso_segs || skb->len <= headers)
		return skb->gso_segs;
	return (skb->len - headers + size - 1) / size;
}

/* Each packet of an aggregate has the headers in front of it. */
static __always_inline void weigh(struct query *q, CTX *skb)
{
	__u32 tag = skb->vlan_present ? 4 : 0;
	__u32 l4 = 0, n; /* l4: bytes of the TCP or UDP header */
	__u8 words = 0;	 /* of the TCP header, in the upper half of its byte */

	q->packets = 1;
	q->bytes = skb->len + tag;
	if (!skb->gso_size)
		return;
	if (!(q->p.lacks & BPT_L4))
		l4 = 8;
	if (l4 && q->p.proto == IPPROTO_TCP &&
		!bpf_skb_load_bytes(skb, q->p.headers + 12, &words, 1))
		l4 = (words >> 4) * 4;
	n = segments(skb, q->p.headers + l4);
	if (n <= 1)
		return;
	q->packets = n;
	q->bytes += (__u64)(n - 1) * (q->p.headers + tag + l4);
}

static __always_inline int classify_skb(
	CTX *skb, int (*read_far)(CTX *, struct packet *), const struct place at, const bool l3)
{
	/* What leaves is this host's own if it did not come in by another interface. */
	__s8 me = at.dir == BP_IN ? -1 : skb->ingress_ifindex == 0;
	struct query *q = query_begin(skb->ifindex, me);
	struct frame f = skb_frame(skb, l3);
	enum bp_reading reading;

	if (!q)
		return TC_ACT_UNSPEC;
	reading = read_frame(&f, &q->p, at.dir, false);
	if (reading != READ_WHOLE && skb->data_end - skb->data < skb->len) {
		forget(&q->p);
		reading = read_far(skb, &q->p);
	}
	*(volatile __u32 *)&q->reading = reading;
	weigh(q, skb);
	return classify(q, skb, at) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

/* A hook's programs. far_: for headers outside the linear part; verified once, on its own. */
#define HOOK(name, hook, dir, l3)                                                             \
	__noinline int far_##name(CTX *skb, struct packet *p)                                 \
	{                                                                                     \
		struct frame f = skb_frame(skb, l3);                                          \
                                                                                              \
		return p ? read_frame(&f, p, dir, true) : READ_EXEMPT;                        \
	}                                                                                     \
                                                                                              \
	SEC("classifier_tc") int classify_##name(CTX *skb)                                    \
	{                                                                                     \
		return classify_skb(skb, far_##name,                                          \
			(struct place){ &tc_generations, &tc_dynamic, hook, dir }, l3);       \
	}                                                                                     \
                                                                                              \
	SEC("classifier_tc") int count_##name(CTX *skb)                                       \
	{                                                                                     \
		return settle(skb, (struct place){ &tc_generations, &tc_dynamic, hook, dir }) \
			       ? TC_ACT_SHOT                                                  \
			       : TC_ACT_UNSPEC;                                               \
	}

HOOK(tc_in, BP_TC_IN, BP_IN, false)
HOOK(tc_out, BP_TC_OUT, BP_OUT, false)
HOOK(l3_in, BP_L3_IN, BP_IN, true)
HOOK(l3_out, BP_L3_OUT, BP_OUT, true)
