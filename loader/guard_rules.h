/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules that a generation holds, as the lock-out guard needs them: what they match is right,
 * also of those with long lists, of which reports do not tell all.
 */
#ifndef BPFPOL_GUARD_RULES_H
#define BPFPOL_GUARD_RULES_H

#include "filters.h"
#include "policy.h"

/* Of all these filters, which it sorts. One that may match more than is said has no id. -ENOMEM. */
int guard_rules_of(struct filters *filters, struct policy **rules);

#endif
