// SPDX-License-Identifier: GPL-2.0-only
#include "inplace.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

/* Above this a rule is compiled with the whole policy: batches are quicker than single calls. */
#define MOST_FILTERS 512

/* A filter's way to its chain. */
struct spot {
	struct generation *gen;
	const struct filter *filter;
	struct bp_tuple *tuple;
	unsigned int number;
	union filter_key key; /* slot is the one being looked at */
	struct bp_elem elem;
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
	*slot_of(s) = slot;
	return !bpf_map_lookup_elem(fd_of(s), &s->key, &s->elem);
}

/* The filter's tuple; -ENOENT: none has its shape. */
static int spot_find(struct generation *gen, const struct filter *f, struct spot *s)
{
	struct bp_tables *t = gen->tables;
	uint64_t named = t->named[f->shape.dir][f->shape.family];

	*s = (struct spot){ .gen = gen, .filter = f };
	for (; s->number < BP_TUPLES; s->number++) {
		s->tuple = &t->tuple[f->shape.dir][f->shape.family][s->number];
		if (named >> s->number & 1 && shape_is(&f->shape, s->tuple)) {
			filter_key(f, s->number, &s->key);
			return 0;
		}
	}
	return -ENOENT;
}

/* As spot_find(), naming a tuple for a new shape. A number is never named twice. */
static int spot_make(struct generation *gen, const struct filter *f, struct spot *s)
{
	__u64 *named = &gen->tables->named[f->shape.dir][f->shape.family];
	int rc = spot_find(gen, f, s);

	if (!rc)
		return 0;
	for (s->number = 0; s->number < BP_TUPLES && *named >> s->number & 1; s->number++)
		;
	if (s->number == BP_TUPLES)
		return -ENOSPC;
	s->tuple = &gen->tables->tuple[f->shape.dir][f->shape.family][s->number];
	shape_tuple(&f->shape, s->tuple);
	*named |= 1ULL << s->number;
	filter_key(f, s->number, &s->key);
	return 0;
}

struct find {
	struct generation *gen;
	enum bp_action action;
	uint64_t print;
	struct inplace_found *found;
};

