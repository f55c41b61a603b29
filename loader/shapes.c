// SPDX-License-Identifier: GPL-2.0-only
#include "shapes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"

#define MOST_SHAPES 40000 /* those of real rule sets are some hundreds */
/* Where shapes are merged, that many tuples are left for shapes that come later. */
#define SPARE_TUPLES 8

static int grow(struct shapes *d)
{
	size_t room = d->room ? d->room * 2 : 32;
	struct merge_shape *v = realloc(d->v, room * sizeof(*v));
	uint64_t *bounds;
	uint8_t *packed;

	if (!v)
		return -ENOMEM;
	d->v = v;
	bounds = realloc(d->bounds, room * sizeof(*bounds));
	if (!bounds)
		return -ENOMEM;
	d->bounds = bounds;
	packed = realloc(d->packed, room * sizeof(uint64_t));
	if (!packed)
		return -ENOMEM;
	d->packed = packed;
	if (!d->index.slots &&
		keyset_init(&d->index, (const uint8_t *const *)&d->packed, sizeof(uint64_t)))
		return -ENOMEM;
	d->room = room;
	return 0;
}

static uint64_t packed_shape(const struct shape *s)
{
	uint64_t word = 0;

	_Static_assert(sizeof(*s) <= sizeof(word), "a shape is a word");
	memcpy(&word, s, sizeof(*s));
	return word;
}

static struct merge_shape *find(const struct shapes *d, const struct shape *s)
{
	uint64_t word = packed_shape(s);
	uint32_t at = d->index.slots ? keyset_find(&d->index, &word) : KEYSET_NONE;

	return at == KEYSET_NONE ? NULL : &d->v[at];
}

static int add(struct shapes *d, const struct shape *s, struct diag *diag)
{
	uint64_t word = packed_shape(s);
	int rc = d->n == d->room ? grow(d) : 0;

	if (rc)
		return rc;
	if (d->n == MOST_SHAPES)
		return diag_set(diag, DIAG_SYSTEM, E2BIG,
			"the policy has more than %d combinations of prefix lengths, protocol and "
			"ports for one address family and direction; use fewer different prefix "
			"lengths",
			MOST_SHAPES);
	memcpy(d->packed + d->n * sizeof(word), &word, sizeof(word));
	d->v[d->n] = (struct merge_shape){ .shape = *s };
	d->bounds[d->n] = 0;
	rc = keyset_add(&d->index, d->n);
	d->n += !rc;
	return rc;
}

int shapes_add(struct shapes *d, const struct filter *f, struct diag *diag)
{
	struct merge_shape *is = find(d, &f->shape);

	if (!is) {
		int rc = add(d, &f->shape, diag);

		if (rc)
			return rc;
		is = &d->v[d->n - 1];
	}
	is->count++;
	if (f->rank > d->bounds[is - d->v])
		d->bounds[is - d->v] = f->rank;
	return 0;
}

bool shapes_crowded(const struct shapes *d)
{
	return d->n > BP_TUPLES;
}

int shapes_sample(struct shapes *d, const struct filter *f)
{
	struct merge_shape *is = find(d, &f->shape);
	uint64_t every = (is->count + MERGE_SAMPLE - 1) / MERGE_SAMPLE;

	if (!is->sample) {
		is->sample =
			calloc(is->count < MERGE_SAMPLE ? is->count : MERGE_SAMPLE, sizeof(*f));
		if (!is->sample)
			return -ENOMEM;
	}
	if (is->seen++ % every == 0)
		is->sample[is->n_sample++] = *f;
	return 0;
}

/* One group for each shape: nothing to merge. */
static int keep_shapes(struct shapes *d, struct mask **masks, unsigned int *n)
{
	*masks = calloc(d->n + 1, sizeof(**masks));
	if (!*masks)
		return -ENOMEM;
	for (size_t i = 0; i < d->n; i++) {
		(*masks)[i] = mask_of(&d->v[i].shape);
		d->v[i].group = i;
	}
	*n = d->n;
	return 0;
}

struct ranked {
	uint64_t bound;
	unsigned int group;
};

static int by_bound(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->bound != y->bound)
		return x->bound < y->bound ? 1 : -1;
	return x->group < y->group ? -1 : 1;
}

/* The tuple of a group: what its key holds, and what all its filters ask for. */
static void make_tuple(
	const struct shapes *d, unsigned int group, const struct mask *mask, struct bp_tuple *tuple)
{
	struct shape shape = { .family = d->v[0].shape.family, .kind = mask->kind, .flags = 0xff };

	shape.rlen = mask->rlen;
	shape.llen = mask->llen;
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].group == group)
			shape.flags &= d->v[i].shape.flags;
	shape_tuple(&shape, tuple);
	tuple->rport_mask = mask->rport ? 0xffff : 0;
	tuple->lport_mask = mask->lport ? 0xffff : 0;
}

/* So few tuples are probed sooner than the fine indices are asked. */
#define FEW_TUPLES 2

static int number_groups(
	struct bp_tables *t, struct shapes *d, const struct mask *masks, unsigned int n)
{
	const struct shape *any = &d->v[0].shape;
	enum bp_space space = bp_space_of(any->kind);
	struct ranked *order = calloc(n, sizeof(*order));

	d->number = calloc(n, sizeof(*d->number));
	if (!order || !d->number) {
		free(order);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < n; i++)
		order[i].group = i;
	for (size_t i = 0; i < d->n; i++)
		if (d->bounds[i] > order[d->v[i].group].bound)
			order[d->v[i].group].bound = d->bounds[i];
	qsort(order, n, sizeof(*order), by_bound);
	for (unsigned int i = 0; i < n; i++) {
		struct bp_tuple *tuple = &t->tuple[any->dir][any->family][space][i];

		make_tuple(d, order[i].group, &masks[order[i].group], tuple);
		tuple->bound = order[i].bound;
		t->live[any->dir][any->family][tuple->kind] |= 1ULL << i;
		t->named[any->dir][any->family][space] |= 1ULL << i;
		for (int by = 0; space == BP_SPACE_ALL && by < BP_INDICES; by++)
			if (n > FEW_TUPLES || !index_is_fine(by))
				t->indexed[any->dir][any->family][by] |= 1ULL << i;
		if (tuple->kind == BP_DECIDE)
			t->sorted[any->dir][any->family] |= 1ULL << i;
		d->number[order[i].group] = i;
	}
	free(order);
	return 0;
}

int shapes_number(struct shapes *d, struct bp_tables *tables)
{
	struct mask *masks = NULL;
	unsigned int n;
	int rc;

	if (!d->n)
		return 0;
	rc = shapes_crowded(d) ? merge_shapes(d->v, d->n, BP_TUPLES - SPARE_TUPLES, &masks, &n)
			       : keep_shapes(d, &masks, &n);
	if (!rc)
		rc = number_groups(tables, d, masks, n);
	free(masks);
	return rc;
}

unsigned int shapes_tuple(const struct shapes *d, const struct shape *shape)
{
	return d->number[find(d, shape)->group];
}

void shapes_free(struct shapes *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->v[i].sample);
	free(d->v);
	free(d->bounds);
	free(d->packed);
	free(d->number);
	keyset_free(&d->index);
}
