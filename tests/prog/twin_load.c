/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy of a round, compiled and in force. To have the programs verified takes as long as to
 * run ten thousand frames, so the tables of a generation that is loaded are emptied and filled
 * again; every so often one is loaded anew. A large policy needs large ones, which take long to
 * empty for a small one.
 */
#include "twin_load.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "twin_wire.h"

#define EARLY 2000	 /* seconds */
#define SMALL 2000	 /* filters */
#define SMALL_ROOM 12000 /* elements */
#define LARGE_ROOM 40000
#define GATES 8192
#define RENEWED 100 /* policies */

/* What the names of a round stand for: on a wire the first is the device whose hook sees it all. */
struct names {
	const struct world *w;
	const struct lane *lane;
};

static int ifindex_of(const char *name, void *arg)
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

/* --- loading --- */

/*
 * So that everything shares homes, bits and sets; or so that nothing does. With room for most of
 * the policies to come.
 */
static void resize(const struct round *round, int layer, bool large, struct bp_sizes *sizes)
{
	int f, i;

	if (round->sizes) {
		*sizes = round->sizes[layer];
		return;
	}
	if (sizes->gates < GATES)
		sizes->gates = GATES;
	for (f = 0; f < BP_FAMILIES; f++) {
		sizes->elems[f] += sizes->homes[f]; /* of which there will be others */
		if (sizes->elems[f] < (large ? LARGE_ROOM : SMALL_ROOM))
			sizes->elems[f] = large ? LARGE_ROOM : SMALL_ROOM;
	}
	if (round->sizing == AS_FITS)
		return;
	for (f = 0; f < BP_DIRS * BP_FAMILIES; f++) {
		sizes->index[f / BP_FAMILIES][f % BP_FAMILIES] = round->sizing == TIGHT ? 3 : 13;
		for (i = 0; i < BP_FINES; i++)
			sizes->fine[f / BP_FAMILIES][f % BP_FAMILIES][i] =
				round->sizing == TIGHT ? 1 : 14;
	}
	for (f = 0; f < BP_FAMILIES; f++) {
		sizes->homes[f] = round->sizing == TIGHT ? 16 : 2 * BP_FEW_HOMES;
		sizes->present[f] = round->sizing == TIGHT ? 6 : sizes->present[f];
	}
}

static bool fits(const struct round *round, const struct generation *gen, const struct plan *plan)
{
	const struct bp_sizes *has = &gen->table.tables->sizes, *wants = &plan->tables.sizes;

	if (round->sizes)
		return !memcmp(has, wants, sizeof(*has));
	return wants->gates <= has->gates && wants->elems[BP_V4] <= has->elems[BP_V4] &&
	       wants->elems[BP_V6] <= has->elems[BP_V6];
}

/* Into the slot that is not in force, which is odd or even: what the root programs look at. */
static int switch_static(struct world *w, struct loaded *l)
{
	uint64_t number = w->k->ctl->generation % 2 + 1;
	int hook;

	for (hook = 0; hook < BP_HOOKS; hook++) {
		int array = kernel_generations(w->k, hook);
		__u32 slot = bp_slot(hook, number);

		if (bpf_map_update_elem(array, &slot, &l->gen->classify[hook], BPF_ANY))
			return -errno;
	}
	w->k->ctl->generation = number;
	return 0;
}

static int switch_dynamic(struct world *w, struct loaded *l)
{
	int rc = layer_place(&w->layer, l->gen);

	w->k->ctl->dynamic = l->gen->odd ? 1 : 2;
	return rc;
}

static void renew(struct loaded *l)
{
	int hook;

	for (hook = 0; hook < BP_HOOKS; hook++)
		asker_free(&l->asker[hook]);
	generation_free(&l->gen);
}

static int load_anew(
	struct world *w, const struct plan *plan, int layer, struct loaded *l, struct diag *diag)
{
	bool odd = (l - &w->loaded[0][0][0]) % 2;

	renew(l);
	return layer == TWIN_STATIC
		       ? generation_load(plan, &w->k->shared, &l->gen, diag)
		       : generation_load_dynamic(plan, &w->k->shared, odd, &l->gen, diag);
}

static int put_in_force(
	struct world *w, const struct round *round, int layer, struct plan *plan, struct diag *diag)
{
	bool large = plan->tables.filters > SMALL;
	struct loaded *l = &w->loaded[layer][round->sizing][large];
	int rc;

