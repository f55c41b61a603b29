/* SPDX-License-Identifier: GPL-2.0-only */
/* Which way packets go, asked of the kernel by rtnetlink. */
#ifndef BPFPOL_NETLINK_ROUTE_H
#define BPFPOL_NETLINK_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The interface by which this host sends to that address (network order; family 4 or 6); 0: there
 * is no way. 0 or -errno.
 */
int nl_route_get(int family, const uint8_t *to, int *ifindex);
/* Whether what this host sends there comes to itself, by lo. 0 or -errno. */
int nl_is_own(int family, const uint8_t *address, bool *yes);

#endif
