/* SPDX-License-Identifier: GPL-2.0-only */
/* Filters read back from a generation's tables. Pure. */
#ifndef BPFPOL_FILTERS_H
#define BPFPOL_FILTERS_H

#include "status.h"
#include "table.h"

struct filters {
	struct status_filter *v;
	size_t n, room;
};

/*
 * Adds those that are live: not those whose time is over, nor shadows, nor those of a rule that is
 * just coming or going. boot_now: CLOCK_BOOTTIME in ns. -ENOMEM.
 */
int filters_read(struct filters *filters, const struct table *table, enum rule_layer layer,
	uint64_t boot_now);
/* Most specific first. */
void filters_sort(struct filters *filters);

/*
 * The rule that these n filters were made of, as far as they tell: its label, and whether it logs,
 * they do not. All of them are of one rule and sorted. ifname: the interface that they name; NULL:
 * none. *exact: all of it is right, by the fingerprint that they carry; otherwise it is a rule with
 * the first filter, and matches less or more than the true one. -ENOMEM.
 */
int filters_rule(const struct status_filter *filters, size_t n, const char *ifname,
	struct rule **rule, bool *exact);

#endif