/* The first filter tells: -ENOENT ends the walk as much as 1 (found) does. */
static int find_first(const struct filter *f, void *arg)
{
	struct find *find = arg;
	struct spot s;

	if (spot_find(find->gen, f, &s))
		return -ENOENT;
	for (unsigned int slot = 0; slot < BP_CHAIN && look(&s, slot); slot++) {
		if (s.elem.rule && s.elem.print == find->print && s.elem.action == find->action) {
			*find->found = (struct inplace_found){ s.elem.rule, s.elem.gate };
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

static int fit_one(const struct filter *f, void *arg)
{
	struct fit *fit = arg;

	fit->need[f->shape.family]++;
	return ++fit->n > MOST_FILTERS;
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
	const struct rule *rule;
	uint64_t print;
	uint32_t ifindex, gate;
	bool timed;
	size_t done; /* filters inserted */
};

static int put(struct spot *s, const struct bp_elem *elem)
{
	struct bp_tables *t = s->gen->tables;
	const struct shape *shape = &s->filter->shape;
	bool fresh = !look(s, *slot_of(s));

	/* A packet must find bound and chain wide enough before it can find the element. */
	if (elem->rank > s->tuple->bound)
		__atomic_store_n(&s->tuple->bound, elem->rank, __ATOMIC_SEQ_CST);
	if (*slot_of(s) + 1U > s->tuple->chain)
		__atomic_store_n(&s->tuple->chain, *slot_of(s) + 1U, __ATOMIC_SEQ_CST);
	if (bpf_map_update_elem(fd_of(s), &s->key, elem, BPF_ANY))
		return -errno;
	if (fresh) {
		t->elements[shape->family]++;
		t->used[shape->dir][shape->family][s->number]++;
	}
	__atomic_fetch_or(&t->live[shape->dir][shape->family][shape->kind], 1ULL << s->number,
		__ATOMIC_SEQ_CST);
	return 0;
}

/* Whether the shadow in s->elem can stand for one more filter. Its count is read by nobody else. */
static bool shadow_shares(const struct insertion *in, const struct spot *s)
{
	return is_shadow(&s->filter->shape) && !in->timed && !s->elem.gate && s->elem.rule &&
	       s->elem.ifindex == in->ifindex;
}

static int insert_one(const struct filter *f, void *arg)
{
	struct insertion *in = arg;
	struct bp_elem elem;
	struct spot s;
	int rc = spot_make(in->gen, f, &s);

	if (rc)
		return rc;
	filter_elem(f, in->rule, in->print, in->ifindex, in->gate, &elem);
	if (is_shadow(&f->shape)) {
		elem.gate = in->timed ? in->gate : 0;
		elem.print = 1;
	}
	for (unsigned int slot = 0; slot < BP_CHAIN; slot++) {
		bool there = look(&s, slot);

		if (there && shadow_shares(in, &s)) {
			elem = s.elem;
			elem.print++;
		} else if (there && s.elem.rule) {
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
	uint32_t id, ifindex;
	bool timed;
	size_t left; /* filters still to be taken out */
};

/* Takes the element at the slot out of its chain, which must not get a hole. */
static int unchain(struct spot *s, uint16_t slot)
{
	struct bp_tables *t = s->gen->tables;
	const struct shape *shape = &s->filter->shape;
	const struct bp_elem dead = {};
	int rc = 0;

	if (look(s, slot + 1)) {
		*slot_of(s) = slot;
		return bpf_map_update_elem(fd_of(s), &s->key, &dead, BPF_EXIST) ? -errno : 0;
	}
	do {
		*slot_of(s) = slot;
		rc = bpf_map_delete_elem(fd_of(s), &s->key) ? -errno : 0;
		t->elements[shape->family] -= !rc;
		t->used[shape->dir][shape->family][s->number] -= !rc;
	} while (!rc && slot && look(s, --slot) && !s->elem.rule);
	if (!t->used[shape->dir][shape->family][s->number])
		__atomic_fetch_and(&t->live[shape->dir][shape->family][shape->kind],
			~(1ULL << s->number), __ATOMIC_SEQ_CST);
	return rc;
}

static int release_shadow(struct spot *s, uint16_t slot)
{
	if (s->elem.print <= 1)
		return unchain(s, slot);
	s->elem.print--;
	return bpf_map_update_elem(fd_of(s), &s->key, &s->elem, BPF_EXIST) ? -errno : 0;
}

static bool is_ours(const struct deletion *d, const struct spot *s)
{
	if (is_shadow(&s->filter->shape) && !d->timed)
		return s->elem.rule && !s->elem.gate && s->elem.ifindex == d->ifindex;
	return s->elem.rule == d->id;
}

static int delete_one(const struct filter *f, void *arg)
{
	struct deletion *d = arg;
	struct spot s;

	if (!d->left)
		return 1;
	d->left--;
	if (spot_find(d->gen, f, &s))
		return 0;
	for (unsigned int slot = 0; slot < BP_CHAIN && look(&s, slot); slot++) {
		if (!is_ours(d, &s))
			continue;
		if (s.elem.gate && !is_shadow(&f->shape))
			__atomic_store_n(
				&d->gen->gates[s.elem.gate], BP_GATE_SHUT, __ATOMIC_SEQ_CST);
		return is_shadow(&f->shape) && !d->timed ? release_shadow(&s, slot)
							 : unchain(&s, slot);
	}
	return 0;
}

int inplace_insert(struct generation *gen, const struct rule *rule, const struct compile_env *env,
	uint32_t *gate)
{
	struct insertion in = {
		.gen = gen,
		.rule = rule,
		.ifindex = compile_ifindex(rule, env),
		.timed = rule->deadline,
	};
	bool gated;
	int rc = rule_needs_gate(rule, &gated);

	if (!rc)
		rc = rule_print(rule, &in.print);
	if (rc)
		return rc;
	if (gated) {
		in.gate = ++gen->tables->gates;
		gen->gates[in.gate] = BP_GATE_SHUT;
	}
	rc = filter_each(rule, insert_one, &in);
	if (rc) {
		struct deletion d = { .gen = gen,
			.id = rule->id,
			.ifindex = in.ifindex,
			.timed = in.timed,
			.left = in.done };

		filter_each(rule, delete_one, &d);
		return rc;
	}
	*gate = in.gate;
	return 0;
}

int inplace_delete(struct generation *gen, const struct rule *rule, const struct compile_env *env)
{
	struct deletion d = {
		.gen = gen,
		.id = rule->id,
		.ifindex = compile_ifindex(rule, env),
		.timed = rule->deadline,
		.left = SIZE_MAX,
	};
	int rc = filter_each(rule, delete_one, &d);

	return rc < 0 ? rc : 0;
}
