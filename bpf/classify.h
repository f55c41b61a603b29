/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The classifier that every hook's program is made of: once per hook and generation. The root
 * program (root.bpf.c) tail-calls the one of the generation that is in force.
 */
#ifndef BPFPOL_CLASSIFY_H
#define BPFPOL_CLASSIFY_H

#include "match.h"

/* What else is in it is written before it is read, or masked out by what lacks. */
static __always_inline void forget(struct packet *p)
{
	p->lacks = 0xff;
	p->family = BP_V4;
}

/* me: whether the local end is this host; -1: to be asked when it matters. */
static __always_inline struct query *query_begin(__u32 ifindex, __s8 me)
{
	__u32 zero = 0;
	struct query *q = bpf_map_lookup_elem(&scratch, &zero);

	if (!q)
		return NULL;
	forget(&q->p);
	q->me = me;
	q->ifindex = ifindex;
	q->now = 0;
	q->hidden = false;
	if (!q->left.asked) /* or else the other layer has begun */
		q->logged = 0;
	return q;
}

/* Where a hook's program stands, and where it jumps to: constants of each instance of the code. */
struct place {
	void *generations, *layer;
	__u32 hook;
	__u8 dir;
};

/*
 * Judged and counted: whoever watches is told, and ends this. A jump that costs nothing while
 * nobody does.
 */
static __always_inline void tell(struct query *q, CTX *ctx, const struct place at, bool blocked)
{
	q->blocked = blocked;
	if (blocked || q->logged)
		bpf_tail_call(ctx, at.generations, bp_watch_slot(at.hook));
}

/* Whether a rule asks for what this packet does not show: blocked before any is compared. */
static __always_inline bool judge_cut(
	struct search *s, const __u64 *live, enum bp_reading reading, const __u8 dir)
{
	__u64 hidden = 0;

	if (reading == READ_CUT)
		hidden = live[BP_SHADOW];
	else if (reading == READ_BLIND)
		hidden = live[BP_BLIND];
	if (!hidden)
		return false;
	search_cut(s, hidden, dir);
	s->q->hidden = s->best;
	return s->best;
}

/*
 * The dynamic layer has searched. The static classifier judges what both have found; where there is
 * none, it is this layer alone. Returns only if the layer's holder has just gone: as if there
 * had been no layer.
 */
static __always_inline void leave(struct query *q, CTX *ctx, const struct place at)
{
	__u32 zero = 0;
	struct bp_ctl *c = bpf_map_lookup_elem(&ctl, &zero);
	__u64 generation = c ? in_force(c) : 0;

	q->left.rank = q->best_rank;
	q->left.elem = q->best_elem;
	q->left.own = q->best_rule;
	q->left.action = q->best_action;
	if (generation) {
		if (q->left.rank || q->left.tally || q->logged)
			q->left.asked = LEFT_ANY | odd * LEFT_ODD;
		jump(ctx, at.generations, bp_slot(at.hook, 0), generation & 1);
		q->left.asked = 0;
	}
	q->left.rule = 0;
	q->left.wins = q->left.rank;
	q->left.blocked = false;
	jump(ctx, at.layer, bp_count_slot(at.hook, 0), odd);
}

/*
 * The static layer has searched, and something was left to it. True: its own best element decides,
 * and is not counted yet. Where that is outranked, or dynamic count rules may match, the dynamic
 * layer's program counts and ends this; if it is gone, so are its rules.
 */
static __always_inline bool judge_left(
	struct search *s, CTX *ctx, const struct place at, __u8 asked)
{
	struct left *left = &s->q->left;

	left->wins = left->rank > s->q->best_rank;
	if (!left->wins && !left->tally)
		return true;
	left->blocked = s->best && s->q->best_action == BP_BLOCK;
	left->rule = s->q->best_rule;
	if (!left->wins && s->best)
		count_elem(s, s->best);
	jump(ctx, at.layer, bp_count_slot(at.hook, 0), asked & LEFT_ODD);
	return left->wins;
}

/* True: blocked. asked: what the other layer has left. */
static __always_inline bool judge(
	struct search *s, CTX *ctx, const struct place at, enum bp_reading reading, __u8 asked)
{
	struct query *q = s->q;
	const __u64 *live = s->tables->live[at.dir][q->p.family & (BP_FAMILIES - 1)];
	__u64 todo = live[BP_DECIDE] | live[BP_TALLY];

