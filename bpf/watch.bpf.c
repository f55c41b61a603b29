// SPDX-License-Identifier: GPL-2.0-only
/*
 * What tells a watcher of packets. Behind its verdict a classifier jumps to bp_watch_slot(), where
 * a `relay_*` of here stands while somebody watches. That jumps on to `tell_*`, by an array of
 * which the watcher holds the only descriptor: when it dies, however it dies, the kernel empties
 * that one, and what is left costs a packet two jumps that lead nowhere.
 *
 * The packet is counted by then. Each of these programs ends with the verdict that was reached.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "scratch.h"

char LICENSE[] SEC("license") = "GPL";

/* The helpers for frames of several buffers are there (5.18). */
const volatile bool have_frags = true;
const volatile __u32 snap = 0;	    /* bytes of a frame that are told; at most BP_SNAP */
const volatile __u32 only_rule = 0; /* packets that it counts, alone; 0: all */
/* Packets that match one of these; none: all. verdict: 0: both, else what is blocked (1) or not
 * (2).
 */
const volatile __u32 n_wanted = 0, verdict = 0;
/* ...on that interface alone, which may be another one by and by; 0: there is none. */
const volatile bool on = false;
volatile __u32 on_ifindex = 0;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bp_wanted);
} wanted SEC(".maps");
/*
 * Packets of rules without `log` are a sample: each CPU earns a nanosecond in a nanosecond, has at
 * most `purse` of them, and pays `price` for a packet. 0: all are told.
 */
const volatile __u64 price = 0, purse = 0;
/*
 * To compare a packet with thousands of filters takes microseconds. Each CPU has a tenth of its
 * time for that, so that a flood costs no more, whatever is asked for; what it leaves out is a
 * sample.
 */
#define COMPARE_PRICE 5 /* ns, a filter */
#define COMPARE_PART 10
#define COMPARE_PURSE 10000000 /* ns */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << BP_RING_PART);
} events SEC(".maps");

struct account {
	struct bp_watch_tally tally;
	__u64 since;		 /* left out since the last that was told */
	__u64 tick, earned, has; /* jiffy of the last look at the clock, what that said; ns */
	__u64 compares;		 /* ns */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct account);
} accounts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, BP_HOOKS);
	__type(key, __u32);
	__type(value, __u32);
} xdp_watcher SEC(".maps"), generic_watcher SEC(".maps"), tc_watcher SEC(".maps");

