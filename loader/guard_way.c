// SPDX-License-Identifier: GPL-2.0-only
#include "guard_parts.h"

#include "netlink_route.h"

#define LEVELS 6 /* of one stack of interfaces */

/* Whether what goes by `top` also crosses the link: a bond's slave, a VLAN's parent. */
static bool below(
	const struct guard *g, const struct nl_link *top, const struct nl_link *link, int depth)
{
	if (!top || !depth)
		return false;
	if (top == link)
		return true;
	for (size_t i = 0; i < g->links.n; i++) {
		const struct nl_link *l = &g->links.v[i];

		if ((l->ifindex == top->lower || l->master == top->ifindex) &&
			below(g, l, link, depth - 1))
			return true;
	}
	return false;
}

bool guard_is_on_way(const struct guard *g, const struct place *at, int oif)
{
	return !oif || below(g, nl_by_index(&g->links, oif), at->link, LEVELS);
}

int guard_crosses(const struct guard *g, const struct place *at, int family, const uint8_t *remote,
	bool *yes, struct diag *diag)
{
	int oif, rc = nl_route_get(family, remote, &oif);

	if (rc)
		return diag_errno(diag, -rc, "cannot ask for a route");
	*yes = guard_is_on_way(g, at, oif);
	return 0;
}
