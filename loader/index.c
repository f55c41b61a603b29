// SPDX-License-Identifier: GPL-2.0-only
#include "index.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const uint8_t with_ports[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_DCCP,
	IPPROTO_UDPLITE };

static bool by_address(int family, unsigned int len)
{
	return family == BP_V4 ? len >= 1 : len >= BP_INDEX_LEAST6;
}

/* Bits of an address that the first index of it looks at. */
static unsigned int index_bits(int family)
{
	return family == BP_V4 ? BP_INDEX_LEN4 : BP_INDEX_LEN6;
}

static unsigned int middle_len(int family)
{
	return family == BP_V4 ? BP_MIDDLE_LEN4 : BP_MIDDLE_LEN6;
}

bool index_is_fine(enum bp_index index)
{
	return index >= BP_BY_REMOTE_MIDDLE;
}

/* Of those in `fine`, what the tables have room for. */
static unsigned int fine_of(const struct bp_sizes *sizes, const struct shape *s)
{
	const unsigned int fine = s->family == BP_V4 ? BP_FINE_LEN4 : BP_FINE_LEN6;
	const bool asks[BP_FINES] = { s->rlen >= middle_len(s->family) - BP_MIDDLE_SHORT,
		s->rlen >= fine, s->llen >= fine };
	unsigned int by = 0;

	for (int i = 0; i < BP_FINES; i++)
		if (asks[i] && sizes->fine[s->dir][s->family][i])
			by |= 1 << (BP_BY_REMOTE_MIDDLE + i);
	return by;
}

unsigned int index_of(const struct bp_sizes *sizes, const struct filter *f)
{
	const struct shape *s = &f->shape;
	unsigned int by = fine_of(sizes, s);

	if (by_address(s->family, s->rlen))
		by |= 1 << BP_BY_REMOTE;
	if (s->family == BP_V6 && s->rlen)
		by |= 1 << BP_BY_REMOTE_COARSE;
	if (by_address(s->family, s->llen))
		by |= 1 << BP_BY_LOCAL;
	if (s->flags & BPT_LPORT)
		by |= 1 << BP_BY_PORT;
	if (s->flags & (BPT_LPORT | BPT_LRANGE))
		by |= 1 << BP_BY_LRANGE;
	if (s->flags & (BPT_RPORT | BPT_RRANGE))
		by |= 1 << BP_BY_RRANGE;
	if (s->flags & BPT_PROTO)
		by |= 1 << BP_BY_PROTO;
	return by;
}

/* A tuple that is put into sets: those of one index, in one part of the table. */
struct sets_of {
	const struct table *table;
	enum table_part part;
	uint64_t *words;
	size_t at;     /* where the index begins, in words */
	uint32_t mask; /* the layout's, of the index, direction and family */
	uint64_t bit;
};

/* The kernel side reads while we write: a word is written whole, and only if it changes. */
static int add_bit(const struct sets_of *s, size_t at)
{
	uint64_t *word = &s->words[s->at + at];
	int rc = table_reach(s->table, s->part, (s->at + at) * sizeof(uint64_t), sizeof(uint64_t));

	if (!rc && !(*word & s->bit))
		__atomic_store_n(word, *word | s->bit, __ATOMIC_RELAXED);
	return rc;
}

static int add_address(
	const struct sets_of *s, int family, const uint8_t *address, unsigned int len)
{
	unsigned int full = index_bits(family);
	uint32_t mask = s->mask, word;
	uint64_t step = 1ULL << (32 - full), first, n = 1;
	int rc = 0;

	if (len < full)
		n = 1ULL << (full - len);
	if (n > mask) { /* all values come up */
		for (uint64_t i = 0; i <= mask && !rc; i++)
			rc = add_bit(s, i);
		return rc;
	}
	memcpy(&word, address, sizeof(word));
	first = ntohl(word);
	for (uint64_t i = 0; i < n && !rc; i++)
		rc = add_bit(s, bp_index_address(mask, family, first + i * step));
	return rc;
}

