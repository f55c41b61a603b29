// SPDX-License-Identifier: GPL-2.0-only
/*
 * The idea is TupleMerge's (Daly et al., 2019): rules with long prefixes stand well in a table of
 * shorter ones, as long as few of them come to share a key. Prefix lengths are first rounded down
 * to a few steps. Then, until the groups are few enough, the cheapest of these is done: one of the
 * smallest groups goes into a coarser one, or two of them become one that is coarser than both.
 * What it costs is how many more filters stand under one key, the more so the more packets come by
 * that key: one that holds few bits is met by every other packet.
 */
#include "merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Groups that are tried for the next merge, smallest first, and partners that each is tried with.
 */
#define TRIED 10
#define PARTNERS 12

/* In sets of this size the filters under the emptiest key count that many times as much. */
#define WILD_WEIGHT 3000.0

static const uint8_t steps4[] = { 0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32 };
static const uint8_t steps6[] = { 0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 96,
	128 };

struct group {
	struct mask mask;
	uint64_t count;		/* filters */
	struct filter **sample; /* of them; those of the shapes, not owned */
	size_t n_sample;
	uint64_t *keys; /* of the sample under the mask, hashed, sorted */
	bool gone;
	unsigned int number;
};

struct merging {
	int family;
	struct group *v;
	size_t n, alive;
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

/* How much more a collision under such a key weighs than one under a full key. */
static double weight(const struct mask *m)
{
	double w = WILD_WEIGHT;
	int bits = (m->rlen + m->llen) / 4;

	for (int i = 0; i < bits && w > 0.01; i++)
		w /= 16;
	w *= (m->rport ? 0.05 : 1) * (m->lport ? 0.05 : 1) * (m->proto ? 0.5 : 1);
	return 1 + w;
}

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 32;
}

static uint64_t mix_prefix(uint64_t h, const uint8_t *address, unsigned int len)
{
	uint8_t kept[16] = { 0 };
	uint64_t words[2];

	memcpy(kept, address, (len + 7) / 8);
	if (len % 8)
		kept[len / 8] &= 0xff00 >> len % 8;
	memcpy(words, kept, sizeof(words));
	return mix(mix(h, words[0]), words[1]);
}

/* The filter's key under that mask, hashed. */
static uint64_t key_under(const struct filter *f, const struct mask *m)
{
	uint64_t h = mix_prefix(1, f->remote, m->rlen);

	h = mix_prefix(h, f->local, m->llen);
	h = mix(h, (m->rport ? f->rport.lo : 0) | (uint64_t)(m->lport ? f->lport.lo : 0) << 16);
	return mix(h, m->proto ? f->proto : 0);
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static uint64_t *keys_under(struct filter *const *v, size_t n, const struct mask *m)
{
	uint64_t *keys = malloc((n + 1) * sizeof(*keys));

	for (size_t i = 0; keys && i < n; i++)
		keys[i] = key_under(v[i], m);
	if (keys)
		qsort(keys, n, sizeof(*keys), by_number);
	return keys;
}

/* How many of the sorted numbers are that one. */
static size_t count_of(const uint64_t *sorted, size_t n, uint64_t key)
{
	size_t lo = 0, hi = n, at;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (sorted[mid] < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (at = lo; at < n && sorted[at] == key; at++)
		;
	return at - lo;
}

static double scale(const struct group *g)
{
	return g->n_sample ? (double)g->count / g->n_sample : 1;
}

/* What it costs when the filters of `from` stand under `mask`, beside those of `into` or alone. */
static int cost_of(
	const struct group *from, const struct mask *mask, const struct group *into, double *cost)
{
	uint64_t *keys = keys_under(from->sample, from->n_sample, mask);
	uint64_t *others = NULL;
	double own = 0, met = 0;

	if (into && !same_mask(mask, &into->mask)) {
		others = keys_under(into->sample, into->n_sample, mask);
		if (!others) {
			free(keys);
			return -ENOMEM;
		}
	}
	if (!keys) {
		free(others);
		return -ENOMEM;
	}
	for (size_t i = 0; i < from->n_sample; i++) {
		own += count_of(keys, from->n_sample, keys[i]) - 1;
		if (into)
			met += count_of(others ? others : into->keys, into->n_sample, keys[i]);
	}
	for (size_t i = 0; others && i < into->n_sample; i++)
		own += (count_of(others, into->n_sample, others[i]) - 1) * scale(into);
	*cost = (own * scale(from) + met * scale(from) * (into ? scale(into) : 1)) * weight(mask);
	free(keys);
	free(others);
	return 0;
}

struct move {
	double cost;
	struct group *from, *into;
	struct mask mask;
};

static int consider(
	struct group *from, struct group *into, const struct mask *mask, struct move *best)
{
	double cost;
	int rc = cost_of(from, mask, into, &cost);

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
			rc = consider(small[i], coarse[k], &coarse[k]->mask, best);
		for (size_t k = 0; k < i && !rc; k++) {
			struct mask both = meet(&small[i]->mask, &small[k]->mask);

			if (can_meet(&small[i]->mask, &small[k]->mask))
				rc = consider(small[i], small[k], &both, best);
		}
	}
	/* None of the small ones can: then the first that can. */
	for (size_t i = 0; i < m->n && !rc && !best->from; i++)
		for (size_t k = 0; k < i && !rc && !best->from; k++) {
			struct mask both = meet(&m->v[i].mask, &m->v[k].mask);

			if (!m->v[i].gone && !m->v[k].gone &&
				can_meet(&m->v[i].mask, &m->v[k].mask))
				rc = consider(&m->v[i], &m->v[k], &both, best);
		}
	return rc;
}

/* The filters of `from` go to `to`, which has that mask then. */
static int join(struct merging *m, struct group *from, struct group *to, const struct mask *mask)
{
	size_t n = from->n_sample + to->n_sample;
	struct filter **sample = realloc(to->sample, (n + 1) * sizeof(*sample));

	if (!sample)
		return -ENOMEM;
	to->sample = sample;
	memcpy(sample + to->n_sample, from->sample, from->n_sample * sizeof(*sample));
	to->n_sample = n;
	to->count += from->count;
	to->mask = *mask;
	free(to->keys);
	to->keys = keys_under(to->sample, n, mask);
	from->gone = true;
	from->number = to - m->v;
	m->alive--;
	return to->keys ? 0 : -ENOMEM;
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
			g->sample[k] = &shapes[i].sample[k];
		g->keys = g->sample ? keys_under(g->sample, g->n_sample, &g->mask) : NULL;
		shapes[i].group = m->n++;
		m->alive++;
		rc = !g->keys ? -ENOMEM : same ? join(m, g, same, &same->mask) : 0;
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
	rc = m.v ? make_groups(&m, shapes, n) : -ENOMEM;
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
	for (size_t i = 0; i < m.n; i++) {
		free(m.v[i].sample);
		free(m.v[i].keys);
	}
	free(m.v);
	return rc;
}
