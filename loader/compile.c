// SPDX-License-Identifier: GPL-2.0-only
#include "compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "keyset.h"
#include "spec.h"

#define NSEC 1000000000ULL

/* A tuple before it has its number. */
struct draft {
	struct shape shape;
	uint64_t bound;
};

struct drafts {
	struct draft v[BP_TUPLES];
	unsigned int n;
};

struct compiler {
	const struct compile_env *env;
	struct plan *plan;
	struct diag *diag;
	struct drafts drafts[BP_DIRS][BP_FAMILIES];
	struct keyset keys[BP_FAMILIES];
	/* The rule that is being compiled. */
	const struct rule *rule;
	uint64_t print;
	uint32_t ifindex, gate;
	bool timed;
};

int compile_too_many_tuples(struct diag *diag)
{
	return diag_set(diag, DIAG_SYSTEM, E2BIG,
		"the policy needs more than %d combinations of prefix lengths, protocol and ports "
		"for one address family and direction; use fewer different prefix lengths",
		BP_TUPLES);
}

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

/* Pass 1. */

static int gather_shape(const struct filter *f, void *arg)
{
	struct compiler *c = arg;
	struct drafts *d = &c->drafts[f->shape.dir][f->shape.family];
	unsigned int i = 0;

	while (i < d->n && memcmp(&d->v[i].shape, &f->shape, sizeof(f->shape)))
		i++;
	if (i == BP_TUPLES)
		return compile_too_many_tuples(c->diag);
	if (i == d->n)
		d->v[d->n++] = (struct draft){ .shape = f->shape };
	if (f->rank > d->v[i].bound)
		d->v[i].bound = f->rank;
	c->plan->tables.filters += !is_shadow(&f->shape);
	return 0;
}

/* Pass 2. */

static int by_bound(const void *a, const void *b)
{
	const struct draft *x = a, *y = b;

	return x->bound < y->bound   ? 1
	       : x->bound > y->bound ? -1
				     : memcmp(&x->shape, &y->shape, sizeof(x->shape));
}

static void number_tuples(struct compiler *c)
{
	struct bp_tables *t = &c->plan->tables;

	for (int dir = 0; dir < BP_DIRS; dir++) {
		for (int family = 0; family < BP_FAMILIES; family++) {
			struct drafts *d = &c->drafts[dir][family];

			qsort(d->v, d->n, sizeof(d->v[0]), by_bound);
			for (unsigned int i = 0; i < d->n; i++) {
				struct bp_tuple *tuple = &t->tuple[dir][family][i];

				shape_tuple(&d->v[i].shape, tuple);
				tuple->bound = d->v[i].bound;
				t->live[dir][family][tuple->kind] |= 1ULL << i;
				t->named[dir][family] |= 1ULL << i;
			}
		}
	}
}

/* Pass 3. */

