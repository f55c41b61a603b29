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
#define LEAST_LINES 8 /* log2 */
/* log2; small tables stay in the caches, large ones tell more apart */
#define LEAST_INDEX 10
static const uint32_t most_index[BP_FAMILIES] = { BP_INDEX_LEN4, 18 };
#define ROOMY_INDEX (1 << 15) /* sets: up to there eight for each element, or the least */
#define MOST_BYTES (4 << 20)  /* the largest element that every kernel gives an array */
/* An index in `fine`: three sets for two elements, of local ends, which are fewer, two. */
#define MOST_MIDDLE 20
#define MOST_LOCAL 19
#define MANY_ELEMS (1 << 15) /* so many fill an index by fewer bits */
/* At least 8 bits for each element that is there: one key in 16, or fewer, seems to be there and is
 * not. */
#define BITS_PER_ELEM 8
#define LEAST_PRESENT 12
#define MOST_PRESENT 25 /* 4 MB, likewise */

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

/* All directions and families share one element: the largest of them gives way. */
static void limit(struct bp_sizes *sizes, uint32_t size[BP_DIRS][BP_FAMILIES])
{
	while (table_part_size(sizes, PART_SETS) > MOST_BYTES) {
		uint32_t *most = &size[0][0];

		for (int i = 1; i < BP_DIRS * BP_FAMILIES; i++)
			if (size[i / BP_FAMILIES][i % BP_FAMILIES] > *most)
				most = &size[i / BP_FAMILIES][i % BP_FAMILIES];
		--*most;
	}
}

/* Those for which the least will do are all of one size: each may be another one's spare. */
static uint64_t sets_for(uint64_t n)
{
	uint64_t many = n * 8 < ROOMY_INDEX ? n * 8 : ROOMY_INDEX;

	return n * 2 > many || n * 2 <= 1 << LEAST_INDEX ? n * 2 : many;
}

static void fine_sizes(const __u64 *indexed, uint64_t n, uint32_t *size)
{
	for (int i = 0; i < BP_FINES; i++)
		size[i] = 0;
	if (indexed[BP_BY_REMOTE_MIDDLE] && n > MANY_ELEMS)
		size[0] = log2_of(n + n / 2, LEAST_INDEX, MOST_MIDDLE);
	if (indexed[BP_BY_REMOTE_FINE])
		size[BP_BY_REMOTE_FINE - BP_BY_REMOTE_MIDDLE] =
			log2_of(n + n / 2, LEAST_INDEX, BP_MOST_FINE);
	if (indexed[BP_BY_LOCAL_FINE])
		size[BP_BY_LOCAL_FINE - BP_BY_REMOTE_MIDDLE] = log2_of(n, LEAST_INDEX, MOST_LOCAL);
}

static void index_sizes(struct bp_tables *t, uint64_t elems[BP_DIRS][BP_FAMILIES])
{
	for (int d = 0; d < BP_DIRS; d++)
		for (int f = 0; f < BP_FAMILIES; f++) {
			t->sizes.index[d][f] =
				log2_of(sets_for(elems[d][f]), LEAST_INDEX, most_index[f]);
			fine_sizes(t->indexed[d][f], elems[d][f], t->sizes.fine[d][f]);
		}
	limit(&t->sizes, t->sizes.index);
}

void table_sizes(struct bp_tables *t, uint64_t elems[BP_DIRS][BP_FAMILIES], uint64_t gates)
{
	struct bp_sizes *sizes = &t->sizes;

	memset(sizes, 0, sizeof(*sizes));
	for (int f = 0; f < BP_FAMILIES; f++) {
		uint64_t n = elems[BP_IN][f] + elems[BP_OUT][f];

		sizes->elems[f] = room_for(n, LEAST_ELEMS);
		sizes->lines[f] = log2_of(sizes->elems[f] / ELEMS_PER_LINE, LEAST_LINES, 30);
		sizes->present[f] = log2_of(n * BITS_PER_ELEM, LEAST_PRESENT, MOST_PRESENT);
	}
	sizes->gates = room_for(gates, LEAST_GATES);
	if (sizes->gates > BP_GATES)
		sizes->gates = BP_GATES;
	index_sizes(t, elems); /* last: it asks how large all of a layout is */
}

/* wants: what room_for() gave. */
static bool room_serves(uint32_t has, uint32_t wants, uint32_t least)
{
	uint32_t half = wants / 10 > least / 2 ? wants / 10 : least / 2;

	return has >= wants || wants - has <= half;
}

