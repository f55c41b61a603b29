// SPDX-License-Identifier: GPL-2.0-only
#include "compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"
#include "spec.h"

#define NSEC 1000000000ULL

/* A plan in the making. */
struct planner {
	struct plan *plan;
	struct diag *diag;
	uint64_t elems[BP_DIRS][BP_FAMILIES];
	uint64_t *taken[BP_FAMILIES]; /* a bit for each home */
	uint64_t chained[BP_FAMILIES];
};

static int too_long_chain(struct diag *diag, const struct rule *rule)
{
	char *text = spec_text(rule, SPEC_ACTION | SPEC_MATCH);
	int rc = diag_set(diag, DIAG_SYSTEM, E2BIG,
		"more than %d rules differ from '%s' only in port ranges, interface or action; "
		"join their ranges into fewer rules",
		BP_CHAIN, text ? text : "this one");

	free(text);
	return rc;
}

uint64_t compile_gate(const struct rule *rule, const struct compile_env *env)
{
	if (!rule->deadline)
		return BP_GATE_OPEN;
	if (rule_is_over(rule, env->now))
		return BP_GATE_SHUT;
	return env->boot_now + (rule->deadline - env->now) * NSEC - env->past;
}

int compile_ifindex(const struct rule *rule, const struct compile_env *env, uint32_t *ifindex)
{
	int is = rule->ifname ? env->ifindex(rule->ifname, env->arg) : 0;

	if (is < 0)
		return is;
	*ifindex = is || !rule->ifname ? (uint32_t)is : IFINDEX_ABSENT;
	return 0;
}

/* Passes 1 to 4. */

static const struct shapes *shapes_of(const struct plan *p, const struct shape *s)
{
	return &p->shapes[s->dir][s->family][bp_space_of(s->kind)];
}

static int gather_shape(const struct filter *f, void *arg)
{
	struct planner *p = arg;

	p->plan->tables.filters += !is_shadow(&f->shape);
	p->elems[f->shape.dir][f->shape.family]++;
	return shapes_add((struct shapes *)shapes_of(p->plan, &f->shape), f, p->diag);
}

static int sample_filter(const struct filter *f, void *arg)
{
	struct planner *p = arg;
	struct shapes *shapes = (struct shapes *)shapes_of(p->plan, &f->shape);

	return shapes_crowded(shapes) ? shapes_sample(shapes, f) : 0;
}

static int each_filter(struct planner *p, int (*fn)(const struct filter *, void *))
{
	const struct policy *policy = p->plan->policy;
	int rc = 0;

	for (size_t i = 0; i < policy->n && !rc; i++)
		if (!rule_is_over(policy->rules[i], p->plan->env.now))
			rc = filter_each(policy->rules[i], fn, p);
	return rc;
}

static struct shapes *all_shapes(struct plan *p, size_t i)
{
	return &p->shapes[0][0][0] + i;
}
#define ALL_SHAPES (BP_DIRS * BP_FAMILIES * BP_SPACES)

static bool crowded(struct plan *p)
{
	bool any = false;

	for (size_t i = 0; i < ALL_SHAPES; i++)
		any |= shapes_crowded(all_shapes(p, i));
	return any;
}

static int number_tuples(struct plan *p)
{
	int rc = 0;

	for (size_t i = 0; i < ALL_SHAPES && !rc; i++) {
		p->n_shapes += all_shapes(p, i)->n;
		rc = shapes_number(all_shapes(p, i), &p->tables);
	}
	return rc;
}

static int count_home(const struct filter *f, void *arg)
{
	struct planner *p = arg;
	const struct bp_tables *t = &p->plan->tables;
	const struct shape *s = &f->shape;
	unsigned int number = shapes_tuple(shapes_of(p->plan, s), s);
	struct filter_key key;
	uint32_t home;

	filter_key(f, &t->tuple[s->dir][s->family][bp_space_of(s->kind)][number], number, &key);
	home = table_home(&t->sizes, s->family, &key);
	p->chained[s->family] += p->taken[s->family][home / 64] >> home % 64 & 1;
	p->taken[s->family][home / 64] |= 1ULL << home % 64;
	return 0;
}

/* Shadows that are equal share an element: of them there may be fewer. */
static int count_chained(struct planner *p)
{
	struct bp_sizes *sizes = &p->plan->tables.sizes;
	int rc = 0;

	for (int f = 0; f < BP_FAMILIES; f++) {
		p->taken[f] = calloc(sizes->homes[f] / 64 + 1, sizeof(uint64_t));
		rc = p->taken[f] ? rc : -ENOMEM;
	}
	if (!rc)
		rc = each_filter(p, count_home);
	for (int f = 0; f < BP_FAMILIES; f++) {
		uint64_t n = p->elems[BP_IN][f] + p->elems[BP_OUT][f];

		table_sizes_chained(sizes, f, n, p->chained[f]);
		free(p->taken[f]);
	}
	return rc;
}

/* How many gates the policy needs. */
static int count_gates(const struct plan *p, uint64_t *gates, struct diag *diag)
{
	*gates = 0;
	for (size_t i = 0; i < p->policy->n; i++)
		*gates += rule_is_timed(p->policy->rules[i]);
	if (*gates < BP_GATES - 1)
		return 0;
	return diag_set(diag, DIAG_SYSTEM, E2BIG,
		"more than %u rules end at a time; join some, or leave their times out",
		BP_GATES - 2);
}

