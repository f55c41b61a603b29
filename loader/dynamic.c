// SPDX-License-Identifier: GPL-2.0-only
#include "dynamic.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "inplace.h"
#include "layer.h"

#define PATIENCE 1000	 /* ms that the kernel may take to empty what a dead holder left */
#define MOST_FILTERS 512 /* of a rule that is taken out in place */

/* The program arrays, open, and their ids. */
struct arrays {
	struct layer layer;
	uint32_t id[BP_ARRAYS];
};

/*
 * gen: what holds the rules; it judges packets only while it holds some. number: of the last
 * generation that was ever put in force.
 */
struct dynamic {
	struct layer layer;
	uint32_t id[BP_ARRAYS]; /* of its arrays */
	struct arrays offered;
	struct rule_count *retired; /* .rule: whose counts are asked for; NULL: nobody's */
	bool stale;		    /* gen is of other root programs than the arrays */
	struct generation *gen;
	uint64_t number;
};

static bool is_empty(const struct layer *layer)
{
	for (int hook = 0; hook < BP_HOOKS; hook++)
		if (layer_program(layer, hook, false) || layer_program(layer, hook, true))
			return false;
	return true;
}

/* The kernel empties them some time after the last descriptor is closed. */
static int wait_until_empty(const struct layer *layer, struct diag *diag)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	for (int i = 0; i < PATIENCE; i++) {
		if (is_empty(layer))
			return 0;
		nanosleep(&ms, NULL);
	}
	return diag_set(diag, DIAG_SYSTEM, EBUSY, "another process holds dynamic rules");
}

/* Opens the arrays of the root programs that are there. */
static int hold(struct dynamic *d, const struct kernel *k, struct diag *diag)
{
	int rc = layer_open(&k->shared, &d->layer);

	if (rc)
		return diag_errno(diag, -rc, "cannot open the place of dynamic rules");
	memcpy(d->id, k->shared.dynamic, sizeof(d->id));
	d->number = k->ctl->dynamic;
	rc = wait_until_empty(&d->layer, diag);
	if (rc)
		layer_close(&d->layer);
	return rc;
}

static void forget_offered(struct dynamic *d)
{
	layer_close(&d->offered.layer);
	memset(d->offered.id, 0, sizeof(d->offered.id));
}

static int id_of(int fd, uint32_t *id)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	*id = info.id;
	return info.type == BPF_MAP_TYPE_PROG_ARRAY ? 0 : -EINVAL;
}

int dynamic_offer(struct dynamic *d, const int fd[BP_ARRAYS])
{
	struct shared shared = { .dynamic_fd = fd };
	struct arrays got = {};
	int rc = layer_open(&shared, &got.layer);

	for (int i = 0; i < BP_ARRAYS && !rc; i++)
		rc = id_of(got.layer.fd[i], &got.id[i]);
	if (rc) {
		layer_close(&got.layer);
		return rc;
	}
	forget_offered(d);
	d->offered = got;
	return 0;
}

void dynamic_lend(const struct dynamic *d, struct kernel *k)
{
	if (k->shared.dynamic_fd)
		return;
	if (!memcmp(d->id, k->shared.dynamic, sizeof(d->id)))
		k->shared.dynamic_fd = d->layer.fd;
	else if (!memcmp(d->offered.id, k->shared.dynamic, sizeof(d->id)))
		k->shared.dynamic_fd = d->offered.layer.fd;
}

static int open_kernel(const struct dynamic *d, struct kernel **k, struct diag *diag)
{
	int rc = kernel_open(k, diag);

	if (!rc)
		dynamic_lend(d, *k);
	return rc;
}

int dynamic_open(struct dynamic **out, struct diag *diag)
{
	struct dynamic *d = calloc(1, sizeof(*d));
	struct kernel *k = NULL;
	int rc = d ? kernel_open(&k, diag) : -ENOMEM;

	for (int i = 0; d && i < BP_ARRAYS; i++)
		d->offered.layer.fd[i] = -1;
	if (!rc)
		rc = hold(d, k, diag);
	kernel_free(&k);
	if (rc)
		free(d);
	else
		*out = d;
	return rc;
}

void dynamic_close(struct dynamic **out)
{
	struct dynamic *d = *out;

	if (!d)
		return;
	layer_close(&d->layer);
	layer_close(&d->offered.layer);
	generation_free(&d->gen);
	free(d);
	*out = NULL;
}

/* Packets meet the generation, or with no rules in it none: then they pay nothing. */
static void set_in_force(const struct dynamic *d, struct kernel *k, const struct policy *rules)
{
	uint64_t number = rules->n ? d->gen->number : 0;

	if (k->ctl->dynamic != number)
		__atomic_store_n(&k->ctl->dynamic, number, __ATOMIC_SEQ_CST);
}

