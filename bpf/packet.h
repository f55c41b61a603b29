/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads a frame into a struct packet: Ethernet with up to 4 VLAN tags, IPv4 with options, IPv6
 * with up to 8 extension headers, fragments, ports and ICMP types. What it reads, and what it
 * makes of frames that are cut or lie, is the contract's "How packets are read".
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

#include "abi.h"

#define MAX_TAGS 4
#define MAX_EXTENSIONS 8
#define IP_OFFSET 0x1fff /* IPv4: fragment offset in 8-byte units (RFC 791) */

#ifndef IPPROTO_MH
#define IPPROTO_MH 135 /* mobility (RFC 6275) */
#endif
#define IPPROTO_HIP 139	  /* RFC 7401 */
#define IPPROTO_SHIM6 140 /* RFC 5533 */

/*
 * By distance, not by direction: remote is the source of what arrives. It begins with lacks =
 * 0xff: nothing is known.
 */
struct packet {
	__u32 remote[4], local[4]; /* network order; IPv4 in [0] */
	__u16 rport, lport;	   /* host order; for ICMP lport = type, rport = code */
	__u8 family;		   /* enum bp_family */
	__u8 proto;
	__u8 lacks;    /* tuples with any of these flags ask for what is not known of this packet */
	__u16 headers; /* TC: bytes before the header that holds the ports or the type */
	bool more;     /* TC: there is more to read than lies in the linear part */
};

/* A frame as a hook finds it. */
struct frame {
	void *data, *end;
	__u32 len;	/* all of it, also what lies beyond end */
	__u8 tags;	/* VLAN tags that the driver or the kernel took off already */
	bool l3;	/* begins with the IP header */
	bool aggregate; /* of several packets: may be too long for its length field, which is 0 then
			 */
};

/* What is left of the frame: in memory up to end, and of that `left` bytes by the IP length. */
struct cursor {
	void *pos, *end;
	__u32 left;
};

