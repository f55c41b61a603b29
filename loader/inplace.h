/* SPDX-License-Identifier: GPL-2.0-only */
/* A rule put into, found in and taken out of the maps of the generation in force. */
#ifndef BPFPOL_INPLACE_H
#define BPFPOL_INPLACE_H

#include "compile.h"
#include "generation.h"

/* An element that stands for a rule of the same match. */
struct inplace_found {
	uint32_t id, gate;
	bool included; /* rule->included */
};

/*
 * Looks for the rule's match under one action. -ENOENT: it is not there. Lists must have been
 * read: an empty rule is never found.
 */
int inplace_find(const struct generation *gen, const struct rule *rule, enum bp_action action,
	struct inplace_found *found);

/* Whether the generation has room for the rule: map elements, gates, tuples. */
bool inplace_fits(const struct generation *gen, const struct rule *rule);

/*
 * Inserts the rule's elements; all of them match from one moment on. -ENOSPC: no tuple or element
 * is free, and what was inserted is taken out again. Any other error: some may be left, which do
 * not match until the next change in place.
 */
int inplace_insert(struct generation *gen, const struct rule *rule, const struct compile_env *env);

/* From one moment on none of the rule's elements match; then they are taken out. */
int inplace_delete(struct generation *gen, const struct rule *rule, const struct compile_env *env);

#endif
