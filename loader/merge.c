// SPDX-License-Identifier: GPL-2.0-only
/*
 * The idea is TupleMerge's (Daly et al., 2019): rules with long prefixes stand well in a table of
 * shorter ones, as long as few of them come to share a key. Prefix lengths are first rounded down
 * to a few steps. Then, until the groups are few enough, the cheapest of these is done: one of the
 * smallest groups goes into a coarser one, or two of them become one that is coarser than both.
 * What it costs is how many more filters packets meet, of which some are drawn from the filters
 * (drawn.h): a filter that a packet comes by is an element to be looked at.
 */
#include "merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drawn.h"

/* Groups that are tried for the next merge, smallest first, and partners that each is tried with.
 */
#define TRIED 40
#define PARTNERS 12

#define KNOWN 16384 /* costs of merges that are kept; others are asked for again */

static const uint8_t steps4[] = { 0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32 };
static const uint8_t steps6[] = { 0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 96,
	128 };

struct group {
	struct mask mask;
	uint64_t count;		/* filters */
	struct meeting *sample; /* of them */
	size_t n_sample;
	double met;	      /* how many of its filters packets meet, of all that were drawn */
	unsigned int version; /* it rises with every change */
	bool gone;
	unsigned int number;
};

/* What a merge of two groups costs, while they are of those versions. */
struct known {
	const struct group *from, *into;
	unsigned int version; /* the sum of both */
	double cost;
};

struct merging {
	int family;
	struct group *v;
	size_t n, alive;
	struct drawn *drawn;
	struct known *known; /* KNOWN of them */
};

struct mask mask_of(const struct shape *s)
{
	return (struct mask){
		.kind = s->kind,
		.proto = !!(s->flags & BPT_PROTO),
		.rport = !!(s->flags & BPT_RPORT),
		.lport = !!(s->flags & BPT_LPORT),
		.rlen = s->rlen,
		.llen = s->llen,
	};
}

static uint8_t step_down(uint8_t len, int family)
{
	const uint8_t *steps = family == BP_V4 ? steps4 : steps6;
	size_t i = family == BP_V4 ? sizeof(steps4) : sizeof(steps6);

	while (steps[--i] > len)
		;
	return steps[i];
}

static uint8_t least(uint8_t a, uint8_t b)
{
	return a < b ? a : b;
}

/* The finest mask that is coarser than both. */
static struct mask meet(const struct mask *a, const struct mask *b)
{
	return (struct mask){
		.kind = a->kind,
		.proto = a->proto,
		.rport = least(a->rport, b->rport),
		.lport = least(a->lport, b->lport),
		.rlen = least(a->rlen, b->rlen),
		.llen = least(a->llen, b->llen),
	};
}

static bool same_mask(const struct mask *a, const struct mask *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* Only masks of one kind, with or without protocol, can become one. */
static bool can_meet(const struct mask *a, const struct mask *b)
{
	return a->kind == b->kind && a->proto == b->proto;
}

static bool is_coarser(const struct mask *coarse, const struct mask *fine)
{
	struct mask m;

	if (!can_meet(coarse, fine) || same_mask(coarse, fine))
		return false;
	m = meet(coarse, fine);
	return same_mask(&m, coarse);
}

/* How much of a packet the key holds, in bits, more or less. */
static double bits_of(const struct mask *m)
{
	return m->rlen + m->llen + 12 * (m->rport + m->lport);
}

/*
 * How often filters of the group are met in it by packets, as many are looked at as were chosen of
 * it.
 */
static int meet_often(
	struct merging *m, const struct group *g, const struct mask *mask, double *met)
{
	int rc = drawn_meet(m->drawn, mask, g->sample, g->n_sample, met);

	if (!rc && g->n_sample)
		*met *= (double)g->count / g->n_sample;
	return rc;
}

/* How much more often, when the filters of both stand under that mask. */
static int ask_cost(struct merging *m, const struct group *from, const struct group *into,
	const struct mask *mask, double *cost)
{
	double met, others = into->met;
	int rc = meet_often(m, from, mask, &met);

	if (!rc && !same_mask(mask, &into->mask))
		rc = meet_often(m, into, mask, &others);
	*cost = met + others - from->met - into->met;
	return rc;
}

/* The same, asked once as long as both stay as they are. */
static int cost_of(struct merging *m, const struct group *from, const struct group *into,
	const struct mask *mask, double *cost)
{
	size_t a = from - m->v, b = into - m->v;
	struct known *k = &m->known[(a * 0x9e3779b1U ^ b) % KNOWN];
	int rc;

	if (k->from != from || k->into != into || k->version != from->version + into->version) {
		rc = ask_cost(m, from, into, mask, cost);
		if (rc)
			return rc;
		*k = (struct known){ from, into, from->version + into->version, *cost };
	}
	*cost = k->cost;
	return 0;
}

struct move {
	double cost;
	struct group *from, *into;
	struct mask mask;
};

static int consider(struct merging *m, struct group *from, struct group *into,
	const struct mask *mask, struct move *best)
{
	double cost;
	int rc = cost_of(m, from, into, mask, &cost);

	if (!rc && (!best->from || cost < best->cost))
		*best = (struct move){ cost, from, into, *mask };
	return rc;
}

static struct group *group_with(struct merging *m, const struct mask *mask)
{
	for (size_t i = 0; i < m->n; i++)
		if (!m->v[i].gone && same_mask(&m->v[i].mask, mask))
			return &m->v[i];
	return NULL;
}

/* The finest of the coarser groups, up to PARTNERS. */
static size_t coarser_groups(struct merging *m, const struct group *g, struct group **found)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct group *c = &m->v[i];
		double bits = bits_of(&c->mask);
		size_t at;

		if (c->gone || !is_coarser(&c->mask, &g->mask) ||
			(n == PARTNERS && bits_of(&found[n - 1]->mask) >= bits))
			continue;
		n += n < PARTNERS;
		for (at = n - 1; at && bits_of(&found[at - 1]->mask) < bits; at--)
			found[at] = found[at - 1];
		found[at] = c;
	}
	return n;
}

