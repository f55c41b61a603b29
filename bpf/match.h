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

/*
 * What a search does, counted by an instrumented build alone (tests/bench/work.h): it says so where
 * it happens, so that what is counted is what is done.
 */
#ifndef WORK
#define WORK(what)
#endif

/* What a map cannot hold: pointers. */
struct search {
	struct query *q;
	const struct bp_tables *tables;
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
	if (e->log)
		s->q->log_rule[s->q->logged++ & (BP_LOGGED - 1)] = e->rule;
}

/* The time at which the packet comes, or is asked to come. */
static __always_inline __u64 moment(void)
{
	__u32 zero = 0;
	const struct bp_answer *a = explain ? bpf_map_lookup_elem(&answer, &zero) : NULL;

	return a && a->moment ? a->moment : bpf_ktime_get_boot_ns();
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
		q->now = moment();
	return q->now < *until;
}

/* The FIB answers NOT_FWDED for any packet from such a source, wherever it goes: it is not told. */
static __always_inline bool stays_on_link(const __u32 address[4])
{
	__u32 top = bpf_ntohl(address[0]);

	return top >> 24 == 0xff || top >> 22 == 0xfe80 >> 6 ||
	       (!top && !address[1] && !address[2] && address[3] == bpf_htonl(1));
}

/*
 * Whether a destination is this host itself, asked of the kernel's own routing. Broadcast and
 * multicast first, by address: with forwarding on and a default route the FIB calls them forwarded.
 * NOT_FWDED: local (or no route at all). FWD_DISABLED: this interface does not forward, so what the
 * kernel accepts is ours.
 */
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
	if ((e->ifindex && e->ifindex != q->ifindex) || e->flags & q->p.lacks)
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

/* Where the chain begins that holds all elements of that hash; 0: there are none. */
static __always_inline __u32 find_home(__u64 hash, const __u8 family)
{
	const __u64 *word;

	if (layout.ask_present[family]) {
		word = value_of(&present);
		word += layout.present[family] + bp_present_word(hash, layout.present_mask[family]);
		if (~*word & bp_present_bits(hash))
			return 0;
	}
	return bp_home(hash, layout.homes[family]);
}

/* The home of the packet's key, masked by the tuple. */
static __always_inline __u32 start(
	const struct search *s, const struct bp_tuple *t, const __u8 tuple_bits, const __u8 family)
{
	const struct query *q = s->q;
	const struct packet *p = &q->p;
	__u64 key[BP_KEY6];

	key[0] = bp_key_head(tuple_bits | q->tuple, p->proto & t->proto_mask,
		p->rport & t->rport_mask, p->lport & t->lport_mask);
	if (family == BP_V4) {
		key[1] = bp_key_word(p->remote[0] & t->rmask[0], p->local[0] & t->lmask[0]);
		return find_home(bp_hash(key, BP_KEY4), BP_V4);
	}
#pragma unroll
	for (int i = 0; i < 4; i += 2) {
		key[1 + i / 2] =
			bp_key_word(p->remote[i] & t->rmask[i], p->remote[i + 1] & t->rmask[i + 1]);
		key[3 + i / 2] =
			bp_key_word(p->local[i] & t->lmask[i], p->local[i + 1] & t->lmask[i + 1]);
	}
	return find_home(bp_hash(key, BP_KEY6), BP_V6);
}

/* Whether the element's key is the packet's, masked by the tuple. */
static __always_inline bool key_differs(const struct query *q, const struct bp_elem *e,
	const struct bp_tuple *t, const __u8 tuple_bits, const __u8 family)
{
	const struct bp_elem4 *e4 = (const void *)e;
	const struct bp_elem6 *e6 = (const void *)e;
	__u32 differs = (e->tuple ^ (tuple_bits | q->tuple)) |
			((e->proto ^ q->p.proto) & t->proto_mask) |
			((e->rport_lo ^ q->p.rport) & t->rport_mask) |
			((e->lport_lo ^ q->p.lport) & t->lport_mask);

	if (family == BP_V4)
		return differs | ((e4->remote ^ q->p.remote[0]) & t->rmask[0]) |
		       ((e4->local ^ q->p.local[0]) & t->lmask[0]);
#pragma unroll
	for (int i = 0; i < 4; i++)
		differs |= ((e6->remote[i] ^ q->p.remote[i]) & t->rmask[i]) |
			   ((e6->local[i] ^ q->p.local[i]) & t->lmask[i]);
	return differs;
}

static __always_inline bool rest_differs(
	struct search *s, const struct bp_elem *e, const __u8 family)
{
	if (!e->check)
		return false;
	return family == BP_V4 ? !elem4_matches(s->q, (const void *)e, s->ctx)
			       : !elem6_matches(s->q, (const void *)e, s->ctx);
}

