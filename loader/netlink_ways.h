/* SPDX-License-Identifier: GPL-2.0-only */
/* All routes of this network namespace, of whatever table, asked of the kernel by rtnetlink. */
#ifndef BPFPOL_NETLINK_WAYS_H
#define BPFPOL_NETLINK_WAYS_H

#include "ways.h"

/* By which interface a host is met is nl_route_get()'s to say. 0 or -errno. */
int nl_ways_get(struct ways *ways);
void nl_ways_free(struct ways *ways);

#endif
