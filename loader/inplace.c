// SPDX-License-Identifier: GPL-2.0-only
#include "inplace.h"

#include <errno.h>
#include <string.h>

#include "index.h"

/* Above this a rule is compiled with the whole policy. */
#define MOST_FILTERS 512

/* A filter's place in one tuple. */
struct spot {
	struct table *table;
	const struct filter *filter;
	struct bp_tuple *tuple;
	unsigned int number;
	struct filter_key key;
};

static struct bp_tuple *tuples_of(struct table *table, const struct shape *s)
{
	return table->tables->tuple[s->dir][s->family][bp_space_of(s->kind)];
}

static __u64 *named_of(struct table *table, const struct shape *s)
{
	return &table->tables->named[s->dir][s->family][bp_space_of(s->kind)];
}

static __u32 *used_of(const struct spot *s)
{
	const struct shape *shape = &s->filter->shape;
	enum bp_space space = bp_space_of(shape->kind);

	return &s->table->tables->used[shape->dir][shape->family][space][s->number];
}

static void spot_at(
	struct table *table, const struct filter *f, unsigned int number, struct spot *s)
{
	*s = (struct spot){ .table = table, .filter = f, .number = number };
	s->tuple = &tuples_of(table, &f->shape)[number];
	filter_key(f, s->tuple, number, &s->key);
}

/* The next tuple from `number` on in which the filter can stand; BP_TUPLES: there is none. */
static unsigned int next_spot(
	struct table *table, const struct filter *f, unsigned int number, struct spot *s)
{
	const struct bp_tuple *t = tuples_of(table, &f->shape);
	__u64 named = *named_of(table, &f->shape);

	while (number < BP_TUPLES && !(named >> number & 1 && shape_fits(&f->shape, &t[number])))
		number++;
	if (number < BP_TUPLES)
		spot_at(table, f, number, s);
	return number;
}

/*
 * Where a new filter goes: the tuple made for its shape, else a new one, else the finest that it
 * fits in. A number is never named twice.
 */
static int spot_make(struct table *table, const struct filter *f, struct spot *s)
{
	struct bp_tuple *t = tuples_of(table, &f->shape);
	__u64 *named = named_of(table, &f->shape);
	int best = -1;

	for (unsigned int i = 0; i < BP_TUPLES; i++) {
		if (!(*named >> i & 1) || !shape_fits(&f->shape, &t[i]))
			continue;
		if (shape_is(&f->shape, &t[i])) {
			spot_at(table, f, i, s);
			return 0;
		}
		if (best < 0 || t[i].rlen + t[i].llen > t[best].rlen + t[best].llen)
			best = i;
	}
	if (~*named) {
		best = __builtin_ctzll(~*named);
		shape_tuple(&f->shape, &t[best]);
		*named |= 1ULL << best;
	}
	if (best < 0)
		return -ENOSPC;
	spot_at(table, f, best, s);
	return 0;
}

/* The element that comes after in its chain, or first; *at: its number, 0 before the first. */
static union filter_elem *next_elem(const struct spot *s, uint32_t *at)
{
	int family = s->filter->shape.family;

	*at = table_next(s->table, family, &s->key, *at);
	return *at ? table_elem(s->table, family, *at) : NULL;
}

struct find {
	struct table *table;
	enum bp_action action;
	uint32_t print;
	struct inplace_found *found;
};

/* Whether the element stands for just that filter of a rule of that text. */
static bool is_filter(const struct find *find, const struct spot *s, const union filter_elem *elem)
{
	const struct filter_of_rule of = { .rule = &(struct rule){ .action = find->action } };
	union filter_elem like;

	filter_elem(s->filter, s->tuple, s->number, &of, &like);
	return elem->e.print == find->print && elem->e.action == find->action &&
	       elem_is(elem, &like, s->filter->shape.family);
}

/* The first filter tells: -ENOENT ends the walk as much as 1 (found) does. */
static int find_first(const struct filter *f, void *arg)
{
	struct find *find = arg;
	union filter_elem *elem;
	struct spot s;

	for (unsigned int i = 0; (i = next_spot(find->table, f, i, &s)) < BP_TUPLES; i++) {
		for (uint32_t at = 0; (elem = next_elem(&s, &at));) {
			if (!is_filter(find, &s, elem))
				continue;
			*find->found = (struct inplace_found){ elem->e.rule, elem->e.gate,
				elem->e.included };
			return 1;
		}
	}
	return -ENOENT;
}

