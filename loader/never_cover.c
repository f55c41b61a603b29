// SPDX-License-Identifier: GPL-2.0-only
#include "never_cover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void prefix_span(
	const uint8_t bytes[16], unsigned int len, cover_number *lo, cover_number *hi)
{
	cover_number value = 0;

	for (int i = 0; i < 16; i++)
		value = value << 8 | bytes[i];
	*lo = value;
	*hi = value | (len == 0 ? ~(cover_number)0 : ((cover_number)1 << (128 - len)) - 1);
}

static void port_span(const struct port_range *range, cover_number *lo, cover_number *hi)
{
	bool any = range->hi < range->lo;

	*lo = any ? 0 : range->lo;
	*hi = any ? 65535 : range->hi;
}

struct cover_region cover_region_of(const struct filter *f)
{
	struct cover_region r;

	prefix_span(f->remote, f->shape.rlen, &r.lo[COVER_REMOTE], &r.hi[COVER_REMOTE]);
	prefix_span(f->local, f->shape.llen, &r.lo[COVER_LOCAL], &r.hi[COVER_LOCAL]);
	port_span(&f->rport, &r.lo[COVER_RPORT], &r.hi[COVER_RPORT]);
	port_span(&f->lport, &r.lo[COVER_LPORT], &r.hi[COVER_LPORT]);
	return r;
}

static int add_piece(struct cover *c, const struct cover_region *r)
{
	if (c->n == c->room) {
		size_t room = c->room ? c->room * 2 : 64;
		struct cover_region *v = reallocarray(c->left, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		c->left = v;
		c->room = room;
	}
	c->left[c->n++] = *r;
	return 0;
}

int cover_begin(struct cover *c, const struct cover_region *r)
{
	c->n = 0;
	return add_piece(c, r);
}

/* The first ones by their place are named. */
static void name(struct cover *c, size_t rule)
{
	for (unsigned int i = 0; i < c->n_named; i++) {
		size_t other = c->named[i];

		if (other == rule)
			return;
		if (other < rule)
			continue;
		c->named[i] = rule;
		rule = other;
	}
	if (c->n_named < NEVER_NAMED)
		c->named[c->n_named++] = rule;
	else
		c->more = true;
}

static bool meets(const struct cover_region *w, const struct cover_region *r)
{
	for (int d = 0; d < COVER_DIMS; d++)
		if (w->lo[d] > r->hi[d] || w->hi[d] < r->lo[d])
			return false;
	return true;
}

/* What of r lies outside w: at most two pieces a dimension. */
static int cut(struct cover *c, struct cover_region r, const struct cover_region *w)
{
	struct cover_region piece;
	int rc = 0;

	for (int d = 0; d < COVER_DIMS && !rc; d++) {
		if (r.lo[d] < w->lo[d]) {
			piece = r;
			piece.hi[d] = w->lo[d] - 1;
			r.lo[d] = w->lo[d];
			rc = add_piece(c, &piece);
		}
		if (!rc && r.hi[d] > w->hi[d]) {
			piece = r;
			piece.lo[d] = w->hi[d] + 1;
			r.hi[d] = w->hi[d];
			rc = add_piece(c, &piece);
		}
	}
	return rc;
}

int cover_take(struct cover *c, const struct cover_region *w, size_t rule)
{
	int rc = 0;

	/* From the end: what is added there was cut already, and what is moved was looked at. */
	for (size_t i = c->n; i-- && !rc;) {
		struct cover_region piece = c->left[i];

		if (!meets(w, &piece))
			continue;
		name(c, rule);
		c->left[i] = c->left[--c->n];
		rc = cut(c, piece, w);
	}
	return rc;
}

void cover_forget(struct cover *c)
{
	c->n_named = 0;
	c->more = false;
}

void cover_free(struct cover *c)
{
	free(c->left);
	*c = (struct cover){};
}
