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

/* The kernel side reads while we write: a word is written whole, and only if it changes. */
static void add_bits(uint64_t *word, uint64_t bits)
{
	if ((*word & bits) != bits)
		__atomic_store_n(word, *word | bits, __ATOMIC_RELAXED);
}

static void add_address(uint32_t mask, uint64_t *set, int family, const uint8_t *address,
	unsigned int len, uint64_t bit)
{
	unsigned int full = family == BP_V4 ? BP_INDEX_LEN4 : BP_INDEX_LEN6;
	uint64_t step = 1ULL << (32 - full), first, n = 1;
	uint32_t word;

	if (len < full)
		n = 1ULL << (full - len);
	if (n > mask) { /* all values come up */
		for (uint64_t i = 0; i <= mask; i++)
			add_bits(&set[i], bit);
		return;
	}
	memcpy(&word, address, sizeof(word));
	first = ntohl(word);
	for (uint64_t i = 0; i < n; i++)
		add_bits(&set[bp_index_address(mask, family, first + i * step)], bit);
}

static void add_port(uint32_t mask, uint64_t *set, const struct filter *f, uint64_t bit)
{
	if (f->shape.flags & BPT_PROTO) {
		add_bits(&set[bp_index_port(mask, f->proto, f->lport.lo)], bit);
		return;
	}
	for (size_t i = 0; i < sizeof(with_ports); i++)
		add_bits(&set[bp_index_port(mask, with_ports[i], f->lport.lo)], bit);
}

static void add_range(uint64_t *set, const struct port_range *range, uint64_t bit)
{
	for (unsigned int i = range->lo / 64; i <= range->hi / 64U; i++)
		add_bits(&set[i], bit);
}

void index_add(
	const struct bp_layout *layout, uint64_t *sets, const struct filter *f, unsigned int number)
{
	const struct shape *s = &f->shape;
	unsigned int by = index_of(f);
	uint64_t bit = 1ULL << number, *at[BP_INDICES];

	for (int i = 0; i < BP_INDICES; i++)
		at[i] = sets + layout->sets[s->dir][s->family][i];
	if (by & 1 << BP_BY_REMOTE)
		add_address(
			layout->address_mask, at[BP_BY_REMOTE], s->family, f->remote, s->rlen, bit);
	if (by & 1 << BP_BY_LOCAL)
		add_address(
			layout->address_mask, at[BP_BY_LOCAL], s->family, f->local, s->llen, bit);
	if (by & 1 << BP_BY_PORT)
		add_port(layout->port_mask, at[BP_BY_PORT], f, bit);
	if (by & 1 << BP_BY_LRANGE)
		add_range(at[BP_BY_LRANGE], &f->lport, bit);
	if (by & 1 << BP_BY_RRANGE)
		add_range(at[BP_BY_RRANGE], &f->rport, bit);
	if (by & 1 << BP_BY_PROTO)
		add_bits(&at[BP_BY_PROTO][f->proto], bit);
}
