/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One generation: the maps that a policy was compiled into and the classifiers that read them.
 * It is built beside the one in force, and lives by its pins in BPFPOL_BPFFS/gen-N.
 */
#ifndef BPFPOL_GENERATION_H
#define BPFPOL_GENERATION_H

#include "compile.h"
#include "filter.h"

struct generation {
	uint64_t number; /* 0: not in force */
	int tables_fd, gates_fd, sets_fd, present_fd;
	int classify[BP_HOOKS];
	int rules[BP_FAMILIES];		  /* rules4, rules6 */
	struct bp_tables *tables;	  /* mapped; stored to word by word */
	uint64_t *gates, *sets, *present; /* mapped too */
	uint32_t gates_room, rules_room[BP_FAMILIES];
	struct bp_sizes sizes;
};

/*
 * Loads a plan: maps with room for as much again and more, filled, and the classifiers over
 * them. Nothing is pinned. totals_fd: the map shared by all generations.
 */
int generation_load(
	const struct plan *plan, int totals_fd, struct generation **gen, struct diag *diag);
/* Fills one that is empty and has room for the plan: what generation_load() does last. */
int generation_fill(struct generation *gen, const struct plan *plan, struct diag *diag);
int generation_pin(const struct generation *gen, uint64_t number, struct diag *diag);
/* -ENOENT without a diag when there is none of that number, or not all of it. */
int generation_open(uint64_t number, struct generation **gen, struct diag *diag);
/* A descriptor of its own of the generation's classifier, pinned or just loaded; -1 and errno. */
int generation_classifier(const struct generation *gen, enum bp_hook hook);
/* Takes its pins away; what the kernel still uses lives until then. */
void generation_unpin(uint64_t number);
/* Takes the pins of all generations but that one away. */
void generation_sweep(uint64_t keep);
void generation_free(struct generation **gen);

/* Calls fn for each live element with its key; rule ids come in no order. */
int generation_walk(const struct generation *gen,
	int (*fn)(
		const union filter_key *key, int family, const union filter_elem *elem, void *arg),
	void *arg, struct diag *diag);

#endif
