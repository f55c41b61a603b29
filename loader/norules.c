// SPDX-License-Identifier: GPL-2.0-only
#include "norules.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "env.h"

static int load(struct kernel *k, struct diag *diag)
{
	struct policy *none = policy_new("");
	struct generation *gen = NULL;
	struct plan *plan = NULL;
	struct compile_env env;
	int rc;

	env_now(&env);
	rc = none ? plan_new(none, &env, &plan, diag) : -ENOMEM;
	if (!rc)
		rc = generation_load_for(0, plan, &k->shared, &gen, diag);
	if (!rc)
		rc = generation_pin(gen, 0, diag);
	plan_free(&plan);
	policy_free(&none);
	if (rc)
		generation_free(&gen);
	else
		k->none = gen;
	return rc;
}

int norules_open(struct kernel *k, enum bp_hook hook, struct diag *diag)
{
	__u32 slot = bp_slot(hook, 0), id;
	int rc;

	/* Its place is that of every even number: once rules are in force for good it is gone. */
	if (k->none || (k->ctl->generation && k->ctl->confirm_of != 1))
		return 0;
	if (!bpf_map_lookup_elem(kernel_generations(k, hook), &slot, &id))
		return 0;
	rc = generation_open(0, &k->none, diag);
	return rc == -ENOENT ? load(k, diag) : rc;
}
