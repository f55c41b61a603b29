// SPDX-License-Identifier: GPL-2.0-only
#include "guard.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifier.h"
#include "clocks.h"
#include "dynamic_rules.h"
#include "links.h"
#include "netlink_route.h"
#include "probe.h"
#include "protect.h"
#include "protected.h"
#include "report_parts.h"
#include "spec.h"
#include "vantage.h"

#define FEW 32 /* rules that are looked at one by one first */
#define NSEC 1000000000ULL

/*
 * For less than that nobody is cut. A rule's end is reckoned anew with each generation, and is not
 * the same to the second.
 */
#define SHORT (2 * NSEC)

struct guard {
	const struct host *host;
	const struct generation *gen;
	bool layers;		      /* gen stands for both */
	struct dynamic_rules dynamic; /* in force beside the policy; gen NULL: none */
	struct policy all;	      /* those and the policy's */
	const struct policy *policy;  /* all that may judge */
	struct protected protected;
	struct prefixes own; /* addresses of this host */
	struct nl_links links;
	struct attached_list attached;
	struct asker *then[BP_HOOKS], *now[BP_HOOKS], *beside[BP_HOOKS];
	uint64_t moment; /* that is asked about; 0: at once */
	uint32_t ended;	 /* the rule that has ended by then */
};

/* One hook of one interface. */
struct place {
	const struct nl_link *link;
	enum bp_dir dir;
	enum bp_hook hook;
	bool filtered; /* already now */
};

static void guard_free(struct guard *g)
{
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		asker_free(&g->then[hook]);
		asker_free(&g->now[hook]);
		asker_free(&g->beside[hook]);
	}
	dynamic_rules_close(&g->dynamic);
	free(g->all.rules);
	free(g->attached.v);
	nl_links_free(&g->links);
	free(g->own.v);
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

static int guard_open(struct guard *g, struct diag *diag)
{
	int rc = nl_links_get(&g->links);

	if (rc)
		return diag_errno(diag, -rc, "cannot list the interfaces");
	rc = nl_addresses_get(&g->own);
	if (rc)
		return diag_errno(diag, -rc, "cannot ask for this host's addresses");
	return attached_get(&g->attached, diag);
}

static int ask(struct guard *g, const struct generation *gen, struct asker **askers,
	const struct place *at, const struct frame *frame, struct bp_answer *answer,
	struct diag *diag)
{
	uint8_t data[PROBE_ROOM];
	const struct asker_frame probe = {
		.data = data,
		.len = probe_build(frame, data),
		.ifindex = at->link->ifindex,
		.ingress_ifindex = at->dir == BP_IN ? at->link->ifindex : 0,
		.moment = g->moment,
	};
	int rc = askers[at->hook] ? 0
				  : asker_open(gen, &g->host->kernel->shared, at->hook,
					    &askers[at->hook], diag);

	if (rc)
		return rc;
	rc = asker_ask(askers[at->hook], &probe, answer);
	return rc ? diag_errno(diag, -rc, "the kernel did not run the classifier") : 0;
}

/* What becomes of a packet by a generation alone, and with the dynamic rules. */
struct fate {
	struct bp_answer alone, both;
};

static int join(struct guard *g, const struct place *at, const struct frame *frame,
	struct fate *fate, struct diag *diag)
{
	struct bp_answer dynamic;
	int rc = ask(g, g->dynamic.gen, g->beside, at, frame, &dynamic, diag);

	if (rc == -EPROTO) {
		diag_clear(diag); /* another version's: nobody knows */
		generation_free(&g->dynamic.gen);
		return 0;
	}
	if (!rc)
		dynamic_answer(&fate->both, &dynamic);
	return rc;
}

static int ask_then(struct guard *g, const struct place *at, const struct frame *frame,
	struct fate *fate, struct diag *diag)
{
	int rc = g->gen ? ask(g, g->gen, g->then, at, frame, &fate->alone, diag) : 0;

	fate->both = fate->alone;
	return rc || !g->dynamic.gen || g->layers ? rc : join(g, at, frame, fate, diag);
}

