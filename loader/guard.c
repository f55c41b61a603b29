// SPDX-License-Identifier: GPL-2.0-only
#include "guard_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "clocks.h"
#include "guard_rules.h"
#include "signals.h"
#include "vantage.h"

#define FEW 32 /* rules that are looked at one by one first */

static void guard_free(struct guard *g)
{
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		asker_free(&g->then[hook]);
		asker_free(&g->now[hook]);
		asker_free(&g->beside[hook]);
	}
	guard_lines_close(g);
	dynamic_rules_close(&g->dynamic);
	free(g->all.rules);
	free(g->attached.v);
	remembered_free(&g->remembered);
	nl_links_free(&g->links);
	free(g->own.v);
	guard_sessions_free(g);
	protected_free(&g->protected);
}

/*
 * Whether a block rule of the policy can have to do with what is protected. Of many rules that is
 * not asked one by one.
 */
static int concerns(
	const struct protected *p, const struct policy *policy, bool *yes, struct diag *diag)
{
	size_t blocks = 0;
	int rc = 0;

	*yes = false;
	if (!p->conf.n_protects && !p->ssh.n)
		return 0;
	for (size_t i = 0; i < policy->n && !rc && !*yes; i++) {
		if (policy->rules[i]->action != BP_BLOCK)
			continue;
		if (++blocks > FEW)
			*yes = true;
		else
			rc = protected_suspects_of(p, policy->rules[i], yes, diag);
	}
	return rc;
}

static bool blocks(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n; i++)
		if (policy->rules[i]->action == BP_BLOCK)
			return true;
	return false;
}

bool guard_is_beside(const struct host *host)
{
	return host->kernel && host->kernel->ctl->dynamic && dynamic_is_held(host->kernel);
}

int guard_concerns(
	const struct host *host, const struct policy *policy, bool *yes, struct diag *diag)
{
	struct protected p;
	int rc;

	*yes = guard_is_beside(host);
	if (*yes || !blocks(policy))
		return 0;
	rc = protected_get(&p, policy, diag);
	if (rc)
		return rc;
	rc = concerns(&p, policy, yes, diag);
	protected_free(&p);
	return rc;
}

/* What is wrong with it is said by who attaches. */
static int remembered_get(struct guard *g)
{
	struct diag ignored = {};
	int rc = remembered_look(&g->remembered, &ignored);

	diag_free(&ignored);
	return rc == -ENOMEM ? rc : 0;
}

static int guard_open(struct guard *g, struct diag *diag)
{
	int rc = nl_links_get(&g->links);

	if (rc)
		return diag_errno(diag, -rc, "cannot list the interfaces");
	rc = protected_own(&g->own, diag);
	if (!rc)
		rc = guard_sessions_get(g, diag);
	if (!rc)
		rc = attached_get(&g->attached, diag);
	if (!rc)
		rc = remembered_get(g);
	return rc ? rc : guard_lines_open(g, diag);
}

static int socket_packets(
	const struct guard *g, const struct place *at, struct protected_packets *packets)
{
	int rc = 0;

	for (size_t i = 0; i < g->protected.ssh.n && !rc; i++)
		if (guard_meets_session(g, at, i))
			rc = protect_socket(&g->protected.ssh.v[i], packets);
	return rc;
}

