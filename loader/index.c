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

/* A tuple that is put into sets: those of one index. */
struct sets_of {
	const struct table *table;
	size_t at; /* where the index begins, in words */
	uint64_t bit;
};

/* The kernel side reads while we write: a word is written whole, and only if it changes. */
static int add_bit(const struct sets_of *s, size_t at)
{
	uint64_t *word = &s->table->sets[s->at + at];
	int rc =
		table_reach(s->table, PART_SETS, (s->at + at) * sizeof(uint64_t), sizeof(uint64_t));

	if (!rc && !(*word & s->bit))
		__atomic_store_n(word, *word | s->bit, __ATOMIC_RELAXED);
	return rc;
}

static int add_address(
	const struct sets_of *s, int family, const uint8_t *address, unsigned int len)
{
	unsigned int full = family == BP_V4 ? BP_INDEX_LEN4 : BP_INDEX_LEN6;
	uint32_t mask = s->table->layout.address_mask, word;
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

static int add_port(const struct sets_of *s, const struct filter *f)
{
	uint32_t mask = s->table->layout.port_mask;
	int rc = 0;

	if (f->shape.flags & BPT_PROTO)
		return add_bit(s, bp_index_port(mask, f->proto, f->lport.lo));
	for (size_t i = 0; i < sizeof(with_ports) && !rc; i++)
		rc = add_bit(s, bp_index_port(mask, with_ports[i], f->lport.lo));
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

int index_add(const struct table *table, const struct filter *f, unsigned int number)
{
	struct sets_of s = { .table = table, .bit = 1ULL << number };
	unsigned int by = index_of(f);
	int rc = 0;

	for (int i = 0; i < BP_INDICES && !rc; i++) {
		s.at = table->layout.sets[f->shape.dir][f->shape.family][i];
		if (by & 1 << i)
			rc = add_to(&s, f, i);
	}
	return rc;
}
