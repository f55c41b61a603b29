/* SPDX-License-Identifier: GPL-2.0-only */
/* Between twin_load.c and twin_patch.c. */
#ifndef BPFPOL_TWIN_LOAD_H
#define BPFPOL_TWIN_LOAD_H

#include "compile.h"
#include "twin.h"

/* Whether the rule is put in place. */
bool patch_has(const struct round *round, const struct rule *rule);
/* The policy without those. Free base->rules alone. */
void patch_base(const struct round *round, struct policy *base);
/* -ENOSPC: there is no room for one of them; the policy has to be compiled as a whole. -errno. */
int patch_run(struct generation *gen, const struct round *round, const struct compile_env *env);

#endif
