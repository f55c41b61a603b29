/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The compiler: a policy into a plan, and the plan into tables that the kernel reads. Pure.
 *
 * Pass 1, shapes: every filter's shape is gathered; equal ones share a tuple.
 * Pass 2, merging: where there are more shapes than tuples, some share a coarser one (merge.h).
 * Pass 3, numbers: tuples are numbered by falling bound, so that the first probe is the best.
 * Pass 4, homes: how many elements will find another one at home, and so how much room they need.
 * Pass 5, elements: every filter becomes a key and an element in the tables (table.h). They may be
 * the kernel's, so that nothing is copied.
 */
#ifndef BPFPOL_COMPILE_H
#define BPFPOL_COMPILE_H

#include "diag.h"
#include "policy.h"
#include "shapes.h"
#include "table.h"

/* What a policy means depends on the host. */
struct compile_env {
	/* The interface's index, or 0: it is not there, and its rules match nothing yet. -errno: it
	 * is not known whether it is, which is no reason to leave them out. */
	int (*ifindex)(const char *name, void *arg);
	void *arg;
	uint64_t now;	   /* CLOCK_REALTIME seconds */
	uint64_t past;	   /* and nanoseconds */
	uint64_t boot_now; /* CLOCK_BOOTTIME nanoseconds at the same moment */
};

/* An interface that is not there: no packet has this index. */
#define IFINDEX_ABSENT 0xffffffffU

/* What the kernel is to hold: the tuples and how large the tables must be. */
struct plan {
	const struct policy *policy; /* not owned */
	struct compile_env env;
	struct bp_tables tables; /* before pass 5: nothing is given out yet */
	struct shapes shapes[BP_DIRS][BP_FAMILIES][BP_SPACES];
	unsigned int n_shapes; /* before merging */
};

/*
 * Passes 1 to 4. Expired rules are left out. -ENOMEM; -E2BIG with a diag that says which limit is
 * passed and what to do: more than BP_GATES rules with a gate, or more shapes than can be told
 * apart in reasonable time. The policy must outlive the plan.
 */
int plan_new(const struct policy *policy, const struct compile_env *env, struct plan **plan,
	struct diag *diag);
void plan_free(struct plan **plan);

/*
 * Pass 5, into tables that are empty (table_empty()) and have the sizes of plan->tables.sizes, or
 * such as table_sizes_serve(). -E2BIG with a diag: more than BP_CHAIN filters with an equal key;
 * -ENOSPC without one: these have too few homes. Then the tables are of no use.
 */
int plan_fill(const struct plan *plan, struct table *table, struct diag *diag);

/* Both, in memory of their own: whether it can be done, and what comes of it. */
int compile(const struct policy *policy, const struct compile_env *env, struct plan **plan,
	struct table *table, struct diag *diag);

/* The gate that holds for a rule's lifetime: BP_GATE_OPEN, or CLOCK_BOOTTIME nanoseconds. */
uint64_t compile_gate(const struct rule *rule, const struct compile_env *env);
/* What its elements say of its interface: 0, a number, or IFINDEX_ABSENT. -errno: not known. */
int compile_ifindex(const struct rule *rule, const struct compile_env *env, uint32_t *ifindex);

#endif