static int set_grow(struct plan_set *set)
{
	size_t room = set->room ? set->room * 2 : 64;
	uint8_t *keys = realloc(set->keys, room * set->key_size);
	struct bp_elem *elems;

	if (!keys)
		return -ENOMEM;
	set->keys = keys;
	elems = realloc(set->elems, room * sizeof(*elems));
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
static bool share_shadow(struct compiler *c, struct plan_set *set, uint32_t at)
{
	struct bp_elem *elem = &set->elems[at];

	if (c->timed || elem->gate || elem->ifindex != c->ifindex)
		return false;
	elem->print++;
	return true;
}

static int add_elem(struct compiler *c, const struct filter *f, union filter_key *key)
{
	struct bp_tables *t = &c->plan->tables;
	struct plan_set *set = &c->plan->set[f->shape.family];
	struct bp_tuple *tuple;
	unsigned int number = ((const uint8_t *)key)[0] & (BP_TUPLES - 1);
	uint16_t slot = *slot_of(key, f->shape.family);
	int rc = set->n == set->room ? set_grow(set) : 0;

	if (rc)
		return rc;
	tuple = &t->tuple[f->shape.dir][f->shape.family][number];
	if (slot >= BP_CHAIN)
		return compile_too_long_chain(c->diag, c->rule);
	if (slot + 1U > tuple->chain)
		tuple->chain = slot + 1;
	memcpy(set->keys + set->n * set->key_size, key, set->key_size);
	filter_elem(f, c->rule, c->print, c->ifindex, c->gate, &set->elems[set->n]);
	if (is_shadow(&f->shape)) {
		set->elems[set->n].gate = c->timed ? c->gate : 0;
		set->elems[set->n].print = 1;
	}
	t->elements[f->shape.family]++;
	t->used[f->shape.dir][f->shape.family][number]++;
	rc = keyset_add(&c->keys[f->shape.family], set->n);
	if (!rc)
		set->n++;
	return rc;
}

static unsigned int number_of(const struct compiler *c, const struct shape *shape)
{
	const struct bp_tuple *tuple = c->plan->tables.tuple[shape->dir][shape->family];
	unsigned int i = 0;

	while (!shape_is(shape, &tuple[i]))
		i++;
	return i;
}

static int place_filter(const struct filter *f, void *arg)
{
	struct compiler *c = arg;
	struct plan_set *set = &c->plan->set[f->shape.family];
	union filter_key key;
	uint16_t *slot = slot_of(&key, f->shape.family);

	filter_key(f, number_of(c, &f->shape), &key);
	for (;; ++*slot) {
		uint32_t at = keyset_find(&c->keys[f->shape.family], &key);

		if (at == KEYSET_NONE)
			return add_elem(c, f, &key);
		if (is_shadow(&f->shape) && share_shadow(c, set, at))
			return 0;
	}
}

static int give_gate(struct compiler *c)
{
	struct plan *p = c->plan;

	if (p->n_gates == p->gates_room) {
		size_t room = p->gates_room ? p->gates_room * 2 : 64;
		uint64_t *gates = realloc(p->gates, room * sizeof(*gates));

		if (!gates)
			return -ENOMEM;
		p->gates = gates;
		p->gates_room = room;
	}
	c->gate = p->n_gates;
	p->gates[p->n_gates++] = compile_gate(c->rule, c->env);
	return 0;
}

static int place_rule(struct compiler *c)
{
	bool gated;
	int rc = rule_needs_gate(c->rule, &gated);

	if (!rc)
		rc = rule_print(c->rule, &c->print);
	c->gate = 0;
	c->timed = c->rule->deadline;
	c->ifindex = compile_ifindex(c->rule, c->env);
	if (!rc && gated)
		rc = give_gate(c);
	if (!rc)
		rc = filter_each(c->rule, place_filter, c);
	if (!rc)
		c->plan->tables.rules++;
	return rc;
}

static bool expired(const struct rule *rule, const struct compile_env *env)
{
	return rule->deadline && rule->deadline <= env->now;
}

static int run(struct compiler *c, const struct policy *policy)
{
	int rc = 0;

	for (size_t i = 0; i < policy->n && !rc; i++)
		if (!expired(policy->rules[i], c->env))
			rc = filter_each(policy->rules[i], gather_shape, c);
	number_tuples(c);
	for (size_t i = 0; i < policy->n && !rc; i++) {
		c->rule = policy->rules[i];
		if (!expired(c->rule, c->env))
			rc = place_rule(c);
	}
	c->plan->tables.gates = c->plan->n_gates - 1;
	return rc;
}

static int compiler_new(struct compiler **out, const struct compile_env *env, struct diag *diag)
{
	struct compiler *c = calloc(1, sizeof(*c));
	struct plan *p = calloc(1, sizeof(*p));

	if (!c || !p)
		goto no_memory;
	c->env = env;
	c->diag = diag;
	c->plan = p;
	p->set[BP_V4].key_size = sizeof(struct bp_key4);
	p->set[BP_V6].key_size = sizeof(struct bp_key6);
	for (int f = 0; f < BP_FAMILIES; f++)
		if (keyset_init(&c->keys[f], (const uint8_t *const *)&p->set[f].keys,
			    p->set[f].key_size))
			goto no_memory;
	p->gates_room = 64;
	p->gates = calloc(p->gates_room, sizeof(*p->gates));
	if (!p->gates)
		goto no_memory;
	p->n_gates = 1;
	*out = c;
	return 0;
no_memory:
	if (c)
		for (int f = 0; f < BP_FAMILIES; f++)
			keyset_free(&c->keys[f]);
	free(c);
	plan_free(&p);
	return -ENOMEM;
}

int compile(const struct policy *policy, const struct compile_env *env, struct plan **plan,
	struct diag *diag)
{
	struct compiler *c;
	int rc = compiler_new(&c, env, diag);

	if (rc)
		return rc;
	rc = run(c, policy);
	if (rc)
		plan_free(&c->plan);
	else
		*plan = c->plan;
	for (int f = 0; f < BP_FAMILIES; f++)
		keyset_free(&c->keys[f]);
	free(c);
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
	free(*plan);
	*plan = NULL;
}
