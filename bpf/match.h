/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The search: which filter decides on a packet. The sets say which tuples can match it at all. One
 * loop probes those, lowest number first (the loader numbers them by falling bound when it builds a
 * generation), and within a tuple the chain of filters that share a key. The best so far is kept; a
 * tuple whose bound lies below it is not probed. Count rules stand in tuples of their own in the
 * same loop.
 */
#ifndef BPFPOL_MATCH_H
#define BPFPOL_MATCH_H

#include "count.h"
#include "packet.h"
#include "rules.h"

#define AF_INET 2
#define AF_INET6 10

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
	__u64 bytes, packets; /* that this packet counts for; bytes: see bytes_of() */
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
	const __u64 *present;
	struct bp_elem *best;
	CTX *ctx;
};

/* Where and what for: constants of each instance of the code. */
#define WHERE const __u8 dir, const __u8 family, const __u8 space

/* The bytes that the packet counts for; asked of the hook only when a rule counts them. */
static __always_inline __u64 bytes_of(const struct query *q, CTX *ctx);

/* Elements are shared by all CPUs. */
static __always_inline void count_elem(struct search *s, struct bp_elem *e)
{
	if (explain)
		return;
	__sync_fetch_and_add(&e->packets, s->q->packets);
	__sync_fetch_and_add(&e->bytes, bytes_of(s->q, s->ctx));
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

/* Those that the key of a merged tuple holds only in part. len: of the filter's prefix. */
static __always_inline bool prefix_differs(__u32 a, __u32 b, __u32 len)
{
	return len && bpf_ntohl(a ^ b) >> (32 - len);
}

static __always_inline bool prefix_differs6(const __u32 *a, const __u32 *b, __u32 len)
{
	__u32 differs = 0;

#pragma unroll
	for (int i = 0; i < 4; i++, len -= len < 32 ? len : 32)
		differs |= (__u64)bpf_ntohl(a[i] ^ b[i]) >> (32 - (len < 32 ? len : 32));
	return differs;
}

/* What the key does not say, the dearest question last. */
static __always_inline bool rest_matches(struct query *q, const struct bp_elem *e, CTX *ctx)
{
	if (!e->rule || (e->ifindex && e->ifindex != q->ifindex) || e->flags & q->p.lacks)
		return false;
	if ((e->flags & (BPT_RPORT | BPT_RRANGE)) &&
		(q->p.rport < e->rport_lo || q->p.rport > e->rport_hi))
		return false;
	if ((e->flags & (BPT_LPORT | BPT_LRANGE)) &&
		(q->p.lport < e->lport_lo || q->p.lport > e->lport_hi))
		return false;
	if (!gate_open(q, e->gate))
		return false;
	return !(e->flags & BPT_ME) || is_me(q, ctx);
}

/* Functions of their own to the verifier, which goes through them once and not at every call. */
__noinline int elem4_matches(struct query *q, const struct bp_elem4 *e, CTX *ctx)
{
	if (!q || !e)
		return false;
	if (prefix_differs(
		    q->p.remote[0], e->remote, bp_rank_len(e->e.rank, BP_RANK_REMOTE_SHIFT, 32)) ||
		prefix_differs(
			q->p.local[0], e->local, bp_rank_len(e->e.rank, BP_RANK_LOCAL_SHIFT, 32)))
		return false;
	return rest_matches(q, &e->e, ctx);
}

__noinline int elem6_matches(struct query *q, const struct bp_elem6 *e, CTX *ctx)
{
	if (!q || !e)
		return false;
	if (prefix_differs6(
		    q->p.remote, e->remote, bp_rank_len(e->e.rank, BP_RANK_REMOTE_SHIFT, 128)) ||
		prefix_differs6(
			q->p.local, e->local, bp_rank_len(e->e.rank, BP_RANK_LOCAL_SHIFT, 128)))
		return false;
	return rest_matches(q, &e->e, ctx);
}

/* False: no such key is in the map. */
static __always_inline bool may_be_present(
	const struct search *s, const void *key, const __u8 family, const int words)
{
	const struct bp_sizes size = { .present = { sizes.present[BP_V4], sizes.present[BP_V6] } };
	__u32 bit = bp_hash(key, words) & ((1U << size.present[family]) - 1);

	return s->present[bp_present_at(&size, family) + bit / 64] >> bit % 64 & 1;
}

static __always_inline struct bp_elem *lookup4(
	struct search *s, const struct bp_tuple *t, __u32 slot, const __u8 tuple_bits)
{
	const struct query *q = s->q;
	struct bp_key4 key __attribute__((aligned(8))) = {
		.tuple = tuple_bits | q->tuple,
		.slot = slot,
		.proto = q->p.proto & t->proto_mask,
		.remote = q->p.remote[0] & t->rmask[0],
		.local = q->p.local[0] & t->lmask[0],
		.rport = q->p.rport & t->rport_mask,
		.lport = q->p.lport & t->lport_mask,
	};

	if (!may_be_present(s, &key, BP_V4, sizeof(key) / 8))
		return NULL;
	return bpf_map_lookup_elem(&rules4, &key);
}

static __always_inline struct bp_elem *lookup6(
	struct search *s, const struct bp_tuple *t, __u32 slot, const __u8 tuple_bits)
{
	const struct query *q = s->q;
	struct bp_key6 key __attribute__((aligned(8))) = {
		.tuple = tuple_bits | q->tuple,
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
	if (!may_be_present(s, &key, BP_V6, sizeof(key) / 8))
		return NULL;
	return bpf_map_lookup_elem(&rules6, &key);
}

static __always_inline bool elem_matches(
	struct search *s, const struct bp_elem *e, const __u8 family)
{
	if (!e->check)
		return true;
	return family == BP_V4 ? elem4_matches(s->q, (const void *)e, s->ctx)
			       : elem6_matches(s->q, (const void *)e, s->ctx);
}

static __always_inline void take(struct search *s, struct bp_elem *e, __u8 kind)
{
	struct query *q = s->q;

	if (kind == BP_TALLY) {
		count_elem(s, e);
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
static __always_inline void probe(struct search *s, WHERE)
{
	const __u8 tuple_bits = bp_key_tuple(dir, space, 0);
	struct query *q = s->q;
	const struct bp_tuple *t;
	struct bp_elem *e;
	__u32 slot = q->slot;

	if (!slot) {
		q->tuple = lowest_bit(q->todo);
		q->todo &= q->todo - 1;
	}
	q->slot = 0;
	t = &s->tables->tuple[dir][family][space][q->tuple & (BP_TUPLES - 1)];
	if (t->flags & q->p.lacks || (t->kind == BP_DECIDE && t->bound < q->best_rank))
		return;
	e = family == BP_V4 ? lookup4(s, t, slot, tuple_bits) : lookup6(s, t, slot, tuple_bits);
	if (!e)
		return;
	if (elem_matches(s, e, family))
		take(s, e, t->kind);
	if (slot + 1 < t->chain)
		q->slot = slot + 1;
}

/* The steps of bpf_loop(); 1 when nothing is left to look at. */
#define STEP(name, dir, family, space)                                         \
	static __always_inline long step_##name(__u32 index, struct search *s) \
	{                                                                      \
		probe(s, dir, family, space);                                  \
		return !s->q->todo && !s->q->slot;                             \
	}

STEP(in4, BP_IN, BP_V4, BP_SPACE_ALL)
STEP(in6, BP_IN, BP_V6, BP_SPACE_ALL)
STEP(out4, BP_OUT, BP_V4, BP_SPACE_ALL)
STEP(out6, BP_OUT, BP_V6, BP_SPACE_ALL)
STEP(cut_in4, BP_IN, BP_V4, BP_SPACE_CUT)
STEP(cut_in6, BP_IN, BP_V6, BP_SPACE_CUT)
STEP(cut_out4, BP_OUT, BP_V4, BP_SPACE_CUT)
STEP(cut_out6, BP_OUT, BP_V6, BP_SPACE_CUT)

static __always_inline void search_begin(struct search *s, __u64 todo)
{
	s->best = NULL;
	s->q->best_rank = 0;
	s->q->best_rule = 0;
	s->q->todo = todo;
	s->q->slot = 0;
}

/* Of the tuples in the set, those that the indices do not rule out. */
static __always_inline __u64 prune(
	const struct search *s, const __u64 *sets, __u64 set, const __u8 dir, const __u8 family)
{
	const struct bp_sizes size = { .address = sizes.address, .port = sizes.port };
	const __u64 *indexed = s->tables->indexed[dir][family];
	const struct packet *p = &s->q->p;
	const __u32 at[BP_INDICES] = {
		[BP_BY_REMOTE] = bp_index_address(&size, family, bpf_ntohl(p->remote[0])),
		[BP_BY_LOCAL] = bp_index_address(&size, family, bpf_ntohl(p->local[0])),
		[BP_BY_PORT] = bp_index_port(&size, p->proto, p->lport),
		[BP_BY_LRANGE] = p->lport / 64,
		[BP_BY_RRANGE] = p->rport / 64,
		[BP_BY_PROTO] = p->proto,
	};

#pragma unroll
	for (int i = 0; i < BP_INDICES; i++)
		set &= sets[bp_sets_at(&size, dir, family, i) + at[i]] | ~indexed[i];
	return set;
}

/* Probes the tuples that are live and leaves the best element, or NULL, in s->best. */
static __always_inline void search_all(struct search *s, __u64 todo, const __u8 dir)
{
	__u32 zero = 0;
	const __u64 *words;

	search_begin(s, 0);
	if (!todo)
		return;
	words = bpf_map_lookup_elem(&sets, &zero);
	if (!words)
		return;
	if (s->q->p.family == BP_V4) {
		todo = prune(s, words, todo, dir, BP_V4);
		if (!todo)
			return;
		s->q->todo = todo;
		probe(s, dir, BP_V4, BP_SPACE_ALL);
		if (!s->q->todo && !s->q->slot)
			return;
		bpf_loop(LOOP_STEPS, dir == BP_IN ? step_in4 : step_out4, s, 0);
	} else {
		todo = prune(s, words, todo, dir, BP_V6);
		if (!todo)
			return;
		s->q->todo = todo;
		bpf_loop(LOOP_STEPS, dir == BP_IN ? step_in6 : step_out6, s, 0);
	}
}

/* The same for the shadows: whether one of them matches is all that matters. */
static __always_inline void search_cut(struct search *s, __u64 todo, const __u8 dir)
{
	search_begin(s, todo);
	if (!todo)
		return;
	if (s->q->p.family == BP_V4)
		bpf_loop(LOOP_STEPS, dir == BP_IN ? step_cut_in4 : step_cut_out4, s, 0);
	else
		bpf_loop(LOOP_STEPS, dir == BP_IN ? step_cut_in6 : step_cut_out6, s, 0);
}

#endif
