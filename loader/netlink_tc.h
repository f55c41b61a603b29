/* SPDX-License-Identifier: GPL-2.0-only */
/* What stands on TC, asked of the kernel by rtnetlink. */
#ifndef BPFPOL_NETLINK_TC_H
#define BPFPOL_NETLINK_TC_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The one qdisc beside those that send: clsact, or ingress, which has no filters for what leaves.
 */
struct nl_qdisc {
	char kind[IF_NAMESIZE]; /* "": there is none */
};
/* An interface that is gone has none. */
int nl_clsact_get(int ifindex, struct nl_qdisc *qdisc);

struct nl_filter {
	uint32_t handle; /* 0: this entry says only that the priority is taken */
	uint32_t chain;
	uint16_t priority;
	uint16_t protocol; /* ETH_P_ALL: whatever it is */
	bool bpf;
	uint32_t prog; /* id of its program, if bpf */
};
struct nl_filters {
	struct nl_filter *v;
	size_t n;
};
/* The filters of that qdisc for one direction. Caller frees v. No qdisc has no filters. */
int nl_filters_get(int ifindex, bool out, struct nl_filters *filters);

#endif
