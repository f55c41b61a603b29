/* SPDX-License-Identifier: GPL-2.0-only */
#include "gen_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The pools are small on purpose: rules are to meet. Addresses lie at bit edges of each other. */
static const uint8_t pool4[][4] = {
	{ 10, 1, 2, 3 },
	{ 10, 1, 2, 2 },
	{ 10, 1, 3, 255 },
	{ 10, 129, 2, 3 },
	{ 192, 0, 2, 77 },
	{ 192, 0, 2, 128 },
	{ 192, 0, 3, 0 },
	{ 203, 0, 113, 255 },
	{ 198, 51, 100, 127 },
};

static const uint8_t pool6[][16] = {
	{ 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3 },
	{ 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2 },
	{ 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 0x80, 0, 0, 0, 0, 0, 0, 0 },
	{ 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	{ 0x20, 0x01, 0x0d, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 },
	{ 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9 },
};

static const uint8_t lengths4[] = { 0, 1, 8, 15, 16, 23, 24, 25, 30, 31, 32, 32, 32 };
static const uint8_t lengths6[] = { 0, 3, 32, 33, 48, 63, 64, 65, 127, 128, 128, 128 };

/* SplitMix64 (Steele, Lea, Flood 2014): good from any seed, 0 too. */
uint64_t gen_u64(struct gen *g)
{
	uint64_t z = g->seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

unsigned int gen_below(struct gen *g, unsigned int n)
{
	return (gen_u64(g) >> 32) % n;
}

bool gen_chance(struct gen *g, unsigned int percent)
{
	return gen_below(g, 100) < percent;
}

void *gen_must(void *p)
{
	if (!p)
		abort();
	return p;
}

void gen_clear_host(struct prefix *prefix)
{
	unsigned int bit;

	for (bit = prefix->len; bit < 8 * sizeof(prefix->bytes); bit++)
		prefix->bytes[bit / 8] &= ~(0x80 >> bit % 8);
}

void gen_address(struct gen *g, int family, bool local, uint8_t address[16])
{
	unsigned int percent = local ? 60 : 10;

	memset(address, 0, 16);
	if (family == 4) {
		if (g->n_local4 && gen_chance(g, percent))
			memcpy(address, g->local4[gen_below(g, g->n_local4)], 4);
		else
			memcpy(address, PICK(g, pool4), 4);
	} else {
		if (g->n_local6 && gen_chance(g, percent))
			memcpy(address, g->local6[gen_below(g, g->n_local6)], 16);
		else
			memcpy(address, PICK(g, pool6), 16);
	}
}

static void some_prefix(struct gen *g, int family, bool local, struct prefix *prefix)
{
	prefix->family = family;
	gen_address(g, family, local, prefix->bytes);
	prefix->len = family == 4 ? PICK(g, lengths4) : PICK(g, lengths6);
	gen_clear_host(prefix);
}

/* Holds at least one prefix of the family; a few of the other are in it too. */
static void some_list(struct gen *g, int family, bool local, struct end *end)
{
	size_t i, n = 1 + gen_below(g, 6);

	end->kind = END_FILE;
	end->file = gen_must(strdup("list"));
	end->list.v = gen_must(calloc(n, sizeof(*end->list.v)));
	end->list.n = n;
	for (i = 0; i < n; i++) {
		int other = i && gen_chance(g, 20) ? 10 - family : family;

		some_prefix(g, other, local, &end->list.v[i]);
	}
	prefixes_sort(&end->list);
}

static int range_order(const void *left, const void *right)
{
	const struct port_range *a = left, *b = right;

	return a->lo != b->lo ? a->lo - b->lo : a->hi - b->hi;
}

void gen_sort_ports(struct ports *ports)
{
	struct port_range *v = ports->v;
	size_t i, kept = 0;

	if (!ports->n)
		return;
	qsort(v, ports->n, sizeof(*v), range_order);
	for (i = 1; i < ports->n; i++) {
		if (range_order(&v[kept], &v[i]))
			v[++kept] = v[i];
	}
	ports->n = kept + 1;
}

/* One port, a range, or a list of both; ranges nest, overlap and share edges. */
static void some_ports(struct gen *g, struct ports *ports)
{
	size_t i, n = gen_chance(g, 70) ? 1 : 2 + gen_below(g, 3);

	ports->v = gen_must(calloc(n, sizeof(*ports->v)));
	ports->n = n;
	for (i = 0; i < n; i++) {
		uint16_t a = PICK(g, port_pool), b = gen_chance(g, 50) ? a : PICK(g, port_pool);

		ports->v[i] = (struct port_range){ a < b ? a : b, a < b ? b : a };
	}
	gen_sort_ports(ports);
}

static void some_proto(struct gen *g, struct rule *rule)
{
	unsigned int draw = gen_below(g, 100);

	if (draw < 35)
		rule->proto = PROTO_ANY;
	else if (draw < 75)
		rule->proto = PICK(g, port_protos);
	else
		rule->proto = PICK(g, other_protos);
	if (!proto_has_type(rule->proto) || gen_chance(g, 30))
		return;
	rule->type = PICK(g, type_pool);
	if (gen_chance(g, 40))
		rule->code = PICK(g, code_pool);
}

int gen_proto_family(int proto)
{
	switch (proto) {
	case IPPROTO_ICMP:
	case IPPROTO_AH:
	case PROTO_MOBILITY:
	case PROTO_HIP:
	case PROTO_SHIM6:
		return 4;
	case IPPROTO_ICMPV6:
		return 6;
	default:
		return 0;
	}
}

static void some_end(struct gen *g, int family, bool local, struct end *end)
{
	if (local && gen_chance(g, 25))
		end->kind = END_ME;
	else if (gen_chance(g, local ? 70 : 35))
		end->kind = END_ANY;
	else if (!g->without.lists && gen_chance(g, 25))
		some_list(g, family, local, end);
	else {
		end->kind = END_PREFIX;
		some_prefix(g, family, local, &end->prefix);
	}
}

static enum rule_layer some_layer(struct gen *g)
{
	if (g->without.dynamic)
		return LAYER_STATIC;
	if (gen_chance(g, 30))
		return LAYER_DYNAMIC;
	return gen_chance(g, 15) ? LAYER_DOMAIN : LAYER_STATIC;
}

void gen_words(struct gen *g, struct rule *rule)
{
	unsigned int draw = gen_below(g, 100);

	rule->action = draw < 45 ? BP_BLOCK : draw < 85 ? BP_PERMIT : BP_COUNT;
	rule->emergency = gen_chance(g, 8);
	rule->layer = some_layer(g);
	if (g->now && gen_chance(g, 10)) {
		rule->deadline = g->now + 1000 * gen_below(g, 3);
		rule->deadline -= gen_chance(g, 50);
	}
	if (g->n_ifnames && gen_chance(g, 20))
		rule->ifname = gen_must(strdup(g->ifnames[gen_below(g, g->n_ifnames)]));
}

/* Any address, or of one family: equal in rank, though not in what they match. */
static void any_end(struct gen *g, int family, struct end *end)
{
	end->kind = END_ANY;
	if (gen_chance(g, 70))
		return;
	end->kind = END_PREFIX;
	end->prefix.family = family;
}

static bool takes_ports(const struct rule *rule)
{
	return rule->proto == PROTO_ANY || proto_has_ports(rule->proto);
}

static struct rule *some_rule(struct gen *g)
{
	static const enum rule_dir dirs[] = { DIR_IN, DIR_IN, DIR_OUT, DIR_OUT, DIR_INOUT };
	struct end *remote, *local;
	struct rule *rule;
	int family;

	if (rule_new(&rule))
		abort();
	rule->dir = PICK(g, dirs);
	gen_words(g, rule);
	remote = rule->dir == DIR_OUT ? &rule->to : &rule->from;
	local = rule->dir == DIR_OUT ? &rule->from : &rule->to;
	family = gen_chance(g, 50) ? 4 : 6;
	if (gen_chance(g, 8)) {
		any_end(g, family, remote);
		any_end(g, family, local);
		return rule;
	}
	some_proto(g, rule);
	if (gen_proto_family(rule->proto))
		family = gen_proto_family(rule->proto);
	some_end(g, family, false, remote);
	some_end(g, family, true, local);
	if (takes_ports(rule) && gen_chance(g, 50))
		some_ports(g, &local->ports);
	if (takes_ports(rule) && gen_chance(g, 25))
		some_ports(g, &remote->ports);
	return rule;
}

/* Count rules need tuples of their own, so what is to need none remains one, or none. */
static struct rule *next_rule(struct gen *g, const struct policy *p, bool free)
{
	unsigned int draw = gen_below(g, 100);
	const struct rule *old;
	struct rule *rule;

	if (!p->n || (free && draw < 60))
		return some_rule(g);
	old = p->rules[gen_below(g, p->n)];
	if (draw >= 80)
		rule = gen_copy(g, old);
	else
		rule = free ? gen_beside(g, old) : gen_sibling(g, old);
	if (!free && (rule->action == BP_COUNT) != (old->action == BP_COUNT))
		rule->action = old->action;
	return rule;
}

static void name_list(const struct rule *rule, struct end *end, char which)
{
	if (end->kind != END_FILE)
		return;
	free(end->file);
	if (asprintf(&end->file, "%c%u", which, rule->id) < 0)
		abort();
}

/* 1..n in no order: the lower id is to win wherever it stands. */
static void number(struct gen *g, struct policy *p)
{
	size_t i;

	for (i = 0; i < p->n; i++) {
		size_t at = g->without.disorder ? i : gen_below(g, i + 1);

		p->rules[i]->id = p->rules[at]->id;
		p->rules[at]->id = i + 1;
	}
	for (i = 0; i < p->n; i++) {
		name_list(p->rules[i], &p->rules[i]->from, 'f');
		name_list(p->rules[i], &p->rules[i]->to, 't');
	}
}

void gen_policy(struct gen *g, struct policy **policy, unsigned int n, unsigned int models)
{
	struct policy *p = gen_must(policy_new("random"));

	while (p->n < n) {
		struct rule *rule = next_rule(g, p, p->n < models);

		if (policy_add(p, &rule))
			abort();
	}
	number(g, p);
	*policy = p;
}
