// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bench's sender, which gives every frame the next source address of a list and sends it into a
 * veth; the application that counts what arrives; and the two filters that are no filter.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>

#include "traffic.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2 * TRAFFIC_SOURCES);
	__type(key, __u32);
	__type(value, __u64);
} sources SEC(".maps");

/* Where to send, and which part of the sources is used. */
__u32 out, first, n_sources = 1, at, sum;
__u64 arrived[2];

SEC("xdp")
int send(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	__u32 i = first + at, check;
	__u64 *source;

	if ((void *)(ip + 1) > end)
		return XDP_ABORTED;
	at = at + 1 < n_sources ? at + 1 : 0;
	source = bpf_map_lookup_elem(&sources, &i);
	if (!source)
		return XDP_ABORTED;
	ip->saddr = *source;
	check = sum + (ip->saddr >> 16) + (ip->saddr & 0xffff);
	check = (check >> 16) + (check & 0xffff);
	check = (check >> 16) + (check & 0xffff);
	ip->check = ~check;
	return bpf_redirect(out, 0);
}

/* Socket filters: what they see has crossed the whole receive path, and no reader takes time. */
SEC("socket")
int count(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&arrived[0], 1);
	return 0;
}

SEC("socket")
int count_second(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&arrived[1], 1);
	return 0;
}

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}
