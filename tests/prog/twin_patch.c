/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules put into the maps of a policy in force and taken out of them, as single changes do it. */
#include "twin_load.h"

#include <errno.h>
#include <stdlib.h>

#include "inplace.h"

bool patch_has(const struct round *round, const struct rule *rule)
{
	return round->patch && rule->id % round->patch == 0;
}

/* What is compiled, before the others come. rules: owned by the caller, who frees it alone. */
void patch_base(const struct round *round, struct policy *base)
{
	size_t i;

	*base = *round->policy;
	base->n = 0;
	base->rules = must(calloc(round->policy->n + 1, sizeof(struct rule *)));
	for (i = 0; i < round->policy->n; i++) {
		if (!patch_has(round, round->policy->rules[i]))
			base->rules[base->n++] = round->policy->rules[i];
	}
}

static int insert(struct generation *gen, const struct rule *rule, const struct compile_env *env)
{
	return inplace_fits(gen, rule) ? inplace_insert(gen, rule, env) : -ENOSPC;
}

/* A rule of the same match that is no part of the policy. Owns nothing. */
static struct rule ghost_of(const struct rule *rule)
{
	struct rule ghost = *rule;

	ghost.id += 1000000;
	if (rule->action != BP_COUNT)
		ghost.action = rule->action == BP_BLOCK ? BP_PERMIT : BP_BLOCK;
	return ghost;
}

enum step { GHOSTS_IN, ALL_IN, SOME_OUT, GHOSTS_OUT, SOME_IN };

/* Only those without a deadline are taken out: that is how commands do it. */
static int do_step(struct generation *gen, const struct round *round, const struct rule *rule,
	const struct compile_env *env, enum step step)
{
	bool some = rule->id / round->patch % 2;
	struct rule ghost = ghost_of(rule);

	if (!patch_has(round, rule) || (rule->deadline && rule->deadline <= env->now))
		return 0;
	if (step == ALL_IN)
		return insert(gen, rule, env);
	if (rule->deadline)
		return 0;
	switch (step) {
	case GHOSTS_IN:
		return insert(gen, &ghost, env);
	case GHOSTS_OUT:
		return inplace_delete(gen, &ghost, env);
	case SOME_OUT:
		return some ? inplace_delete(gen, rule, env) : 0;
	default:
		return some ? insert(gen, rule, env) : 0;
	}
}

/*
 * All are put in, between others that come and go, and some of them out and in again from behind.
 * What went leaves holes in chains.
 */
int patch_run(struct generation *gen, const struct round *round, const struct compile_env *env)
{
	static const enum step steps[] = { GHOSTS_IN, ALL_IN, SOME_OUT, GHOSTS_OUT, SOME_IN,
		GHOSTS_IN, GHOSTS_OUT };
	const struct policy *policy = round->policy;
	size_t i, s;
	int rc = 0;

	for (s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
		for (i = 0; i < policy->n && !rc; i++) {
			size_t at = steps[s] == SOME_IN ? policy->n - 1 - i : i;

			rc = do_step(gen, round, policy->rules[at], env, steps[s]);
		}
	}
	return rc;
}
