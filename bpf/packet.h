/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads a frame into a struct packet: Ethernet with up to 4 VLAN tags, IPv4 with options, IPv6
 * with up to 8 extension headers, fragments, ports and ICMP types. What it reads, and what it
 * makes of frames that are cut or lie, is the contract's "How packets are read".
 *
 * The hook defines CTX, its context, and load_bytes(ctx, offset, to, size), which copies a part of
 * the frame from wherever it lies and returns 0 if all of it is there.
 */
#ifndef BPFPOL_PACKET_H
#define BPFPOL_PACKET_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "query.h"

#define MAX_TAGS 4
#define MAX_EXTENSIONS 8
#define IP_OFFSET 0x1fff /* IPv4: fragment offset in 8-byte units (RFC 791) */

#ifndef IPPROTO_MH
#define IPPROTO_MH 135 /* mobility (RFC 6275) */
#endif
#define IPPROTO_HIP 139	  /* RFC 7401 */
#define IPPROTO_SHIM6 140 /* RFC 5533 */

/* A frame as a hook finds it. */
struct frame {
	CTX *ctx;
	__u32 len;	/* all of it */
	bool tag_taken; /* the kernel took the outermost VLAN tag off already */
	bool l3;	/* begins with the IP header */
	bool aggregate; /* of several packets: each gets a length of its own, whatever it says here
			 */
	bool unsaid;	/* it may be one: a length of 0, in IPv6 before hop-by-hop options, reaches
			 * to the end of the frame, which is how the kernel takes an aggregate's
			 * (iph_totlen(), ip6_rcv_core()) */
};

/*
 * What is left of the frame. It is read where it lies, from pos to end; what lies beyond end (in
 * another buffer, outside an skb's linear part) is copied from offset `at` on. One source for both:
 * `far`, a constant, says which way. left: bytes by the IP length.
 */
struct cursor {
	CTX *ctx;
	void *pos, *end;
	__u32 at;
	__u32 left;
};

/* The next `size` bytes, in place or in `room`; NULL: the frame ends before. */
static __always_inline void *fetch(struct cursor *c, void *room, const __u32 size, const bool far)
{
	if (far)
		return load_bytes(c->ctx, c->at, room, size) ? NULL : room;
	if (c->pos + size > c->end)
		return NULL;
	__builtin_assume(c->pos != NULL); /* or else each NULL is asked for twice */
	return c->pos;
}

static __always_inline void go_on(struct cursor *c, __u32 bytes, const bool far)
{
	if (far)
		c->at += bytes;
	else
		c->pos += bytes;
}

