/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules by their ids, for one who reads for long: those of the store, and dynamic ones, as they
 * were when they were last looked at.
 */
#ifndef BPFPOL_RULEBOOK_H
#define BPFPOL_RULEBOOK_H

#include "store.h"

struct rulebook {
	struct store *store;
	struct policy *held;   /* the agent's; NULL: it was not asked yet */
	uint64_t ask_at;       /* ms; it is asked again no earlier */
	uint32_t asked;	       /* about this id, and none above it */
	const struct rule **v; /* by id */
	size_t n;
};

/*
 * Reads the store again if it has changed. The lock is not waited for: while another has it, what
 * was read before stands. Rules of before are gone.
 */
int rulebook_look(struct rulebook *book, struct diag *diag);
/* Looks again, and asks the agent, if it does not know the id. Rules of before may be gone. */
void rulebook_know(struct rulebook *book, uint32_t id);
/* NULL: no rule had it at that time. */
const struct rule *rulebook_find(const struct rulebook *book, uint32_t id);
void rulebook_free(struct rulebook *book);

#endif
