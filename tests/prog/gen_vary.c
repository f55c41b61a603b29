/* SPDX-License-Identifier: GPL-2.0-only */
#include "gen_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void copy_end(const struct end *from, struct end *to)
{
	*to = *from;
	if (from->file)
		to->file = gen_must(strdup(from->file));
	if (from->list.n) {
		to->list.v = gen_must(calloc(from->list.n, sizeof(*to->list.v)));
		memcpy(to->list.v, from->list.v, from->list.n * sizeof(*to->list.v));
	}
	if (from->ports.n) {
		to->ports.v = gen_must(calloc(from->ports.n, sizeof(*to->ports.v)));
		memcpy(to->ports.v, from->ports.v, from->ports.n * sizeof(*to->ports.v));
	}
}

struct rule *gen_copy(struct gen *g, const struct rule *old)
{
	struct rule *rule;

	if (rule_new(&rule))
		abort();
	rule->dir = old->dir;
	rule->proto = old->proto;
	rule->type = old->type;
	rule->code = old->code;
	copy_end(&old->from, &rule->from);
	copy_end(&old->to, &rule->to);
	gen_words(g, rule);
	return rule;
}

/* --- one thing else --- */

static unsigned int bits_of(const struct prefix *prefix)
{
	return prefix->family == 4 ? 32 : 128;
}

/* One bit more or less, so that one holds the other; or the prefix beside it. */
static void nudge_prefix(struct gen *g, struct prefix *prefix)
{
	unsigned int draw = gen_below(g, 3), bit;

	if (draw == 0 && prefix->len) {
		prefix->len--;
	} else if (draw == 1 && prefix->len < bits_of(prefix)) {
		bit = prefix->len++;
		prefix->bytes[bit / 8] |= gen_chance(g, 50) ? 0x80 >> bit % 8 : 0;
	} else if (prefix->len) {
		bit = prefix->len - 1;
		prefix->bytes[bit / 8] ^= 0x80 >> bit % 8;
	}
	gen_clear_host(prefix);
}

static void nudge_address(struct gen *g, struct end *end)
{
	if (end->kind == END_PREFIX) {
		nudge_prefix(g, &end->prefix);
	} else if (end->kind == END_FILE) {
		nudge_prefix(g, &end->list.v[gen_below(g, end->list.n)]);
		prefixes_sort(&end->list);
	}
}

/* A range that shares an edge with it, or two, or lies one beside it. */
static void nudge_range(struct gen *g, struct port_range *r)
{
	switch (gen_below(g, 6)) {
	case 0:
		r->lo += r->lo < r->hi;
		break;
	case 1:
		r->hi -= r->lo < r->hi;
		break;
	case 2:
		r->lo -= r->lo > 0;
		break;
	case 3:
		r->hi += r->hi < 65535;
		break;
	case 4:
		r->lo = r->hi;
		break;
	default:
		r->hi = r->lo;
	}
}

static void nudge_ports(struct gen *g, struct ports *ports)
{
	if (!ports->n)
		return;
	nudge_range(g, &ports->v[gen_below(g, ports->n)]);
	gen_sort_ports(ports);
}

static void nudge_type(struct gen *g, struct rule *rule)
{
	if (rule->type < 0)
		return;
	if (gen_chance(g, 50))
		rule->code = rule->code < 0 ? (int)PICK(g, code_pool) : -1;
	else
		rule->type = (rule->type + 1) & 0xff;
}

static void nudge_proto(struct gen *g, struct rule *rule)
{
	if (proto_has_ports(rule->proto))
		rule->proto = gen_chance(g, 50) ? PROTO_ANY : PICK(g, port_protos);
	else if (rule->proto == PROTO_ANY)
		rule->proto = PICK(g, port_protos);
	else if (rule->type < 0)
		rule->proto = PROTO_ANY;
}

struct rule *gen_beside(struct gen *g, const struct rule *old)
{
	struct rule *rule = gen_copy(g, old);

