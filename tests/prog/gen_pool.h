/* SPDX-License-Identifier: GPL-2.0-only */
/* What gen.c (policies) and gen_frame.c (frames) draw from, so that the two meet. */
#ifndef BPFPOL_GEN_POOL_H
#define BPFPOL_GEN_POOL_H

#include <netinet/in.h>

#include "gen.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PICK(g, array) ((array)[gen_below(g, COUNT(array))])

static const uint16_t port_pool[] = { 0, 1, 22, 25, 53, 79, 80, 81, 443, 1434, 4000, 65534, 65535 };
static const uint8_t port_protos[] = {
	IPPROTO_TCP,
	IPPROTO_TCP,
	IPPROTO_UDP,
	IPPROTO_UDP,
	IPPROTO_SCTP,
	IPPROTO_DCCP,
	IPPROTO_UDPLITE,
};
static const uint8_t other_protos[] = {
	IPPROTO_ICMP,
	IPPROTO_ICMP,
	IPPROTO_ICMPV6,
	IPPROTO_ICMPV6,
	IPPROTO_GRE,
	IPPROTO_AH,
	IPPROTO_ESP,
	IPPROTO_IGMP,
	89,
	253,
};
static const uint8_t type_pool[] = { 0, 3, 8, 11, 128, 129, 135, 255 };
static const uint8_t code_pool[] = { 0, 1, 4, 255 };

bool gen_chance(struct gen *g, unsigned int percent);

/* An address of the pools or, most often at the local end, of this host. */
void gen_address(struct gen *g, int family, bool local, uint8_t address[16]);

#endif
