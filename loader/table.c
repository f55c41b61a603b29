// SPDX-License-Identifier: GPL-2.0-only
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"

/* An empty table has room for that many; a fuller one for a quarter more than there is. */
#define LEAST_ELEMS 4096
#define LEAST_GATES 4096
/* A line is half full when all elements are given out. */
#define ELEMS_PER_LINE 4
#define LEAST_LINES 8  /* log2 */
#define LEAST_INDEX 10 /* log2; small tables stay in the caches, large ones tell more apart */
#define MOST_INDEX 16
/* At least 8 bits for each element that is there: one key in 16, or fewer, seems to be there and is
 * not. */
#define BITS_PER_ELEM 8
#define LEAST_PRESENT 12
#define MOST_PRESENT 25 /* 4 MB: the largest element that every kernel gives an array */

static uint32_t log2_of(uint64_t n, uint32_t least, uint32_t most)
{
	uint32_t bits = least;

	while (bits < most && 1ULL << bits < n)
		bits++;
	return bits;
}

static uint32_t room_for(uint64_t n, uint32_t least)
{
	return n + (n / 4 > least ? n / 4 : least);
}

void table_sizes(const uint64_t elems[BP_FAMILIES], uint64_t gates, struct bp_sizes *sizes)
{
	memset(sizes, 0, sizeof(*sizes));
	sizes->address = sizes->port =
		log2_of((elems[BP_V4] + elems[BP_V6]) * 2, LEAST_INDEX, MOST_INDEX);
	for (int f = 0; f < BP_FAMILIES; f++) {
		sizes->elems[f] = room_for(elems[f], LEAST_ELEMS);
		sizes->lines[f] = log2_of(sizes->elems[f] / ELEMS_PER_LINE, LEAST_LINES, 30);
		sizes->present[f] = log2_of(elems[f] * BITS_PER_ELEM, LEAST_PRESENT, MOST_PRESENT);
	}
	sizes->gates = room_for(gates, LEAST_GATES);
	if (sizes->gates > BP_GATES)
		sizes->gates = BP_GATES;
}

size_t table_part_size(const struct bp_sizes *sizes, enum table_part part)
{
	struct bp_layout layout;

	switch (part) {
	case PART_TABLES:
		return sizeof(struct bp_tables);
	case PART_GATES:
		return sizes->gates * sizeof(uint64_t);
	case PART_SETS:
		bp_layout_of(sizes, &layout);
		return layout.sets_words * sizeof(uint64_t);
	case PART_PRESENT:
		bp_layout_of(sizes, &layout);
		return layout.present_words * sizeof(uint64_t);
	case PART_LINES4:
	case PART_LINES6:
		return sizeof(struct bp_line) << sizes->lines[part - PART_LINES4];
	default:
		return sizes->elems[part - PART_ELEMS4] * filter_elem_size(part - PART_ELEMS4);
	}
}

void **table_part(struct table *t, enum table_part part)
{
	void **const parts[TABLE_PARTS] = {
		[PART_TABLES] = (void **)&t->tables,
		[PART_GATES] = (void **)&t->gates,
		[PART_SETS] = (void **)&t->sets,
		[PART_PRESENT] = (void **)&t->present,
		[PART_LINES4] = (void **)&t->lines[BP_V4],
		[PART_LINES6] = (void **)&t->lines[BP_V6],
		[PART_ELEMS4] = (void **)&t->elems[BP_V4],
		[PART_ELEMS6] = (void **)&t->elems[BP_V6],
	};

	return parts[part];
}