/* at: its number. */
static __always_inline void take(struct search *s, struct bp_elem *e, __u32 at, __u8 kind)
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
	if (dynamic)
		q->best_elem = at;
}

/*
 * The number of the lowest bit set, by what a de Bruijn sequence shows of it. Without branches,
 * which the verifier would follow one by one, and without __builtin_ctzll(), on which clang 14
 * fails.
 */
#define DE_BRUIJN 0x03f79d71b4cb0a89ULL
static const __u8 bit_number[64] = { 0, 1, 48, 2, 57, 49, 28, 3, 61, 58, 50, 42, 38, 29, 17, 4, 62,
	55, 59, 36, 53, 51, 43, 22, 45, 39, 33, 30, 24, 18, 12, 5, 63, 47, 56, 27, 60, 41, 37, 16,
	54, 35, 52, 21, 44, 32, 23, 11, 46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9, 13, 8, 7,
	6 };

static __always_inline __u32 lowest_bit(__u64 word)
{
	return bit_number[(word & -word) * DE_BRUIJN >> 58];
}

/* Looks at that element; the number of the next one of its chain that the packet may match. */
static __always_inline __u32 look(struct search *s, const struct bp_tuple *t, __u32 at, WHERE)
{
	struct query *q = s->q;
	struct bp_elem *e;
	__u32 next;

	e = family == BP_V4 ? bpf_map_lookup_elem(&elems4, &at) : bpf_map_lookup_elem(&elems6, &at);
	if (!e)
		return 0;
	WORK(elems);
	next = *(volatile __u32 *)&e->next;
	/* 0: an empty home, or taken out since it was found. */
	if (!e->rule || key_differs(q, e, t, bp_key_tuple(dir, space, 0), family))
		return next & ~BP_MORE;
	/* A shadow may stand for other rules too. */
	if ((space == BP_SPACE_CUT || e->rule != q->withheld) && !rest_differs(s, e, family))
		take(s, e, at, t->kind);
	return next & BP_MORE ? next & ~BP_MORE : 0;
}

/* Looks at one element: the next of the tuple's chain, or the first of the next tuple's. */
static __always_inline void probe(struct search *s, WHERE)
{
	struct query *q = s->q;
	const struct bp_tuple *t;
	__u32 at = q->next;

	if (!at) {
		q->tuple = lowest_bit(q->todo);
		q->todo &= q->todo - 1;
	}
	q->next = 0;
	t = &s->tables->tuple[dir][family][space][q->tuple & (BP_TUPLES - 1)];
	if (!at) {
		if (t->flags & q->p.lacks)
			return;
		if (t->kind == BP_DECIDE && t->bound < q->best_rank) {
			q->todo &= ~s->tables->sorted[dir][family]; /* nor can those behind it */
			return;
		}
		WORK(tuples);
		at = start(s, t, bp_key_tuple(dir, space, 0), family);
		if (!at)
			return;
	}
	q->next = look(s, t, at, dir, family, space);
}

/* The steps of bpf_loop(); 1 when nothing is left to look at, or of the shadows one is found. */
#define STEP(name, dir, family, space)                                                     \
	static __always_inline long step_##name(__u32 index, struct search *s)             \
	{                                                                                  \
		probe(s, dir, family, space);                                              \
		return (space == BP_SPACE_CUT && s->best) || (!s->q->todo && !s->q->next); \
	}

STEP(in4, BP_IN, BP_V4, BP_SPACE_ALL)
STEP(in6, BP_IN, BP_V6, BP_SPACE_ALL)
STEP(out4, BP_OUT, BP_V4, BP_SPACE_ALL)
STEP(out6, BP_OUT, BP_V6, BP_SPACE_ALL)
STEP(cut_in4, BP_IN, BP_V4, BP_SPACE_CUT)
STEP(cut_in6, BP_IN, BP_V6, BP_SPACE_CUT)
STEP(cut_out4, BP_OUT, BP_V4, BP_SPACE_CUT)
STEP(cut_out6, BP_OUT, BP_V6, BP_SPACE_CUT)

/*
 * The kernel makes a plain loop of bpf_loop() where its function is the same on every way there,
 * else each step is an indirect call, which costs more than what is done in it. So the compiler
 * must not make one call of those of both families: what stands behind them differs.
 */
#define LOOP(step, s, family)                              \
	do {                                               \
		bpf_loop(BP_STEPS, step, s, 0);            \
		asm volatile("# IPv" family ::: "memory"); \
	} while (0)

static __always_inline void search_begin(struct search *s, __u64 todo)
{
	s->best = NULL;
	s->q->best_rank = 0;
	s->q->best_rule = 0;
	s->q->todo = todo;
	s->q->next = 0;
}

