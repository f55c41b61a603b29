/* SPDX-License-Identifier: GPL-2.0-only */
/* What policies and frames are drawn from, so that the two meet, and how. */
#ifndef BPFPOL_GEN_POOL_H
#define BPFPOL_GEN_POOL_H

#include <netinet/in.h>

#include "gen.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PICK(g, array) ((array)[gen_below(g, COUNT(array))])

/* Protocols that IPv6 walks over; in rules they are IPv4's alone. */
#define PROTO_MOBILITY 135
#define PROTO_HIP 139
#define PROTO_SHIM6 140

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
	PROTO_MOBILITY,
	PROTO_HIP,
	PROTO_SHIM6,
	IPPROTO_ESP,
	IPPROTO_IGMP,
	IPPROTO_NONE,
	89,
	253,
};
/* Around those of neighbour discovery, too, which are exempt. */
static const uint8_t type_pool[] = { 0, 3, 8, 11, 128, 129, 132, 133, 134, 135, 136, 137, 255 };
static const uint8_t code_pool[] = { 0, 1, 4, 255 };

/* --- gen.c --- */

void *gen_must(void *p);
/* An address of the pools or, most often at the local end, of this host. */
void gen_address(struct gen *g, int family, bool local, uint8_t address[16]);
/* Sets all bits past the prefix's length to 0. */
void gen_clear_host(struct prefix *prefix);
/* Sorts and drops repetitions. */
void gen_sort_ports(struct ports *ports);
/* What is not in a rule's match: action, layer, words. */
void gen_words(struct gen *g, struct rule *rule);
/* The family that the protocol is of; 0: both. */
int gen_proto_family(int proto);

/* --- gen_vary.c: rules after an earlier one --- */

/* The same match; the words are drawn anew, often to the same. */
struct rule *gen_copy(struct gen *g, const struct rule *old);
/* One thing of the match is another, by a little. */
struct rule *gen_beside(struct gen *g, const struct rule *old);
/* Other values in the same shape: it needs no tuple that the old one did not need. */
struct rule *gen_sibling(struct gen *g, const struct rule *old);

#endif
