// SPDX-License-Identifier: GPL-2.0-only
#include "dynamic.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fds.h"
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
	bool stale; /* gen is of other root programs than the arrays */
	struct generation *gen;
	struct generation *before; /* of a change that is not settled: what it counted, gen lacks */
	uint64_t number;
};

static bool is_empty(const struct layer *layer)
{
	uint32_t id;

	for (int hook = 0; hook < BP_HOOKS; hook++)
		for (int odd = 0; odd < 2; odd++)
			if (layer_program(layer, hook, odd, &id) || id)
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

/* --- all of them in one step --- */

/*
 * gen: with the rules that are to be, until it is put in force; old: what was in force, until it is
 * counted up.
 */
struct dynamic_change {
	struct kernel *k;
	struct generation *gen, *old;
	uint32_t *ids; /* of the rules, rising */
	size_t n_ids;
	struct rule_counts counts;
	int base, rc; /* the map that holds these, or -1; -errno: they could not be counted up */
};

int dynamic_begin(struct dynamic *d, struct dynamic_change **out, struct diag *diag)
{
	struct dynamic_change *c = calloc(1, sizeof(*c));
	bool anew;
	int rc = c ? open_kernel(d, &c->k, diag) : -ENOMEM;

	if (rc) {
		free(c);
		return rc;
	}
	c->base = -1;
	anew = memcmp(d->id, c->k->shared.dynamic, sizeof(d->id));
	rc = anew ? hold_again(d, c->k, diag) : 0;
	d->stale |= anew && !rc; /* until this has gone well the next check tries again */
	c->k->shared.dynamic_fd = d->layer.fd;
	if (rc)
		dynamic_change_free(&c);
	else
		*out = c;
	return rc;
}

int dynamic_build(const struct dynamic *d, struct dynamic_change *c, const struct policy *rules,
	const struct compile_env *env, struct diag *diag)
{
	struct plan *plan = NULL;
	int rc = plan_new(rules, env, &plan, diag);

	if (!rc)
		rc = generation_load_dynamic(
			plan, &c->k->shared, (d->number + 1) & 1, &c->gen, diag);
	plan_free(&plan);
	return rc;
}

static int by_id(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int note_ids(struct dynamic_change *c, const struct policy *rules)
{
	c->ids = calloc(rules->n + 1, sizeof(*c->ids));
	if (!c->ids)
		return -ENOMEM;
	for (size_t i = 0; i < rules->n; i++)
		c->ids[c->n_ids++] = rules->rules[i]->id;
	qsort(c->ids, c->n_ids, sizeof(*c->ids), by_id);
	return 0;
}

int dynamic_switch(
	struct dynamic *d, struct dynamic_change *c, const struct policy *rules, struct diag *diag)
{
	int rc = note_ids(c, rules);

	if (rc)
		return rc;
	rc = layer_place(&d->layer, c->gen);
	if (rc) {
		layer_displace(&d->layer, c->gen->odd);
		return diag_errno(diag, -rc, "cannot put the dynamic rules in place");
	}
	c->old = d->before = d->gen;
	d->gen = c->gen;
	c->gen = NULL;
	d->number = d->gen->number = d->number + 1;
	set_in_force(d, c->k, rules);
	d->stale = false;
	return 0;
}

static int add_counts(struct rule_counts *counts, const struct generation *gen)
{
	int rc = counts_add_table(counts, &gen->table);

	return !rc && gen->base_fd >= 0 ? counts_add_map(counts, gen->base_fd) : rc;
}

/*
 * What the old generation has counted in the end becomes the base of the new one: a map that is
 * bound to its program, so that whoever reads back finds it, and nobody has to pin it.
 */
void dynamic_sum(struct dynamic_change *c, struct rule_count *retired)
{
	const struct rule_count *found = NULL;

	if (!c->old)
		return;
	kernel_wait_for_packets();
	c->rc = add_counts(&c->counts, c->old);
	counts_sum(&c->counts);
	if (c->rc)
		return;
	if (retired)
		found = counts_find(&c->counts, retired->rule);
	if (found)
		*retired = *found;
	counts_keep(&c->counts, c->ids, c->n_ids);
	c->base = counts_to_map(&c->counts);
	c->rc = c->base < 0 ? c->base : 0;
}

void dynamic_settle(struct dynamic *d, struct dynamic_change *c, struct diag *diag)
{
	if (c->base >= 0 && bpf_prog_bind_map(d->gen->classify[BP_XDP], c->base, NULL))
		c->rc = -errno;
	if (c->old && c->rc) {
		diag_to_warning(
			diag, "the dynamic rules are in force, but their counters begin anew");
	} else if (c->old) {
		d->gen->base_fd = c->base;
		c->base = -1;
	}
	if (c->old && c->old->odd != d->gen->odd) /* new root programs begin at 1 again */
		layer_displace(&d->layer, c->old->odd);
	d->before = NULL;
	__atomic_store_n(&d->gen->table.tables->folded, 1, __ATOMIC_SEQ_CST);
}

void dynamic_change_free(struct dynamic_change **out)
{
	struct dynamic_change *c = *out;

	if (!c)
		return;
	if (c->base >= 0)
		close(c->base);
	generation_free(&c->gen);
	generation_free(&c->old);
	kernel_free(&c->k);
	free(c->counts.v);
	free(c->ids);
	free(c);
	*out = NULL;
}

/* --- one by one --- */

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
	return d->gen && inplace_fits(d->gen, rule) ? add_in_place(d, rules, rule, env, diag)
						    : -ENOSPC;
}

static bool is_small(const struct rule *rule)
{
	uint64_t filters;

	return !filter_count(rule, &filters) && filters <= MOST_FILTERS;
}

int dynamic_remove(struct dynamic *d, const struct policy *rules, const struct rule *rule,
	const struct compile_env *env)
{
	struct diag ignored = {};

	if (!d->gen || !is_small(rule) || inplace_delete(d->gen, rule, env))
		return -ENOSPC;
	note(d->gen, rule, -1);
	/* The rule is gone by now, whatever comes of this, which dynamic_check() does as well. */
	if (!rules->n)
		begin_or_end(d, rules, &ignored);
	diag_free(&ignored);
	return 0;
}

/* ...of a change that is built. */

int dynamic_change_add(
	struct dynamic_change *c, const struct rule *rule, const struct compile_env *env)
{
	int rc = inplace_fits(c->gen, rule) ? inplace_insert(c->gen, rule, env) : -ENOSPC;

	if (!rc)
		note(c->gen, rule, 1);
	return rc;
}

int dynamic_change_remove(
	struct dynamic_change *c, const struct rule *rule, const struct compile_env *env)
{
	int rc = is_small(rule) ? inplace_delete(c->gen, rule, env) : -ENOSPC;

	if (!rc)
		note(c->gen, rule, -1);
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
	rc = add_counts(counts, d->gen);
	if (!rc && d->before)
		rc = add_counts(counts, d->before);
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
		gen->part_fd[part] = fd_copy(d->gen->part_fd[part]);
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

static int check(struct dynamic *d, struct kernel *k, const struct policy *rules, struct diag *diag)
{
	int rc;

	if (d->stale || memcmp(d->id, k->shared.dynamic, sizeof(d->id)))
		return -ESTALE;
	if (layer_is_placed(&d->layer, d->gen->odd) &&
		k->ctl->dynamic == (rules->n ? d->gen->number : 0))
		return 0;
	rc = layer_place(&d->layer, d->gen);
	if (rc)
		return diag_errno(diag, -rc, "cannot put the dynamic rules back in place");
	set_in_force(d, k, rules);
	return 1;
}

int dynamic_check(struct dynamic *d, const struct policy *rules, struct diag *diag)
{
	struct kernel *k = NULL;
	int rc = d->gen ? open_kernel(d, &k, diag) : 0;

	if (!rc && d->gen)
		rc = check(d, k, rules, diag);
	kernel_free(&k);
	return rc;
}