/* The set of the address in `fine`. */
static __always_inline __u64 fine_set(
	const enum bp_index index, const __u32 *address, const __u8 dir, const __u8 family)
{
	const __u32 which = index - BP_BY_REMOTE_MIDDLE;
	__u32 first = bpf_ntohl(address[0]), second = bpf_ntohl(address[1]);
	__u32 mask = layout.fine_mask[dir][family][which], at = layout.fine[dir][family][which];
	const __u64 *set;

	at += index == BP_BY_REMOTE_MIDDLE ? bp_index_middle(mask, family, first, second)
					   : bp_index_fine(mask, family, first, second);
	set = bpf_map_lookup_elem(&fine, &at);
	return set ? *set : ~0ULL;
}

/*
 * Of the tuples in the set, those that the indices do not rule out. Where one is left that is not
 * worth asking on for, it is probed sooner.
 */
static __always_inline __u64 prune(
	const struct search *s, const __u64 *sets, __u64 set, const __u8 dir, const __u8 family)
{
	const __u64 *indexed = s->tables->indexed[dir][family];
	const struct packet *p = &s->q->p;
	const __u32 mask = layout.index_mask[dir][family];

#define ASK_FOR(index, named)                     \
	if (set & indexed[index])                 \
		set &= (named) | ~indexed[index]; \
	if (!set)                                 \
		return 0;
#define ASK(index, at) ASK_FOR(index, sets[layout.sets[dir][family][index] + (at)])
#define ASK_FINE(index, address) ASK_FOR(index, fine_set(index, address, dir, family))
	if (family == BP_V6) {
		ASK(BP_BY_REMOTE_COARSE, bp_index_coarse(mask, bpf_ntohl(p->remote[0])))
	}
	ASK(BP_BY_REMOTE, bp_index_address(mask, family, bpf_ntohl(p->remote[0])))
	if (!(set & (set - 1)) && !(set & s->tables->asked[dir][family]))
		return set;
	ASK(BP_BY_PORT, bp_index_port(mask, p->proto, p->lport))
	ASK(BP_BY_LOCAL, bp_index_address(mask, family, bpf_ntohl(p->local[0])))
	ASK_FINE(BP_BY_REMOTE_MIDDLE, p->remote)
	ASK_FINE(BP_BY_REMOTE_FINE, p->remote)
	ASK_FINE(BP_BY_LOCAL_FINE, p->local)
	ASK(BP_BY_PROTO, p->proto)
	ASK(BP_BY_LRANGE, p->lport / 64)
	ASK(BP_BY_RRANGE, p->rport / 64)
#undef ASK_FINE
#undef ASK
#undef ASK_FOR
	return set;
}

/* A function of its own, as nothing ever comes here. */
__noinline int count_unfinished(__u32 dir)
{
	struct bp_totals *t = bpf_map_lookup_elem(&totals, &dir);

	if (t && !explain)
		t->unfinished++;
	return 0;
}

/*
 * Is something left to look at, the tables are not what the loader makes: the best so far decides,
 * and it is counted, for `status` to say so.
 */
static __always_inline void search_end(const struct search *s, const __u8 dir)
{
	if (s->q->todo || s->q->next)
		count_unfinished(dir);
}

/* Probes the tuples that are live and leaves the best element, or NULL, in s->best. */
static __always_inline void search_all(struct search *s, __u64 todo, const __u8 dir)
{
	const __u64 *words = value_of(&sets);

	search_begin(s, 0);
	if (!todo)
		return;
	if (s->q->p.family == BP_V4) {
		todo = prune(s, words, todo, dir, BP_V4);
		if (!todo)
			return;
		s->q->todo = todo;
		probe(s, dir, BP_V4, BP_SPACE_ALL);
		if (!s->q->todo && !s->q->next)
			return;
		LOOP(dir == BP_IN ? step_in4 : step_out4, s, "4");
	} else {
		/* Read back, it is any number to the verifier, and what follows is seen once. */
		s->q->todo = prune(s, words, todo, dir, BP_V6);
		if (!*(volatile __u64 *)&s->q->todo)
			return;
		LOOP(dir == BP_IN ? step_in6 : step_out6, s, "6");
	}
	search_end(s, dir);
}

/* The same for the shadows: whether one of them matches is all that matters. */
static __always_inline void search_cut(struct search *s, __u64 todo, const __u8 dir)
{
	search_begin(s, todo);
	if (!todo)
		return;
	if (s->q->p.family == BP_V4)
		LOOP(dir == BP_IN ? step_cut_in4 : step_cut_out4, s, "4");
	else
		LOOP(dir == BP_IN ? step_cut_in6 : step_cut_out6, s, "6");
	if (!s->best)
		search_end(s, dir);
}

#endif
