// SPDX-License-Identifier: GPL-2.0-only
#include "never_cover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST 500 /* pieces within pieces */

typedef unsigned __int128 number;

/* A box of remote and local addresses, remote and local ports. Inclusive. */
enum { DIMS = 4 };
struct region {
	number lo[DIMS], hi[DIMS];
};

struct cover_piece {
	struct region region;
	long double size;
	size_t rule;
};

static void prefix_span(const uint8_t bytes[16], unsigned int len, number *lo, number *hi)
{
	number value = 0;

	for (int i = 0; i < 16; i++)
		value = value << 8 | bytes[i];
	*lo = value;
	*hi = value | (len == 0 ? ~(number)0 : ((number)1 << (128 - len)) - 1);
}

static void port_span(const struct port_range *range, number *lo, number *hi)
{
	bool any = range->hi < range->lo;

	*lo = any ? 0 : range->lo;
	*hi = any ? 65535 : range->hi;
}

static struct region region_of(const struct filter *f)
{
	struct region r;

	prefix_span(f->remote, f->shape.rlen, &r.lo[0], &r.hi[0]);
	prefix_span(f->local, f->shape.llen, &r.lo[1], &r.hi[1]);
	port_span(&f->rport, &r.lo[2], &r.hi[2]);
	port_span(&f->lport, &r.lo[3], &r.hi[3]);
	return r;
}

static bool holds(const struct region *w, const struct region *r)
{
	for (int d = 0; d < DIMS; d++)
		if (w->lo[d] > r->lo[d] || w->hi[d] < r->hi[d])
			return false;
	return true;
}

static bool meets(const struct region *w, const struct region *r)
{
	for (int d = 0; d < DIMS; d++)
		if (w->lo[d] > r->hi[d] || w->hi[d] < r->lo[d])
			return false;
	return true;
}

bool cover_holds(const struct filter *w, const struct filter *r)
{
	struct region x = region_of(w), y = region_of(r);

	return holds(&x, &y);
}

void cover_begin(struct cover *c)
{
	c->n = 0;
}

static long double size_of(const struct region *r)
{
	long double size = 1;

	for (int d = 0; d < DIMS; d++)
		size *= (long double)(r->hi[d] - r->lo[d]) + 1;
	return size;
}

int cover_add(struct cover *c, const struct filter *w, const struct filter *r, size_t rule)
{
	struct cover_piece piece = { .region = region_of(w), .rule = rule };
	struct region whole = region_of(r);

	if (!meets(&piece.region, &whole))
		return 0;
	if (c->n == c->room) {
		size_t room = c->room ? c->room * 2 : 64;
		struct cover_piece *v = reallocarray(c->v, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		c->v = v;
		c->room = room;
	}
	piece.size = size_of(&piece.region);
	c->v[c->n++] = piece;
	return 0;
}

void cover_name(struct cover *c, size_t rule)
{
	for (unsigned int i = 0; i < c->n_named; i++)
		if (c->named[i] == rule)
			return;
	if (c->n_named < NEVER_NAMED)
		c->named[c->n_named++] = rule;
	else
		c->more = true;
}

void cover_forget(struct cover *c)
{
	c->n_named = 0;
	c->more = false;
}

/* Largest first; equal ones side by side, so that each cuts the end off what the last one left. */
static int by_size(const void *a, const void *b)
{
	const struct cover_piece *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	for (int d = 0; d < DIMS; d++)
		if (x->region.lo[d] != y->region.lo[d])
			return x->region.lo[d] < y->region.lo[d] ? -1 : 1;
	return 0;
}

/* What of r lies outside w: at most two pieces a dimension. */
static unsigned int cut(struct region r, const struct region *w, struct region out[2 * DIMS])
{
	unsigned int n = 0;

	for (int d = 0; d < DIMS; d++) {
		if (r.lo[d] < w->lo[d]) {
			out[n] = r;
			out[n++].hi[d] = w->lo[d] - 1;
			r.lo[d] = w->lo[d];
		}
		if (r.hi[d] > w->hi[d]) {
			out[n] = r;
			out[n++].lo[d] = w->hi[d] + 1;
			r.hi[d] = w->hi[d];
		}
	}
	return n;
}

/* The pieces from `at` on are asked; a single rest goes on in the loop. */
static bool covered(struct cover *c, struct region r, size_t at, unsigned int depth, long *patience)
{
	for (; at < c->n; at++) {
		struct region rest[2 * DIMS];
		unsigned int n;

		if (--*patience < 0 || depth > DEEPEST)
			return false;
		if (!meets(&c->v[at].region, &r))
			continue;
		cover_name(c, c->v[at].rule);
		n = cut(r, &c->v[at].region, rest);
		if (!n)
			return true;
		for (unsigned int i = 1; i < n; i++)
			if (!covered(c, rest[i], at + 1, depth + 1, patience))
				return false;
		r = rest[0];
	}
	return false;
}

bool cover_whole(struct cover *c, const struct filter *r, long *patience)
{
	if (c->n)
		qsort(c->v, c->n, sizeof(*c->v), by_size);
	return covered(c, region_of(r), 0, 0, patience);
}

void cover_free(struct cover *c)
{
	free(c->v);
	*c = (struct cover){};
}
