// SPDX-License-Identifier: GPL-2.0-only
#include "compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "index.h"
#include "shapes.h"
#include "spec.h"

#define NSEC 1000000000ULL

#define LEAST_ROOM 16384 /* buckets cost 16 bytes each, elements only when used */

struct compiler {
	const struct compile_env *env;
	struct plan *plan;
	struct diag *diag;
	struct shapes shapes[BP_DIRS][BP_FAMILIES][BP_SPACES];
	struct keyset keys[BP_FAMILIES];
	/* The rule that is being compiled. */
	struct filter_of_rule of;
	bool timed;
};

int compile_too_long_chain(struct diag *diag, const struct rule *rule)
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
	if (rule->deadline <= env->now)
		return BP_GATE_SHUT;
	return env->boot_now + (rule->deadline - env->now) * NSEC;
}

uint32_t compile_ifindex(const struct rule *rule, const struct compile_env *env)
{
	uint32_t ifindex;

	if (!rule->ifname)
		return 0;
	ifindex = env->ifindex(rule->ifname, env->arg);
	return ifindex ? ifindex : IFINDEX_ABSENT;
}

/* Passes 1 to 3. */

static struct shapes *shapes_of(struct compiler *c, const struct shape *s)
{
	return &c->shapes[s->dir][s->family][bp_space_of(s->kind)];
}

static int gather_shape(const struct filter *f, void *arg)
{
	struct compiler *c = arg;

	c->plan->tables.filters += !is_shadow(&f->shape);
	c->plan->map_room[f->shape.family]++;
	return shapes_add(shapes_of(c, &f->shape), f, c->diag);
}

static int sample_filter(const struct filter *f, void *arg)
{
	struct shapes *shapes = shapes_of(arg, &f->shape);

	return shapes_crowded(shapes) ? shapes_sample(shapes, f) : 0;
}

/* Pass 4: elements. */

static int set_grow(struct plan_set *set)
{
	size_t room = set->room ? set->room * 2 : 64;
	uint8_t *keys = realloc(set->keys, room * set->key_size), *elems;

	if (!keys)
		return -ENOMEM;
	set->keys = keys;
	elems = realloc(set->elems, room * set->elem_size);
	if (!elems)
		return -ENOMEM;
	set->elems = elems;
	set->room = room;
	return 0;
}

static uint16_t *slot_of(union filter_key *key, int family)
{
	return family == BP_V4 ? &key->v4.slot : &key->v6.slot;
}

/* A shadow without deadline stands for all that are equal to it. */
static bool share_shadow(
	struct compiler *c, struct plan_set *set, uint32_t at, const union filter_elem *like)
{
	union filter_elem *elem = (union filter_elem *)(set->elems + at * set->elem_size);

	if (c->timed || elem->e.gate || elem->e.ifindex != c->of.ifindex ||
		!shadow_is(elem, like, set->elem_size))
		return false;
	elem->e.print++;
	return true;
}

static struct bp_tuple *tuple_of(struct compiler *c, const struct filter *f, unsigned int *number)
{
	const struct shape *s = &f->shape;

	*number = shapes_tuple(shapes_of(c, s), s);
	return &c->plan->tables.tuple[s->dir][s->family][bp_space_of(s->kind)][*number];
}

static void index_filter(struct compiler *c, const struct filter *f, unsigned int number)
{
	struct bp_tables *t = &c->plan->tables;
	const struct shape *s = &f->shape;
	unsigned int by = index_of(f);

	if (is_shadow(s))
		return;
	for (int i = 0; i < BP_INDICES; i++)
		if (!(by >> i & 1))
			t->indexed[s->dir][s->family][i] &= ~(1ULL << number);
	index_add(&t->sizes, c->plan->sets, f, number);
}

