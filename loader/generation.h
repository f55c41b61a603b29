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

/* What all generations share: maps by the names in the BPF objects, pinned under the same. */
enum shared_map {
	SHARED_CTL,
	SHARED_TOTALS,
	SHARED_SCRATCH,
	SHARED_GENERATIONS, /* program arrays: SHARED_GENERATIONS + bp_array_of(hook) */
	SHARED_MAPS = SHARED_GENERATIONS + BP_ARRAYS
};

/*
 * dynamic: the ids of the dynamic layer's arrays. Descriptors of those are opened for as long as
 * they are of use, and no longer: they keep dynamic rules in force. To open them takes
 * CAP_SYS_ADMIN.
 */
struct shared {
	int fd[SHARED_MAPS];
	uint32_t dynamic[BP_ARRAYS];
	const int *dynamic_fd; /* of who holds or has made them; NULL: opened by their ids */
};
const char *shared_name(enum shared_map map);
const char *shared_dynamic_name(enum bp_array array);

struct generation {
	uint64_t number;	  /* 0: not in force */
	bool dynamic;		  /* it is one of the dynamic layer: pinned nowhere */
	bool odd;		  /* dynamic: for an odd number */
	int part_fd[TABLE_PARTS]; /* the maps */
	int classify[BP_HOOKS];	  /* -1: not loaded, or not opened */
	int count[BP_HOOKS];	  /* dynamic: of bp_count_slot() */
	int base_fd;	    /* dynamic: what its rules counted before it (counts.h); -1: nothing */
	struct table table; /* mapped from them as it is asked for; a change is seen by the next
			       packet */
};

/*
 * Loads a plan: maps with room for what comes later, the classifiers over them, and last the policy
 * into the maps. Nothing is pinned.
 */
int generation_load(const struct plan *plan, const struct shared *shared, struct generation **gen,
	struct diag *diag);
/* The same with the classifiers of some hooks alone. */
int generation_load_for(unsigned int hooks, const struct plan *plan, const struct shared *shared,
	struct generation **gen, struct diag *diag);
/* For the dynamic layer, to be put in force with a number that is odd or even. */
int generation_load_dynamic(const struct plan *plan, const struct shared *shared, bool odd,
	struct generation **gen, struct diag *diag);
/* All descriptors -1. -ENOMEM. */
int generation_new(struct generation **gen);
/* Maps the tables of descriptors that are set. sizes: NULL: as the tables themselves say. */
int generation_map(struct generation *gen, const struct bp_sizes *sizes, struct diag *diag);
/* Loads and pins the hook's classifier of a generation in force. */
int generation_add(
	struct generation *gen, enum bp_hook hook, const struct shared *shared, struct diag *diag);
/* Opens those that are pinned, and are what they are called. */
void generation_open_classifiers(struct generation *gen);
/* Takes it away again. */
void generation_remove(struct generation *gen, enum bp_hook hook);
int generation_pin(const struct generation *gen, uint64_t number, struct diag *diag);
/* -ENOENT without a diag when there is none of that number, or not all of it. */
int generation_open(uint64_t number, struct generation **gen, struct diag *diag);
/*
 * The name of a part's pin, and of its map in the BPF objects; behind the parts, of the classifier
 * of each hook.
 */
#define GENERATION_PINS ((size_t)TABLE_PARTS + BP_HOOKS)
const char *generation_pin_name(size_t pin);

/* A descriptor of its own of the generation's classifier, pinned or just loaded; -1 and errno:
 * ENOENT if that hook's is not loaded. */
int generation_classifier(const struct generation *gen, enum bp_hook hook);
/* Its directory, and the pin of that hook's classifier; caller frees. NULL: no memory. */
char *generation_dir(uint64_t number);
char *generation_path(uint64_t number, enum bp_hook hook);
/*
 * What its rules counted before it; one that is not pinned under its name yet; and one that takes
 * the first one's place when a generation that was on trial is gone.
 */
#define GENERATION_BASE "base"
#define GENERATION_BASE_NEW "base-new"
#define GENERATION_BASE_NEXT "base_next"
/* Takes away the pins in a generation's directory, and the directory. */
void generation_unpin_dir(const char *dir);
/* Takes its pins away; what the kernel still uses lives until then. */
void generation_unpin(uint64_t number);
/* The highest number that pins have; 0: none have. -errno. */
int generation_highest(uint64_t *highest);
/* Takes the pins of all generations up to `last` away, but for those of `keep`. */
void generation_sweep(uint64_t keep, uint64_t last);
void generation_free(struct generation **gen);

#endif
