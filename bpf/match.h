/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The search: which filter decides on a packet. One loop probes the tuples that can still match,
 * lowest number first (the loader numbers them by falling bound when it builds a generation), and
 * within a tuple the chain of filters that share a key. The best so far is kept; a tuple whose
 * bound lies below it is not probed. Count rules stand in tuples of their own in the same loop.
 */
#ifndef BPFPOL_MATCH_H
#define BPFPOL_MATCH_H

#include "count.h"
#include "packet.h"
#include "rules.h"

#define AF_INET 2
#define AF_INET6 10

/* Probes that are made inline; bpf_loop() goes on from there, which costs some 20 ns more each. */
#define INLINE_STEPS 2
#define LOOP_STEPS (BP_TUPLES * BP_CHAIN)

/*
 * The packet, and how far the search is. CTX is what the hook's programs are called with. Kept in a
 * map, not on the stack: the verifier follows every known value on the stack through every round of
 * the loop (a million instructions), but knows nothing of what a map holds.
 */
struct query {
	struct packet p;
	__u32 reading; /* enum bp_reading */
	__u32 ifindex;
	__u64 bytes, packets; /* that this packet counts for */
	bool malformed;
	bool hidden; /* blocked, as a rule asks for what the packet does not show */
	__s8 me;     /* whether the local end is this host; -1: not asked yet */

	__u64 todo;	   /* tuples still to probe */
	__u32 tuple, slot; /* being probed; slot > 0: within its chain */
	__u64 best_rank;
	/* Of the best: copied, since a removed element's memory is soon another's. */
	__u32 best_rule;
	__u8 best_action;
	__u64 now; /* CLOCK_BOOTTIME; 0: not read yet */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct query);
} scratch SEC(".maps");

/* What a map cannot hold: pointers. */
struct search {
	struct query *q;
	const struct bp_tables *tables;
	struct bp_elem *best;
	CTX *ctx;
};

/* Elements are shared by all CPUs. */
static __always_inline void count_elem(struct bp_elem *e, __u64 packets, __u64 bytes)
{
	if (explain)
		return;
	__sync_fetch_and_add(&e->packets, packets);
	__sync_fetch_and_add(&e->bytes, bytes);
}

static __always_inline bool gate_open(struct query *q, __u32 gate)
{
	__u64 *until;

	if (!gate)
		return true;
	until = bpf_map_lookup_elem(&gates, &gate);
	if (!until || *until == BP_GATE_SHUT)
		return false;
	if (*until == BP_GATE_OPEN)
		return true;
	if (!q->now)
		q->now = bpf_ktime_get_boot_ns();
	return q->now < *until;
}

/*
 * Whether a destination is this host itself, asked of the kernel's own routing. Broadcast and
 * multicast first, by address: with forwarding on and a default route the FIB calls them forwarded.
 * NOT_FWDED: local (or no route at all). FWD_DISABLED: this interface does not forward, so what the
 * kernel accepts is ours.
 */
/*
 * The FIB answers NOT_FWDED for any packet from such a source, wherever it goes: it is not asked.
 */
static __always_inline bool stays_on_link(const __u32 address[4])
{
	__u32 top = bpf_ntohl(address[0]);

	return top >> 24 == 0xff || top >> 22 == 0xfe80 >> 6 ||
	       (!top && !address[1] && !address[2] && address[3] == bpf_htonl(1));
}