static size_t smallest_groups(struct merging *m, struct group **found)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct group *g = &m->v[i];
		size_t at;

		if (g->gone || (n == TRIED && found[n - 1]->count <= g->count))
			continue;
		n += n < TRIED;
		for (at = n - 1; at && found[at - 1]->count > g->count; at--)
			found[at] = found[at - 1];
		found[at] = g;
	}
	return n;
}

static int find_move(struct merging *m, struct move *best)
{
	struct group *small[TRIED], *coarse[PARTNERS];
	size_t n = smallest_groups(m, small);
	int rc = 0;

	*best = (struct move){ 0 };
	for (size_t i = 0; i < n && !rc; i++) {
		size_t n_coarse = coarser_groups(m, small[i], coarse);

		for (size_t k = 0; k < n_coarse && !rc; k++)
			rc = consider(m, small[i], coarse[k], &coarse[k]->mask, best);
		for (size_t k = 0; k < i && !rc; k++) {
			struct mask both = meet(&small[i]->mask, &small[k]->mask);

			if (can_meet(&small[i]->mask, &small[k]->mask))
				rc = consider(m, small[i], small[k], &both, best);
		}
	}
	/* None of the small ones can: then the first that can. */
	for (size_t i = 0; i < m->n && !rc && !best->from; i++)
		for (size_t k = 0; k < i && !rc && !best->from; k++) {
			struct mask both = meet(&m->v[i].mask, &m->v[k].mask);

			if (!m->v[i].gone && !m->v[k].gone &&
				can_meet(&m->v[i].mask, &m->v[k].mask))
				rc = consider(m, &m->v[i], &m->v[k], &both, best);
		}
	return rc;
}

/* The filters of `from` go to `to`, which has that mask then. */
static int join(struct merging *m, struct group *from, struct group *to, const struct mask *mask)
{
	size_t n = from->n_sample + to->n_sample;
	struct meeting *sample = realloc(to->sample, (n + 1) * sizeof(*sample));

	if (!sample)
		return -ENOMEM;
	to->sample = sample;
	memcpy(sample + to->n_sample, from->sample, from->n_sample * sizeof(*sample));
	to->n_sample = n;
	to->count += from->count;
	to->mask = *mask;
	to->version++;
	from->gone = true;
	from->number = to - m->v;
	m->alive--;
	return meet_often(m, to, mask, &to->met);
}

/* A group that had that mask already takes the new one in. */
static int join_equal(struct merging *m, struct group *g)
{
	for (size_t i = 0; i < m->n; i++) {
		struct group *other = &m->v[i];

		if (other != g && !other->gone && same_mask(&other->mask, &g->mask))
			return join(m, other, g, &g->mask);
	}
	return 0;
}

static int make_groups(struct merging *m, struct merge_shape *shapes, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		struct group *g = &m->v[m->n], *same;

		g->mask = mask_of(&shapes[i].shape);
		g->mask.rlen = step_down(g->mask.rlen, m->family);
		g->mask.llen = step_down(g->mask.llen, m->family);
		same = group_with(m, &g->mask);
		g->count = shapes[i].count;
		g->n_sample = shapes[i].n_sample;
		g->sample = calloc(g->n_sample + 1, sizeof(*g->sample));
		for (size_t k = 0; g->sample && k < g->n_sample; k++)
			g->sample[k] = drawn_meeting(m->drawn, &shapes[i].sample[k]);
		shapes[i].group = m->n++;
		m->alive++;
		rc = !g->sample ? -ENOMEM
		     : same	? join(m, g, same, &same->mask)
				: meet_often(m, g, &g->mask, &g->met);
	}
	return rc;
}

static unsigned int final_group(const struct merging *m, unsigned int i)
{
	while (m->v[i].gone)
		i = m->v[i].number;
	return i;
}

static int name_groups(struct merging *m, struct merge_shape *shapes, size_t n, struct mask **masks,
	unsigned int *n_groups)
{
	unsigned int count = 0;

	*masks = calloc(m->alive + 1, sizeof(**masks));
	if (!*masks)
		return -ENOMEM;
	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].gone)
			continue;
		(*masks)[count] = m->v[i].mask;
		m->v[i].number = count++;
	}
	for (size_t i = 0; i < n; i++)
		shapes[i].group = m->v[final_group(m, shapes[i].group)].number;
	*n_groups = count;
	return 0;
}

int merge_shapes(struct merge_shape *shapes, size_t n, unsigned int most, struct mask **masks,
	unsigned int *n_groups)
{
	struct merging m = { .family = n ? shapes[0].shape.family : BP_V4 };
	int rc;

	m.v = calloc(n + 1, sizeof(*m.v));
	m.known = calloc(KNOWN, sizeof(*m.known));
	rc = m.v && m.known ? drawn_new(shapes, n, &m.drawn) : -ENOMEM;
	if (!rc)
		rc = make_groups(&m, shapes, n);
	while (!rc && m.alive > most) {
		struct move move;

		rc = find_move(&m, &move);
		if (rc || !move.from)
			break;
		rc = join(&m, move.from, move.into, &move.mask);
		if (!rc)
			rc = join_equal(&m, move.into);
	}
	if (!rc)
		rc = name_groups(&m, shapes, n, masks, n_groups);
	for (size_t i = 0; i < m.n; i++)
		free(m.v[i].sample);
	drawn_free(&m.drawn);
	free(m.known);
	free(m.v);
	return rc;
}
