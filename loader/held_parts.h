/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of held*.c alone. */
#ifndef BPFPOL_HELD_PARTS_H
#define BPFPOL_HELD_PARTS_H

#include "held.h"

/* A rule that goes, and is a static one of that number: what it has counted is that one's. */
struct held_retired {
	struct rule_count count;
	struct kernel *k; /* NULL: its counts are nobody's */
};

/*
 * Puts these in force, in place of those that are held, which they become: `next` holds, by rising
 * id, those of h->rules that stay, and new ones. Both are taken over: what is not held in the end
 * is freed, also on failure, when nothing has changed. Others have their turn meanwhile; what they
 * change in place is part of it. retired: one that goes with this; or NULL. -EAGAIN, -EINPROGRESS:
 * see held.h.
 */
int held_replace(
	struct held *h, struct policy *next, struct held_retired *retired, struct diag *diag);
/* Those that are held anew. */
int held_load(struct held *h, struct diag *diag);
/* That rule came or went in place. Before it does: one that went is freed later if this notes it,
 * which is when h->coming is set. -ENOMEM. */
int held_note(struct held *h, struct rule *rule, bool gone);
/* A rule of that match is among those that come, and not in force yet. */
bool held_is_coming(const struct held *h, const struct rule *rule);
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