static int by_id(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int keep_only(struct rule_counts *counts, const struct policy *rules)
{
	uint32_t *ids = calloc(rules->n + 1, sizeof(*ids));

	if (!ids)
		return -ENOMEM;
	for (size_t i = 0; i < rules->n; i++)
		ids[i] = rules->rules[i]->id;
	qsort(ids, rules->n, sizeof(*ids), by_id);
	counts_keep(counts, ids, rules->n);
	free(ids);
	return 0;
}

/*
 * What the old generation has counted in the end becomes the base of the new one: a map that is
 * bound to its program, so that whoever reads back finds it, and nobody has to pin it.
 */
static int fold(const struct generation *old, struct generation *gen, const struct policy *rules,
	struct rule_count *retired)
{
	struct rule_counts counts = {};
	int rc = counts_add_table(&counts, &old->table);
	int base = -1;

	if (!rc && old->base_fd >= 0)
		rc = counts_add_map(&counts, old->base_fd);
	counts_sum(&counts);
	if (!rc && retired && counts_find(&counts, retired->rule))
		*retired = *counts_find(&counts, retired->rule);
	if (!rc)
		rc = keep_only(&counts, rules);
	if (!rc) {
		base = counts_to_map(&counts);
		rc = base < 0 ? base : 0;
	}
	if (!rc && bpf_prog_bind_map(gen->classify[BP_XDP], base, NULL))
		rc = -errno;
	free(counts.v);
	if (rc && base >= 0)
		close(base);
	else if (!rc)
		gen->base_fd = base;
	return rc;
}

/* Puts it in force on all hooks at once, in place of what was. */
static int switch_to(struct dynamic *d, struct kernel *k, struct generation **gen,
	const struct policy *rules, struct diag *diag)
{
	struct generation *old = d->gen;
	int rc = layer_place(&d->layer, *gen);

	if (rc) {
		layer_displace(&d->layer, (*gen)->odd);
		return diag_errno(diag, -rc, "cannot put the dynamic rules in place");
	}
	d->gen = *gen;
	*gen = NULL;
	d->number = d->gen->number = d->number + 1;
	set_in_force(d, k, rules);
	if (old) {
		kernel_wait_for_packets();
		if (fold(old, d->gen, rules, d->retired))
			diag_to_warning(diag, "the dynamic rules are in force, but their counters "
					      "begin anew");
		if (old->odd != d->gen->odd) /* new root programs begin at 1 again */
			layer_displace(&d->layer, old->odd);
		generation_free(&old);
	}
	__atomic_store_n(&d->gen->table.tables->folded, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* Root programs may have been loaded anew; then what was held is of no use any more. */
static int hold_again(struct dynamic *d, const struct kernel *k, struct diag *diag)
{
	struct dynamic other = {};
	int rc = hold(&other, k, diag);

	if (rc)
		return rc;
	layer_close(&d->layer);
	d->layer = other.layer;
	memcpy(d->id, other.id, sizeof(d->id));
	d->number = other.number;
	forget_offered(d);
	return 0;
}

static int load(struct dynamic *d, struct kernel *k, const struct policy *rules,
	const struct compile_env *env, struct diag *diag)
{
	bool anew = memcmp(d->id, k->shared.dynamic, sizeof(d->id));
	struct generation *gen = NULL;
	struct plan *plan = NULL;
	int rc = anew ? hold_again(d, k, diag) : 0;

	d->stale |= anew && !rc; /* until this has gone well the next check tries again */
	k->shared.dynamic_fd = d->layer.fd;
	if (!rc)
		rc = plan_new(rules, env, &plan, diag);
	if (!rc)
		rc = generation_load_dynamic(plan, &k->shared, (d->number + 1) & 1, &gen, diag);
	if (!rc)
		rc = switch_to(d, k, &gen, rules, diag);
	if (!rc)
		d->stale = false;
	plan_free(&plan);
	generation_free(&gen);
	return rc;
}

int dynamic_load(struct dynamic *d, const struct policy *rules, const struct compile_env *env,
	struct diag *diag)
{
	struct kernel *k = NULL;
	int rc = open_kernel(d, &k, diag);

	if (!rc)
		rc = load(d, k, rules, env, diag);
	kernel_free(&k);
	return rc;
}

/* Sets whether packets meet the rules, by whether there are any. */
static int begin_or_end(struct dynamic *d, const struct policy *rules, struct diag *diag)
{
	struct kernel *k = NULL;
	int rc = kernel_open(&k, diag);

	if (!rc)
		set_in_force(d, k, rules);
	kernel_free(&k);
	return rc;
}

/* The tables' own notes, for reports. */
static void note(struct generation *gen, const struct rule *rule, int sign)
{
	struct bp_tables *t = gen->table.tables;
	uint64_t filters = 0;

	filter_count(rule, &filters);
	t->rules += sign;
	t->filters += sign * filters;
}

static int add_in_place(struct dynamic *d, const struct policy *rules, const struct rule *rule,
	const struct compile_env *env, struct diag *diag)
{
	int rc = inplace_insert(d->gen, rule, env);

	if (rc)
		return rc;
	rc = rules->n == 1 ? begin_or_end(d, rules, diag) : 0;
	if (rc)
		inplace_delete(d->gen, rule, env);
	else
		note(d->gen, rule, 1);
	return rc;
}

int dynamic_add(struct dynamic *d, const struct policy *rules, const struct rule *rule,
	const struct compile_env *env, struct diag *diag)
{
	int rc = d->gen && inplace_fits(d->gen, rule) ? add_in_place(d, rules, rule, env, diag)
						      : -ENOSPC;

	return rc == -ENOSPC ? dynamic_load(d, rules, env, diag) : rc;
}

static bool is_small(const struct rule *rule)
{
	uint64_t filters;

	return !filter_count(rule, &filters) && filters <= MOST_FILTERS;
}

int dynamic_remove(struct dynamic *d, const struct policy *rules, const struct rule *rule,
	const struct compile_env *env, struct diag *diag)
{
	struct diag ignored = {};

	if (!d->gen || !is_small(rule) || inplace_delete(d->gen, rule, env))
		return dynamic_load(d, rules, env, diag);
	note(d->gen, rule, -1);
	/* The rule is gone by now, whatever comes of this, which dynamic_check() does as well. */
	if (!rules->n)
		begin_or_end(d, rules, &ignored);
	diag_free(&ignored);
	return 0;
}

int dynamic_retire(struct dynamic *d, const struct policy *rules, uint32_t id,
	const struct compile_env *env, struct rule_count *count, struct diag *diag)
{
	int rc;

	*count = (struct rule_count){ .rule = id };
	d->retired = count;
	rc = dynamic_load(d, rules, env, diag);
	d->retired = NULL;
	return rc;
}

int dynamic_prolong(struct dynamic *d, const struct rule *rule, const struct compile_env *env)
{
	struct inplace_found found;
	uint64_t *gate;
	int rc = d->gen ? inplace_find(d->gen, rule, rule->action, &found) : -ENOENT;

	if (rc || found.id != rule->id || !found.gate)
		return rc ? rc : -ENOENT;
	gate = table_gate(&d->gen->table, found.gate);
	if (table_is_lost(&d->gen->table))
		return -ENOMEM;
	__atomic_store_n(gate, compile_gate(rule, env), __ATOMIC_SEQ_CST);
	return 0;
}

int dynamic_held_counts(const struct dynamic *d, struct rule_counts *counts)
{
	int rc;

	*counts = (struct rule_counts){};
	if (!d->gen)
		return 0;
	rc = counts_add_table(counts, &d->gen->table);
	if (!rc && d->gen->base_fd >= 0)
		rc = counts_add_map(counts, d->gen->base_fd);
	counts_sum(counts);
	return rc;
}

int dynamic_view(const struct dynamic *d, struct generation **out, struct diag *diag)
{
	struct generation *gen;
	int rc = d->gen ? generation_new(&gen) : -ENOENT;

	if (rc)
		return rc;
	gen->dynamic = true;
	gen->odd = d->gen->odd;
	for (int part = 0; part < TABLE_PARTS && !rc; part++) {
		gen->part_fd[part] = dup(d->gen->part_fd[part]);
		if (gen->part_fd[part] < 0)
			rc = diag_errno(diag, errno, "cannot look at the dynamic rules");
	}
	if (!rc)
		rc = generation_map(gen, NULL, diag);
	if (rc)
		generation_free(&gen);
	else
		*out = gen;
	return rc;
}

int dynamic_find(
	const struct dynamic *d, const struct rule *rule, enum bp_action action, uint32_t *id)
{
	struct inplace_found found;
	int rc = d->gen ? inplace_find(d->gen, rule, action, &found) : -ENOENT;

	if (!rc)
		*id = found.id;
	return rc;
}

static int check(struct dynamic *d, struct kernel *k, const struct policy *rules,
	const struct compile_env *env, struct diag *diag)
{
	int rc;

	if (d->stale || memcmp(d->id, k->shared.dynamic, sizeof(d->id))) {
		rc = load(d, k, rules, env, diag);
		return rc ? rc : 1;
	}
	if (layer_is_placed(&d->layer, d->gen->odd) &&
		k->ctl->dynamic == (rules->n ? d->gen->number : 0))
		return 0;
	rc = layer_place(&d->layer, d->gen);
	if (rc)
		return diag_errno(diag, -rc, "cannot put the dynamic rules back in place");
	set_in_force(d, k, rules);
	return 1;
}

int dynamic_check(struct dynamic *d, const struct policy *rules, const struct compile_env *env,
	struct diag *diag)
{
	struct kernel *k = NULL;
	int rc = d->gen ? open_kernel(d, &k, diag) : 0;

	if (!rc && d->gen)
		rc = check(d, k, rules, env, diag);
	kernel_free(&k);
	return rc;
}
