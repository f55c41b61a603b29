/* SPDX-License-Identifier: GPL-2.0-only */
/* Which way packets go, asked of the kernel by rtnetlink. */
#ifndef BPFPOL_NETLINK_ROUTE_H
#define BPFPOL_NETLINK_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy.h"

/* What this host sends; of what is 0 nothing is said. Addresses in network order. */
struct nl_flow {
	int family; /* 4, 6 */
	const uint8_t *to, *from;
	int proto;
	uint16_t from_port, to_port;
	uint32_t mark, uid;
	uint8_t tos;
	int bound; /* to that interface */
};

struct nl_exits {
	int *v; /* caller frees */
	size_t n;
};
/*
 * Adds the interfaces by which it goes, of which a route with several next hops (ECMP) has more;
 * *any: there is a way. 0 or -errno, and those before stay.
 */
int nl_route_get(const struct nl_flow *flow, struct nl_exits *exits, bool *any);
/* Whether it comes to this host itself, by lo. 0 or -errno. */
int nl_is_own(const struct nl_flow *flow, bool *yes);

/* What a rule of routing (`ip rule`) asks for beside addresses; of ports the first. 0: nothing. */
struct nl_hint {
	uint32_t mark, uid;
	uint8_t tos;
	int proto;
	uint16_t from_port, to_port;
};
struct nl_hints {
	struct nl_hint *v;
	size_t n;
	struct prefixes sources; /* the addresses of this host that rules ask for */
};

/* Of those rules of the family which ask for any; where the kernel has no rules there are none. */
int nl_hints_get(int family, struct nl_hints *hints);
void nl_hints_free(struct nl_hints *hints);
/* The same flow, as that rule asks for. */
void nl_flow_follow(struct nl_flow *flow, const struct nl_hint *hint);

#endif