	if (judge_cut(s, live, reading, at.dir))
		return true;
	if (dynamic && !explain) {
		q->left.tally = (reading == READ_CUT || reading == READ_BLIND) && live[BP_TALLY];
		if (q->left.tally)
			todo = live[BP_DECIDE];
		search_all(s, todo, at.dir);
		leave(q, ctx, at);
		return false;
	}
	search_all(s, todo, at.dir);
	if (asked && !judge_left(s, ctx, at, asked))
		return s->q->left.blocked;
	if (!s->best)
		return false;
	count_elem(s, s->best);
	return q->best_action == BP_BLOCK;
}

/* When the rule of that element ends; 0: it does not. */
static __always_inline __u64 ends(const struct bp_elem *e)
{
	__u32 gate = e->gate;
	const __u64 *until = gate ? bpf_map_lookup_elem(&gates, &gate) : NULL;

	return until && *until != BP_GATE_OPEN ? *until : 0;
}

/* What was found, for who asks; `me` too, of which the search asks only where it matters. */
static __always_inline void answer_with(
	struct search *s, CTX *ctx, enum bp_reading reading, bool blocked)
{
	__u32 zero = 0;
	struct bp_answer *a = bpf_map_lookup_elem(&answer, &zero);

	if (!a)
		return;
	a->reading = reading;
	a->blocked = blocked;
	a->hidden = s->q->hidden;
	a->rule = s->best && !s->q->hidden ? s->q->best_rule : 0;
	a->rank = a->rule ? s->q->best_rank : 0;
	a->until = a->rule ? ends(s->best) : 0;
	a->me = reading != READ_EXEMPT && reading != READ_OPAQUE && is_me(s->q, ctx);
}

static __always_inline bool search_on(struct search *s, struct query *q, CTX *ctx)
{
	__u32 zero = 0;

	s->q = q;
	s->tables = bpf_map_lookup_elem(&tables, &zero);
	s->best = NULL;
	s->ctx = ctx;
	if (!s->tables)
		return false;
	q->withheld = s->tables->withheld;
	return true;
}

/* Judges and counts the packet that was read into *q. True: blocked. */
static __always_inline bool classify(struct query *q, CTX *ctx, const struct place at)
{
	struct search s;
	/* From memory: so the verifier follows one path from here on, not one per reading. */
	enum bp_reading reading = *(volatile __u32 *)&q->reading;
	__u8 asked = q->left.asked;
	bool blocked = false;

	q->left.asked = 0;
	if (!search_on(&s, q, ctx))
		return false;
	q->malformed = reading > READ_WHOLE;
	if (reading != READ_EXEMPT)
		blocked = judge(&s, ctx, at, reading, asked);
	if (explain) {
		answer_with(&s, ctx, reading, blocked);
		return blocked;
	}
	count_total(at.dir, q->packets, blocked, q->malformed);
	tell(q, ctx, at, blocked);
	return blocked;
}

/* The dynamic layer's last word on a packet that was judged: counts. True: blocked. */
static __always_inline bool settle(CTX *ctx, const struct place at)
{
	__u32 zero = 0;
	struct query *q = bpf_map_lookup_elem(&scratch, &zero);
	struct search s;
	struct bp_elem *e;
	__u32 elem;

	if (!q || !search_on(&s, q, ctx))
		return false;
	if (q->left.tally)
		search_all(&s, s.tables->live[at.dir][q->p.family & (BP_FAMILIES - 1)][BP_TALLY],
			at.dir);
	q->best_rule = q->left.rule;
	if (q->left.wins) {
		elem = q->left.elem;
		e = q->p.family == BP_V4 ? bpf_map_lookup_elem(&elems4, &elem)
					 : bpf_map_lookup_elem(&elems6, &elem);
		if (e)
			count_elem(&s, e);
		q->best_rule = q->left.own;
		q->left.blocked = q->left.action == BP_BLOCK;
	}
	count_total(at.dir, q->packets, q->left.blocked, q->malformed);
	tell(q, ctx, at, q->left.blocked);
	return q->left.blocked;
}

#endif