	resize(round, layer, large, &plan->tables.sizes);
	if (l->gen && l->used++ % RENEWED && fits(round, l->gen, plan)) {
		rc = table_empty(&l->gen->table);
		if (!rc)
			rc = plan_fill(plan, &l->gen->table, diag);
	} else {
		rc = load_anew(w, plan, layer, l, diag);
	}
	w->in_force[layer] = l;
	if (rc)
		return rc;
	return layer == TWIN_STATIC ? switch_static(w, l) : switch_dynamic(w, l);
}

static int load(struct world *w, const struct round *round, int layer, const struct policy *policy,
	const struct compile_env *env, struct diag *diag)
{
	struct plan *plan = NULL;
	int rc = plan_new(policy, env, &plan, diag);

	if (!rc)
		rc = put_in_force(w, round, layer, plan, diag);
	plan_free(&plan);
	return rc;
}

static int load_patched(struct world *w, const struct round *round, int layer,
	const struct compile_env *env, struct diag *diag)
{
	struct policy base;
	int rc;

	patch_base(round, &base);
	rc = load(w, round, layer, &base, env, diag);
	free(base.rules);
	if (!rc)
		rc = patch_run(w->in_force[layer]->gen, round, env);
	return rc;
}

/* The rules of one layer. Free part->rules alone. */
static void part_of(const struct round *round, int layer, struct policy *part)
{
	const struct policy *policy = round->policy;
	size_t i;

	*part = *policy;
	part->n = 0;
	part->rules = must(calloc(policy->n + 1, sizeof(struct rule *)));
	for (i = 0; i < policy->n; i++) {
		bool dynamic = round->layered && policy->rules[i]->layer == LAYER_DYNAMIC;

		if (dynamic == (layer == TWIN_DYNAMIC))
			part->rules[part->n++] = policy->rules[i];
	}
}

static int load_layer(struct world *w, const struct round *round, int layer,
	const struct compile_env *env, struct diag *diag)
{
	struct round own = *round;
	struct policy part;
	int rc = -ENOSPC;

	part_of(round, layer, &part);
	own.policy = &part;
	if (!part.n)
		rc = 0;
	else if (round->patch)
		rc = load_patched(w, &own, layer, env, diag);
	w->patched |= !rc && part.n;
	if (rc == -ENOSPC)
		rc = load(w, &own, layer, &part, env, diag);
	free(part.rules);
	return rc;
}

void unload_static(struct world *w)
{
	int hook;

	for (hook = 0; hook < BP_HOOKS; hook++) {
		__u32 slot = bp_slot(hook, 0);

		bpf_map_delete_elem(kernel_generations(w->k, hook), &slot);
	}
	w->k->ctl->generation = 0;
}

static void unload(struct world *w)
{
	unload_static(w);
	w->k->ctl->dynamic = 0;
	w->in_force[TWIN_STATIC] = w->in_force[TWIN_DYNAMIC] = NULL;
	w->patched = false;
}

int load_policy(struct world *w, const struct round *round)
{
	struct names names = { .w = w, .lane = round->lane };
	struct compile_env env = { .ifindex = ifindex_of, .arg = &names };
	struct diag diag = { 0 };
	int layer, rc = 0;

	env.now = w->now;
	env.boot_now = w->boot_now;
	if (round->early) {
		env.now -= EARLY;
		env.boot_now -= EARLY * 1000000000ULL; /* below 0 on a young host: wraps back */
	}
	unload(w);
	for (layer = 0; layer < TWIN_LAYERS && !rc; layer++)
		rc = load_layer(w, round, layer, &env, &diag);
	if (rc && rc != -E2BIG)
		printf("# %s (%s)\n", diag.message, strerror(-rc));
	diag_free(&diag);
	return rc;
}

int load_asker(struct world *w, int layer, enum bp_hook hook, struct asker **asker)
{
	struct loaded *l = w->in_force[layer];
	struct diag diag = { 0 };
	int rc = 0;

	if (!l->asker[hook])
		rc = asker_open(l->gen, &w->k->shared, hook, &l->asker[hook], &diag);
	if (rc)
		printf("# %s (%s)\n", diag.message, strerror(-rc));
	diag_free(&diag);
	*asker = l->asker[hook];
	return rc;
}

void load_free(struct world *w)
{
	struct loaded *l = &w->loaded[0][0][0];
	size_t i;

	for (i = 0; i < sizeof(w->loaded) / sizeof(*l); i++)
		renew(&l[i]);
}
