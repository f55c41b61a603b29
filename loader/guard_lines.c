// SPDX-License-Identifier: GPL-2.0-only
#include "guard_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "clocks.h"
#include "guard_rules.h"
#include "netlink_route.h"
#include "netlink_ways.h"
#include "protect.h"

/* What was found of hosts, by the number that protect_lines keeps of each. */
struct guard_exits {
	struct nl_exits *v;
	size_t n;
};

/* Also where the kernel holds another version's: then there is nothing that is known to be now. */
static int add_layer(const struct guard *g, const struct generation *gen, enum rule_layer layer,
	struct filters *filters)
{
	if (layer == LAYER_DYNAMIC)
		return dynamic_filters(filters, g->host->kernel, gen, kernel_clock());
	return filters_read(filters, &gen->table, layer, kernel_clock());
}

/* What judges now, of both layers, as the kernel has it. */
static int rules_now(struct guard *g)
{
	const struct kernel *k = g->host->kernel;
	struct filters filters = {};
	bool off = guard_is_off(g);
	int rc = 0;

	if (k->gen && !off)
		rc = add_layer(g, k->gen, LAYER_STATIC, &filters);
	if (!rc && g->dynamic.gen && !off)
		rc = add_layer(g, g->dynamic.gen, LAYER_DYNAMIC, &filters);
	if (!rc)
		rc = guard_rules_of(&filters, &g->rules_now);
	free(filters.v);
	return rc;
}

static bool any_address(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_protects; i++)
		if (conf->protects[i].rule->from.kind == END_PREFIX)
			return true;
	return false;
}

/* What routing goes by. */
static int get_ways(struct guard *g, struct diag *diag)
{
	int rc = nl_ways_get(&g->ways);

	if (rc)
		return diag_errno(diag, -rc, "cannot list the routes");
	for (int v6 = 0; v6 < 2 && !rc; v6++)
		rc = nl_hints_get(v6 ? 6 : 4, &g->hints[v6]);
	g->hints[1].by_source |= g->ways.by_source;
	return rc ? diag_errno(
			    diag, -rc, "cannot ask the kernel for the rules of routing (ip rule)")
		  : 0;
}

int guard_lines_open(struct guard *g, struct diag *diag)
{
	const struct conf *conf = &g->protected.conf;
	struct protect_world world = { .conf = conf, .then = g->policy, .own = &g->own };
	int rc = 0;

	if (!conf->n_protects)
		return 0;
	g->exits = calloc(1, sizeof(*g->exits));
	if (!g->exits)
		return -ENOMEM;
	if (any_address(conf))
		rc = get_ways(g, diag);
	if (!rc)
		rc = rules_now(g);
	if (rc)
		return rc;
	world.now = g->rules_now;
	world.ways = &g->ways;
	return protect_lines_new(&world, &g->lines);
}

void guard_lines_close(struct guard *g)
{
	protect_lines_free(&g->lines);
	policy_free(&g->rules_now);
	free(g->ways.v);
	free(g->hints[0].v);
	free(g->hints[1].v);
	for (size_t i = 0; g->exits && i < g->exits->n; i++)
		free(g->exits->v[i].v);
	if (g->exits)
		free(g->exits->v);
	free(g->exits);
}

struct crossing {
	const struct guard *g;
	const struct place *at;
	struct diag *diag;
};

static const struct nl_hints *hints_of(const struct guard *g, int family)
{
	return &g->hints[family == 6];
}

/* Routes of this family are chosen by more than where it goes. */
static bool is_ruled(const struct guard *g, int family)
{
	return hints_of(g, family)->by_source || hints_of(g, family)->n;
}

/* Whatever each rule asks for beside the addresses: some of it may. */
static int crosses_by_rules(
	const struct crossing *c, const struct prefix *host, const struct prefix *local, bool *yes)
{
	const struct nl_hints *hints = hints_of(c->g, host->family);
	struct nl_exits exits = {};
	struct nl_flow flow = {
		.family = host->family,
		.to = host->bytes,
		.from = local->bytes,
	};
	int rc = guard_ask_way(&flow, &exits, c->diag);

	*yes = !rc && guard_is_on_way(c->g, c->at, &exits);
	for (size_t i = 0; i < hints->n && !rc && !*yes; i++) {
		exits.n = 0;
		nl_flow_follow(&flow, &hints->v[i]);
		rc = guard_ask_way(&flow, &exits, c->diag);
		*yes = !rc && guard_is_on_way(c->g, c->at, &exits);
	}
	free(exits.v);
	return rc;
}

/* Asks by which interfaces the host is met: *way is the number of the answer. */
static int find_way(const struct crossing *c, const struct nl_flow *flow, int *way)
{
	struct guard_exits *found = c->g->exits;
	struct nl_exits *v = reallocarray(found->v, found->n + 1, sizeof(*v));
	int rc;

	if (!v)
		return -ENOMEM;
	found->v = v;
	v[found->n] = (struct nl_exits){};
	rc = guard_ask_way(flow, &v[found->n], c->diag);
	*way = found->n++;
	return rc;
}

/* Of a link-local address each interface may have one: no route tells. */
static int crosses(
	void *arg, const struct prefix *host, const struct prefix *local, int *way, bool *yes)
{
	const struct crossing *c = arg;
	const struct nl_flow flow = { .family = host->family, .to = host->bytes };
	int rc = 0;

	*yes = protect_is_link_local(host);
	if (*yes)
		return 0;
	if (is_ruled(c->g, host->family))
		return crosses_by_rules(c, host, local, yes);
	if (*way < 0)
		rc = find_way(c, &flow, way);
	*yes = !rc && guard_is_on_way(c->g, c->at, &c->g->exits->v[*way]);
	return rc;
}

/*
 * Which of this host's addresses what is protected may be for: those of the interface, and those
 * elsewhere (on a bridge or VLAN above it, on lo), which are asked about where rules can tell them
 * from those before.
 */
static int all_addresses(const struct guard *g, const struct prefixes *own, struct prefixes *all)
{
	*all = (struct prefixes){ .v = calloc(own->n + g->own.n + 1, sizeof(*all->v)) };
	if (!all->v)
		return -ENOMEM;
	for (size_t i = 0; i < own->n; i++)
		all->v[all->n++] = own->v[i];
	for (size_t i = 0; i < g->own.n; i++)
		all->v[all->n++] = g->own.v[i];
	return 0;
}

int guard_lines(const struct guard *g, const struct place *at, const struct prefixes *own,
	struct protected_packets *packets, struct diag *diag)
{
	struct crossing crossing = { .g = g, .at = at, .diag = diag };
	struct prefixes all;
	const struct protect_place place = {
		.ifname = at->link->name,
		.dir = at->dir,
		.filtered = at->filtered,
		.own = &all,
		.crosses = crosses,
		.arg = &crossing,
		.each_local = is_ruled(g, 4) || is_ruled(g, 6),
	};
	int rc;

	if (!g->lines)
		return 0;
	rc = all_addresses(g, own, &all);
	if (!rc)
		rc = protect_lines_at(g->lines, &place, packets);
	free(all.v);
	return rc;
}
