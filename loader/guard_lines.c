// SPDX-License-Identifier: GPL-2.0-only
#include "guard_parts.h"

static int line_packets(const struct guard *g, const struct place *at, const struct prefixes *own,
	struct protected_packets *packets, struct diag *diag)
{
	int rc = 0;

	for (size_t i = 0; i < g->protected.conf.n_protects && !rc; i++) {
		const struct protect *line = &g->protected.conf.protects[i];
		const struct end *end = &line->rule->from;
		bool yes = true;

		if (end->kind == END_PREFIX && end->prefix.len)
			rc = guard_crosses(
				g, at, end->prefix.family, end->prefix.bytes, &yes, diag);
		if (!rc && yes)
			rc = protect_line(&g->protected.conf, line, g->policy, own, packets);
	}
	return rc;
}

static bool end_names(const struct end *end, const struct prefix *address)
{
	bool names = end->kind == END_PREFIX &&
		     prefix_holds(&end->prefix, address->family, address->bytes);

	for (size_t i = 0; end->kind == END_FILE && i < end->list.n && !names; i++)
		names = prefix_holds(&end->list.v[i], address->family, address->bytes);
	return names;
}

static bool is_named(const struct policy *policy, const struct prefix *address)
{
	for (size_t i = 0; i < policy->n; i++)
		if (policy->rules[i]->action == BP_BLOCK &&
			(end_names(&policy->rules[i]->from, address) ||
				end_names(&policy->rules[i]->to, address)))
			return true;
	return false;
}

/* Whether one of them is reached from the same hosts, as far as no rule names either. */
static bool has_like(const struct prefixes *own, size_t n, const struct prefix *address)
{
	for (size_t i = 0; i < n; i++)
		if (own->v[i].family == address->family &&
			protect_is_link_local(&own->v[i]) == protect_is_link_local(address))
			return true;
	return false;
}

/*
 * Which of this host's addresses what is protected may be for: those of the interface, and those
 * elsewhere (on a bridge or VLAN above it, on lo) that a rule can tell from them, or of a kind that
 * it has none of. own: has room.
 */
static void add_others(const struct guard *g, struct prefixes *own)
{
	size_t n = own->n;

	for (size_t i = 0; i < g->own.n; i++) {
		const struct prefix *address = &g->own.v[i];
		bool there = false;

		for (size_t k = 0; k < n && !there; k++)
			there = !prefix_cmp(&own->v[k], address);
		if (!there && (is_named(g->policy, address) || !has_like(own, n, address)))
			own->v[own->n++] = *address;
	}
}

int guard_lines(const struct guard *g, const struct place *at, struct prefixes *own,
	struct protected_packets *packets, struct diag *diag)
{
	add_others(g, own);
	return line_packets(g, at, own, packets, diag);
}