static __always_inline struct query *the_query(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

/* The clock is read once a jiffy, as that costs ten times as much as to ask which jiffy it is. */
static __always_inline void earn(struct account *a)
{
	__u64 tick = bpf_jiffies64(), now, earned;

	if (tick == a->tick)
		return;
	now = bpf_ktime_get_ns();
	earned = now - a->earned;
	a->has += earned;
	if (a->has > purse)
		a->has = purse;
	a->compares += earned / COMPARE_PART;
	if (a->compares > COMPARE_PURSE)
		a->compares = COMPARE_PURSE;
	a->earned = now;
	a->tick = tick;
}

static __always_inline bool pay(__u64 *from, __u64 cost)
{
	if (*from < cost)
		return false;
	*from -= cost;
	return true;
}

static __always_inline bool is_asked_for(const struct query *q)
{
	if (!only_rule || (!q->hidden && q->best_rule == only_rule))
		return true;
#pragma unroll
	for (int i = 0; i < BP_LOGGED; i++)
		if (i < q->logged && q->log_rule[i] == only_rule)
			return true;
	return false;
}

static __always_inline void fill(struct bp_event *e, const struct query *q, const __u8 hook)
{
	e->at = bpf_ktime_get_ns();
	e->packets = q->packets;
	e->rule = q->hidden ? 0 : q->best_rule;
	e->ifindex = q->ifindex;
	e->logged = q->logged;
	__builtin_memcpy(e->log_rule, q->log_rule, sizeof(e->log_rule));
	__builtin_memcpy(e->remote, q->p.remote, sizeof(e->remote));
	__builtin_memcpy(e->local, q->p.local, sizeof(e->local));
	e->rport = q->p.rport;
	e->lport = q->p.lport;
	e->family = q->p.family;
	e->proto = q->p.proto;
	e->lacks = q->p.lacks;
	e->hook = hook;
	e->reading = q->reading;
	e->blocked = q->blocked;
	e->hidden = q->hidden;
	e->pad = 0;
}

static __always_inline bool is_between(__u16 port, __u16 lo, __u16 hi)
{
	return port >= lo && port <= hi;
}

/* What could not be read is wanted by nobody who asks for it. */
static __always_inline bool is_it(const struct query *q, const struct bp_wanted *w, __u8 dir)
{
	if (w->dir != dir)
		return false;
	if (w->any)
		return true;
	if (q->reading == READ_EXEMPT || q->reading == READ_OPAQUE || w->family != q->p.family)
		return false;
	if (w->flags & BPT_PROTO && (q->reading == READ_BLIND || w->proto != q->p.proto))
		return false;
	if (w->flags & q->p.lacks & ~BPT_PROTO)
		return false;
	for (int i = 0; i < 4; i++)
		if ((q->p.remote[i] & w->remote_mask[i]) != w->remote[i] ||
			(q->p.local[i] & w->local_mask[i]) != w->local[i])
			return false;
	return is_between(q->p.rport, w->rport_lo, w->rport_hi) &&
	       is_between(q->p.lport, w->lport_lo, w->lport_hi);
}

struct asked {
	const struct query *q;
	__u8 dir;
	bool found;
};

static long compare(__u32 index, struct asked *a)
{
	const struct bp_wanted *w = bpf_map_lookup_elem(&wanted, &index);

	a->found = w && is_it(a->q, w, a->dir);
	return a->found || !w;
}

/* What takes no time to ask. */
static __always_inline bool may_be_wanted(const struct query *q)
{
	return (!verdict || q->blocked == (verdict == 1)) && (!on || q->ifindex == on_ifindex);
}

static __always_inline bool is_wanted(const struct query *q, const __u8 hook)
{
	struct asked a = {
		.q = q,
		.dir = hook == BP_TC_OUT || hook == BP_L3_OUT ? BP_OUT : BP_IN,
	};

	bpf_loop(n_wanted, compare, &a, 0);
	return a.found;
}

static __always_inline bool is_told(const struct query *q, struct account *a, const __u8 hook)
{
	const bool sampled = price && !q->logged;

	if (sampled)
		earn(a);
	if (!n_wanted || !sampled || pay(&a->compares, n_wanted * COMPARE_PRICE)) {
		if (n_wanted && !is_wanted(q, hook))
			return false;
		if (!sampled || pay(&a->has, price))
			return true;
	}
	a->tally.left_out++;
	a->since++;
	return false;
}

/* An event with all but the frame; NULL: the packet is not told. */
static __always_inline struct bp_event *begin(const struct query *q, const __u8 hook)
{
	__u32 zero = 0;
	struct account *a = bpf_map_lookup_elem(&accounts, &zero);
	struct bp_event *e;

	if (!a || !is_asked_for(q) || !may_be_wanted(q) || !is_told(q, a, hook))
		return NULL;
	e = bpf_ringbuf_reserve(&events, sizeof(*e) + snap, 0);
	if (!e) {
		a->tally.lost++;
		return NULL;
	}
	a->tally.told++;
	e->left_out = a->since;
	a->since = 0;
	fill(e, q, hook);
	return e;
}

/* To wake the reader costs microseconds: so it is where another part of the ring is full; else it
 * looks by itself. */
static __always_inline void submit(struct bp_event *e)
{
	__u64 used = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	bool wake = used >> BP_RING_PART != (used - sizeof(*e) - snap) >> BP_RING_PART;

	bpf_ringbuf_submit(e, wake ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

static __always_inline __u32 snap_of(__u32 length)
{
	return length < snap ? length : snap;
}

static __always_inline long copy_frame(struct xdp_md *ctx, void *to, __u32 size)
{
	if (have_frags)
		return bpf_xdp_load_bytes(ctx, 0, to, size);
	return bpf_probe_read_kernel(to, size, (void *)(long)ctx->data);
}

static __always_inline void tell_frame(struct xdp_md *ctx, const struct query *q, const __u8 hook)
{
	struct bp_event *e = begin(q, hook);
	__u32 size;

	if (!e)
		return;
	e->length = have_frags ? bpf_xdp_get_buff_len(ctx) : ctx->data_end - ctx->data;
	e->bytes = e->length;
	e->tag = e->tag_type = 0;
	size = snap_of(e->length);
	if (size && copy_frame(ctx, e->data, size))
		size = 0;
	e->snapped = size;
	submit(e);
}

static __always_inline void tell_skb(struct __sk_buff *skb, const struct query *q, const __u8 hook)
{
	struct bp_event *e = begin(q, hook);
	__u32 size;

	if (!e)
		return;
	e->length = skb->len;
	e->bytes = q->bytes;
	e->tag = skb->vlan_tci;
	e->tag_type = skb->vlan_present ? skb->vlan_proto : 0;
	size = snap_of(e->length);
	if (size && bpf_skb_load_bytes(skb, 0, e->data, size))
		size = 0;
	e->snapped = size;
	submit(e);
}

#define HOOK(name, section, array, hook, CTX, tell, drop, pass) \
	SEC(section) int relay_##name(CTX *ctx)                 \
	{                                                       \
		struct query *q;                                \
                                                                \
		bpf_tail_call(ctx, &array, hook);               \
		q = the_query();                                \
		return q && q->blocked ? drop : pass;           \
	}                                                       \
                                                                \
	SEC(section) int tell_##name(CTX *ctx)                  \
	{                                                       \
		struct query *q = the_query();                  \
                                                                \
		if (!q)                                         \
			return pass;                            \
		tell(ctx, q, hook);                             \
		return q->blocked ? drop : pass;                \
	}

#define XDP_HOOK(name, hook) \
	HOOK(name, "xdp", name##_watcher, hook, struct xdp_md, tell_frame, XDP_DROP, XDP_PASS)
#define TC_HOOK(name, hook) \
	HOOK(name, "tc", tc_watcher, hook, struct __sk_buff, tell_skb, TC_ACT_SHOT, TC_ACT_UNSPEC)

XDP_HOOK(xdp, BP_XDP)
XDP_HOOK(generic, BP_GENERIC)
TC_HOOK(tc_in, BP_TC_IN)
TC_HOOK(tc_out, BP_TC_OUT)
TC_HOOK(l3_in, BP_L3_IN)
TC_HOOK(l3_out, BP_L3_OUT)
