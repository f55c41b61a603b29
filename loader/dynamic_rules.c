// SPDX-License-Identifier: GPL-2.0-only
#include "dynamic_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "held_ask.h"
#include "host.h"
#include "told.h"

#define TRIES 100

/* Places in the tables are never given again. */
static struct dynamic_mark mark_of(const struct kernel *k, const struct generation *gen)
{
	const struct bp_tables *t = gen->table.tables;
	const uint32_t *used = &t->used[0][0][0][0];
	struct dynamic_mark mark = {
		.number = k->ctl->dynamic,
		.rules = t->rules,
		.given = (uint64_t)t->given[BP_V4] + t->given[BP_V6],
		.withheld = __atomic_load_n(&t->withheld, __ATOMIC_SEQ_CST),
	};

	for (size_t i = 0; i < sizeof(t->used) / sizeof(*used); i++)
		mark.used += used[i];
	return mark;
}

static bool is_same(const struct dynamic_mark *a, const struct dynamic_mark *b)
{
	return !memcmp(a, b, sizeof(*a));
}

int dynamic_filters(struct filters *filters, const struct kernel *k, const struct generation *gen,
	uint64_t boot_now)
{
	size_t before = filters->n;
	int rc = 0;

	for (int i = 0; i < TRIES && !rc; i++) {
		struct dynamic_mark mark = mark_of(k, gen), after;

		filters->n = before;
		rc = filters_read(filters, &gen->table, LAYER_DYNAMIC, boot_now);
		after = mark_of(k, gen);
		if (is_same(&mark, &after))
			break;
	}
	return rc;
}

static int put_all_together(struct dynamic_rules *d, const struct kernel *k)
{
	struct filters filters = {};
	struct compile_env env;
	struct told told = {};
	int rc;

	env_now(&env);
	rc = dynamic_filters(&filters, k, d->gen, env.boot_now);
	if (!rc)
		rc = told_make(&filters, "dynamic", &env, &told);
	d->told = told.rules;
	d->untold = told.untold;
	d->n_untold = told.n_untold;
	free(filters.v);
	return rc;
}

/* The agent's word, or without it what the kernel has. */
static int ask(struct dynamic_rules *d, const struct kernel *k, bool lists, struct diag *diag)
{
	int rc = held_ask(lists, &d->told, diag);

	if (!rc || rc == -ENOMEM)
		return rc;
	diag_to_warning(
		diag, "dynamic rules are shown as the kernel has them, without their labels");
	return put_all_together(d, k);
}

bool dynamic_rules_changed(const struct dynamic_rules *d, const struct kernel *k)
{
	struct dynamic_mark mark;

	if (!d->gen)
		return k && k->ctl->dynamic && dynamic_is_held(k);
	mark = mark_of(k, d->gen);
	return !is_same(&mark, &d->mark) || !dynamic_is_held(k);
}

bool dynamic_rules_untold(const struct dynamic_rules *d, const struct rule *rule)
{
	for (size_t i = 0; i < d->rules->n && d->n_untold; i++)
		if (d->rules->rules[i] == rule)
			return d->untold[i];
	return false;
}

/* A rule on an interface: which number its filters must have, and what is found. */
struct named {
	uint32_t id, ifindex;
	bool seen, wrong;
};

struct all_named {
	struct named *v;
	size_t n;
};

static int by_named_id(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int note_named(const union filter_elem *elem, int family, void *arg)
{
	const struct all_named *all = arg;
	const struct named key = { .id = elem->e.rule };
	struct named *named;

	(void)family;
	if (elem->e.tuple >> 7 == BP_SPACE_CUT)
		return 0;
	named = bsearch(&key, all->v, all->n, sizeof(key), by_named_id);
	if (named) {
		named->seen = true;
		named->wrong |= elem->e.ifindex != named->ifindex;
	}
	return 0;
}

int dynamic_rules_behind(const struct dynamic_rules *d, bool *behind, struct diag *diag)
{
	struct all_named all = { .v = calloc(d->rules->n + 1, sizeof(*all.v)) };
	int rc = all.v ? 0 : -ENOMEM;

	*behind = false;
	for (size_t i = 0; i < d->rules->n && d->gen && !rc; i++) {
		const struct rule *rule = d->rules->rules[i];
		int ifindex = rule->ifname ? env_ifindex(rule->ifname, diag) : 0;

		rc = ifindex < 0 ? ifindex : 0;
		if (ifindex > 0)
			all.v[all.n++] = (struct named){ .id = rule->id, .ifindex = ifindex };
	}
	if (all.n)
		qsort(all.v, all.n, sizeof(*all.v), by_named_id);
	if (all.n && !rc)
		table_walk(&d->gen->table, note_named, &all);
	for (size_t i = 0; i < all.n; i++)
		*behind |= all.v[i].wrong || !all.v[i].seen;
	free(all.v);
	return rc;
}

static int open_held(struct dynamic_rules *d, const struct kernel *k, const struct policy *own,
	bool lists, struct diag *diag)
{
	int rc = 0;

	d->mark = mark_of(k, d->gen);
	if (!own)
		rc = ask(d, k, lists, diag);
	d->rules = own ? own : d->told;
	return rc ? rc : dynamic_counts(k, &d->counts, diag);
}

int dynamic_rules_read(struct dynamic_rules *d, const struct kernel *k, struct diag *diag)
{
	int rc;

	*d = (struct dynamic_rules){};
	rc = dynamic_read(k, &d->gen, diag);
	if (!rc)
		rc = put_all_together(d, k);
	d->rules = d->told;
	if (rc)
		dynamic_rules_close(d);
	return rc;
}

int dynamic_rules_open(struct dynamic_rules *d, const struct kernel *k, const struct policy *own,
	bool lists, struct diag *diag)
{
	int rc = -ENOENT;

	*d = (struct dynamic_rules){};
	if (k && k->ctl->dynamic)
		rc = dynamic_read(k, &d->gen, diag);
	if (!rc) {
		rc = open_held(d, k, own, lists, diag);
	} else if (rc == -ENOENT) {
		d->rules = d->told = policy_new("dynamic");
		rc = d->told ? 0 : -ENOMEM;
	}
	if (rc)
		dynamic_rules_close(d);
	return rc;
}

int dynamic_rules_own(struct dynamic_rules *d, const struct dynamic *holder,
	const struct policy *own, struct diag *diag)
{
	int rc;

	*d = (struct dynamic_rules){ .rules = own };
	rc = own->n ? dynamic_view(holder, &d->gen, diag) : 0;
	if (!rc && own->n)
		rc = dynamic_held_counts(holder, &d->counts);
	if (rc)
		dynamic_rules_close(d);
	return rc;
}

void dynamic_rules_close(struct dynamic_rules *d)
{
	generation_free(&d->gen);
	policy_free(&d->told);
	free(d->counts.v);
	free(d->untold);
	*d = (struct dynamic_rules){};
}