static int add_coarse(const struct sets_of *s, const uint8_t *address, unsigned int len)
{
	uint64_t n = len < BP_COARSE_LEN6 ? 1ULL << (BP_COARSE_LEN6 - len) : 1;
	uint32_t mask = bp_coarse_mask(s->mask), word;
	int rc = 0;

	memcpy(&word, address, sizeof(word));
	if (n > mask) /* all values come up */
		n = mask + 1;
	for (uint32_t i = 0; i < n && !rc; i++)
		rc = add_bit(s, bp_index_coarse(mask, ntohl(word) + (i << (32 - BP_COARSE_LEN6))));
	return rc;
}

static int add_fine(const struct sets_of *s, int family, const uint8_t *address)
{
	uint32_t words[2];

	memcpy(words, address, sizeof(words));
	return add_bit(s, bp_index_fine(s->mask, family, ntohl(words[0]), ntohl(words[1])));
}

static int add_middle(const struct sets_of *s, int family, const uint8_t *address, unsigned int len)
{
	const unsigned int full = middle_len(family);
	uint32_t words[2], n = len < full ? 1U << (full - len) : 1;
	uint64_t first, step = 1ULL << (64 - full);
	int rc = 0;

	memcpy(words, address, sizeof(words));
	first = (uint64_t)ntohl(words[0]) << 32 | ntohl(words[1]);
	for (uint32_t i = 0; i < n && !rc; i++, first += step)
		rc = add_bit(s, bp_index_middle(s->mask, family, first >> 32, first));
	return rc;
}

static int add_port(const struct sets_of *s, const struct filter *f)
{
	int rc = 0;

	if (f->shape.flags & BPT_PROTO)
		return add_bit(s, bp_index_port(s->mask, f->proto, f->lport.lo));
	for (size_t i = 0; i < sizeof(with_ports) && !rc; i++)
		rc = add_bit(s, bp_index_port(s->mask, with_ports[i], f->lport.lo));
	return rc;
}

static int add_range(const struct sets_of *s, const struct port_range *range)
{
	int rc = 0;

	for (unsigned int i = range->lo / 64; i <= range->hi / 64U && !rc; i++)
		rc = add_bit(s, i);
	return rc;
}

static int add_to(const struct sets_of *s, const struct filter *f, enum bp_index index)
{
	int family = f->shape.family;

	switch (index) {
	case BP_BY_REMOTE:
		return add_address(s, family, f->remote, f->shape.rlen);
	case BP_BY_LOCAL:
		return add_address(s, family, f->local, f->shape.llen);
	case BP_BY_REMOTE_MIDDLE:
		return add_middle(s, family, f->remote, f->shape.rlen);
	case BP_BY_REMOTE_FINE:
		return add_fine(s, family, f->remote);
	case BP_BY_LOCAL_FINE:
		return add_fine(s, family, f->local);
	case BP_BY_REMOTE_COARSE:
		return add_coarse(s, f->remote, f->shape.rlen);
	case BP_BY_PORT:
		return add_port(s, f);
	case BP_BY_LRANGE:
		return add_range(s, &f->lport);
	case BP_BY_RRANGE:
		return add_range(s, &f->rport);
	default:
		return add_bit(s, f->proto);
	}
}

static struct sets_of sets_of(const struct table *t, const struct shape *s, enum bp_index index)
{
	const struct bp_layout *l = &t->layout;
	struct sets_of of = { .table = t,
		.part = PART_SETS,
		.words = t->sets,
		.at = l->sets[s->dir][s->family][index],
		.mask = l->index_mask[s->dir][s->family] };
	int fine = index - BP_BY_REMOTE_MIDDLE;

	if (!index_is_fine(index))
		return of;
	of.part = PART_FINE;
	of.words = t->fine;
	of.at = l->fine[s->dir][s->family][fine];
	of.mask = l->fine_mask[s->dir][s->family][fine];
	return of;
}