static int add_elem(struct compiler *c, const struct filter *f, unsigned int number,
	const union filter_key *key, const union filter_elem *elem)
{
	const struct shape *s = &f->shape;
	struct bp_tables *t = &c->plan->tables;
	struct plan_set *set = &c->plan->set[s->family];
	struct bp_tuple *tuple = &t->tuple[s->dir][s->family][bp_space_of(s->kind)][number];
	uint16_t slot = *slot_of((union filter_key *)key, s->family);
	int rc = set->n == set->room ? set_grow(set) : 0;

	if (rc)
		return rc;
	if (slot >= BP_CHAIN)
		return compile_too_long_chain(c->diag, c->of.rule);
	if (slot + 1U > tuple->chain)
		tuple->chain = slot + 1;
	memcpy(set->keys + set->n * set->key_size, key, set->key_size);
	memcpy(set->elems + set->n * set->elem_size, elem, set->elem_size);
	present_add(&t->sizes, c->plan->present, s->family, key);
	index_filter(c, f, number);
	t->elements[s->family]++;
	t->used[s->dir][s->family][bp_space_of(s->kind)][number]++;
	rc = keyset_add(&c->keys[s->family], set->n);
	if (!rc)
		set->n++;
	return rc;
}

static int place_filter(const struct filter *f, void *arg)
{
	struct compiler *c = arg;
	int family = f->shape.family;
	struct plan_set *set = &c->plan->set[family];
	unsigned int number;
	struct bp_tuple *tuple = tuple_of(c, f, &number);
	union filter_elem elem;
	union filter_key key;

	filter_key(f, tuple, number, &key);
	filter_elem(f, tuple, &c->of, &elem);
	if (is_shadow(&f->shape))
		shadow_begin(&elem, c->timed);
	for (;; ++*slot_of(&key, family)) {
		uint32_t at = keyset_find(&c->keys[family], &key);

		if (at == KEYSET_NONE)
			return add_elem(c, f, number, &key, &elem);
		if (is_shadow(&f->shape) && share_shadow(c, set, at, &elem))
			return 0;
	}
}

static int give_gate(struct compiler *c)
{
	struct plan *p = c->plan;

	if (p->n_gates == BP_GATES)
		return diag_set(c->diag, DIAG_SYSTEM, E2BIG,
			"more than %u rules have a time or stand for several filters; leave time "
			"limits out, or join rules",
			BP_GATES - 1);
	if (p->n_gates == p->gates_room) {
		size_t room = p->gates_room ? p->gates_room * 2 : 64;
		uint64_t *gates = realloc(p->gates, room * sizeof(*gates));

		if (!gates)
			return -ENOMEM;
		p->gates = gates;
		p->gates_room = room;
	}
	c->of.gate = p->n_gates;
	p->gates[p->n_gates++] = compile_gate(c->of.rule, c->env);
	return 0;
}

static int place_rule(struct compiler *c, const struct rule *rule)
{
	bool gated;
	int rc = rule_needs_gate(rule, &gated);

	c->of = (struct filter_of_rule){ .rule = rule, .ifindex = compile_ifindex(rule, c->env) };
	c->timed = rule->deadline;
	if (!rc)
		rc = rule_print(rule, &c->of.print);
	if (!rc && gated)
		rc = give_gate(c);
	if (!rc)
		rc = filter_each(rule, place_filter, c);
	if (!rc)
		c->plan->tables.rules++;
	return rc;
}

/* All passes. */

/* Twice to four times what is there: few collisions, and room for rules that are added one by one.
 */
static uint64_t room_for(uint64_t n)
{
	uint64_t room = LEAST_ROOM;

	while (room < n * 2)
		room *= 2;
	return room;
}

static int make_tables(struct plan *p, const struct compile_env *env)
{
	struct bp_sizes *sizes = &p->tables.sizes;

	for (int f = 0; f < BP_FAMILIES; f++)
		p->map_room[f] = room_for(p->map_room[f]);
	index_sizes(p->map_room, p->tables.filters, sizes);
	if (env->sizes)
		*sizes = *env->sizes;
	p->sets = calloc(BP_DIRS * BP_FAMILIES * bp_sets_words(sizes), sizeof(*p->sets));
	p->present = calloc(bp_present_words(sizes), sizeof(*p->present));
	return p->sets && p->present ? 0 : -ENOMEM;
}

