// SPDX-License-Identifier: GPL-2.0-only
#include "table.h"

#include <errno.h>
#include <string.h>

#include "index.h"

/* An empty table has room for that many; a fuller one for an eighth more than there is. */
#define LEAST_ELEMS 4096
#define LEAST_GATES 4096
/* Homes: half as many again as elements, of which 73 in 100 are then at home. */
#define HOMES(n) ((n) + (n) / 2)
#define LEAST_HOMES 1024
/* log2; small tables stay in the caches, large ones tell more apart */
#define LEAST_INDEX 10
static const uint32_t most_index[BP_FAMILIES] = { BP_INDEX_LEN4, 18 };
#define ROOMY_INDEX (1 << 15) /* sets: up to there eight for each element, or the least */
#define MOST_BYTES (4 << 20)  /* the largest element that every kernel gives an array */
/* An index in `fine`: three sets for two elements, of local ends, which are fewer, two. */
#define MOST_MIDDLE 20
#define MOST_LOCAL 19
#define MANY_ELEMS (1 << 15) /* so many fill an index by fewer bits */
/* At least 8 bits for each element that is there: one key in 20, or fewer, seems to be there and is
 * not. */
#define BITS_PER_ELEM 8
#define LEAST_PRESENT 12
#define MOST_PRESENT 25 /* 4 MB, likewise */
/* What print and pad of an element that was taken out say: whose it was. No packet looks at them.
 */
#define PRINT_BITS 24
#define GONE 0x100
#define STRIDE (1 << 20) /* bytes of elements that whoever reads all of them has at a time */

static uint32_t log2_of(uint64_t n, uint32_t least, uint32_t most)
{
	uint32_t bits = least;

	while (bits < most && 1ULL << bits < n)
		bits++;
	return bits;
}

static uint32_t room_for(uint64_t n, uint32_t least)
{
	return n + (n / 8 > least ? n / 8 : least);
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
		sizes->homes[f] = HOMES(n) > LEAST_HOMES ? HOMES(n) : LEAST_HOMES;
		sizes->present[f] = log2_of(n * BITS_PER_ELEM, LEAST_PRESENT, MOST_PRESENT);
	}
	sizes->gates = room_for(gates, LEAST_GATES);
	if (sizes->gates > BP_GATES)
		sizes->gates = BP_GATES;
	index_sizes(t, elems); /* last: it asks how large all of a layout is */
}

void table_sizes_chained(struct bp_sizes *sizes, int family, uint64_t elems, uint64_t chained)
{
	sizes->elems[family] = chained + room_for(elems, LEAST_ELEMS) - elems;
}

/* wants: what room_for() gave. */
static bool room_serves(uint32_t has, uint32_t wants, uint32_t least)
{
	uint32_t half = wants / 18 > least / 2 ? wants / 18 : least / 2;

	return has >= wants || wants - has <= half;
}

/* Not much larger or smaller, and on the same side of what `present` stands in front of. */
static bool homes_serve(uint32_t has, uint32_t wants)
{
	return has >= wants - wants / 8 && has <= wants + wants / 8 &&
	       (has > BP_FEW_HOMES) == (wants > BP_FEW_HOMES);
}