static __always_inline bool ask_me(struct query *q, CTX *ctx)
{
	struct bpf_fib_lookup fib = {};
	long rc;

	fib.ifindex = q->ifindex;
	if (q->p.family == BP_V4) {
		if (q->p.local[0] == ~0U ||
			(q->p.local[0] & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000))
			return true;
		fib.family = AF_INET;
		fib.ipv4_src = q->p.remote[0];
		fib.ipv4_dst = q->p.local[0];
	} else {
		if ((q->p.local[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000))
			return true;
		fib.family = AF_INET6;
		if (!stays_on_link(q->p.remote))
			__builtin_memcpy(fib.ipv6_src, q->p.remote, 16);
		__builtin_memcpy(fib.ipv6_dst, q->p.local, 16);
	}
	rc = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	return rc == BPF_FIB_LKUP_RET_NOT_FWDED || rc == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

static __always_inline bool is_me(struct query *q, CTX *ctx)
{
	if (q->me < 0)
		q->me = ask_me(q, ctx);
	return q->me;
}

/*
 * Whether all that the key cannot say holds of the packet too; the dearest question last. A
 * function of its own to the verifier, which goes through it once and not at every call.
 */
__noinline int elem_matches(struct query *q, const struct bp_elem *e, __u32 flags, CTX *ctx)
{
	if (!q || !e)
		return false;
	if (!e->rule || (e->ifindex && e->ifindex != q->ifindex))
		return false;
	if ((flags & BPT_RRANGE) && (q->p.rport < e->rport_lo || q->p.rport > e->rport_hi))
		return false;
	if ((flags & BPT_LRANGE) && (q->p.lport < e->lport_lo || q->p.lport > e->lport_hi))
		return false;
	if (!gate_open(q, e->gate))
		return false;
	return !(flags & BPT_ME) || is_me(q, ctx);
}

static __always_inline struct bp_elem *lookup4(
	const struct query *q, const struct bp_tuple *t, const __u8 dir, __u32 slot)
{
	struct bp_key4 key = {
		.tuple = dir << 6 | q->tuple,
		.slot = slot,
		.proto = q->p.proto & t->proto_mask,
		.remote = q->p.remote[0] & t->rmask[0],
		.local = q->p.local[0] & t->lmask[0],
		.rport = q->p.rport & t->rport_mask,
		.lport = q->p.lport & t->lport_mask,
	};

	return bpf_map_lookup_elem(&rules4, &key);
}

static __always_inline struct bp_elem *lookup6(
	const struct query *q, const struct bp_tuple *t, const __u8 dir, __u32 slot)
{
	struct bp_key6 key = {
		.tuple = dir << 6 | q->tuple,
		.slot = slot,
		.proto = q->p.proto & t->proto_mask,
		.rport = q->p.rport & t->rport_mask,
		.lport = q->p.lport & t->lport_mask,
	};

#pragma unroll
	for (int i = 0; i < 4; i++) {
		key.remote[i] = q->p.remote[i] & t->rmask[i];
		key.local[i] = q->p.local[i] & t->lmask[i];
	}
	return bpf_map_lookup_elem(&rules6, &key);
}

static __always_inline void take(struct search *s, struct bp_elem *e, __u8 kind)
{
	struct query *q = s->q;

	if (kind == BP_TALLY) {
		count_elem(e, q->packets, q->bytes);
		return;
	}
	if (e->rank < q->best_rank || (e->rank == q->best_rank && e->rule > q->best_rule))
		return;
	s->best = e;
	q->best_rank = e->rank;
	q->best_rule = e->rule;
	q->best_action = e->action;
}

/*
 * The number of the lowest bit set: the count of those below it. Without branches, which the
 * verifier would follow one by one, and without __builtin_ctzll(), on which clang 14 fails.
 */
static __always_inline __u32 lowest_bit(__u64 word)
{
	word = (word & -word) - 1;
	word -= word >> 1 & 0x5555555555555555ULL;
	word = (word & 0x3333333333333333ULL) + (word >> 2 & 0x3333333333333333ULL);
	word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return word * 0x0101010101010101ULL >> 56;
}

/* Looks at one element: the next of the tuple's chain, or the first of the next tuple's. */
static __always_inline void probe(struct search *s, const __u8 dir, const __u8 family)
{
	struct query *q = s->q;
	const struct bp_tuple *t;
	struct bp_elem *e;
	__u32 slot = q->slot;

	if (!slot) {
		q->tuple = lowest_bit(q->todo);
		q->todo &= q->todo - 1;
	}
	q->slot = 0;
	t = &s->tables->tuple[dir][family][q->tuple & (BP_TUPLES - 1)];
	if (t->flags & q->p.lacks || (t->kind == BP_DECIDE && t->bound < q->best_rank))
		return;
	e = family == BP_V4 ? lookup4(q, t, dir, slot) : lookup6(q, t, dir, slot);
	if (!e)
		return;
	if (elem_matches(q, e, t->flags, s->ctx))
		take(s, e, t->kind);
	if (slot + 1 < t->chain)
		q->slot = slot + 1;
}

/* Returns 1 when nothing is left to look at. */
static __always_inline long step(struct search *s, const __u8 dir, const __u8 family)
{
	probe(s, dir, family);
	return !s->q->todo && !s->q->slot;
}

static __always_inline long step_in4(__u32 index, struct search *s)
{
	return step(s, BP_IN, BP_V4);
}

static __always_inline long step_in6(__u32 index, struct search *s)
{
	return step(s, BP_IN, BP_V6);
}

static __always_inline long step_out4(__u32 index, struct search *s)
{
	return step(s, BP_OUT, BP_V4);
}

static __always_inline long step_out6(__u32 index, struct search *s)
{
	return step(s, BP_OUT, BP_V6);
}

static __always_inline void search_on(
	struct search *s, long (*step)(__u32, struct search *), const int inline_steps)
{
	for (int i = 0; i < inline_steps; i++)
		if (step(i, s))
			return;
	bpf_loop(LOOP_STEPS, step, s, 0);
}

/* Probes the tuples of the set `todo` and leaves the best element, or NULL, in s->best. */
static __always_inline void search(
	struct search *s, __u64 todo, const __u8 dir, const int inline_steps)
{
	s->best = NULL;
	s->q->best_rank = 0;
	s->q->best_rule = 0;
	s->q->todo = todo;
	s->q->slot = 0;
	if (!todo)
		return;
	if (s->q->p.family == BP_V4)
		search_on(s, dir == BP_IN ? step_in4 : step_out4, inline_steps);
	else
		search_on(s, dir == BP_IN ? step_in6 : step_out6, inline_steps);
}

#endif