/* A port of a bridge has none: its packets are for those of others. */
static int own_addresses(
	const struct guard *g, const struct place *at, struct prefixes *own, struct diag *diag)
{
	struct prefix *v;
	int rc = nl_addresses_of(at->link->ifindex, own);

	if (rc)
		return diag_errno(diag, -rc, "cannot ask for the addresses of %s", at->link->name);
	v = reallocarray(own->v, own->n + g->own.n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	own->v = v;
	for (size_t i = 0; i < g->own.n && !own->n; i++)
		own->v[i] = g->own.v[i];
	if (!own->n)
		own->n = g->own.n;
	return 0;
}

static int try_place(struct guard *g, const struct place *at, struct diag *diag)
{
	struct protected_packets packets = {};
	struct prefixes own = {};
	int rc = own_addresses(g, at, &own, diag);

	if (!rc)
		rc = socket_packets(g, at, &packets);
	if (!rc)
		rc = guard_lines(g, at, &own, &packets, diag);
	for (size_t i = 0; i < packets.n && !rc; i++) {
		rc = guard_try(g, at, &packets.v[i], diag);
		if (!rc && signals_came())
			rc = diag_set(diag, DIAG_SYSTEM, EINTR,
				"a signal came while it was asked what this would cut; nothing is "
				"changed");
	}
	free(packets.v);
	free(own.v);
	return rc;
}

static const struct link_choice *choice_of(const struct host *host, int ifindex)
{
	for (size_t i = 0; host->adding && i < host->adding->n; i++)
		if (host->adding->v[i].link->ifindex == ifindex)
			return &host->adding->v[i];
	return NULL;
}

/*
 * It is filtered, is about to be, or will be as soon as somebody follows what is remembered: that
 * asks nobody, and counts as filtered already, as what would be cut by then is no change's doing.
 */
static int try_link(struct guard *g, const struct nl_link *link, struct diag *diag)
{
	const struct attached *a = attached_find(&g->attached, link->ifindex);
	const struct link_choice *c = choice_of(g->host, link->ifindex);
	const struct remembered *r =
		nl_can_filter(link) ? remembered_find(&g->remembered, link->name) : NULL;
	bool by_tc = c ? c->mode == ATTACH_TC : r && r->mode == ATTACH_TC;
	int rc = 0;

	if (vantage_never(link) || (!a && !c && !r))
		return 0;
	for (int dir = 0; dir < BP_DIRS && !rc; dir++) {
		bool filtered = a && (dir == BP_OUT ? a->out != TC_NONE : a->how != ATTACH_NONE);
		const struct place at = {
			.link = link,
			.dir = dir,
			.hook = vantage_hook(link, a, by_tc, dir),
			.filtered = !c || c->already,
		};

		if (filtered || c || r)
			rc = try_place(g, &at, diag);
	}
	return rc;
}

/* The agent is not asked: the lock is held, which it may be waiting for. */
static int read_beside(struct guard *g, struct diag *diag)
{
	const struct policy *rules = g->policy;
	int rc = dynamic_rules_read(&g->dynamic, g->host->kernel, diag);

	if (rc || g->layers)
		return rc == -ENOENT ? 0 : rc;
	g->all.rules = calloc(rules->n + g->dynamic.rules->n + 1, sizeof(*g->all.rules));
	if (!g->all.rules)
		return -ENOMEM;
	for (size_t i = 0; i < rules->n; i++)
		g->all.rules[g->all.n++] = rules->rules[i];
	for (size_t i = 0; i < g->dynamic.rules->n; i++)
		g->all.rules[g->all.n++] = g->dynamic.rules->rules[i];
	g->policy = &g->all;
	return 0;
}

static int judge(struct guard *g, struct diag *diag)
{
	bool beside = guard_is_beside(g->host), yes = false;
	int rc;

	if (!beside && !blocks(g->policy))
		return 0;
	rc = protected_get(&g->protected, beside ? NULL : g->policy, diag);
	if (!rc && beside && (g->protected.conf.n_protects || g->protected.ssh.n))
		rc = read_beside(g, diag);
	if (!rc)
		rc = concerns(&g->protected, g->policy, &yes, diag);
	if (!rc && yes)
		rc = guard_open(g, diag);
	for (size_t i = 0; i < g->links.n && !rc; i++)
		rc = try_link(g, &g->links.v[i], diag);
	return rc;
}

int guard_generation(const struct host *host, const struct generation *gen,
	const struct policy *policy, struct diag *diag)
{
	struct guard g = { .host = host, .gen = gen, .policy = policy };
	int rc = judge(&g, diag);

	guard_free(&g);
	return rc;
}

int guard_in_force(const struct host *host, struct diag *diag)
{
	const struct generation *gen = host->kernel ? host->kernel->gen : NULL;
	struct filters filters = {};
	struct policy *rules = NULL;
	int rc = gen ? filters_read(&filters, &gen->table, LAYER_STATIC, kernel_clock()) : 0;

	if (!rc)
		rc = guard_rules_of(&filters, &rules);
	if (!rc)
		rc = guard_generation(host, gen, rules, diag);
	policy_free(&rules);
	free(filters.v);
	return rc;
}

int guard_layers(const struct host *host, const struct generation *gen,
	const struct generation *was, const struct policy *policy, struct diag *diag)
{
	struct guard g = { .host = host, .gen = gen, .was = was, .policy = policy, .layers = true };
	int rc = judge(&g, diag);

	guard_free(&g);
	return rc;
}