int inplace_find(const struct generation *gen, const struct rule *rule, enum bp_action action,
	struct inplace_found *found)
{
	struct find find = {
		.table = (struct table *)&gen->table, .action = action, .found = found
	};
	struct rule like = *rule;
	int rc = rule_print(rule, &find.print);

	like.action = action; /* count rules stand in other tuples */
	if (!rc)
		rc = filter_each(&like, find_first, &find);
	if (table_is_lost(&gen->table))
		return -ENOMEM;
	return rc > 0 ? 0 : rc ? rc : -ENOENT;
}

struct fit {
	struct table *table;
	uint64_t need[BP_FAMILIES], n;
};

/* Whether the chain that the filter comes into might be too long by then. */
static bool may_be_full(const struct fit *fit, const struct filter *f)
{
	uint64_t n = fit->n;
	struct spot s;

	for (unsigned int i = 0; (i = next_spot(fit->table, f, i, &s)) < BP_TUPLES; i++)
		for (uint32_t at = 0; next_elem(&s, &at);)
			n++;
	return n > BP_CHAIN;
}

static int fit_one(const struct filter *f, void *arg)
{
	struct fit *fit = arg;

	fit->need[f->shape.family]++;
	return ++fit->n > MOST_FILTERS || may_be_full(fit, f);
}

bool inplace_fits(const struct generation *gen, const struct rule *rule)
{
	struct fit fit = { .table = (struct table *)&gen->table };
	const struct bp_tables *t = gen->table.tables;

	if (filter_each(rule, fit_one, &fit) || table_is_lost(&gen->table))
		return false;
	for (int f = 0; f < BP_FAMILIES; f++)
		if (t->given[f] + fit.need[f] + 1 >= t->sizes.elems[f])
			return false;
	return t->gates + 1 < t->sizes.gates;
}

struct insertion {
	struct table *table;
	struct filter_of_rule of;
	bool timed;
	size_t done; /* filters inserted */
};

/*
 * Before a packet can find the element it must find the bound high enough; and where the tuple's
 * filters have all asked for something that this one does not, that they no longer do.
 */
static void widen_tuple(struct spot *s)
{
	struct bp_tables *t = s->table->tables;
	const struct shape *shape = &s->filter->shape;
	unsigned int by = index_of(&t->sizes, s->filter);
	bool fresh = !*used_of(s);

	if (s->filter->rank > s->tuple->bound) {
		if (!is_shadow(shape))
			__atomic_fetch_and(&t->sorted[shape->dir][shape->family],
				~(1ULL << s->number), __ATOMIC_SEQ_CST);
		__atomic_store_n(&s->tuple->bound, s->filter->rank, __ATOMIC_SEQ_CST);
	}
	if (s->tuple->flags & ~shape->flags)
		__atomic_store_n(
			&s->tuple->flags, s->tuple->flags & shape->flags, __ATOMIC_SEQ_CST);
	for (int i = 0; i < BP_INDICES && !is_shadow(shape); i++) {
		__u64 *indexed = &t->indexed[shape->dir][shape->family][i];

		if (!(by >> i & 1))
			__atomic_fetch_and(indexed, ~(1ULL << s->number), __ATOMIC_SEQ_CST);
		else if (fresh)
			__atomic_fetch_or(indexed, 1ULL << s->number, __ATOMIC_SEQ_CST);
		if (fresh)
			t->asked[shape->dir][shape->family] |= 1ULL << s->number;
	}
}

/* Whether the shadow can stand for one more filter. Its count is read by nobody else. */
static bool shadow_shares(const struct insertion *in, const struct spot *s,
	const union filter_elem *is, const union filter_elem *like)
{
	return is_shadow(&s->filter->shape) && !in->timed && !is->e.gate &&
	       is->e.ifindex == in->of.ifindex && elem_is(is, like, s->filter->shape.family);
}

static int insert_one(const struct filter *f, void *arg)
{
	struct insertion *in = arg;
	union filter_elem elem, *is;
	struct spot s;
	int rc = spot_make(in->table, f, &s);

	if (rc)
		return rc;
	filter_elem(f, s.tuple, s.number, &in->of, &elem);
	if (is_shadow(&f->shape))
		shadow_begin(&elem);
	for (uint32_t at = 0; (is = next_elem(&s, &at));) {
		if (!shadow_shares(in, &s, is, &elem))
			continue;
		is->e.print++;
		in->done++;
		return 0;
	}
	widen_tuple(&s);
	rc = table_insert(in->table, f, &s.key, &elem, false);
	if (rc)
		return rc;
	++*used_of(&s);
	in->done++;
	__atomic_fetch_or(&in->table->tables->live[f->shape.dir][f->shape.family][f->shape.kind],
		1ULL << s.number, __ATOMIC_SEQ_CST);
	return 0;
}

