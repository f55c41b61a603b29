/* SPDX-License-Identifier: GPL-2.0-only */
#include "tally.h"

#include <errno.h>
#include <stdlib.h>

/* Behind the rules' rows stand those of the other kinds, and one for each verdict of strangers. */
#define STRANGER(block) (TALLY_KINDS + (block))
#define EXTRA (TALLY_KINDS + 2)

static int by_id(const void *a, const void *b)
{
	const struct tally_row *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

int tally_begin(struct tally *t, const struct policy *policy)
{
	*t = (struct tally){ .v = calloc(policy->n + EXTRA, sizeof(*t->v)), .n = policy->n };
	if (!t->v)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++)
		t->v[i] = (struct tally_row){
			.kind = TALLY_RULE,
			.block = policy->rules[i]->action == BP_BLOCK,
			.id = policy->rules[i]->id,
			.rule = policy->rules[i],
		};
	qsort(t->v, t->n, sizeof(*t->v), by_id);
	for (size_t i = 0; i < EXTRA; i++)
		t->v[t->n + i].kind = i < TALLY_KINDS ? i : TALLY_STRANGER;
	t->v[t->n + TALLY_MALFORMED].block = true;
	t->v[t->n + STRANGER(true)].block = true;
	return 0;
}

static struct tally_row *row_of(struct tally *t, const struct judgement *j)
{
	static const enum tally_kind kinds[] = {
		[REASON_NO_MATCH] = TALLY_NO_MATCH,
		[REASON_EXEMPT] = TALLY_EXEMPT,
		[REASON_MALFORMED] = TALLY_MALFORMED,
	};
	const struct tally_row key = { .id = j->rule };
	struct tally_row *row;

	if (j->reason != REASON_RULE)
		return &t->v[t->n + kinds[j->reason]];
	row = t->n ? bsearch(&key, t->v, t->n, sizeof(key), by_id) : NULL;
	return row ? row : &t->v[t->n + STRANGER(j->block)];
}

static void count(struct tally *t, struct tally_row *row, uint32_t bytes)
{
	row->packets++;
	row->bytes += bytes;
	t->packets++;
	t->bytes += bytes;
}

void tally_add(struct tally *t, const struct judgement *j)
{
	count(t, row_of(t, j), j->frame.bytes);
	t->blocked += j->block;
	t->passed += !j->block;
	t->malformed += j->malformed;
}

void tally_add_cut(struct tally *t, uint32_t bytes)
{
	count(t, &t->v[t->n + TALLY_CUT], bytes);
	t->undecided++;
}

static int by_packets(const void *a, const void *b)
{
	const struct tally_row *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->packets != y->packets)
		return x->packets > y->packets ? -1 : 1;
	return by_id(a, b);
}

void tally_end(struct tally *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n + EXTRA; i++)
		if (t->v[i].packets)
			t->v[kept++] = t->v[i];
	t->n = kept;
	if (kept)
		qsort(t->v, kept, sizeof(*t->v), by_packets);
}

void tally_free(struct tally *t)
{
	free(t->v);
	t->v = NULL;
}
