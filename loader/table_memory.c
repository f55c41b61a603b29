// SPDX-License-Identifier: GPL-2.0-only
/* table.h: the parts of its memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

size_t table_part_size(const struct bp_sizes *sizes, enum table_part part)
{
	struct bp_layout layout;
	int family;

	switch (part) {
	case PART_TABLES:
		return sizeof(struct bp_tables);
	case PART_GATES:
		return sizes->gates * sizeof(uint64_t);
	case PART_SETS:
		bp_layout_of(sizes, &layout);
		return layout.sets_words * sizeof(uint64_t);
	case PART_FINE:
		bp_layout_of(sizes, &layout);
		return layout.fine_words * sizeof(uint64_t);
	case PART_PRESENT:
		bp_layout_of(sizes, &layout);
		return layout.present_words * sizeof(uint64_t);
	default:
		family = part - PART_ELEMS4;
		return ((size_t)sizes->homes[family] + sizes->elems[family]) *
		       filter_elem_size(family);
	}
}

void **table_part(struct table *t, enum table_part part)
{
	void **const parts[TABLE_PARTS] = {
		[PART_TABLES] = (void **)&t->tables,
		[PART_GATES] = (void **)&t->gates,
		[PART_SETS] = (void **)&t->sets,
		[PART_FINE] = (void **)&t->fine,
		[PART_PRESENT] = (void **)&t->present,
		[PART_ELEMS4] = (void **)&t->elems[BP_V4],
		[PART_ELEMS6] = (void **)&t->elems[BP_V6],
	};

	return parts[part];
}

int table_alloc(struct table *t, const struct bp_sizes *sizes)
{
	memset(t, 0, sizeof(*t));
	for (int part = 0; part < TABLE_PARTS; part++) {
		/* Of what is large the system gives pages of 0 as they are touched. */
		void *memory = calloc(1, table_part_size(sizes, part));

		if (!memory) {
			table_free(t);
			return -ENOMEM;
		}
		*table_part(t, part) = memory;
	}
	t->tables->sizes = *sizes;
	bp_layout_of(sizes, &t->layout);
	return 0;
}

void table_free(struct table *t)
{
	for (int part = 0; part < TABLE_PARTS; part++) {
		free(*table_part(t, part));
		*table_part(t, part) = NULL;
	}
}

/* Behind what was given out stands nothing, unless who was about to give the next one has died. */
static size_t used_size(const struct bp_tables *t, enum table_part part)
{
	size_t all = table_part_size(&t->sizes, part), used;
	int family = part - PART_ELEMS4;

	if (part < PART_ELEMS4)
		return all;
	used = (t->sizes.homes[family] + t->given[family] + 2ULL) * filter_elem_size(family);
	return used < all ? used : all;
}

int table_empty(struct table *t)
{
	const struct bp_sizes sizes = t->tables->sizes;
	const uint64_t programs = t->tables->programs;

	for (int part = PART_TABLES + 1; part < TABLE_PARTS; part++) {
		size_t size = used_size(t->tables, part);
		int rc = table_reach(t, part, 0, size);

		if (rc)
			return rc;
		memset(*table_part(t, part), 0, size);
	}
	memset(t->tables, 0, sizeof(*t->tables));
	t->tables->sizes = sizes;
	t->tables->programs = programs;
	return 0;
}

int table_reach(const struct table *t, enum table_part part, size_t at, size_t size)
{
	int rc;

	if (!t->windows || at + size <= t->windows->there[part])
		return 0;
	rc = t->windows->reach(t->windows, part, at, size);
	if (rc)
		t->windows->lost = true;
	return rc;
}

bool table_is_lost(const struct table *t)
{
	return t->windows && t->windows->lost;
}
