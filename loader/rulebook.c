// SPDX-License-Identifier: GPL-2.0-only
#include "rulebook.h"

#include <errno.h>
#include <stdlib.h>

#include "dirs.h"

static int by_id(const void *a, const void *b)
{
	const struct rule *x = *(const struct rule *const *)a, *y = *(const struct rule *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int index_rules(struct rulebook *book)
{
	const struct policy *policy = book->store->policy;
	size_t n = policy ? policy->n : 0;

	book->v = calloc(n + 1, sizeof(*book->v));
	if (!book->v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		book->v[book->n++] = policy->rules[i];
	if (n)
		qsort(book->v, n, sizeof(*book->v), by_id);
	return 0;
}

int rulebook_look(struct rulebook *book, struct diag *diag)
{
	const struct store *s = book->store;
	struct rulebook new = {};
	int rc;

	if (s && store_unchanged(s->inode, s->mtime, s->journal))
		return 0;
	rc = lock_try(diag);
	if (rc == -EAGAIN && s)
		return 0;
	if (rc == -EAGAIN)
		rc = lock_take(diag);
	if (rc)
		return rc;
	rc = store_load(&new.store, diag);
	lock_release();
	if (!rc)
		rc = index_rules(&new);
	if (rc) {
		rulebook_free(&new);
		return rc;
	}
	rulebook_free(book);
	*book = new;
	return 0;
}

const struct rule *rulebook_find(const struct rulebook *book, uint32_t id)
{
	const struct rule key = { .id = id }, *at = &key;
	const struct rule **found =
		book->n ? bsearch(&at, book->v, book->n, sizeof(*book->v), by_id) : NULL;

	return found ? *found : NULL;
}

void rulebook_know(struct rulebook *book, uint32_t id)
{
	struct diag diag = {};

	if (!id || rulebook_find(book, id))
		return;
	rulebook_look(book, &diag);
	diag_free(&diag);
}

void rulebook_free(struct rulebook *book)
{
	free(book->v);
	store_free(&book->store);
	*book = (struct rulebook){};
}