static bool expired(const struct rule *rule, const struct compile_env *env)
{
	return rule->deadline && rule->deadline <= env->now;
}

static int each_filter(
	struct compiler *c, const struct policy *policy, int (*fn)(const struct filter *, void *))
{
	int rc = 0;

	for (size_t i = 0; i < policy->n && !rc; i++)
		if (!expired(policy->rules[i], c->env))
			rc = filter_each(policy->rules[i], fn, c);
	return rc;
}

static struct shapes *all_shapes(struct compiler *c, size_t i)
{
	return &c->shapes[0][0][0] + i;
}
#define ALL_SHAPES (BP_DIRS * BP_FAMILIES * BP_SPACES)

static bool crowded(struct compiler *c)
{
	bool any = false;

	for (size_t i = 0; i < ALL_SHAPES; i++)
		any |= shapes_crowded(all_shapes(c, i));
	return any;
}

static int number_tuples(struct compiler *c)
{
	int rc = 0;

	for (size_t i = 0; i < ALL_SHAPES && !rc; i++) {
		c->plan->shapes += all_shapes(c, i)->n;
		rc = shapes_number(all_shapes(c, i), &c->plan->tables);
	}
	return rc;
}

static int run(struct compiler *c, const struct policy *policy)
{
	int rc = each_filter(c, policy, gather_shape);

	if (!rc && crowded(c))
		rc = each_filter(c, policy, sample_filter);
	if (!rc)
		rc = number_tuples(c);
	if (!rc)
		rc = make_tables(c->plan, c->env);
	for (size_t i = 0; i < policy->n && !rc; i++)
		if (!expired(policy->rules[i], c->env))
			rc = place_rule(c, policy->rules[i]);
	c->plan->tables.gates = c->plan->n_gates - 1;
	return rc;
}

static void compiler_free(struct compiler *c)
{
	for (size_t i = 0; i < ALL_SHAPES; i++)
		shapes_free(all_shapes(c, i));
	for (int f = 0; f < BP_FAMILIES; f++)
		keyset_free(&c->keys[f]);
	plan_free(&c->plan);
	free(c);
}

static int compiler_new(struct compiler **out, const struct compile_env *env, struct diag *diag)
{
	struct compiler *c = calloc(1, sizeof(*c));
	struct plan *p = c ? c->plan = calloc(1, sizeof(*p)) : NULL;
	int rc = p ? 0 : -ENOMEM;

	if (!c)
		return -ENOMEM;
	c->env = env;
	c->diag = diag;
	for (int f = 0; f < BP_FAMILIES && !rc; f++) {
		p->set[f].key_size = filter_key_size(f);
		p->set[f].elem_size = filter_elem_size(f);
		rc = keyset_init(
			&c->keys[f], (const uint8_t *const *)&p->set[f].keys, p->set[f].key_size);
	}
	if (!rc) {
		p->gates_room = 64;
		p->gates = calloc(p->gates_room, sizeof(*p->gates));
		p->n_gates = 1;
		rc = p->gates ? 0 : -ENOMEM;
	}
	if (rc)
		compiler_free(c);
	else
		*out = c;
	return rc;
}

int compile(const struct policy *policy, const struct compile_env *env, struct plan **plan,
	struct diag *diag)
{
	struct compiler *c;
	int rc = compiler_new(&c, env, diag);

	if (rc)
		return rc;
	rc = run(c, policy);
	if (!rc) {
		*plan = c->plan;
		c->plan = NULL;
	}
	compiler_free(c);
	return rc;
}

void plan_free(struct plan **plan)
{
	if (!*plan)
		return;
	for (int f = 0; f < BP_FAMILIES; f++) {
		free((*plan)->set[f].keys);
		free((*plan)->set[f].elems);
	}
	free((*plan)->gates);
	free((*plan)->sets);
	free((*plan)->present);
	free(*plan);
	*plan = NULL;
}
