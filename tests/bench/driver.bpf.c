// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the classifier is measured against, and fed by: an empty program, one that looks up in vain,
 * and one that writes the next packet of a list over the frame and goes on to the program in
 * `next`, so that what the classifier reads is as cold in the caches as the rules are many.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "driver.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DRIVER_PACKETS);
	__type(key, __u32);
	__type(value, struct driver_packet);
} packets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

/* A hash map as the kernel has it, with keys as wide as those of an IPv4 rule. */
struct missed {
	__u64 head, addresses;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DRIVER_MISSED);
	__type(key, struct missed);
	__type(value, __u32);
} missed SEC(".maps");

__u32 at = 0;

SEC("xdp.frags")
int empty(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp.frags")
int drive(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct driver_packet *p;
	__u32 i = at++ & (DRIVER_PACKETS - 1);

	p = bpf_map_lookup_elem(&packets, &i);
	if (!p || data + sizeof(*eth) + sizeof(struct ipv6hdr) + 4 > end)
		return XDP_ABORTED;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (void *)(eth + 1);

		ip->saddr = p->remote[0];
		ip->daddr = p->local[0];
		ip->protocol = p->proto;
		*(__u32 *)(ip + 1) = p->ports;
	} else {
		struct ipv6hdr *ip = (void *)(eth + 1);

		__builtin_memcpy(&ip->saddr, p->remote, 16);
		__builtin_memcpy(&ip->daddr, p->local, 16);
		ip->nexthdr = p->proto;
		*(__u32 *)(ip + 1) = p->ports;
	}
	bpf_tail_call(ctx, &next, 0);
	return XDP_ABORTED;
}

/* One lookup in vain: the measure of what a search may cost. */
SEC("xdp.frags")
int miss(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct missed key = { 0 };

	if ((void *)(ip + 1) > end)
		return XDP_ABORTED;
	key.head = ip->protocol;
	key.addresses = ip->saddr | (__u64)ip->daddr << 32;
	return bpf_map_lookup_elem(&missed, &key) ? XDP_DROP : XDP_PASS;
}
