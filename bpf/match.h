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

/* bpf_loop() is there (5.17); without it a generation is limited to PLAIN_STEPS probes. */
const volatile bool have_loop = true;
#define PLAIN_STEPS 64
#define LOOP_STEPS (BP_TUPLES * BP_CHAIN)

/*
 * The packet, and how far the search is.
 * Kept in a map, not on the stack: the verifier follows every known value on the stack through
 * every round of the loop (a million instructions), but knows nothing of what a map holds.
 */
struct query {
	struct packet p;
	__u32 class; /* enum class */
	__u32 ifindex;
	__u64 bytes, packets; /* that this packet counts for */
	bool opaque;	      /* not even addresses are known: only BPT_BARE tuples may match */
	__s8 me;	      /* whether the local end is this host; -1: not asked yet */

	__u64 todo;	   /* tuples still to probe */
	__u32 tuple, slot; /* being probed; slot > 0: within its chain */
	__u64 best_rank;
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
	void *ctx;
};

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
 * multicast first, by address: with forwarding on and a default route the FIB calls them
 * forwarded. NOT_FWDED: local (or no route at all). FWD_DISABLED: this interface does not
 * forward, so what the kernel accepts is ours.
 */
static __always_inline bool ask_me(struct query *q, void *ctx)
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
		__builtin_memcpy(fib.ipv6_src, q->p.remote, 16);
		__builtin_memcpy(fib.ipv6_dst, q->p.local, 16);
	}
	rc = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	return rc == BPF_FIB_LKUP_RET_NOT_FWDED || rc == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

static __always_inline bool is_me(struct query *q, void *ctx)
{
	if (q->me < 0)
		q->me = ask_me(q, ctx);
	return q->me;
}

/* Whether all that the key cannot say holds of the packet too; the dearest question last. */
static __always_inline bool elem_matches(
	struct query *q, const struct bp_elem *e, __u8 flags, void *ctx)
{
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

/* Whether the tuple can hold a match for this packet that would change the outcome. */
static __always_inline bool tuple_worth(const struct query *q, const struct bp_tuple *t)
{
	if (t->kind == BP_DECIDE && t->bound < q->best_rank)
		return false;
	if (q->opaque)
		return t->flags & BPT_BARE;
	if (!(t->flags & BPT_L4))
		return true;
	return q->p.l4 && (q->p.ports || (t->flags & BPT_PROTO));
}

static __always_inline struct bp_elem *lookup4(
	const struct query *q, const struct bp_tuple *t, const __u8 dir)
{
	struct bp_key4 key = {
		.tuple = dir << 6 | q->tuple,
		.slot = q->slot,
		.proto = t->flags & BPT_PROTO ? q->p.proto : 0,
		.remote = q->p.remote[0] & t->rmask[0],
		.local = q->p.local[0] & t->lmask[0],
		.rport = t->flags & BPT_RPORT ? q->p.rport : 0,
		.lport = t->flags & BPT_LPORT ? q->p.lport : 0,
	};

	return bpf_map_lookup_elem(&rules4, &key);
}

static __always_inline struct bp_elem *lookup6(
	const struct query *q, const struct bp_tuple *t, const __u8 dir)
{
	struct bp_key6 key = {
		.tuple = dir << 6 | q->tuple,
		.slot = q->slot,
		.proto = t->flags & BPT_PROTO ? q->p.proto : 0,
		.rport = t->flags & BPT_RPORT ? q->p.rport : 0,
		.lport = t->flags & BPT_LPORT ? q->p.lport : 0,
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
	if (s->best &&
		(e->rank < q->best_rank || (e->rank == q->best_rank && e->rule > s->best->rule)))
		return;
	s->best = e;
	q->best_rank = e->rank;
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

/* One probe. Returns 1 when the search is over. */
static __always_inline long search_step(struct search *s, const __u8 dir, const __u8 family)
{
	struct query *q = s->q;
	const struct bp_tuple *t;
	struct bp_elem *e;

	if (!q->slot) {
		if (!q->todo)
			return 1;
		q->tuple = lowest_bit(q->todo);
		q->todo &= q->todo - 1;
	}
	t = &s->tables->tuple[dir][family][q->tuple & (BP_TUPLES - 1)];
	if (!q->slot && !tuple_worth(q, t))
		return 0;
	e = family == BP_V4 ? lookup4(q, t, dir) : lookup6(q, t, dir);
	if (e && elem_matches(q, e, t->flags, s->ctx))
		take(s, e, t->kind);
	q->slot = e && q->slot + 1 < t->chain ? q->slot + 1 : 0;
	return 0;
}

static long step_in4(__u32 index, struct search *s)
{
	return search_step(s, BP_IN, BP_V4);
}

static long step_in6(__u32 index, struct search *s)
{
	return search_step(s, BP_IN, BP_V6);
}

/* Probes the tuples of the set `todo` and leaves the best element, or NULL, in s->best. */
static __always_inline void search(struct search *s, __u64 todo)
{
	struct query *q = s->q;

	s->best = NULL;
	q->best_rank = 0;
	q->todo = todo;
	q->slot = 0;
	if (!todo)
		return;
	if (!have_loop) {
		for (int i = 0; i < PLAIN_STEPS; i++)
			if (q->p.family == BP_V4 ? step_in4(0, s) : step_in6(0, s))
				break;
	} else if (q->p.family == BP_V4) {
		bpf_loop(LOOP_STEPS, step_in4, s, 0);
	} else {
		bpf_loop(LOOP_STEPS, step_in6, s, 0);
	}
}

#endif