static __always_inline bool is_tag(__u16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/*
 * The ethertype below all tags, in network order; 0 when the frame ends before it. How far that was
 * goes by way of p->headers, which is no number on the stack that the verifier knows, and the
 * pointers are made anew: so what comes after is verified once, not for each number of tags.
 */
static __always_inline __u16 read_ethernet(
	const struct frame *f, struct cursor *c, struct packet *p, const bool far)
{
	__u16 room[ETH_HLEN / 2], *eth = fetch(c, room, sizeof(room), far);
	__u16 type, *tag, room_tag[2]; /* TCI, then the next type */
	__u16 headers = ETH_HLEN;

	if (!eth)
		return 0;
	type = eth[ETH_ALEN]; /* behind two addresses */
	go_on(c, sizeof(room), far);
#pragma unroll
	for (int i = 0; i < MAX_TAGS; i++) {
		if (!is_tag(type) || (i == MAX_TAGS - 1 && f->tag_taken))
			break;
		tag = fetch(c, room_tag, sizeof(room_tag), far);
		if (!tag)
			return 0;
		type = tag[1];
		go_on(c, sizeof(room_tag), far);
		headers += sizeof(room_tag);
	}
	*(volatile __u16 *)&p->headers = headers;
	c->at = *(volatile __u16 *)&p->headers & 31;
	c->end = (void *)(long)((volatile CTX *)c->ctx)->data_end;
	c->pos = (void *)(long)((volatile CTX *)c->ctx)->data + c->at;
	return type;
}

/*
 * What the verifier would follow branch by branch, through every round of the loop over extension
 * headers, stands in tables: it takes what it reads there for any number.
 */

/* Bytes of the fixed header that holds the ports or the type; 0: the protocol has none. */
static const __u8 l4_header[BP_FAMILIES][256] = {
	[BP_V4] = {
		[IPPROTO_TCP] = 20, [IPPROTO_UDP] = 8, [IPPROTO_UDPLITE] = 8, [IPPROTO_SCTP] = 12,
		[IPPROTO_DCCP] = 12, [IPPROTO_ICMP] = 8,
	},
	[BP_V6] = {
		[IPPROTO_TCP] = 20, [IPPROTO_UDP] = 8, [IPPROTO_UDPLITE] = 8, [IPPROTO_SCTP] = 12,
		[IPPROTO_DCCP] = 12, [IPPROTO_ICMPV6] = 8,
	},
};

/* Size of an extension header: 8 bytes + its length field * unit. AH: RFC 4302, others: RFC 8200.
 */
static const struct {
	__u8 walked, unit;
	__u16 offset_mask; /* of the fragment offset, in a fragment header */
} extension[256] = {
	[IPPROTO_HOPOPTS] = { 1, 8, 0 },
	[IPPROTO_ROUTING] = { 1, 8, 0 },
	[IPPROTO_DSTOPTS] = { 1, 8, 0 },
	[IPPROTO_FRAGMENT] = { 1, 0, IP_OFFSET },
	[IPPROTO_AH] = { 1, 4, 0 },
	[IPPROTO_MH] = { 1, 8, 0 },
	[IPPROTO_HIP] = { 1, 8, 0 },
	[IPPROTO_SHIM6] = { 1, 8, 0 },
};

/* What is known of the header that holds ports or type: its first four bytes. */
static __always_inline enum bp_reading read_l4(
	struct cursor *c, struct packet *p, const __u8 dir, const __u8 family, const bool far)
{
	__u32 need = l4_header[family][p->proto];
	__u16 room[2], *port;
	__u8 *icmp;

	if (!need)
		return READ_WHOLE;
	if (c->left < need || (!far && (__u64)c->end - (__u64)c->pos < need))
		return READ_CUT;
	port = fetch(c, room, sizeof(room), far);
	if (!port)
		return READ_CUT;
	p->lacks = 0;
	if (p->proto != (family == BP_V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		p->rport = bpf_ntohs(dir == BP_IN ? port[0] : port[1]);
		p->lport = bpf_ntohs(dir == BP_IN ? port[1] : port[0]);
		return READ_WHOLE;
	}
	icmp = (__u8 *)port;
	p->lacks = BPT_PORTS;
	p->lport = icmp[0];
	p->rport = icmp[1];
	/* Router and neighbour solicitation and advertisement (RFC 4861). */
	if (family == BP_V6 && icmp[0] >= 133 && icmp[0] <= 136)
		return READ_EXEMPT;
	return READ_WHOLE;
}

/* offset: in 8-byte units. A TCP fragment at 1 could rewrite the first one's flags (RFC 3128). */
static __always_inline enum bp_reading read_later_fragment(const struct packet *p, __u32 offset)
{
	return p->proto == IPPROTO_TCP && offset == 1 ? READ_CUT : READ_WHOLE;
}

/* frame_left: bytes of the frame from the IP header on, wherever they lie. */
static __always_inline enum bp_reading read_ipv4(const struct frame *f, struct cursor *c,
	__u32 frame_left, struct packet *p, const __u8 dir, const bool far)
{
	struct iphdr room, *ip = fetch(c, &room, sizeof(room), far);
	__u32 header, total, offset;

	if (!ip || ip->version != 4)
		return READ_OPAQUE;
	p->family = BP_V4;
	p->lacks = BPT_L4;
	p->proto = ip->protocol;
	p->remote[0] = dir == BP_IN ? ip->saddr : ip->daddr;
	p->local[0] = dir == BP_IN ? ip->daddr : ip->saddr;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	if (f->aggregate || (f->unsaid && !total))
		total = frame_left;
	if (header < sizeof(*ip) || total < header || total > frame_left)
		return READ_BAD;
	offset = bpf_ntohs(ip->frag_off) & IP_OFFSET;
	if (offset)
		return read_later_fragment(p, offset);
	go_on(c, header, far);
	c->left = total - header;
	return read_l4(c, p, dir, BP_V4, far);
}

/* Goes over the extension header p->proto. *offset: of a later fragment. False: it is cut. */
static __always_inline bool step_extension(
	struct cursor *c, struct packet *p, __u32 *offset, const bool far)
{
	__u8 room[8], *h = fetch(c, room, sizeof(room), far);
	__u32 size;

	if (!h || c->left < 8)
		return false;
	size = 8 + h[1] * extension[p->proto].unit;
	if (size > c->left || (!far && size > (__u64)c->end - (__u64)c->pos))
		return false;
	*offset = bpf_ntohs(*(__u16 *)(h + 2)) >> 3 & extension[p->proto].offset_mask;
	p->proto = h[0];
	go_on(c, size & 0xfff, far); /* at most 8 + 255 * 8: a bound for the verifier */
	c->left -= size;
	return true;
}

static __always_inline bool is_jumbo(const struct packet *p)
{
	return *(volatile const __u8 *)&p->jumbo;
}

/*
 * A payload length of 0 before hop-by-hop options is a jumbogram's (RFC 2675), which no frame that
 * is one packet can hold. The kernel takes all that is left for its payload (ip6_rcv_core()), so
 * what stands there says the protocol; more is not believed.
 */
static __always_inline enum bp_reading read_ipv6(const struct frame *f, struct cursor *c,
	__u32 frame_left, struct packet *p, const __u8 dir, const bool far)
{
	struct ipv6hdr room, *ip = fetch(c, &room, sizeof(room), far);
	__u32 jumbo, offset; /* jumbo: 0 or 1 */

	if (!ip || ip->version != 6)
		return READ_OPAQUE;
	p->family = BP_V6;
	p->lacks = BPT_L4;
	p->proto = ip->nexthdr;
	__builtin_memcpy(p->remote, dir == BP_IN ? &ip->saddr : &ip->daddr, 16);
	__builtin_memcpy(p->local, dir == BP_IN ? &ip->daddr : &ip->saddr, 16);
	c->left = bpf_ntohs(ip->payload_len);
	/* Without a branch, as the verifier would follow both ways through the loop. */
	jumbo = ((c->left | p->proto) - 1) >> 31;
	barrier_var(jumbo);
	c->left += -jumbo & (frame_left - sizeof(*ip));
	if (f->aggregate)
		c->left = frame_left - sizeof(*ip);
	*(volatile __u8 *)&p->jumbo = jumbo & !(f->aggregate | f->unsaid);
	if (c->left + sizeof(*ip) > frame_left)
		return READ_BAD;
	go_on(c, sizeof(*ip), far);
	for (int i = 0; i < MAX_EXTENSIONS && extension[p->proto].walked; i++) {
		if (!step_extension(c, p, &offset, far))
			break;
		if (offset)
			return is_jumbo(p) ? READ_CUT : read_later_fragment(p, offset);
	}
	if (extension[p->proto].walked) {
		p->lacks |= BPT_PROTO;
		return READ_BLIND;
	}
	return is_jumbo(p) ? READ_CUT : read_l4(c, p, dir, BP_V6, far);
}

/* The ethertype that an IP header's version stands for, in network order; 0: none. */
static __always_inline __u16 type_of_version(struct cursor *c, const bool far)
{
	__u8 room, *version = fetch(c, &room, 1, far);

	if (!version)
		return 0;
	if (*version >> 4 == 4)
		return bpf_htons(ETH_P_IP);
	return *version >> 4 == 6 ? bpf_htons(ETH_P_IPV6) : 0;
}

/* Leaves in p->headers how many bytes stand before the header with the ports or the type. */
static __always_inline enum bp_reading read_frame(
	const struct frame *f, struct packet *p, const __u8 dir, const bool far)
{
	struct cursor c = {
		.ctx = f->ctx,
		.pos = (void *)(long)f->ctx->data,
		.end = (void *)(long)f->ctx->data_end,
	};
	enum bp_reading reading = READ_EXEMPT;
	__u16 type = f->l3 ? type_of_version(&c, far) : read_ethernet(f, &c, p, far);
	__u32 left = f->len - c.at;

	if (type == bpf_htons(ETH_P_IP))
		reading = read_ipv4(f, &c, left, p, dir, far);
	else if (type == bpf_htons(ETH_P_IPV6))
		reading = read_ipv6(f, &c, left, p, dir, far);
	else if (is_tag(type))
		reading = READ_OPAQUE;
	p->headers = far ? c.at : c.pos - (void *)(long)f->ctx->data;
	return reading;
}

#endif