/* What is stopped already is not cut by the change. */
static int ask_now(struct guard *g, const struct place *at, const struct frame *frame,
	struct fate *fate, struct diag *diag)
{
	const struct kernel *k = g->host->kernel;
	int rc;

	if (!at->filtered || k->ctl->off)
		return 0;
	if (k->gen &&
		k->gen == g->gen) /* an interface comes to others, for which nothing changes */
		return ask_then(g, at, frame, fate, diag);
	rc = k->gen ? ask(g, k->gen, g->now, at, frame, &fate->alone, diag) : 0;
	if (rc == -EPROTO) {
		diag_clear(diag);
		return 0;
	}
	fate->both = fate->alone;
	return rc || !g->dynamic.gen ? rc : join(g, at, frame, fate, diag);
}

/* A rule that the store does not know yet has no number that anybody could look up. */
static char *rule_name(const struct guard *g, uint32_t id)
{
	ptrdiff_t i = policy_find_id(g->policy, id);
	const char *layer = "";
	char *text, *name;
	int n;

	if (i < 0)
		return NULL;
	if (g->dynamic.rules && policy_find_id(g->dynamic.rules, id) >= 0)
		layer = "dynamic ";
	text = spec_text(g->policy->rules[i], SPEC_ACTION | SPEC_MATCH);
	if (!text)
		return NULL;
	n = *layer || id < g->host->store->known
		    ? asprintf(&name, "%srule %" PRIu32 " '%s'", layer, id, text)
		    : asprintf(&name, "the rule '%s'", text);
	free(text);
	return n < 0 ? NULL : name;
}

/* kept: only as long as a dynamic rule permits it. */
static char *when_text(const struct guard *g, bool kept)
{
	uint64_t now = kernel_clock(), end = g->moment - SHORT;
	char left[24], *rule, *text;
	int n;

	if (!g->moment)
		return strdup(kept ? " as soon as no dynamic rule permits it" : "");
	time_left_text(end > now ? (end - now + NSEC - 1) / NSEC : 0, left, sizeof(left));
	rule = rule_name(g, g->ended);
	n = asprintf(&text, " in %s, when %s ends%s", left, rule ? rule : "a rule in force",
		kept ? " and no dynamic rule permits it" : "");
	free(rule);
	return n < 0 ? NULL : text;
}

static int refuse(struct guard *g, const struct place *at, const struct protected_packet *packet,
	uint32_t id, bool kept, struct diag *diag)
{
	char *rule = rule_name(g, id), *what = protect_text(packet), *when = when_text(g, kept);
	int rc = diag_set(diag, DIAG_REFUSED, EPERM,
		"%s would cut %s (what %s %s)%s; nothing is changed; --force goes ahead all the "
		"same",
		rule ? rule : "a rule", what ? what : "what is protected",
		at->dir == BP_IN ? "arrives at" : "leaves by", at->link->name, when ? when : "");

	free(rule);
	free(what);
	free(when);
	return rc;
}

/* Of the rules that decide, the one that ends first. */
struct ending {
	uint64_t at; /* 0: none does */
	uint32_t rule;
};

static void note_ending(const struct bp_answer *answer, struct ending *first)
{
	if (answer->until && (!first->at || answer->until < first->at))
		*first = (struct ending){ .at = answer->until, .rule = answer->rule };
}

/* At g->moment. first: until when what is found holds. */
static int try_moment(struct guard *g, const struct place *at,
	const struct protected_packet *packet, struct ending *first, struct diag *diag)
{
	struct fate then = {}, now = {};
	int rc = ask_then(g, at, &packet->frame, &then, diag);

	*first = (struct ending){};
	note_ending(&then.alone, first);
	note_ending(&then.both, first);
	if (rc || (!then.alone.blocked && !then.both.blocked))
		return rc;
	rc = ask_now(g, at, &packet->frame, &now, diag);
	note_ending(&now.alone, first);
	note_ending(&now.both, first);
	if (rc || now.both.blocked)
		return rc;
	if (then.both.blocked)
		return refuse(g, at, packet, then.both.rule, false, diag);
	/* A dynamic permit is gone with the agent, at the latest by the next boot. */
	return now.alone.blocked ? 0 : refuse(g, at, packet, then.alone.rule, true, diag);
}