bool table_sizes_serve(const struct bp_sizes *has, const struct bp_sizes *wants)
{
	bool serve = room_serves(has->gates, wants->gates, LEAST_GATES);
	struct bp_sizes equal = *wants; /* but for what is only room */

	equal.gates = has->gates;
	for (int f = 0; f < BP_FAMILIES; f++) {
		serve = serve && room_serves(has->elems[f], wants->elems[f], LEAST_ELEMS);
		serve = serve && homes_serve(has->homes[f], wants->homes[f]);
		equal.elems[f] = has->elems[f];
		equal.homes[f] = has->homes[f];
		for (int i = 0; i < BP_DIRS * BP_FINES; i++)
			if (!wants->fine[i / BP_FINES][f][i % BP_FINES])
				equal.fine[i / BP_FINES][f][i % BP_FINES] =
					has->fine[i / BP_FINES][f][i % BP_FINES];
	}
	return serve && !memcmp(&equal, has, sizeof(equal));
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

static uint64_t *present_word(const struct table *t, int family, uint64_t hash)
{
	size_t word =
		t->layout.present[family] + bp_present_word(hash, t->layout.present_mask[family]);

	table_reach(t, PART_PRESENT, word * sizeof(uint64_t), sizeof(uint64_t));
	return t->present + word;
}

uint32_t table_home(const struct bp_sizes *sizes, int family, const struct filter_key *key)
{
	return bp_home(hash_of(family, key), sizes->homes[family]);
}

static uint32_t home_of(const struct table *t, int family, uint64_t hash)
{
	return bp_home(hash, t->tables->sizes.homes[family]);
}

/* What comes behind it in its chain. */
static uint32_t next_of(const struct table *t, int family, uint32_t at)
{
	return table_elem(t, family, at)->e.next & ~BP_MORE;
}

uint32_t table_next(const struct table *t, int family, const struct filter_key *key, uint32_t at)
{
	uint64_t hash = hash_of(family, key);

	if (at)
		return next_of(t, family, at);
	if (~*present_word(t, family, hash) & bp_present_bits(hash))
		return 0;
	at = home_of(t, family, hash);
	return table_elem(t, family, at)->e.rule ? at : next_of(t, family, at);
}

static bool has_key(const struct table *t, int family, const union filter_elem *elem,
	const struct filter_key *key)
{
	uint8_t bits = elem->e.tuple, number = bits & (BP_TUPLES - 1);
	const struct bp_tuple *tuple = &t->tables->tuple[bits >> 6 & 1][family][bits >> 7][number];
	struct filter_key own;
	struct filter f;

	filter_from_elem(elem, tuple, family, &f);
	filter_key(&f, tuple, number, &own);
	return !memcmp(&own, key, filter_key_words(family) * sizeof(key->words[0]));
}

/* BP_MORE, if there is one of that key behind the home. */
static uint32_t more_behind(
	const struct table *t, int family, const struct filter_key *key, uint32_t home)
{
	for (uint32_t at = home; (at = next_of(t, family, at));)
		if (has_key(t, family, table_elem(t, family, at), key))
			return BP_MORE;
	return 0;
}

/*
 * Why packets may read meanwhile. There is one writer, under the lock. It fills an element that no
 * `next` leads to, and one 4-byte store of the home's `next` makes that lead there: whoever asks
 * for the element has loaded its number first, and sees all that was stored before it, on every CPU
 * that keeps two loads in order of which one needs the other (all that Linux has BPF for). No place
 * is filled twice, so nobody sees half of one element and half of another. In a home that is empty,
 * or not any more what it was, a packet may just be comparing field by field what stands there. So
 * homes are filled only while no packet reads the table; the least specific of those that meet
 * there is left at home, as most packets look for it.
 *
 * Whoever stands on what is taken out finds its `next` as it was, and all that was behind it. What
 * is added comes in right behind the home: who is past that does not meet it, who is not meets it
 * once. BP_MORE of the home is set in the very store that brings another element of its key; what
 * was behind the home already stays behind what comes in. It may stand where it need not.
 */
int table_insert(struct table *t, const struct filter *f, const struct filter_key *key,
	const union filter_elem *elem, bool unread)
{
	int family = f->shape.family;
	const struct bp_sizes *sizes = &t->tables->sizes;
	uint64_t hash = hash_of(family, key), *word;
	uint32_t number = home_of(t, family, hash);
	union filter_elem *home = table_elem(t, family, number), *to = home;
	uint32_t next = next_of(t, family, number), more = more_behind(t, family, key, number);
	bool chained = !unread || home->e.rule, first;
	uint32_t same;
	int rc = 0;

	if (chained) {
		number = sizes->homes[family] + t->tables->given[family] + 1;
		if (number >= sizes->homes[family] + sizes->elems[family])
			return -ENOSPC;
		to = table_elem(t, family, number);
	}
	word = present_word(t, family, hash);
	if (!table_is_lost(t) && !is_shadow(&f->shape))
		rc = index_add(t, f, key->words[0] & (BP_TUPLES - 1));
	if (rc || table_is_lost(t))
		return rc ? rc : -ENOMEM;
	same = chained && has_key(t, family, home, key) ? BP_MORE : 0;
	first = chained && unread && elem->e.rank < home->e.rank;
	if (first) {
		memcpy(to, home, filter_elem_size(family));
		to = home;
		next = number;
		more |= same;
	}
	memcpy(to, elem, filter_elem_size(family));
	to->e.next = next | more;
	__atomic_store_n(word, *word | bp_present_bits(hash), __ATOMIC_RELEASE);
	t->tables->given[family] += chained;
	if (chained && !first)
		__atomic_store_n(
			&home->e.next, number | same | (home->e.next & BP_MORE), __ATOMIC_RELEASE);
	return 0;
}

int table_remove(struct table *t, int family, const struct filter_key *key, uint32_t number)
{
	uint32_t before = home_of(t, family, hash_of(family, key));
	union filter_elem *gone = table_elem(t, family, number);

	while (before && before != number && next_of(t, family, before) != number)
		before = next_of(t, family, before);
	if (table_is_lost(t))
		return -ENOMEM;
	if (!before)
		return -ENOENT;
	if (before != number) {
		uint32_t *next = &table_elem(t, family, before)->e.next;

		__atomic_store_n(
			next, next_of(t, family, number) | (*next & BP_MORE), __ATOMIC_RELEASE);
	}
	/* Its `next` stays: a packet may stand on it, and of a home it is where the chain goes on.
	 */
	gone->e.print = gone->e.rule & BP_PRINT;
	gone->e.pad = GONE | gone->e.rule >> PRINT_BITS;
	__atomic_store_n(&gone->e.rule, 0, __ATOMIC_RELAXED);
	return 0;
}

uint32_t table_gone_rule(const union filter_elem *elem)
{
	bool is_gone = !elem->e.rule && elem->e.pad & GONE;

	return is_gone ? (uint32_t)(elem->e.pad & ~GONE) << PRINT_BITS | elem->e.print : 0;
}

struct walk {
	int (*fn)(const union filter_elem *elem, int family, void *arg);
	void *arg;
	bool gone; /* also what was taken out */
};

/* Those of the numbers from `first` to before `end`. */
static int walk_part(
	const struct table *t, int family, size_t first, size_t end, const struct walk *walk)
{
	size_t size = filter_elem_size(family);
	int rc = table_reach(t, PART_ELEMS4 + family, first * size, (end - first) * size);

	for (size_t i = first; i < end && !rc; i++) {
		const union filter_elem *elem = (const void *)(t->elems[family] + i * size);

		if (elem->e.rule || (walk->gone && table_gone_rule(elem)))
			rc = walk->fn(elem, family, walk->arg);
	}
	return rc;
}

/* What is smaller than a stride stays. */
static int walk_family(const struct table *t, int family, const struct walk *walk)
{
	size_t size = filter_elem_size(family), each = STRIDE / size, first = 1;
	size_t end = t->tables->sizes.homes[family] + t->tables->given[family] + 1ULL;
	int rc = 0;

	for (; first < end && !rc; first += each) {
		if (first > 1 && t->windows)
			t->windows->leave(t->windows, PART_ELEMS4 + family, (first - each) * size,
				each * size);
		rc = walk_part(t, family, first, first + each < end ? first + each : end, walk);
	}
	return rc;
}

static int walk_all(const struct table *t, const struct walk *walk)
{
	int rc = table_reach(t, PART_GATES, 0, (t->tables->gates + 1) * sizeof(uint64_t));

	for (int family = 0; family < BP_FAMILIES && !rc; family++)
		rc = walk_family(t, family, walk);
	return rc;
}

int table_walk(const struct table *t,
	int (*fn)(const union filter_elem *elem, int family, void *arg), void *arg)
{
	return walk_all(t, &(struct walk){ .fn = fn, .arg = arg });
}

int table_walk_gone(const struct table *t,
	int (*fn)(const union filter_elem *elem, int family, void *arg), void *arg)
{
	return walk_all(t, &(struct walk){ .fn = fn, .arg = arg, .gone = true });
}