	switch (gen_below(g, 6)) {
	case 0:
		nudge_address(g, &rule->from);
		break;
	case 1:
		nudge_address(g, &rule->to);
		break;
	case 2:
		nudge_ports(g, &rule->from.ports);
		break;
	case 3:
		nudge_ports(g, &rule->to.ports);
		break;
	case 4:
		nudge_type(g, rule);
		break;
	default:
		nudge_proto(g, rule);
	}
	return rule;
}

/* --- the same shape --- */

/* Half of them from the pools, half with bits of no pool, so that thousands differ. */
static void other_prefix(struct gen *g, bool local, struct prefix *prefix)
{
	gen_address(g, prefix->family, local, prefix->bytes);
	if (gen_chance(g, 50)) {
		prefix->bytes[1] ^= gen_below(g, 4);
		prefix->bytes[2] ^= gen_below(g, 64);
		prefix->bytes[3] ^= gen_below(g, 256);
	}
	gen_clear_host(prefix);
}

static void other_address(struct gen *g, bool local, struct end *end)
{
	size_t i;

	if (end->kind == END_PREFIX)
		other_prefix(g, local, &end->prefix);
	if (end->kind != END_FILE)
		return;
	for (i = 0; i < end->list.n; i++)
		other_prefix(g, local, &end->list.v[i]);
	prefixes_sort(&end->list);
}

static uint16_t other_port(struct gen *g)
{
	return gen_chance(g, 50) ? PICK(g, port_pool) : gen_below(g, 65536);
}

static void other_range(struct gen *g, struct port_range *r)
{
	struct port_range old = *r;
	uint16_t a, b;

	if (old.lo < old.hi && gen_chance(g, 50)) {
		nudge_range(g, r);
		if (r->lo == r->hi)
			*r = old;
		return;
	}
	a = b = other_port(g);
	while (old.lo < old.hi && a == b)
		b = other_port(g);
	*r = (struct port_range){ a < b ? a : b, a < b ? b : a };
}

static void other_ports(struct gen *g, struct ports *ports)
{
	size_t i;

	for (i = 0; i < ports->n; i++)
		other_range(g, &ports->v[i]);
	gen_sort_ports(ports);
}

static void other_proto(struct gen *g, struct rule *rule)
{
	if (proto_has_ports(rule->proto))
		rule->proto = PICK(g, port_protos);
	if (rule->type >= 0)
		rule->type = gen_chance(g, 50) ? PICK(g, type_pool) : gen_below(g, 256);
	if (rule->code >= 0)
		rule->code = PICK(g, code_pool);
}

struct rule *gen_sibling(struct gen *g, const struct rule *old)
{
	struct rule *rule = gen_copy(g, old);
	bool out = rule->dir == DIR_OUT;

	other_proto(g, rule);
	other_address(g, out, &rule->from);
	other_address(g, !out, &rule->to);
	other_ports(g, &rule->from.ports);
	other_ports(g, &rule->to.ports);
	return rule;
}

/* Few lengths, so that few tuples hold them all. */
static void long_prefix(struct gen *g, int family, struct prefix *prefix)
{
	static const uint8_t lengths4[] = { 32, 32, 24, 17 }, lengths6[] = { 128, 64, 64, 48 };
	uint64_t bits = gen_u64(g);

	*prefix = (struct prefix){ .family = family };
	gen_address(g, family, false, prefix->bytes);
	memcpy(prefix->bytes + (family == 4 ? 1 : 5), &bits, 3);
	prefix->len = family == 4 ? PICK(g, lengths4) : PICK(g, lengths6);
	gen_clear_host(prefix);
}

void gen_long_list(struct gen *g, struct rule *rule, size_t n)
{
	struct end *end = rule->dir == DIR_OUT ? &rule->to : &rule->from;
	int only = gen_proto_family(rule->proto), family = gen_chance(g, 50) ? 4 : 6;
	size_t i;

	free(end->file);
	free(end->list.v);
	end->kind = END_FILE;
	if (asprintf(&end->file, "long%u", rule->id) < 0)
		abort();
	end->list.v = gen_must(calloc(n, sizeof(*end->list.v)));
	end->list.n = n;
	for (i = 0; i < n; i++)
		long_prefix(g,
			only		    ? only
			: gen_chance(g, 90) ? family
					    : 10 - family,
			&end->list.v[i]);
	prefixes_sort(&end->list);
}
