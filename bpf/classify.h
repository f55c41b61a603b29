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
	return q;
}

/* True: blocked. */
static __always_inline bool judge(struct search *s, enum bp_reading reading, const __u8 dir)
{
	const __u64 *live = s->tables->live[dir][s->q->p.family & (BP_FAMILIES - 1)];
	__u64 hidden = 0;

	/*
	 * A rule that asks for what this packet does not show: blocked before any rule is compared.
	 */
	if (reading == READ_CUT)
		hidden = live[BP_SHADOW];
	else if (reading == READ_BLIND)
		hidden = live[BP_BLIND];
	if (hidden) {
		search_cut(s, hidden, dir);
		s->q->hidden = s->best;
		if (s->best)
			return true;
	}
	search_all(s, live[BP_DECIDE] | live[BP_TALLY], dir);
	if (!s->best)
		return false;
	count_elem(s, s->best);
	return s->q->best_action == BP_BLOCK;
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
	a->me = reading != READ_EXEMPT && reading != READ_OPAQUE && is_me(s->q, ctx);
}

/* Judges and counts the packet that was read into *q. True: blocked. */
static __always_inline bool classify(struct query *q, CTX *ctx, const __u8 dir)
{
	__u32 zero = 0;
	struct search s = {
		.q = q,
		.tables = bpf_map_lookup_elem(&tables, &zero),
		.present = bpf_map_lookup_elem(&present, &zero),
		.ctx = ctx,
	};
	/* From memory: so the verifier follows one path from here on, not one per reading. */
	enum bp_reading reading = *(volatile __u32 *)&q->reading;
	bool blocked = false;

	if (!s.tables || !s.present)
		return false;
	q->malformed = reading > READ_WHOLE;
	q->withheld = s.tables->withheld;
	if (reading != READ_EXEMPT)
		blocked = judge(&s, reading, dir);
	if (explain)
		answer_with(&s, ctx, reading, blocked);
	else
		count_total(dir, q->packets, blocked, q->malformed);
	return blocked;
}

#endif