static __always_inline bool is_tag(__u16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/* The ethertype below all tags, in network order; 0 when the frame ends before it. */
static __always_inline __u16 read_ethernet(struct cursor *c, __u8 tags)
{
	struct ethhdr *eth = c->pos;
	__u16 type;

	if ((void *)(eth + 1) > c->end)
		return 0;
	type = eth->h_proto;
	c->pos = eth + 1;
#pragma unroll
	for (int i = 0; i < MAX_TAGS; i++) {
		__u16 *tag = c->pos; /* TCI, then the next type */

		if (!is_tag(type) || i + tags == MAX_TAGS)
			break;
		if ((void *)(tag + 2) > c->end)
			return 0;
		type = tag[1];
		c->pos = tag + 2;
	}
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

static __always_inline enum bp_reading read_l4(
	struct cursor *c, struct packet *p, const __u8 dir, const __u8 family)
{
	__u32 need = l4_header[family][p->proto];
	__u16 *port = c->pos;
	__u8 *icmp = c->pos;

	if (!need)
		return READ_WHOLE;
	if (c->left < need || (__u64)c->end - (__u64)c->pos < need)
		return READ_CUT;
	if ((void *)(port + 2) > c->end) /* known by now, but not to the verifier */
		return READ_CUT;
	p->lacks = 0;
	if (p->proto != (family == BP_V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		p->rport = bpf_ntohs(dir == BP_IN ? port[0] : port[1]);
		p->lport = bpf_ntohs(dir == BP_IN ? port[1] : port[0]);
		return READ_WHOLE;
	}
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
static __always_inline enum bp_reading read_ipv4(
	struct cursor *c, __u32 frame_left, bool aggregate, struct packet *p, const __u8 dir)
{
	struct iphdr *ip = c->pos;
	__u32 header, total, offset;

	if ((void *)(ip + 1) > c->end || ip->version != 4)
		return READ_OPAQUE;
	p->family = BP_V4;
	p->lacks = BPT_L4;
	p->proto = ip->protocol;
	p->remote[0] = dir == BP_IN ? ip->saddr : ip->daddr;
	p->local[0] = dir == BP_IN ? ip->daddr : ip->saddr;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	if (!total && aggregate)
		total = frame_left;
	if (header < sizeof(*ip) || total < header || total > frame_left)
		return READ_BAD;
	offset = bpf_ntohs(ip->frag_off) & IP_OFFSET;
	if (offset)
		return read_later_fragment(p, offset);
	c->pos += header;
	c->left = total - header;
	return read_l4(c, p, dir, BP_V4);
}

/* Goes over the extension header p->proto. *offset: of a later fragment. False: it is cut. */
static __always_inline bool step_extension(struct cursor *c, struct packet *p, __u32 *offset)
{
	__u8 *h = c->pos;
	__u32 size;

	if ((void *)(h + 8) > c->end || c->left < 8)
		return false;
	size = 8 + h[1] * extension[p->proto].unit;
	if (size > c->left || size > (__u64)c->end - (__u64)c->pos)
		return false;
	*offset = bpf_ntohs(*(__u16 *)(h + 2)) >> 3 & extension[p->proto].offset_mask;
	p->proto = h[0];
	c->pos += size & 0xfff; /* at most 8 + 255 * 8: a bound for the verifier */
	c->left -= size;
	return true;
}

static __always_inline enum bp_reading read_ipv6(
	struct cursor *c, __u32 frame_left, bool aggregate, struct packet *p, const __u8 dir)
{
	struct ipv6hdr *ip = c->pos;
	__u32 offset;

	if ((void *)(ip + 1) > c->end || ip->version != 6)
		return READ_OPAQUE;
	p->family = BP_V6;
	p->lacks = BPT_L4;
	p->proto = ip->nexthdr;
	__builtin_memcpy(p->remote, dir == BP_IN ? &ip->saddr : &ip->daddr, 16);
	__builtin_memcpy(p->local, dir == BP_IN ? &ip->daddr : &ip->saddr, 16);
	c->left = bpf_ntohs(ip->payload_len);
	if (!c->left && aggregate)
		c->left = frame_left - sizeof(*ip);
	if (c->left + sizeof(*ip) > frame_left)
		return READ_BAD;
	c->pos = ip + 1;
	for (int i = 0; i < MAX_EXTENSIONS && extension[p->proto].walked; i++) {
		if (!step_extension(c, p, &offset))
			break;
		if (offset)
			return read_later_fragment(p, offset);
	}
	if (extension[p->proto].walked) {
		p->lacks |= BPT_PROTO;
		return READ_BLIND;
	}
	return read_l4(c, p, dir, BP_V6);
}

/* The ethertype that an IP header's version stands for, in network order; 0: none. */
static __always_inline __u16 type_of_version(const struct frame *f)
{
	__u8 *version = f->data;

	if ((void *)(version + 1) > f->end)
		return 0;
	if (*version >> 4 == 4)
		return bpf_htons(ETH_P_IP);
	return *version >> 4 == 6 ? bpf_htons(ETH_P_IPV6) : 0;
}

/* *c: stands behind what was read, before the header that holds the ports or the type. */
static __always_inline enum bp_reading read_frame(
	const struct frame *f, struct cursor *c, struct packet *p, const __u8 dir)
{
	__u16 type;
	__u32 left;

	*c = (struct cursor){ .pos = f->data, .end = f->end };
	type = f->l3 ? type_of_version(f) : read_ethernet(c, f->tags);
	left = f->len - (c->pos - f->data);
	if (type == bpf_htons(ETH_P_IP))
		return read_ipv4(c, left, f->aggregate, p, dir);
	if (type == bpf_htons(ETH_P_IPV6))
		return read_ipv6(c, left, f->aggregate, p, dir);
	return is_tag(type) ? READ_OPAQUE : READ_EXEMPT;
}

#endif
