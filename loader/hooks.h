/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One program on one hook of one interface, and the pin that says so. Whoever dies in between
 * leaves a pin by which the next command finds what was done.
 */
#ifndef BPFPOL_HOOKS_H
#define BPFPOL_HOOKS_H

#include "clsact.h"
#include "pins.h"

/* By a BPF link. -errno, without a diag: whether that matters depends on what else can be done. */
int hook_link(int prog, enum bp_hook hook, int ifindex);
/* What is there of filters, as one question to the kernel tells: each waits for a lock of all. */
struct hook_site {
	enum clsact_qdisc qdisc;
	struct clsact_place place;
	bool made; /* the qdisc came with us */
	bool ours; /* a filter with this program is there, whether it has a pin or not */
};
int hook_look(int prog, enum bp_hook hook, int ifindex, struct hook_site *site, struct diag *diag);
/* A filter of ours would be the only one, in a qdisc of ours. */
bool hook_is_free(const struct hook_site *site);
/*
 * By a filter in a clsact qdisc, which is made if there is none. -EOPNOTSUPP: that cannot be there,
 * and the diag says why.
 */
int hook_filter(
	int prog, enum bp_hook hook, int ifindex, const struct hook_site *site, struct diag *diag);

/* Puts this program in place of an older one: 1. Or sweeps a pin of what is no more, or nothing: 0.
 */
int hook_renew(const struct pin *pin, int prog, struct diag *diag);
/*
 * The program is off when this returns, and then the pin goes. Letting go of the pin alone would
 * take a link off some time later, and a filter never.
 */
int hook_take(const struct pin *pin, struct diag *diag);

#endif