/*
 * Now, and at each moment at which it may become another matter: rules only end from here on, so
 * that the one that decides goes on deciding until it ends itself.
 */
static int try_packet(struct guard *g, const struct place *at,
	const struct protected_packet *packet, struct diag *diag)
{
	struct ending first;
	uint64_t moment;
	int rc;

	if (packet->dir != at->dir)
		return 0;
	g->moment = 0;
	do {
		moment = g->moment;
		rc = try_moment(g, at, packet, &first, diag);
		g->moment = first.at + SHORT;
		g->ended = first.rule;
	} while (!rc && first.at > moment);
	return rc;
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

#define LEVELS 6 /* of one stack of interfaces */

static bool has_address(const struct prefixes *own, int family, const uint8_t address[16])
{
	for (size_t i = 0; i < own->n; i++)
		if (prefix_holds(&own->v[i], family, address))
			return true;
	return false;
}

/* Whether packets to and from there cross the interface; where nobody knows the way, they may. */
static int crosses(const struct guard *g, const struct place *at, int family, const uint8_t *remote,
	bool *yes, struct diag *diag)
{
	int oif, rc = nl_route_get(family, remote, &oif);

	if (rc)
		return diag_errno(diag, -rc, "cannot ask for a route");
	*yes = !oif || below(g, nl_by_index(&g->links, oif), at->link, LEVELS);
	return 0;
}

static int socket_packets(const struct guard *g, const struct place *at, const struct prefixes *own,
	struct protected_packets *packets, struct diag *diag)
{
	int rc = 0;

	for (size_t i = 0; i < g->protected.ssh.n && !rc; i++) {
		const struct tcp_socket *s = &g->protected.ssh.v[i];
		bool yes;

		/* What arrives may come by another way than what leaves. */
		yes = has_address(own, s->family, s->local);
		if (!yes)
			rc = crosses(g, at, s->family, s->remote, &yes, diag);
		if (!rc && yes)
			rc = protect_socket(s, packets);
	}
	return rc;
}

static int line_packets(const struct guard *g, const struct place *at, const struct prefixes *own,
	struct protected_packets *packets, struct diag *diag)
{
	int rc = 0;

	for (size_t i = 0; i < g->protected.conf.n_protects && !rc; i++) {
		const struct protect *line = &g->protected.conf.protects[i];
		const struct end *end = &line->rule->from;
		bool yes = true;

		if (end->kind == END_PREFIX && end->prefix.len)
			rc = crosses(g, at, end->prefix.family, end->prefix.bytes, &yes, diag);
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
		rc = socket_packets(g, at, &own, &packets, diag);
	if (!rc) {
		add_others(g, &own);
		rc = line_packets(g, at, &own, &packets, diag);
	}
	for (size_t i = 0; i < packets.n && !rc; i++)
		rc = try_packet(g, at, &packets.v[i], diag);
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

static int try_link(struct guard *g, const struct nl_link *link, struct diag *diag)
{
	const struct attached *a = attached_find(&g->attached, link->ifindex);
	const struct link_choice *c = choice_of(g->host, link->ifindex);
	int rc = 0;

	if (vantage_never(link) || (!a && !c))
		return 0;
	for (int dir = 0; dir < BP_DIRS && !rc; dir++) {
		bool filtered = a && (dir == BP_OUT ? a->out != TC_NONE : a->how != ATTACH_NONE);
		const struct place at = {
			.link = link,
			.dir = dir,
			.hook = vantage_hook(link, a, c && c->mode == ATTACH_TC, dir),
			.filtered = filtered && !c,
		};

		if (filtered || c)
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

int guard_layers(const struct host *host, const struct generation *gen, const struct policy *policy,
	struct diag *diag)
{
	struct guard g = { .host = host, .gen = gen, .policy = policy, .layers = true };
	int rc = judge(&g, diag);

	guard_free(&g);
	return rc;
}