int table_alloc(struct table *t, const struct bp_sizes *sizes)
{
	memset(t, 0, sizeof(*t));
	for (int part = 0; part < TABLE_PARTS; part++) {
		size_t size = table_part_size(sizes, part);
		void *memory = aligned_alloc(64, (size + 63) / 64 * 64);

		if (!memory) {
			table_free(t);
			return -ENOMEM;
		}
		memset(memory, 0, size);
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

union filter_elem *table_elem(const struct table *t, int family, uint32_t number)
{
	return (union filter_elem *)(t->elems[family] + number * filter_elem_size(family));
}

static uint64_t hash_of(int family, const struct filter_key *key)
{
	return bp_hash((const __u64 *)key->words, filter_key_words(family));
}

static uint64_t *present_word(const struct table *t, int family, uint64_t hash, unsigned int *bit)
{
	uint32_t at = (uint32_t)hash & t->layout.present_mask[family];

	*bit = at % 64;
	return t->present + t->layout.present[family] + at / 64;
}

/* The entry of the line that a key of that hash belongs to: its own, else the first free one, else
 * the last. */
static __u64 *entry_of(const struct table *t, int family, uint64_t hash)
{
	struct bp_line *line = &t->lines[family][(uint32_t)hash & t->layout.line_mask[family]];
	int i = 0;

	while (i < BP_LINE - 1 && line->entry[i] && line->entry[i] >> 32 != bp_tag(hash))
		i++;
	return &line->entry[i];
}

uint32_t table_find(const struct table *t, int family, const struct filter_key *key)
{
	uint64_t hash = hash_of(family, key);
	unsigned int bit;
	const uint64_t *word = present_word(t, family, hash, &bit);

	if (!(*word >> bit & 1))
		return 0;
	return *entry_of(t, family, hash);
}

/* One store; what was written before is seen by whoever sees it. */
static void publish(__u64 *entry, uint32_t tag, uint32_t number)
{
	__atomic_store_n(entry, bp_entry(tag, number), __ATOMIC_RELEASE);
}

/*
 * A line's entry is its tag's for good, even if no element is left, and a line that is full stays
 * so: then all elements of a key are always in one chain.
 */
int table_insert(struct table *t, const struct filter *f, const struct filter_key *key,
	const union filter_elem *elem)
{
	int family = f->shape.family;
	__u32 *given = &t->tables->given[family];
	uint64_t hash = hash_of(family, key), *word;
	__u64 *entry = entry_of(t, family, hash);
	union filter_elem *to, *first;
	unsigned int bit;

	if (*given + 1 >= t->tables->sizes.elems[family])
		return -ENOSPC;
	to = table_elem(t, family, ++*given);
	memcpy(to, elem, filter_elem_size(family));
	to->e.next = 0;
	if (!is_shadow(&f->shape))
		index_add(&t->layout, t->sets, f, key->words[0] & (BP_TUPLES - 1));
	word = present_word(t, family, hash, &bit);
	__atomic_store_n(word, *word | 1ULL << bit, __ATOMIC_RELEASE);
	if (!(uint32_t)*entry) {
		publish(entry, *entry ? *entry >> 32 : bp_tag(hash), *given);
		return 0;
	}
	first = table_elem(t, family, *entry);
	to->e.next = first->e.next;
	__atomic_store_n(&first->e.next, *given, __ATOMIC_RELEASE);
	return 0;
}

void table_remove(struct table *t, int family, const struct filter_key *key, uint32_t number)
{
	__u64 *entry = entry_of(t, family, hash_of(family, key));
	union filter_elem *gone = table_elem(t, family, number);
	uint32_t before = *entry;

	if (before == number) {
		publish(entry, *entry >> 32, gone->e.next);
	} else {
		while (before && table_elem(t, family, before)->e.next != number)
			before = table_elem(t, family, before)->e.next;
		if (!before)
			return;
		__atomic_store_n(
			&table_elem(t, family, before)->e.next, gone->e.next, __ATOMIC_RELEASE);
	}
	/* Its `next` stays: a packet may stand on it. */
	__atomic_store_n(&gone->e.rule, 0, __ATOMIC_RELAXED);
}

int table_walk(const struct table *t,
	int (*fn)(const union filter_elem *elem, int family, void *arg), void *arg)
{
	int rc = 0;

	for (int family = 0; family < BP_FAMILIES; family++)
		for (uint32_t i = 1; i <= t->tables->given[family] && !rc; i++) {
			const union filter_elem *elem = table_elem(t, family, i);

			if (elem->e.rule)
				rc = fn(elem, family, arg);
		}
	return rc;
}