int index_add(const struct table *table, const struct filter *f, unsigned int number)
{
	const struct shape *shape = &f->shape;
	const __u64 *indexed = table->tables->indexed[shape->dir][shape->family];
	const uint64_t bit = 1ULL << number;
	unsigned int by = index_of(&table->tables->sizes, f);
	int rc = 0;

	for (int i = 0; i < BP_INDICES && !rc; i++) {
		struct sets_of s = sets_of(table, shape, i);

		s.bit = bit;
		if (by & 1 << i && indexed[i] & bit)
			rc = add_to(&s, f, i);
	}
	return rc;
}

/* Where there are so many sets, those that nearly all name a tuple are not worth the question. */
#define MANY_SETS (1 << 15)
#define NEARLY_ALL(n) ((n) / 8 * 7)

static uint64_t in_nearly_all(const uint64_t *sets, uint32_t n)
{
	uint32_t count[BP_TUPLES] = { 0 };
	uint64_t tuples = 0;

	for (uint32_t i = 0; i < n; i++)
		for (uint64_t set = sets[i]; set; set &= set - 1)
			count[__builtin_ctzll(set)]++;
	for (int i = 0; i < BP_TUPLES; i++)
		if (count[i] > NEARLY_ALL(n))
			tuples |= 1ULL << i;
	return tuples;
}

/* With so many tuples there is much to ask. */
#define MANY_TUPLES 8

/* Of the indices behind the first ones of the remote address, whether only fine ones have it. */
static bool only_fine(const __u64 *indexed, uint64_t bit)
{
	for (int i = 0; i < BP_INDICES; i++)
		if (i != BP_BY_REMOTE && i != BP_BY_REMOTE_COARSE && !index_is_fine(i) &&
			indexed[i] & bit)
			return false;
	return true;
}

/*
 * In a table that stays in the caches a probe costs no more than many questions. So a tuple that is
 * left alone is probed, where its filters have as many bits of the remote address as the first
 * index knows, and either the tuples are many or nothing but the fine indices knows more.
 */
static uint64_t probed_sooner(const struct table *t, int dir, int family)
{
	const struct bp_tables *tables = t->tables;
	const uint64_t live =
		tables->live[dir][family][BP_DECIDE] | tables->live[dir][family][BP_TALLY];
	const bool many = __builtin_popcountll(live) > MANY_TUPLES;
	uint64_t sooner = 0;

	for (uint64_t left = live; left && !t->layout.ask_present[family]; left &= left - 1) {
		int number = __builtin_ctzll(left);

		if (tables->tuple[dir][family][BP_SPACE_ALL][number].rlen >= index_bits(family) &&
			(many || only_fine(tables->indexed[dir][family], 1ULL << number)))
			sooner |= 1ULL << number;
	}
	return sooner;
}

static void thin(struct table *t, int dir, int family)
{
	const uint32_t n = t->layout.index_mask[dir][family] + 1;
	__u64 *indexed = t->tables->indexed[dir][family];

	if (t->tables->sizes.fine[dir][family][0]) {
		indexed[BP_BY_REMOTE] &= ~indexed[BP_BY_REMOTE_MIDDLE];
		indexed[BP_BY_REMOTE_COARSE] &= ~indexed[BP_BY_REMOTE_MIDDLE];
		if (!(indexed[BP_BY_REMOTE_MIDDLE] & ~indexed[BP_BY_REMOTE_FINE]))
			indexed[BP_BY_REMOTE_MIDDLE] = 0;
	}
	if (n >= MANY_SETS)
		indexed[BP_BY_REMOTE] &=
			~in_nearly_all(t->sets + t->layout.sets[dir][family][BP_BY_REMOTE], n);
	for (int i = 0; i < BP_INDICES; i++)
		if (i != BP_BY_REMOTE && i != BP_BY_REMOTE_COARSE)
			t->tables->asked[dir][family] |= indexed[i];
	t->tables->asked[dir][family] &= ~probed_sooner(t, dir, family);
}

void index_thin(struct table *t)
{
	for (int i = 0; i < BP_DIRS * BP_FAMILIES; i++)
		thin(t, i / BP_FAMILIES, i % BP_FAMILIES);
}
