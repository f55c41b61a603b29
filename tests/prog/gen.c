/* SPDX-License-Identifier: GPL-2.0-only */
#include "gen_pool.h"

#include <netinet/in.h>
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

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static void clear_host_bits(struct prefix *prefix)
{
	unsigned int bit;

	for (bit = prefix->len; bit < 8 * sizeof(prefix->bytes); bit++)
		prefix->bytes[bit / 8] &= ~(0x80 >> bit % 8);
}

/* An address of the pools or of this host. */
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
	clear_host_bits(prefix);
}

/* Holds at least one prefix of the family; a few of the other are in it too. */
static void some_list(struct gen *g, int family, bool local, struct end *end)
{
	size_t i, n = 1 + gen_below(g, 6);

	end->kind = END_FILE;
	end->file = must(strdup("list"));
	end->list.v = must(calloc(n, sizeof(*end->list.v)));
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

/* One port, a range, or a list of both; ranges nest and overlap. */
static void some_ports(struct gen *g, struct ports *ports)
{
	size_t i, kept = 0, n = gen_chance(g, 70) ? 1 : 2 + gen_below(g, 3);

	ports->v = must(calloc(n, sizeof(*ports->v)));
	for (i = 0; i < n; i++) {
		uint16_t a = PICK(g, port_pool), b = gen_chance(g, 50) ? a : PICK(g, port_pool);

		ports->v[i] = (struct port_range){ a < b ? a : b, a < b ? b : a };
	}
	qsort(ports->v, n, sizeof(*ports->v), range_order);
	for (i = 1; i < n; i++) {
		if (range_order(&ports->v[kept], &ports->v[i]))
			ports->v[++kept] = ports->v[i];
	}
	ports->n = kept + 1;
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

static int some_family(struct gen *g, int proto)
{
	if (proto == IPPROTO_ICMP || proto == IPPROTO_AH)
		return 4;
	if (proto == IPPROTO_ICMPV6)
		return 6;
	return gen_chance(g, 50) ? 4 : 6;
}

static void some_end(struct gen *g, int family, bool local, struct end *end)
{
	if (local && !g->without.me && gen_chance(g, 25))
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

static void some_words(struct gen *g, struct rule *rule)
{
	unsigned int draw = gen_below(g, g->without.count ? 85 : 100);

	rule->action = draw < 45 ? BP_BLOCK : draw < 85 ? BP_PERMIT : BP_COUNT;
	rule->emergency = gen_chance(g, 8);
	if (!g->without.dynamic && gen_chance(g, 30))
		rule->layer = LAYER_DYNAMIC;
	if (g->now && gen_chance(g, 10)) {
		rule->deadline = g->now + 1000 * gen_below(g, 3);
		rule->deadline -= gen_chance(g, 50);
	}
	if (!g->without.iface && g->n_ifnames && gen_chance(g, 20))
		rule->ifname = must(strdup(g->ifnames[gen_below(g, g->n_ifnames)]));
}

static struct rule *some_rule(struct gen *g)
{
	static const enum rule_dir dirs[] = { DIR_IN, DIR_IN, DIR_OUT, DIR_OUT, DIR_INOUT };
	struct rule *rule;
	int family;

	if (rule_new(&rule))
		abort();
	rule->dir = g->without.out ? DIR_IN : PICK(g, dirs);
	some_words(g, rule);
	some_proto(g, rule);
	family = some_family(g, rule->proto);
	some_end(g, family, rule->dir == DIR_OUT, &rule->from);
	some_end(g, family, rule->dir != DIR_OUT, &rule->to);
	if (rule->proto != PROTO_ANY && !proto_has_ports(rule->proto))
		return rule;
	if (gen_chance(g, 50))
		some_ports(g, rule->dir == DIR_OUT ? &rule->from.ports : &rule->to.ports);
	if (gen_chance(g, 25))
		some_ports(g, rule->dir == DIR_OUT ? &rule->to.ports : &rule->from.ports);
	return rule;
}

static void copy_end(const struct end *from, struct end *to)
{
	*to = *from;
	if (from->file)
		to->file = must(strdup(from->file));
	if (from->list.n) {
		to->list.v = must(calloc(from->list.n, sizeof(*to->list.v)));
		memcpy(to->list.v, from->list.v, from->list.n * sizeof(*to->list.v));
	}
	if (from->ports.n) {
		to->ports.v = must(calloc(from->ports.n, sizeof(*to->ports.v)));
		memcpy(to->ports.v, from->ports.v, from->ports.n * sizeof(*to->ports.v));
	}
}

/* The same match; the words are drawn anew, often to the same. */
static struct rule *copied_rule(struct gen *g, const struct rule *old)
{
	struct rule *rule;

	if (rule_new(&rule))
		abort();
	rule->dir = old->dir;
	rule->proto = old->proto;
	rule->type = old->type;
	rule->code = gen_chance(g, 80) ? old->code : -1;
	copy_end(&old->from, &rule->from);
	copy_end(&old->to, &rule->to);
	some_words(g, rule);
	return rule;
}

void gen_policy(struct gen *g, struct policy **policy, unsigned int max_rules)
{
	unsigned int i, n = 1 + gen_below(g, max_rules);
	struct policy *p = must(policy_new("random"));
	struct rule *rule;

	for (i = 0; i < n; i++) {
		if (i && gen_chance(g, 25))
			rule = copied_rule(g, p->rules[gen_below(g, i)]);
		else
			rule = some_rule(g);
		rule->id = i + 1;
		if (policy_add(p, &rule))
			abort();
	}
	*policy = p;
}
