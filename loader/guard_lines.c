// SPDX-License-Identifier: GPL-2.0-only
#include "guard_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "clocks.h"
#include "guard_rules.h"
#include "protect.h"

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

int guard_lines_open(struct guard *g, struct diag *diag)
{
	const struct conf *conf = &g->protected.conf;
	struct protect_world world = { .conf = conf, .then = g->policy, .own = &g->own };
	int rc = 0;

	if (!conf->n_protects)
		return 0;
	if (any_address(conf))
		rc = guard_exits_open(g, diag);
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
	guard_exits_close(g);
}

struct crossing {
	const struct guard *g;
	const struct place *at;
	const struct prefixes *own;
	const uint32_t *classes;
	struct diag *diag;
};

/* Of a link-local address each interface may have one: no route tells. */
static int crosses(void *arg, const struct prefix *host, size_t local, int *way, bool *yes)
{
	const struct crossing *c = arg;

	*yes = protect_is_link_local(host);
	if (*yes)
		return 0;
	return guard_exits_meet(
		c->g, c->at, host, &c->own->v[local], c->classes[local], way, yes, c->diag);
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

/* The class of each: see guard_exits.c. */
static int classify(const struct guard *g, const struct prefixes *own, uint32_t **classes)
{
	int rc = 0;

	*classes = calloc(own->n + 1, sizeof(**classes));
	if (!*classes)
		return -ENOMEM;
	for (size_t i = 0; i < own->n && !rc; i++)
		rc = guard_exits_class(g, &own->v[i], &(*classes)[i]);
	return rc;
}

int guard_lines(const struct guard *g, const struct place *at, const struct prefixes *own,
	struct protected_packets *packets, struct diag *diag)
{
	struct prefixes all;
	uint32_t *classes = NULL;
	int rc;

	if (!g->lines)
		return 0;
	rc = all_addresses(g, own, &all);
	if (!rc)
		rc = classify(g, &all, &classes);
	if (!rc) {
		struct crossing crossing = {
			.g = g, .at = at, .own = &all, .classes = classes, .diag = diag
		};
		const struct protect_place place = {
			.ifname = at->link->name,
			.dir = at->dir,
			.filtered = at->filtered,
			.own = &all,
			.classes = classes,
			.crosses = crosses,
			.arg = &crossing,
		};

		rc = protect_lines_at(g->lines, &place, packets);
	}
	free(classes);
	free(all.v);
	return rc;
}