int plan_new(const struct policy *policy, const struct compile_env *env, struct plan **out,
	struct diag *diag)
{
	struct planner p = { .plan = calloc(1, sizeof(*p.plan)), .diag = diag };
	uint64_t gates;
	int rc;

	if (!p.plan)
		return -ENOMEM;
	p.plan->policy = policy;
	p.plan->env = *env;
	rc = each_filter(&p, gather_shape);
	if (!rc && crowded(p.plan))
		rc = each_filter(&p, sample_filter);
	if (!rc)
		rc = number_tuples(p.plan);
	if (!rc)
		rc = count_gates(p.plan, &gates, diag);
	if (!rc) {
		table_sizes(&p.plan->tables, p.elems, gates);
		rc = count_chained(&p);
	}
	if (rc)
		plan_free(&p.plan);
	else
		*out = p.plan;
	return rc;
}

void plan_free(struct plan **plan)
{
	if (!*plan)
		return;
	for (size_t i = 0; i < ALL_SHAPES; i++)
		shapes_free(all_shapes(*plan, i));
	free(*plan);
	*plan = NULL;
}

/* Pass 5: elements. */

struct filler {
	const struct plan *plan;
	struct table *table;
	struct diag *diag;
	/* The rule whose filters come. */
	struct filter_of_rule of;
	bool timed;
};

/* What a tuple's filters do not all ask for, it is not indexed by. */
static void index_tuple(struct filler *c, const struct filter *f, unsigned int number)
{
	struct bp_tables *t = c->table->tables;
	const struct shape *s = &f->shape;
	unsigned int by = index_of(&t->sizes, f);

	for (int i = 0; i < BP_INDICES; i++)
		if (!(by >> i & 1))
			t->indexed[s->dir][s->family][i] &= ~(1ULL << number);
}

/*
 * The chain of the key: whether another element may come into it, and of a shadow without deadline
 * the one that stands for all that are equal to it.
 */
static bool look_along(struct filler *c, const struct filter *f, const struct filter_key *key,
	const union filter_elem *like, union filter_elem **shared)
{
	int family = f->shape.family;
	unsigned int n = 0, all = 0;

	*shared = NULL;
	for (uint32_t at = 0; (at = table_next(c->table, family, key, at)); all++) {
		union filter_elem *is = table_elem(c->table, family, at);

		n += is->e.tuple == like->e.tuple;
		if (is_shadow(&f->shape) && !c->timed && !is->e.gate &&
			is->e.ifindex == c->of.ifindex && elem_is(is, like, family))
			*shared = is;
	}
	return n < BP_CHAIN && all < BP_CHAINED;
}

static int place_filter(const struct filter *f, void *arg)
{
	struct filler *c = arg;
	const struct shape *s = &f->shape;
	enum bp_space space = bp_space_of(s->kind);
	struct bp_tables *t = c->table->tables;
	unsigned int number = shapes_tuple(shapes_of(c->plan, s), s);
	const struct bp_tuple *tuple = &t->tuple[s->dir][s->family][space][number];
	union filter_elem elem, *shared;
	struct filter_key key;

	filter_key(f, tuple, number, &key);
	filter_elem(f, tuple, number, &c->of, &elem);
	if (is_shadow(s))
		shadow_begin(&elem);
	else
		index_tuple(c, f, number);
	if (!look_along(c, f, &key, &elem, &shared))
		return too_long_chain(c->diag, c->of.rule);
	if (shared) {
		shared->e.print++;
		return 0;
	}
	t->used[s->dir][s->family][space][number]++;
	return table_insert(c->table, f, &key, &elem, true);
}

static int place_rule(struct filler *c, const struct rule *rule)
{
	struct bp_tables *t = c->table->tables;
	int rc;

	c->of = (struct filter_of_rule){ .rule = rule };
	c->timed = rule_is_timed(rule);
	rc = compile_ifindex(rule, &c->plan->env, &c->of.ifindex);
	if (rc)
		return diag_errno(c->diag, -rc, "cannot ask for the interface '%s'", rule->ifname);
	rc = rule_print(rule, &c->of.print);
	if (!rc && c->timed) {
		c->of.gate = ++t->gates;
		c->table->gates[c->of.gate] = compile_gate(rule, &c->plan->env);
	}
	if (!rc)
		rc = filter_each(rule, place_filter, c);
	t->rules += !rc;
	return rc;
}

int plan_fill(const struct plan *plan, struct table *table, struct diag *diag)
{
	struct filler c = { .plan = plan, .table = table, .diag = diag };
	struct bp_sizes sizes = table->tables->sizes;
	uint64_t programs = table->tables->programs;
	int rc = 0;

	*table->tables = plan->tables;
	table->tables->sizes = sizes;
	table->tables->programs = programs;
	for (size_t i = 0; i < plan->policy->n && !rc; i++)
		if (!rule_is_over(plan->policy->rules[i], plan->env.now))
			rc = place_rule(&c, plan->policy->rules[i]);
	index_thin(table);
	return rc;
}

int compile(const struct policy *policy, const struct compile_env *env, struct plan **plan,
	struct table *table, struct diag *diag)
{
	int rc = plan_new(policy, env, plan, diag);

	if (rc)
		return rc;
	rc = table_alloc(table, &(*plan)->tables.sizes);
	if (!rc)
		rc = plan_fill(*plan, table, diag);
	if (rc) {
		table_free(table);
		plan_free(plan);
	}
	return rc;
}