struct deletion {
	struct table *table;
	const struct rule *rule;
	uint32_t ifindex;
	bool timed;
	size_t left; /* filters still to be taken out */
};

/* Whether the element is the filter's, of the rule that is to go. */
static bool is_ours(const struct deletion *d, const struct spot *s, const union filter_elem *elem)
{
	union filter_elem like;

	filter_elem(
		s->filter, s->tuple, s->number, &(struct filter_of_rule){ .rule = d->rule }, &like);
	if (!elem->e.rule || !elem_is(elem, &like, s->filter->shape.family))
		return false;
	if (is_shadow(&s->filter->shape) && !d->timed)
		return !elem->e.gate && elem->e.ifindex == d->ifindex;
	return elem->e.rule == d->rule->id;
}

static int delete_elem(struct deletion *d, struct spot *s, uint32_t at, union filter_elem *elem)
{
	const struct shape *shape = &s->filter->shape;
	bool shadow = is_shadow(shape);
	int rc;

	if (shadow && !d->timed && elem->e.print > 1) {
		elem->e.print--;
		return 0;
	}
	rc = table_remove(d->table, shape->family, &s->key, at);
	if (rc)
		return rc;
	if (!--*used_of(s))
		__atomic_fetch_and(&d->table->tables->live[shape->dir][shape->family][shape->kind],
			~(1ULL << s->number), __ATOMIC_SEQ_CST);
	return 0;
}

static int delete_one(const struct filter *f, void *arg)
{
	struct deletion *d = arg;
	union filter_elem *elem;
	struct spot s;

	if (!d->left)
		return 1;
	d->left--;
	for (unsigned int i = 0; (i = next_spot(d->table, f, i, &s)) < BP_TUPLES; i++)
		for (uint32_t at = 0; (elem = next_elem(&s, &at));)
			if (is_ours(d, &s, elem))
				return delete_elem(d, &s, at, elem);
	return table_is_lost(d->table) ? -ENOMEM : 0;
}

/* From now on the rule's elements do not match, or with 0 all do. */
static void withhold(struct generation *gen, uint32_t rule)
{
	__atomic_store_n(&gen->table.tables->withheld, rule, __ATOMIC_SEQ_CST);
}

int inplace_insert(struct generation *gen, const struct rule *rule, const struct compile_env *env)
{
	struct insertion in = {
		.table = &gen->table,
		.of = { .rule = rule },
		.timed = rule_is_timed(rule),
	};
	struct bp_tables *t = gen->table.tables;
	uint64_t *gate;
	int rc = compile_ifindex(rule, env, &in.of.ifindex);

	if (!rc)
		rc = rule_print(rule, &in.of.print);
	if (rc)
		return rc;
	if (in.timed) {
		in.of.gate = ++t->gates;
		gate = table_gate(&gen->table, in.of.gate);
		if (table_is_lost(&gen->table))
			return -ENOMEM;
		*gate = compile_gate(rule, env);
	}
	withhold(gen, rule->id);
	rc = filter_each(rule, insert_one, &in);
	if (rc) {
		struct deletion d = { .table = &gen->table,
			.rule = rule,
			.ifindex = in.of.ifindex,
			.timed = in.timed,
			.left = in.done };

		return filter_each(rule, delete_one, &d) < 0 ? -ENOMEM : rc;
	}
	withhold(gen, 0);
	return 0;
}

/* It stays withheld: a packet that stands on one of its elements still sees that. */
int inplace_delete(struct generation *gen, const struct rule *rule, const struct compile_env *env)
{
	struct deletion d = {
		.table = &gen->table,
		.rule = rule,
		.timed = rule_is_timed(rule),
		.left = SIZE_MAX,
	};
	int rc = compile_ifindex(rule, env, &d.ifindex);

	if (rc)
		return rc;
	withhold(gen, rule->id);
	rc = filter_each(rule, delete_one, &d);
	return rc < 0 ? rc : 0;
}
