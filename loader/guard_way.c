// SPDX-License-Identifier: GPL-2.0-only
#include "guard_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "netlink_route.h"
#include "spec.h"

#define LEVELS 6 /* of one stack of interfaces */

/*
 * Where a session's packets are seen. What arrives comes by the interface that its first packet
 * came by, which the socket knows; where that is not to be had, by any that is up. What leaves goes
 * where the kernel sends it: as far as rules of routing go by a mark, or by what the session may
 * ask for (tos), by each of the ways that they have for it.
 */
struct guard_session {
	int in;		     /* 0: not known */
	struct nl_exits out; /* none: there is no way that anybody knows */
};

/* The kernel does not say by which interface this is sent. */
static int no_way(int family, const uint8_t *to, int rc, struct diag *diag)
{
	struct prefix prefix = { .family = family, .len = family == 4 ? 32 : 128 };
	char text[64];

	memcpy(prefix.bytes, to, family == 4 ? 4 : 16);
	spec_prefix_text(&prefix, text, sizeof(text));
	return diag_errno(
		diag, -rc, "cannot ask the kernel by which interface packets to %s leave", text);
}

int guard_ask_way(const struct nl_flow *flow, struct nl_exits *exits, bool *any, struct diag *diag)
{
	int rc = nl_route_get(flow, exits, any);

	return rc ? no_way(flow->family, flow->to, rc, diag) : 0;
}

static int get_way(const struct tcp_socket *s, const struct nl_hints *hints,
	struct guard_session *way, struct diag *diag)
{
	struct nl_flow flow = {
		.family = s->family,
		.to = s->remote,
		.from = s->own_port ? s->own_local : s->local, /* NAT comes behind the route */
		.proto = IPPROTO_TCP,
		.from_port = s->own_port ? s->own_port : s->local_port,
		.to_port = s->remote_port,
		.bound = s->bound,
	};
	bool any; /* of one that has none nothing is to be seen */
	int rc = guard_ask_way(&flow, &way->out, &any, diag);

	way->in = s->arrived ? s->arrived : s->bound;
	for (size_t i = 0; i < hints->n && !rc; i++) {
		if (!hints->v[i].mark && !hints->v[i].tos)
			continue; /* what the flow says itself */
		flow.mark = hints->v[i].mark;
		flow.tos = hints->v[i].tos;
		rc = guard_ask_way(&flow, &way->out, &any, diag);
	}
	return rc;
}

static bool any_of(const struct tcp_sockets *list, int family)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].family == family)
			return true;
	return false;
}

int guard_sessions_get(struct guard *g, struct diag *diag)
{
	const struct tcp_sockets *ssh = &g->protected.ssh;
	int rc = 0;

	g->sessions = calloc(ssh->n + 1, sizeof(*g->sessions));
	if (!g->sessions)
		return -ENOMEM;
	for (int family = 4; family <= 6 && !rc; family += 2) {
		struct nl_hints hints = {};
		int failed = any_of(ssh, family) ? nl_hints_get(family, &hints) : 0;

		if (failed)
			rc = diag_errno(diag, -failed,
				"cannot ask the kernel for the rules of routing (ip rule) of IPv%d",
				family);
		for (size_t i = 0; i < ssh->n && !rc; i++)
			if (ssh->v[i].family == family)
				rc = get_way(&ssh->v[i], &hints, &g->sessions[i], diag);
		nl_hints_free(&hints);
	}
	return rc;
}

void guard_sessions_free(struct guard *g)
{
	for (size_t i = 0; g->sessions && i < g->protected.ssh.n; i++)
		free(g->sessions[i].out.v);
	free(g->sessions);
}

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

bool guard_is_on_way(const struct guard *g, const struct place *at, const struct nl_exits *exits)
{
	for (size_t i = 0; i < exits->n; i++)
		if (below(g, nl_by_index(&g->links, exits->v[i]), at->link, LEVELS))
			return true;
	return !exits->n;
}

bool guard_meets_session(const struct guard *g, const struct place *at, size_t session)
{
	const struct guard_session *way = &g->sessions[session];
	const struct nl_link *in = way->in ? nl_by_index(&g->links, way->in) : NULL;

	if (at->dir == BP_IN)
		return in ? below(g, in, at->link, LEVELS) : at->link->up;
	return guard_is_on_way(g, at, &way->out) && (way->out.n || at->link->up);
}
