/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of a generation as abi.h describes it: tuples, hash tables, what says beforehand that
 * a lookup is in vain. It lies in the kernel's maps, where packets read while we write, or for a
 * trial in our own. Every change is one that a packet can meet at any point of it. Pure.
 */
#ifndef BPFPOL_TABLE_H
#define BPFPOL_TABLE_H

#include "filter.h"

enum table_part {
	PART_TABLES,
	PART_GATES,
	PART_SETS,
	PART_FINE,
	PART_PRESENT,
	PART_ELEMS4,
	PART_ELEMS6,
	TABLE_PARTS
};

/*
 * For memory of which only what was asked for is there: to map all of a large table costs more than
 * to change one rule in it, and counts as this process's memory. What is not there reads as 0, and
 * cannot be written.
 */
struct table_windows {
	/* 0, or -errno: those bytes could not be had. */
	int (*reach)(struct table_windows *windows, enum table_part part, size_t at, size_t size);
	/* Those bytes are of no use now, and nothing points to them; they can be asked for again.
	 */
	void (*leave)(struct table_windows *windows, enum table_part part, size_t at, size_t size);
	size_t there[TABLE_PARTS]; /* bytes from each part's beginning that need no asking */
	bool lost; /* something could not be had: what was found since may be wrong */
};

struct table {
	struct bp_tables *tables; /* always there */
	uint64_t *gates, *sets, *fine, *present;
	uint8_t *elems[BP_FAMILIES];   /* struct bp_elem4 or bp_elem6 each */
	struct bp_layout layout;       /* of tables->sizes */
	struct table_windows *windows; /* NULL: all of it is there */
};

/* How many bytes a part has. */
size_t table_part_size(const struct bp_sizes *sizes, enum table_part part);
/* Where the part begins, as a pointer that can be set. */
void **table_part(struct table *table, enum table_part part);

/* Sees to it that those bytes of the part are there. -errno, and `lost` is set: they cannot be. */
int table_reach(const struct table *table, enum table_part part, size_t at, size_t size);
/* Whether what was found in it cannot be relied on. */
bool table_is_lost(const struct table *table);

/* Our own memory, all 0, with the sizes of tables->sizes. -ENOMEM. */
int table_alloc(struct table *table, const struct bp_sizes *sizes);
void table_free(struct table *table);

/*
 * Sizes for that many elements and gates, and for more to come, into tables->sizes. The tuples are
 * named already: where none stands in the fine indices, those have no room. Behind the homes there
 * is room for all elements, as none may be at home.
 */
void table_sizes(struct bp_tables *tables, uint64_t elems[BP_DIRS][BP_FAMILIES], uint64_t gates);
/* Of those elements of a family so many, or fewer, will stand behind the homes. */
void table_sizes_chained(struct bp_sizes *sizes, int family, uint64_t elems, uint64_t chained);
/* Which home elements of that key have: 1 to sizes->homes. */
uint32_t table_home(const struct bp_sizes *sizes, int family, const struct filter_key *key);

/*
 * Whether tables of those sizes will do for who wants these: nothing that a packet meets is larger
 * or smaller, and of the room for more half is left.
 */
bool table_sizes_serve(const struct bp_sizes *has, const struct bp_sizes *wants);

/*
 * All 0 again, but for what the memory itself is: its sizes, and what reads it. No packet may. All
 * is there then but elements behind the homes that were never given. Or -errno: it is of no use.
 */
int table_empty(struct table *table);

/* The element, and the gate, of that number. */
union filter_elem *table_elem(const struct table *table, int family, uint32_t number);
uint64_t *table_gate(const struct table *table, uint32_t number);

/*
 * Goes through the chain that holds all elements of that key, and of others: the number of the
 * first, or of the one behind `at` if that is not 0; 0: there is none.
 */
uint32_t table_next(
	const struct table *table, int family, const struct filter_key *key, uint32_t at);

/*
 * Adds an element of that key and, unless it is a shadow's, its tuple to the sets. The tuple's
 * bound and flags must hold for it already. unread: no packet reads the table yet, and nothing was
 * ever taken out of it. -ENOSPC: no element is left. After an error no packet finds it.
 */
int table_insert(struct table *table, const struct filter *filter, const struct filter_key *key,
	const union filter_elem *elem, bool unread);
/* Takes the element out, for good: its number is not given again. Or -errno, and it is still there.
 */
int table_remove(struct table *table, int family, const struct filter_key *key, uint32_t number);
/* The rule whose element it was, until it was taken out. 0: it was not. */
uint32_t table_gone_rule(const union filter_elem *elem);

/*
 * Calls fn for each element that is there, until it returns another number than 0, which it
 * returns. Their gates are there, too; of the elements, not many at a time.
 */
int table_walk(const struct table *table,
	int (*fn)(const union filter_elem *elem, int family, void *arg), void *arg);
/* The same, and for those that were taken out. */
int table_walk_gone(const struct table *table,
	int (*fn)(const union filter_elem *elem, int family, void *arg), void *arg);

#endif