bool table_sizes_serve(const struct bp_sizes *has, const struct bp_sizes *wants)
{
	bool serve = room_serves(has->gates, wants->gates, LEAST_GATES);
	struct bp_sizes equal = *wants; /* but for what is only room */

	equal.gates = has->gates;
	for (int f = 0; f < BP_FAMILIES; f++) {
		serve = serve && room_serves(has->elems[f], wants->elems[f], LEAST_ELEMS);
		equal.elems[f] = has->elems[f];
		equal.lines[f] = has->lines[f];
		for (int i = 0; i < BP_DIRS * BP_FINES; i++)
			if (!wants->fine[i / BP_FINES][f][i % BP_FINES])
				equal.fine[i / BP_FINES][f][i % BP_FINES] =
					has->fine[i / BP_FINES][f][i % BP_FINES];
	}
	return serve && !memcmp(&equal, has, sizeof(equal));
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
	case PART_FINE:
		bp_layout_of(sizes, &layout);
		return layout.fine_words * sizeof(uint64_t);
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
		[PART_FINE] = (void **)&t->fine,
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

void table_empty(struct table *t)
{
	const struct bp_sizes sizes = t->tables->sizes;
	const uint64_t programs = t->tables->programs;

	for (int part = 0; part < TABLE_PARTS; part++)
		memset(*table_part(t, part), 0, table_part_size(&sizes, part));
	t->tables->sizes = sizes;
	t->tables->programs = programs;
}

int table_reach(const struct table *t, enum table_part part, size_t at, size_t size)
{
	int rc;

	if (!t->windows || t->windows->all)
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

uint64_t *table_gate(const struct table *t, uint32_t number)
{
	table_reach(t, PART_GATES, number * sizeof(uint64_t), sizeof(uint64_t));
	return &t->gates[number];
}

union filter_elem *table_elem(const struct table *t, int family, uint32_t number)
{
	size_t size = filter_elem_size(family);

	table_reach(t, PART_ELEMS4 + family, number * size, size);
	return (union filter_elem *)(t->elems[family] + number * size);
}

static uint64_t hash_of(int family, const struct filter_key *key)
{
	return bp_hash((const __u64 *)key->words, filter_key_words(family));
}

static uint64_t *present_word(const struct table *t, int family, uint64_t hash, unsigned int *bit)
{
	uint32_t at = (uint32_t)hash & t->layout.present_mask[family];
	size_t word = t->layout.present[family] + at / 64;

	table_reach(t, PART_PRESENT, word * sizeof(uint64_t), sizeof(uint64_t));
	*bit = at % 64;
	return t->present + word;
}

/* The entry of the line that a key of that hash belongs to: its own, else the first free one, else
 * the last. */
static __u64 *entry_of(const struct table *t, int family, uint64_t hash)
{
	size_t at = (uint32_t)hash & t->layout.line_mask[family];
	struct bp_line *line = &t->lines[family][at];
	int i = 0;

	table_reach(t, PART_LINES4 + family, at * sizeof(*line), sizeof(*line));
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
	int rc = 0;

	if (*given + 1 >= t->tables->sizes.elems[family])
		return -ENOSPC;
	to = table_elem(t, family, *given + 1);
	first = table_elem(t, family, *entry); /* 0: there is none, and nothing is written to it */
	word = present_word(t, family, hash, &bit);
	if (!table_is_lost(t) && !is_shadow(&f->shape))
		rc = index_add(t, f, key->words[0] & (BP_TUPLES - 1));
	if (rc || table_is_lost(t))
		return rc ? rc : -ENOMEM;
	++*given;
	memcpy(to, elem, filter_elem_size(family));
	to->e.next = 0;
	__atomic_store_n(word, *word | 1ULL << bit, __ATOMIC_RELEASE);
	if (!(uint32_t)*entry) {
		publish(entry, *entry ? *entry >> 32 : bp_tag(hash), *given);
		return 0;
	}
	to->e.next = first->e.next;
	__atomic_store_n(&first->e.next, *given, __ATOMIC_RELEASE);
	return 0;
}

int table_remove(struct table *t, int family, const struct filter_key *key, uint32_t number)
{
	__u64 *entry = entry_of(t, family, hash_of(family, key));
	union filter_elem *gone = table_elem(t, family, number);
	uint32_t before = *entry;

	while (before && before != number && table_elem(t, family, before)->e.next != number)
		before = table_elem(t, family, before)->e.next;
	if (table_is_lost(t))
		return -ENOMEM;
	if (!before)
		return -ENOENT;
	if (before == number)
		publish(entry, *entry >> 32, gone->e.next);
	else
		__atomic_store_n(
			&table_elem(t, family, before)->e.next, gone->e.next, __ATOMIC_RELEASE);
	/* Its `next` stays: a packet may stand on it. */
	__atomic_store_n(&gone->e.rule, 0, __ATOMIC_RELAXED);
	return 0;
}

int table_walk(const struct table *t,
	int (*fn)(const union filter_elem *elem, int family, void *arg), void *arg)
{
	int rc = table_reach(t, PART_GATES, 0, (t->tables->gates + 1) * sizeof(uint64_t));

	for (int family = 0; family < BP_FAMILIES && !rc; family++) {
		rc = table_reach(t, PART_ELEMS4 + family, 0,
			(t->tables->given[family] + 1) * filter_elem_size(family));
		for (uint32_t i = 1; i <= t->tables->given[family] && !rc; i++) {
			const union filter_elem *elem = table_elem(t, family, i);

			if (elem->e.rule)
				rc = fn(elem, family, arg);
		}
	}
	return rc;
}
