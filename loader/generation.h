/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One generation: the maps that a policy was compiled into and the classifiers that read them.
 * It is built beside the one in force, and lives by its pins in BPFPOL_BPFFS/gen-N.
 */
#ifndef BPFPOL_GENERATION_H
#define BPFPOL_GENERATION_H

#include "compile.h"
#include "filter.h"

/* Sets of hooks: a bit for each. */
#define HOOKS_ALL ((1U << BP_HOOKS) - 1)
#define HOOKS_TC (HOOKS_ALL & ~(1U << BP_XDP | 1U << BP_GENERIC))

struct generation {
	uint64_t number;	  /* 0: not in force */
	int part_fd[TABLE_PARTS]; /* the maps */
	int classify[BP_HOOKS];	  /* -1: not loaded, or not opened */
	struct table table; /* mapped from them as it is asked for; a change is seen by the next
			       packet */
};

/*
 * Loads a plan: maps with room for what comes later, the classifiers over them, and last the policy
 * into the maps. Nothing is pinned. totals_fd: the map shared by all generations.
 */
int generation_load(
	const struct plan *plan, int totals_fd, struct generation **gen, struct diag *diag);
/* The same with the classifiers of some hooks alone. */
int generation_load_for(unsigned int hooks, const struct plan *plan, int totals_fd,
	struct generation **gen, struct diag *diag);
/* Loads and pins the hook's classifier of a generation in force. */
int generation_add(struct generation *gen, enum bp_hook hook, int totals_fd, struct diag *diag);
/* Takes it away again. */
void generation_remove(struct generation *gen, enum bp_hook hook);
int generation_pin(const struct generation *gen, uint64_t number, struct diag *diag);
/* -ENOENT without a diag when there is none of that number, or not all of it. */
int generation_open(uint64_t number, struct generation **gen, struct diag *diag);
/* The map's name in the BPF objects, and that of its pin. */
const char *generation_part_name(enum table_part part);

/* A descriptor of its own of the generation's classifier, pinned or just loaded; -1 and errno:
 * ENOENT if that hook's is not loaded. */
int generation_classifier(const struct generation *gen, enum bp_hook hook);
/* Takes its pins away; what the kernel still uses lives until then. */
void generation_unpin(uint64_t number);
/* Takes the pins of all generations but that one away. */
void generation_sweep(uint64_t keep);
void generation_free(struct generation **gen);

#endif
