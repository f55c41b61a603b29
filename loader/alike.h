/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All hosts of a network, in classes that those who speak of addresses cannot tell apart: one of
 * each class stands for all. Pure.
 */
#ifndef BPFPOL_ALIKE_H
#define BPFPOL_ALIKE_H

#include "policy.h"

#define NOBODY UINT32_MAX /* who says that there is no host */

struct mention {
	struct prefix prefix;
	uint32_t who;
};
struct mentions {
	struct mention *v; /* caller frees */
	size_t n, room;
};

/* Whose prefixes hold a class, by the longest of each. */
struct mentioned {
	uint32_t who;
	uint8_t len;
};
struct host_class {
	struct prefix host; /* the first of them */
	size_t first, n;    /* of hosts.by */
};
struct hosts {
	struct host_class *v;
	size_t n, room;
	struct mentioned *by;
	size_t n_by, room_by;
};

/* Only what meets the network is kept. -ENOMEM. */
int mentions_add(
	struct mentions *m, const struct prefix *within, const struct prefix *prefix, uint32_t who);
/*
 * The classes of that network; the mentions, each of a `who` below n or of NOBODY, are sorted for
 * it. Of as many mentions as there are of one kind, as the elements of a list, there are as few
 * classes as there are ways to be among them. -ENOMEM.
 */
int hosts_sort_out(
	const struct prefix *within, struct mentions *m, uint32_t n, struct hosts *hosts);
void hosts_free(struct hosts *hosts);

#endif
