/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy of a round, compiled and in force. To have the programs verified takes as long as to
 * run ten thousand frames, so the maps of a generation that is loaded are emptied and filled
 * again; every so often one is loaded anew. There are two: a large policy needs large maps, in
 * which it takes long to find the elements of a small one.
 */
#include "twin_load.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "twin_wire.h"

#define EARLY 2000  /* seconds */
#define SMALL 2000  /* filters */
#define RENEWED 100 /* policies */

/* What the names of a round stand for: on a wire the first is the device whose hook sees it all. */
struct names {
	const struct world *w;
	const struct lane *lane;
};

static uint32_t ifindex_of(const char *name, void *arg)
{
	const struct names *names = arg;
	size_t i;

	for (i = 0; i < TWIN_NAMES; i++) {
		if (strcmp(name, twin_names[i]))
			continue;
		return names->lane && i == 0 ? wire_ifindex(names->w, names->lane->seen)
					     : names->w->ifindex[i];
	}
	return 0;
}

static void empty(struct generation *gen)
{
	const struct bp_sizes sizes = gen->table.tables->sizes;

	for (int part = 0; part < TABLE_PARTS; part++)
		memset(*table_part(&gen->table, part), 0, table_part_size(&sizes, part));
	gen->table.tables->sizes = sizes;
}

/* --- loading --- */

static bool fits(const struct generation *gen, const struct plan *plan)
{
	const struct bp_sizes *has = &gen->table.tables->sizes, *wants = &plan->tables.sizes;

	return wants->gates <= has->gates && wants->elems[BP_V4] <= has->elems[BP_V4] &&
	       wants->elems[BP_V6] <= has->elems[BP_V6];
}

/* The generation's number is its slot's: odd or even, which is what the root programs look at. */
static int place(const struct kernel *k, const struct generation *gen, uint64_t number)
{
	int hook;

	for (hook = 0; hook < BP_HOOKS; hook++) {
		int array = kernel_generations(k, hook);
		__u32 slot = bp_slot(hook, number);

		if (bpf_map_update_elem(array, &slot, &gen->classify[hook], BPF_ANY))
			return -errno;
	}
	return 0;
}

static void renew(struct loaded *l)
{
	int hook;

	for (hook = 0; hook < BP_HOOKS; hook++)
		asker_free(&l->asker[hook]);
	generation_free(&l->gen);
}

/* Which of the two generations is for that plan. */
static bool is_large(const struct plan *plan)
{
	return plan->tables.filters > SMALL;
}

static int put_in_force(struct world *w, const struct plan *plan, struct diag *diag)
{
	struct loaded *l = &w->loaded[is_large(plan)];
	uint64_t number = is_large(plan) + 1;
	int rc;

	if (l->gen && l->used++ % RENEWED && fits(l->gen, plan)) {
		empty(l->gen);
		rc = plan_fill(plan, &l->gen->table, diag);
	} else {
		renew(l);
		rc = generation_load(plan, w->k->totals_fd, &l->gen, diag);
		if (!rc)
			rc = place(w->k, l->gen, number);
	}
	if (rc)
		return rc;
	w->k->ctl->generation = number;
	w->in_force = l;
	return 0;
}

/*
 * Tables that are as crowded, or as large, as those of policies that no twin test could draw: so
 * few lines that most keys share a chain with others, or so many that the bits of keys are asked
 * first.
 */
static void squeeze(struct plan *plan)
{
	struct bp_sizes *sizes = &plan->tables.sizes;

	for (int family = 0; family < BP_FAMILIES; family++)
		sizes->lines[family] = is_large(plan) ? BP_FEW_LINES + 1 : 3;
}

static int load(
	struct world *w, const struct policy *policy, struct compile_env *env, struct diag *diag)
{
	struct plan *plan = NULL;
	int rc = plan_new(policy, env, &plan, diag);

	if (!rc) {
		squeeze(plan);
		rc = put_in_force(w, plan, diag);
	}
	plan_free(&plan);
	return rc;
}

static int load_patched(
	struct world *w, const struct round *round, struct compile_env *env, struct diag *diag)
{
	struct policy base;
	int rc;

	patch_base(round, &base);
	rc = load(w, &base, env, diag);
	free(base.rules);
	if (!rc)
		rc = patch_run(w->in_force->gen, round, env);
	return rc;
}

int load_policy(struct world *w, const struct round *round)
{
	struct names names = { .w = w, .lane = round->lane };
	struct compile_env env = { .ifindex = ifindex_of, .arg = &names };
	struct diag diag = { 0 };
	int rc = -ENOSPC;

	env.now = w->now;
	env.boot_now = w->boot_now;
	if (round->early) {
		env.now -= EARLY;
		env.boot_now -= EARLY * 1000000000ULL; /* below 0 on a young host: wraps back */
	}
	if (round->patch)
		rc = load_patched(w, round, &env, &diag);
	w->patched = !rc;
	if (rc == -ENOSPC)
		rc = load(w, round->policy, &env, &diag);
	if (rc && rc != -E2BIG)
		printf("# %s (%s)\n", diag.message, strerror(-rc));
	diag_free(&diag);
	return rc;
}

int load_asker(struct world *w, enum bp_hook hook, struct asker **asker)
{
	struct loaded *l = w->in_force;
	struct diag diag = { 0 };
	int rc = 0;

	if (!l->asker[hook])
		rc = asker_open(l->gen, w->k->totals_fd, hook, &l->asker[hook], &diag);
	if (rc)
		printf("# %s (%s)\n", diag.message, strerror(-rc));
	diag_free(&diag);
	*asker = l->asker[hook];
	return rc;
}

void load_free(struct world *w)
{
	renew(&w->loaded[0]);
	renew(&w->loaded[1]);
}
