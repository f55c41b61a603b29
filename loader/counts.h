/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets and bytes by rule, summed up from tables and from maps that keep what came before. */
#ifndef BPFPOL_COUNTS_H
#define BPFPOL_COUNTS_H

#include "table.h"

struct rule_count {
	uint32_t rule;
	uint64_t packets, bytes;
};
struct rule_counts {
	struct rule_count *v;
	size_t n, room;
};

/* What the elements have counted, also of rules that were taken out: `policy rollback` may bring
 * them again. */
int counts_add_table(struct rule_counts *counts, const struct table *table);
/* What counts_to_map() wrote. */
int counts_add_map(struct rule_counts *counts, int fd);
/* Those of others. */
int counts_add(struct rule_counts *counts, const struct rule_counts *other);
/* One entry for each rule, sorted by id. */
void counts_sum(struct rule_counts *counts);
const struct rule_count *counts_find(const struct rule_counts *counts, uint32_t rule);
/* Leaves only the rules of those ids, which are sorted. */
void counts_keep(struct rule_counts *counts, const uint32_t *ids, size_t n);

#define COUNTS_MAP "bpfpol_base"

/* A map of that name. Its descriptor, or -errno. */
int counts_to_map(const struct rule_counts *counts);

#endif
