// SPDX-License-Identifier: GPL-2.0-only
#include "inplace.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "index.h"

/* Above this a rule is compiled with the whole policy: batches are quicker than single calls. */
#define MOST_FILTERS 512

/* A filter's way to its chain in one tuple. */
struct spot {
	struct generation *gen;
	const struct filter *filter;
	struct bp_tuple *tuple;
	unsigned int number;
	union filter_key key; /* slot is the one being looked at */
	union filter_elem elem;
};

static uint16_t *slot_of(struct spot *s)
{
	return s->filter->shape.family == BP_V4 ? &s->key.v4.slot : &s->key.v6.slot;
}

static int fd_of(const struct spot *s)
{
	return s->gen->rules[s->filter->shape.family];
}

/* Reads the element at that slot into s->elem. */
static bool look(struct spot *s, uint16_t slot)
{
	const struct bp_sizes *sizes = &s->gen->tables->sizes;

	*slot_of(s) = slot;
	return present_has(sizes, s->gen->present, s->filter->shape.family, &s->key) &&
	       !bpf_map_lookup_elem(fd_of(s), &s->key, &s->elem);
}

static struct bp_tuple *tuples_of(struct generation *gen, const struct shape *s)
{
	return gen->tables->tuple[s->dir][s->family][bp_space_of(s->kind)];
}

static __u64 *named_of(struct generation *gen, const struct shape *s)
{
	return &gen->tables->named[s->dir][s->family][bp_space_of(s->kind)];
}

static __u32 *used_of(struct generation *gen, const struct shape *s, unsigned int number)
{
	return &gen->tables->used[s->dir][s->family][bp_space_of(s->kind)][number];
}

static void spot_at(
	struct generation *gen, const struct filter *f, unsigned int number, struct spot *s)
{
	*s = (struct spot){ .gen = gen, .filter = f, .number = number };
	s->tuple = &tuples_of(gen, &f->shape)[number];
	filter_key(f, s->tuple, number, &s->key);
}

/* The next tuple from `number` on in which the filter can stand; BP_TUPLES: there is none. */
static unsigned int next_spot(
	struct generation *gen, const struct filter *f, unsigned int number, struct spot *s)
{
	__u64 named = *named_of(gen, &f->shape);

	for (; number < BP_TUPLES; number++) {
		if (!(named >> number & 1) ||
			!shape_fits(&f->shape, &tuples_of(gen, &f->shape)[number]))
			continue;
		spot_at(gen, f, number, s);
		break;
	}
	return number;
}

/*
 * Where a new filter goes: the tuple made for its shape, else a new one, else the finest that it
 * fits in. A number is never named twice.
 */
