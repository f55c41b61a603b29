/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Of the packets between hosts and services of one class, those that some rule tells from others: a
 * packet stands for all that the same rules match. Pure.
 */
#ifndef BPFPOL_CELLS_H
#define BPFPOL_CELLS_H

#include "policy.h"
#include "protect.h"

/* A rule that may match, and the longest of its prefixes that holds the remote host; 0: none. */
struct candidate_rule {
	const struct rule *rule;
	uint32_t who;
	uint8_t len;
	bool before; /* it is one of those in force now; else of those that would be */
};

/* What is asked about one class of hosts. */
struct cells {
	const char *ifname; /* NULL: none that a rule names */
	enum bp_dir dir;
	const struct prefix *local, *remote;
	int proto;
	struct port_range ports; /* of this host */
	/*
	 * A block that names a longer prefix than that, or a few ports of others, is meant for
	 * them, and cuts nobody. anyhow: it does.
	 */
	int names_from;
	bool anyhow;
	const struct protect *line;
};

/* Questions that were put already, by who would answer them. */
struct questions {
	uint64_t *v; /* caller frees */
	size_t n, room;
};
/* 1: it is new; 0; -ENOMEM. */
int questions_put(struct questions *questions, uint64_t hash);

/*
 * Adds a packet for each set of rules, in their order, that may decide on the cells' packets, and
 * of which none is in the questions. Left out is what no block can cut: where a permit comes first
 * that stays, or what the same block decides now. What comes behind a rule that stays makes no
 * difference. -ENOMEM.
 */
int cells_packets(const struct cells *cells, const struct candidate_rule *v, size_t n,
	struct questions *asked, struct protected_packets *packets);

#endif
