/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The compiler: a policy into a plan, which is what the kernel's maps will hold. Pure.
 *
 * Pass 1, shapes: every filter's shape is gathered; equal ones share a tuple.
 * Pass 2, merging: where there are more shapes than tuples, some share a coarser one (merge.h).
 * Pass 3, numbers: tuples are numbered by falling bound, so that the first probe is the best.
 * Pass 4, elements: every filter becomes a key and an element; equal keys are chained by slot; its
 * bits are set in the indices (index.h).
 */
#ifndef BPFPOL_COMPILE_H
#define BPFPOL_COMPILE_H

#include "diag.h"
#include "policy.h"

/* What a policy means depends on the host. */
struct compile_env {
	/* The interface's index, or 0: it is not there, and its rules match nothing yet. */
	uint32_t (*ifindex)(const char *name, void *arg);
	void *arg;
	uint64_t now;		      /* CLOCK_REALTIME seconds */
	uint64_t boot_now;	      /* CLOCK_BOOTTIME nanoseconds at the same moment */
	const struct bp_sizes *sizes; /* of the tables that it is for; NULL: as it fits best */
};

/* An interface that is not there: no packet has this index. */
#define IFINDEX_ABSENT 0xffffffffU

/* n keys of key_size bytes, and n elements of elem_size. */
struct plan_set {
	uint8_t *keys, *elems;
	size_t n, room, key_size, elem_size;
};

struct plan {
	struct bp_tables tables;
	struct plan_set set[BP_FAMILIES];
	uint64_t map_room[BP_FAMILIES]; /* elements that the kernel's maps are to have room for */
	uint64_t *gates;		/* from 1; [0] unused; n_gates counts it */
	size_t n_gates, gates_room;
	uint64_t *sets, *present; /* as large as tables.sizes says */
	unsigned int shapes;	  /* before merging */
};

/*
 * Expired rules are left out. -ENOMEM; -E2BIG with a diag that says which limit is passed and what
 * to do: more than BP_CHAIN filters with an equal key, more than BP_GATES rules with a gate, or
 * more shapes than can be told apart in reasonable time.
 */
int compile(const struct policy *policy, const struct compile_env *env, struct plan **plan,
	struct diag *diag);
void plan_free(struct plan **plan);

/* The gate that holds for a rule's lifetime: BP_GATE_OPEN, or CLOCK_BOOTTIME nanoseconds. */
uint64_t compile_gate(const struct rule *rule, const struct compile_env *env);
uint32_t compile_ifindex(const struct rule *rule, const struct compile_env *env);

/* The message of that limit, also for a rule that is added alone. */
int compile_too_long_chain(struct diag *diag, const struct rule *rule);

#endif
