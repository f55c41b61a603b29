// SPDX-License-Identifier: GPL-2.0-only
#include "index.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* Small tables stay in the caches; large ones tell more packets apart. */
#define LEAST_BITS 10
#define MOST_BITS 16
/* `present` has at least that many bits for each element that there is room for. One that is full
 * then says yes in vain for one key in eight; one that is as full as a new one, for one in sixteen
 * or less. */
#define BITS_PER_ROOM 8
#define LEAST_PRESENT 12
#define MOST_PRESENT 25 /* 4 MB: the largest element that every kernel gives an array */

static const uint8_t with_ports[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_DCCP,
	IPPROTO_UDPLITE };

static bool by_address(int family, unsigned int len)
{
	return family == BP_V4 ? len >= 1 : len >= BP_INDEX_LEAST6;
}

unsigned int index_of(const struct filter *f)
{
	const struct shape *s = &f->shape;
	unsigned int by = 0;

	if (by_address(s->family, s->rlen))
		by |= 1 << BP_BY_REMOTE;
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

/* The kernel side reads while we write: a word is written whole, and only if it changes. */
static void add_bits(uint64_t *word, uint64_t bits)
{
	if ((*word & bits) != bits)
		__atomic_store_n(word, *word | bits, __ATOMIC_RELAXED);
}

static void add_address(const struct bp_sizes *sizes, uint64_t *set, int family,
	const uint8_t *address, unsigned int len, uint64_t bit)
{
	unsigned int full = family == BP_V4 ? BP_INDEX_LEN4 : BP_INDEX_LEN6;
	uint64_t step = 1ULL << (32 - full), first, n = 1;
	uint32_t word;

	if (len < full)
		n = 1ULL << (full - len);
	if (n >= 1ULL << sizes->address) { /* all values come up */
		for (uint64_t i = 0; i < 1ULL << sizes->address; i++)
			add_bits(&set[i], bit);
		return;
	}
	memcpy(&word, address, sizeof(word));
	first = ntohl(word);
	for (uint64_t i = 0; i < n; i++)
		add_bits(&set[bp_index_address(sizes, family, first + i * step)], bit);
}

static void add_port(
	const struct bp_sizes *sizes, uint64_t *set, const struct filter *f, uint64_t bit)
{
	if (f->shape.flags & BPT_PROTO) {
		add_bits(&set[bp_index_port(sizes, f->proto, f->lport.lo)], bit);
		return;
	}
	for (size_t i = 0; i < sizeof(with_ports); i++)
		add_bits(&set[bp_index_port(sizes, with_ports[i], f->lport.lo)], bit);
}

static void add_range(uint64_t *set, const struct port_range *range, uint64_t bit)
{
	for (unsigned int i = range->lo / 64; i <= range->hi / 64U; i++)
		add_bits(&set[i], bit);
}

void index_add(
	const struct bp_sizes *sizes, uint64_t *sets, const struct filter *f, unsigned int number)
{
	const struct shape *s = &f->shape;
	unsigned int by = index_of(f);
	uint64_t bit = 1ULL << number, *at[BP_INDICES];

	for (int i = 0; i < BP_INDICES; i++)
		at[i] = sets + bp_sets_at(sizes, s->dir, s->family, i);
	if (by & 1 << BP_BY_REMOTE)
		add_address(sizes, at[BP_BY_REMOTE], s->family, f->remote, s->rlen, bit);
	if (by & 1 << BP_BY_LOCAL)
		add_address(sizes, at[BP_BY_LOCAL], s->family, f->local, s->llen, bit);
	if (by & 1 << BP_BY_PORT)
		add_port(sizes, at[BP_BY_PORT], f, bit);
	if (by & 1 << BP_BY_LRANGE)
		add_range(at[BP_BY_LRANGE], &f->lport, bit);
	if (by & 1 << BP_BY_RRANGE)
		add_range(at[BP_BY_RRANGE], &f->rport, bit);
	if (by & 1 << BP_BY_PROTO)
		add_bits(&at[BP_BY_PROTO][f->proto], bit);
}

static uint64_t *present_word(const struct bp_sizes *sizes, const uint64_t *present, int family,
	const union filter_key *key, unsigned int *bit)
{
	uint32_t hash = bp_hash((const __u64 *)key->words, filter_key_size(family) / 8);

	hash &= (1U << sizes->present[family]) - 1;
	*bit = hash % 64;
	return (uint64_t *)present + bp_present_at(sizes, family) + hash / 64;
}

void present_add(
	const struct bp_sizes *sizes, uint64_t *present, int family, const union filter_key *key)
{
	unsigned int bit;
	uint64_t *word = present_word(sizes, present, family, key, &bit);

	add_bits(word, 1ULL << bit);
}

bool present_has(const struct bp_sizes *sizes, const uint64_t *present, int family,
	const union filter_key *key)
{
	unsigned int bit;
	const uint64_t *word = present_word(sizes, present, family, key, &bit);

	return *word >> bit & 1;
}

static unsigned int log2_of(uint64_t n, unsigned int least, unsigned int most)
{
	unsigned int bits = least;

	while (bits < most && 1ULL << bits < n)
		bits++;
	return bits;
}

void index_sizes(const uint64_t rooms[BP_FAMILIES], uint64_t elements, struct bp_sizes *sizes)
{
	sizes->address = sizes->port = log2_of(elements * 4, LEAST_BITS, MOST_BITS);
	for (int f = 0; f < BP_FAMILIES; f++)
		sizes->present[f] = log2_of(rooms[f] * BITS_PER_ROOM, LEAST_PRESENT, MOST_PRESENT);
}
