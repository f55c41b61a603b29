/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules by their ids, for one who reads for long: the store as it was when it was last looked at.
 */
#ifndef BPFPOL_RULEBOOK_H
#define BPFPOL_RULEBOOK_H

#include "store.h"

struct rulebook {
	struct store *store;
	const struct rule **v; /* by id */
	size_t n;
};

/*
 * Reads the store again if it has changed. The lock is not waited for: while another has it, what
 * was read before stands. Rules of before are gone.
 */
int rulebook_look(struct rulebook *book, struct diag *diag);
/* Looks again if it does not know the id. */
void rulebook_know(struct rulebook *book, uint32_t id);
/* NULL: no rule had it at that time. */
const struct rule *rulebook_find(const struct rulebook *book, uint32_t id);
void rulebook_free(struct rulebook *book);

#endif
