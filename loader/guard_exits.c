// SPDX-License-Identifier: GPL-2.0-only
/*
 * By which interfaces hosts are met, asked of the kernel once for each host and class of this
 * host's addresses: those are alike that no source of a rule of routing, or of a route, tells
 * apart.
 */
#include <errno.h>
#include <stdlib.h>

#include "guard_parts.h"
#include "mix.h"

struct found {
	struct nl_exits exits;
	bool anywhere; /* for some of what it may be sent there is no way that is known */
	bool asked;
};
struct met {
	struct found *v; /* by class */
	size_t n;
};
struct guard_exits {
	struct met *hosts; /* by the number that who asks keeps of each */
	size_t n;
	uint64_t *signs; /* of each class: which sources hold its addresses */
	size_t n_classes;
};

static const struct nl_hints *hints_of(const struct guard *g, int family)
{
	return &g->hints[family == 6];
}

/* What routing goes by. */
static int get_ways(struct guard *g, struct diag *diag)
{
	int rc = nl_ways_get(&g->ways);

	if (rc)
		return diag_errno(diag, -rc, "cannot list the routes");
	for (int v6 = 0; v6 < 2 && !rc; v6++)
		rc = nl_hints_get(v6 ? 6 : 4, &g->hints[v6]);
	return rc ? diag_errno(
			    diag, -rc, "cannot ask the kernel for the rules of routing (ip rule)")
		  : 0;
}

int guard_exits_open(struct guard *g, struct diag *diag)
{
	g->exits = calloc(1, sizeof(*g->exits));
	return g->exits ? get_ways(g, diag) : -ENOMEM;
}

void guard_exits_close(struct guard *g)
{
	struct guard_exits *e = g->exits;

	for (size_t i = 0; e && i < e->n; i++) {
		for (size_t k = 0; k < e->hosts[i].n; k++)
			free(e->hosts[i].v[k].exits.v);
		free(e->hosts[i].v);
	}
	if (e) {
		free(e->hosts);
		free(e->signs);
	}
	free(e);
	nl_ways_free(&g->ways);
	nl_hints_free(&g->hints[0]);
	nl_hints_free(&g->hints[1]);
}

static uint64_t held_by(uint64_t sign, const struct prefixes *sources, const struct prefix *local)
{
	for (size_t i = 0; i < sources->n; i++)
		if (prefix_holds(&sources->v[i], local->family, local->bytes))
			sign = mix(sign, i);
	return mix(sign, sources->n);
}

int guard_exits_class(const struct guard *g, const struct prefix *local, uint32_t *class)
{
	struct guard_exits *e = g->exits;
	uint64_t *signs, sign = mix(0, local->family);

	*class = 0;
	if (!e)
		return 0;
	sign = held_by(sign, &hints_of(g, local->family)->sources, local);
	sign = held_by(sign, &g->ways.sources, local);
	while (*class < e->n_classes && e->signs[*class] != sign)
		++*class;
	if (*class < e->n_classes)
		return 0;
	signs = reallocarray(e->signs, e->n_classes + 1, sizeof(*signs));
	if (!signs)
		return -ENOMEM;
	e->signs = signs;
	signs[e->n_classes++] = sign;
	return 0;
}

static int ask_one(const struct nl_flow *flow, struct found *found, struct diag *diag)
{
	bool any = false;
	int rc = guard_ask_way(flow, &found->exits, &any, diag);

	found->anywhere |= !any;
	return rc;
}

/* Whatever each rule asks for beside the addresses: some of it may. */
static int ask(const struct guard *g, const struct prefix *host, const struct prefix *local,
	struct found *found, struct diag *diag)
{
	const struct nl_hints *hints = hints_of(g, host->family);
	bool ruled = hints->n || hints->sources.n || (host->family == 6 && g->ways.sources.n);
	struct nl_flow flow = {
		.family = host->family,
		.to = host->bytes,
		.from = ruled ? local->bytes : NULL,
	};
	int rc = ask_one(&flow, found, diag);

	for (size_t i = 0; i < hints->n && !rc; i++) {
		nl_flow_follow(&flow, &hints->v[i]);
		rc = ask_one(&flow, found, diag);
	}
	return rc;
}

static struct found *find_place(struct guard_exits *e, int *number, uint32_t class)
{
	struct met *host;

	if (*number < 0) {
		host = reallocarray(e->hosts, e->n + 1, sizeof(*host));
		if (!host)
			return NULL;
		e->hosts = host;
		host[e->n] = (struct met){};
		*number = e->n++;
	}
	host = &e->hosts[*number];
	if (class >= host->n) {
		struct found *v = reallocarray(host->v, class + 1, sizeof(*v));

		if (!v)
			return NULL;
		host->v = v;
		while (host->n <= class)
			v[host->n++] = (struct found){};
	}
	return &host->v[class];
}

int guard_exits_meet(const struct guard *g, const struct place *at, const struct prefix *host,
	const struct prefix *local, uint32_t class, int *number, bool *yes, struct diag *diag)
{
	struct found *found = find_place(g->exits, number, class);
	int rc = 0;

	if (!found)
		return -ENOMEM;
	if (!found->asked)
		rc = ask(g, host, local, found, diag);
	found->asked = !rc;
	*yes = !rc && (found->anywhere || guard_is_on_way(g, at, &found->exits));
	return rc;
}
