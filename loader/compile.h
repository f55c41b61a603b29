/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The compiler: a policy into a plan, which is what the kernel's maps will hold. Pure.
 *
 * Pass 1, shapes: every filter's shape is gathered; equal ones share a tuple.
 * Pass 2, numbers: tuples are numbered by falling bound, so that the first probe is the best.
 * Pass 3, elements: every filter becomes a key and an element; equal keys are chained by slot.
 */
#ifndef BPFPOL_COMPILE_H
#define BPFPOL_COMPILE_H

#include "diag.h"
#include "policy.h"

/* What a policy means depends on the host in these two ways. */
struct compile_env {
	/* The interface's index, or 0: it is not there, and its rules match nothing yet. */
	uint32_t (*ifindex)(const char *name, void *arg);
	void *arg;
	uint64_t now;	   /* CLOCK_REALTIME seconds */
	uint64_t boot_now; /* CLOCK_BOOTTIME nanoseconds at the same moment */
};

/* An interface that is not there: no packet has this index. */
#define IFINDEX_ABSENT 0xffffffffU

/* n keys of key_size bytes, and n elements. */
struct plan_set {
	uint8_t *keys;
	struct bp_elem *elems;
	size_t n, room, key_size;
};

struct plan {
	struct bp_tables tables;
	struct plan_set set[BP_FAMILIES];
	uint64_t *gates; /* from 1; [0] unused; n_gates counts it */
	size_t n_gates, gates_room;
};

/*
 * Expired rules are left out. -ENOMEM; -E2BIG with a diag that says which limit is passed and
 * what to do: more than BP_TUPLES shapes of one family and direction, or more than BP_CHAIN
 * filters with an equal key.
 */
int compile(const struct policy *policy, const struct compile_env *env, struct plan **plan,
	struct diag *diag);
void plan_free(struct plan **plan);

/* The gate that holds for a rule's lifetime: BP_GATE_OPEN, or CLOCK_BOOTTIME nanoseconds. */
uint64_t compile_gate(const struct rule *rule, const struct compile_env *env);
uint32_t compile_ifindex(const struct rule *rule, const struct compile_env *env);

/* The messages of the two limits, also for a rule that is added alone. */
int compile_too_many_tuples(struct diag *diag);
int compile_too_long_chain(struct diag *diag, const struct rule *rule);

#endif
