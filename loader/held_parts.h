/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by held.c and held_change.c alone. */
#ifndef BPFPOL_HELD_PARTS_H
#define BPFPOL_HELD_PARTS_H

#include "held.h"

/* Puts these in force, which become h->rules if the caller makes them so. */
int held_load(struct held *h, const struct policy *rules, struct diag *diag);
/* The same, where one of them goes and its counts are asked for: count->rule; NULL: nobody's. */
int held_load_and_retire(
	struct held *h, const struct policy *rules, struct rule_count *count, struct diag *diag);
/* What is changed in place must know interfaces as the rest was compiled. */
int held_refresh(struct held *h, struct diag *diag);
/* Rules whose time is over go. */
int held_sweep(struct held *h, struct diag *diag);
/* Makes sure that there are so many ids to give. -EAGAIN: see held_add(). */
int held_reserve(struct held *h, uint32_t n, struct diag *diag);
/* Places in h->rules, or -1. action: enum bp_action. */
ptrdiff_t held_find_id(const struct held *h, uint32_t id);
ptrdiff_t held_find_same(const struct held *h, const struct rule *rule, int action);
/* A rule ends then; 0: never. */
void held_note_end(struct held *h, uint64_t deadline);

#endif