static int spot_make(struct generation *gen, const struct filter *f, struct spot *s)
{
	struct bp_tuple *t = tuples_of(gen, &f->shape);
	__u64 *named = named_of(gen, &f->shape);
	int best = -1;

	for (unsigned int i = 0; i < BP_TUPLES; i++) {
		if (!(*named >> i & 1) || !shape_fits(&f->shape, &t[i]))
			continue;
		if (shape_is(&f->shape, &t[i])) {
			spot_at(gen, f, i, s);
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
	spot_at(gen, f, best, s);
	return 0;
}

struct find {
	struct generation *gen;
	enum bp_action action;
	uint32_t print;
	struct inplace_found *found;
};

/* Whether the element stands for just that filter of a rule of that text. */
static bool is_filter(const struct spot *s, uint32_t print, enum bp_action action)
{
	union filter_elem like;
	const struct filter_of_rule of = { .rule = &(struct rule){ .action = action } };

	filter_elem(s->filter, s->tuple, &of, &like);
	return s->elem.e.rule && s->elem.e.print == print && s->elem.e.action == action &&
	       s->elem.e.flags == like.e.flags && s->elem.e.rport_lo == like.e.rport_lo &&
	       s->elem.e.rport_hi == like.e.rport_hi && s->elem.e.lport_lo == like.e.lport_lo &&
	       s->elem.e.lport_hi == like.e.lport_hi &&
	       shadow_is(&s->elem, &like, filter_elem_size(s->filter->shape.family));
}

/* The first filter tells: -ENOENT ends the walk as much as 1 (found) does. */
static int find_first(const struct filter *f, void *arg)
{
	struct find *find = arg;
	struct spot s;

	for (unsigned int i = 0; (i = next_spot(find->gen, f, i, &s)) < BP_TUPLES; i++) {
		for (unsigned int slot = 0; slot < BP_CHAIN && look(&s, slot); slot++) {
			if (!is_filter(&s, find->print, find->action))
				continue;
			*find->found = (struct inplace_found){ s.elem.e.rule, s.elem.e.gate,
				s.elem.e.included };
			return 1;
		}
	}
	return -ENOENT;
}

int inplace_find(const struct generation *gen, const struct rule *rule, enum bp_action action,
	struct inplace_found *found)
{
	struct find find = { .gen = (struct generation *)gen, .action = action, .found = found };
	struct rule like = *rule;
	int rc = rule_print(rule, &find.print);

	like.action = action; /* count rules stand in other tuples */
	if (!rc)
		rc = filter_each(&like, find_first, &find);
	return rc > 0 ? 0 : rc ? rc : -ENOENT;
}

struct fit {
	const struct generation *gen;
	uint64_t need[BP_FAMILIES], n;
};

/* Whether a chain that the filter could come into might be full by then. */
static bool may_be_full(const struct fit *fit, const struct filter *f)
{
	struct generation *gen = (struct generation *)fit->gen;
	struct spot s;

	for (unsigned int i = 0; (i = next_spot(gen, f, i, &s)) < BP_TUPLES; i++)
		if (s.tuple->chain + fit->n > BP_CHAIN)
			return true;
	return false;
}

static int fit_one(const struct filter *f, void *arg)
{
	struct fit *fit = arg;

	fit->need[f->shape.family]++;
	return ++fit->n > MOST_FILTERS || may_be_full(fit, f);
}

bool inplace_fits(const struct generation *gen, const struct rule *rule)
{
	struct fit fit = { .gen = gen };

	if (filter_each(rule, fit_one, &fit))
		return false;
	for (int f = 0; f < BP_FAMILIES; f++)
		if (gen->tables->elements[f] + fit.need[f] > gen->rules_room[f])
			return false;
	return gen->tables->gates + 1 < gen->gates_room;
}

struct insertion {
	struct generation *gen;
	struct filter_of_rule of;
	bool timed;
	size_t done; /* filters inserted */
};

/*
 * What says beforehand that a lookup is in vain must say otherwise before the element is there: the
 * bits of its key and of the sets, and where the tuple's filters have all asked for something that
 * this one does not, that they no longer do.
 */
static void announce(struct spot *s)
{
	struct bp_tables *t = s->gen->tables;
	const struct shape *shape = &s->filter->shape;
	unsigned int by = index_of(s->filter);
	bool fresh = !*used_of(s->gen, shape, s->number);

	present_add(&t->sizes, s->gen->present, shape->family, &s->key);
	if (s->tuple->flags & ~shape->flags)
		__atomic_store_n(
			&s->tuple->flags, s->tuple->flags & shape->flags, __ATOMIC_SEQ_CST);
	if (is_shadow(shape))
		return;
	index_add(&t->sizes, s->gen->sets, s->filter, s->number);
	for (int i = 0; i < BP_INDICES; i++) {
		__u64 *indexed = &t->indexed[shape->dir][shape->family][i];

		if (!(by >> i & 1))
			__atomic_fetch_and(indexed, ~(1ULL << s->number), __ATOMIC_SEQ_CST);
		else if (fresh)
			__atomic_fetch_or(indexed, 1ULL << s->number, __ATOMIC_SEQ_CST);
	}
}

static int put(struct spot *s, const union filter_elem *elem)
{
	struct bp_tables *t = s->gen->tables;
	const struct shape *shape = &s->filter->shape;
	bool fresh = !look(s, *slot_of(s));

	/* A packet must find bound and chain wide enough before it can find the element. */
	if (elem->e.rank > s->tuple->bound)
		__atomic_store_n(&s->tuple->bound, elem->e.rank, __ATOMIC_SEQ_CST);
	if (*slot_of(s) + 1U > s->tuple->chain)
		__atomic_store_n(&s->tuple->chain, *slot_of(s) + 1U, __ATOMIC_SEQ_CST);
	announce(s);
	if (bpf_map_update_elem(fd_of(s), &s->key, elem, BPF_ANY))
		return -errno;
	if (fresh) {
		t->elements[shape->family]++;
		++*used_of(s->gen, shape, s->number);
	}
	__atomic_fetch_or(&t->live[shape->dir][shape->family][shape->kind], 1ULL << s->number,
		__ATOMIC_SEQ_CST);
	return 0;
}

/* Whether the shadow in s->elem can stand for one more filter. Its count is read by nobody else. */
static bool shadow_shares(
	const struct insertion *in, const struct spot *s, const union filter_elem *elem)
{
	return is_shadow(&s->filter->shape) && !in->timed && !s->elem.e.gate && s->elem.e.rule &&
	       s->elem.e.ifindex == in->of.ifindex &&
	       shadow_is(&s->elem, elem, filter_elem_size(s->filter->shape.family));
}

static int insert_one(const struct filter *f, void *arg)
{
	struct insertion *in = arg;
	union filter_elem elem;
	struct spot s;
	int rc = spot_make(in->gen, f, &s);

	if (rc)
		return rc;
	filter_elem(f, s.tuple, &in->of, &elem);
	if (is_shadow(&f->shape))
		shadow_begin(&elem, in->timed);
	for (unsigned int slot = 0; slot < BP_CHAIN; slot++) {
		bool there = look(&s, slot);

		if (there && shadow_shares(in, &s, &elem)) {
			elem = s.elem;
			elem.e.print++;
		} else if (there && s.elem.e.rule) {
			continue;
		}
		rc = put(&s, &elem);
		in->done += !rc;
		return rc;
	}
	return -ENOSPC;
}

struct deletion {
	struct generation *gen;
	const struct rule *rule;
	uint32_t ifindex;
	bool timed;
	size_t left; /* filters still to be taken out */
};

/* Takes the element at the slot out of its chain, which must not get a hole. */
static int unchain(struct spot *s, uint16_t slot)
{
	struct bp_tables *t = s->gen->tables;
	const struct shape *shape = &s->filter->shape;
	const union filter_elem dead = { .e = { .check = 1 } };
	int rc = 0;

	if (look(s, slot + 1)) {
		*slot_of(s) = slot;
		return bpf_map_update_elem(fd_of(s), &s->key, &dead, BPF_EXIST) ? -errno : 0;
	}
	do {
		*slot_of(s) = slot;
		rc = bpf_map_delete_elem(fd_of(s), &s->key) ? -errno : 0;
		t->elements[shape->family] -= !rc;
		*used_of(s->gen, shape, s->number) -= !rc;
	} while (!rc && slot && look(s, --slot) && !s->elem.e.rule);
	if (!*used_of(s->gen, shape, s->number))
		__atomic_fetch_and(&t->live[shape->dir][shape->family][shape->kind],
			~(1ULL << s->number), __ATOMIC_SEQ_CST);
	return rc;
}

static int release_shadow(struct spot *s, uint16_t slot)
{
	if (s->elem.e.print <= 1)
		return unchain(s, slot);
	s->elem.e.print--;
	return bpf_map_update_elem(fd_of(s), &s->key, &s->elem, BPF_EXIST) ? -errno : 0;
}

/* Whether the element in s->elem is the filter's, of the rule that is to go. */
static bool is_ours(const struct deletion *d, const struct spot *s)
{
	union filter_elem like;

	if (!s->elem.e.rule)
		return false;
	filter_elem(s->filter, s->tuple, &(struct filter_of_rule){ .rule = d->rule }, &like);
	if (!shadow_is(&s->elem, &like, filter_elem_size(s->filter->shape.family)))
		return false;
	if (is_shadow(&s->filter->shape) && !d->timed)
		return !s->elem.e.gate && s->elem.e.ifindex == d->ifindex;
	return s->elem.e.rule == d->rule->id && s->elem.e.rank == s->filter->rank;
}

static int delete_at(struct deletion *d, struct spot *s, unsigned int slot)
{
	bool shadow = is_shadow(&s->filter->shape);

	if (s->elem.e.gate && !shadow)
		__atomic_store_n(&d->gen->gates[s->elem.e.gate], BP_GATE_SHUT, __ATOMIC_SEQ_CST);
	return shadow && !d->timed ? release_shadow(s, slot) : unchain(s, slot);
}

static int delete_one(const struct filter *f, void *arg)
{
	struct deletion *d = arg;
	struct spot s;

	if (!d->left)
		return 1;
	d->left--;
	for (unsigned int i = 0; (i = next_spot(d->gen, f, i, &s)) < BP_TUPLES; i++)
		for (unsigned int slot = 0; slot < BP_CHAIN && look(&s, slot); slot++)
			if (is_ours(d, &s))
				return delete_at(d, &s, slot);
	return 0;
}

int inplace_insert(struct generation *gen, const struct rule *rule, const struct compile_env *env,
	uint32_t *gate)
{
	struct insertion in = {
		.gen = gen,
		.of = { .rule = rule, .ifindex = compile_ifindex(rule, env) },
		.timed = rule->deadline,
	};
	bool gated;
	int rc = rule_needs_gate(rule, &gated);

	if (!rc)
		rc = rule_print(rule, &in.of.print);
	if (rc)
		return rc;
	if (gated) {
		in.of.gate = ++gen->tables->gates;
		gen->gates[in.of.gate] = BP_GATE_SHUT;
	}
	rc = filter_each(rule, insert_one, &in);
	if (rc) {
		struct deletion d = { .gen = gen,
			.rule = rule,
			.ifindex = in.of.ifindex,
			.timed = in.timed,
			.left = in.done };

		filter_each(rule, delete_one, &d);
		return rc;
	}
	*gate = in.of.gate;
	return 0;
}

int inplace_delete(struct generation *gen, const struct rule *rule, const struct compile_env *env)
{
	struct deletion d = {
		.gen = gen,
		.rule = rule,
		.ifindex = compile_ifindex(rule, env),
		.timed = rule->deadline,
		.left = SIZE_MAX,
	};
	int rc = filter_each(rule, delete_one, &d);

	return rc < 0 ? rc : 0;
}
