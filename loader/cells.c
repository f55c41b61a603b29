// SPDX-License-Identifier: GPL-2.0-only
#include "cells.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "eval.h"
#include "mix.h"

/* Any host may speak from any port but 0. */
static const struct port_range anybodys = { 1, 65535 };
#define MANY_PORTS 256

struct splitting {
	const struct cells *of;
	struct questions *asked;
	struct protected_packets *packets;
	uint16_t local_port, remote_port;
};

/* --- the questions that were put --- */

/* Where it is, or would be. room: a power of two. */
static uint64_t *place_of(uint64_t *v, size_t room, uint64_t hash)
{
	size_t i = hash & (room - 1);

	while (v[i] && v[i] != hash)
		i = (i + 1) & (room - 1);
	return &v[i];
}

static int make_room(struct questions *q)
{
	size_t room = q->room ? 2 * q->room : 64;
	uint64_t *v;

	if (2 * q->n < q->room)
		return 0;
	v = calloc(room, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < q->room; i++)
		if (q->v[i])
			*place_of(v, room, q->v[i]) = q->v[i];
	free(q->v);
	*q = (struct questions){ .v = v, .n = q->n, .room = room };
	return 0;
}

int questions_put(struct questions *q, uint64_t hash)
{
	int rc = make_room(q);
	uint64_t *at;

	if (rc)
		return rc;
	hash += !hash;
	at = place_of(q->v, q->room, hash);
	if (*at)
		return 0;
	*at = hash;
	q->n++;
	return 1;
}

/* --- who decides on a packet --- */

/* It does not end by itself: neither by its time nor with the agent. */
static bool stays(const struct rule *rule)
{
	return !rule->deadline && !rule->lifetime && rule->layer != LAYER_DYNAMIC;
}

/* The candidates of one kind that all match it, most specific first. */
struct ranking {
	struct rule *rules; /* copies, with the one prefix that counts in the place of a list */
	const struct rule **list;
	const struct candidate_rule **from; /* of each */
	size_t n;
	struct eval_verdict verdict;
};

static void ranking_free(struct ranking *r)
{
	free(r->rules);
	free(r->list);
	free(r->from);
	eval_free(&r->verdict);
}

static void narrow(struct rule *rule, const struct cells *of, uint8_t len)
{
	struct end *remote = rule->dir == DIR_OUT ? &rule->to : &rule->from;

	if (remote->kind != END_FILE)
		return;
	remote->kind = END_PREFIX;
	remote->prefix = *of->remote;
	remote->prefix.len = len;
}

static int rank(const struct splitting *s, const struct candidate_rule *const *v, size_t n,
	bool before, const struct frame *frame, struct ranking *r)
{
	const struct eval_env env = {
		.dir = s->of->dir, .ifname = s->of->ifname ? s->of->ifname : "", .me = true
	};
	struct policy policy = {};

	*r = (struct ranking){
		.rules = calloc(n + 1, sizeof(*r->rules)),
		.list = calloc(n + 1, sizeof(struct rule *)),
		.from = calloc(n + 1, sizeof(struct candidate_rule *)),
	};
	if (!r->rules || !r->list || !r->from)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (v[i]->before != before)
			continue;
		r->rules[r->n] = *v[i]->rule;
		narrow(&r->rules[r->n], s->of, v[i]->len);
		r->list[r->n] = &r->rules[r->n];
		r->from[r->n++] = v[i];
	}
	policy.rules = (struct rule **)r->list;
	policy.n = r->n;
	return eval_frame(&policy, &env, frame, &r->verdict);
}

static const struct candidate_rule *ranked(const struct ranking *r, size_t i)
{
	return r->from[r->verdict.matched[i] - r->rules];
}

/* How many of them can come to decide: up to one that stays. */
static size_t n_deciding(const struct ranking *r)
{
	size_t n = 0;

	while (n < r->verdict.n_deciding)
		if (stays(ranked(r, n++)->rule))
			break;
	return n;
}

/* A block that names a few ports of others is about services there, and not about their clients. */
static bool is_of_services(const struct splitting *s, const struct rule *rule)
{
	const struct ports *ports = &rule_remote(rule, s->of->dir)->ports;
	size_t n = 0;

	for (size_t i = 0; i < ports->n; i++)
		n += ports->v[i].hi - ports->v[i].lo + 1;
	return n && n < MANY_PORTS;
}

/* Whether the block is meant for these hosts, by what it names. */
static bool is_meant(const struct splitting *s, const struct candidate_rule *c)
{
	return !s->of->anyhow && (c->len > s->of->names_from || is_of_services(s, c->rule));
}

/* Whether a block is among them, and none that is meant. */
static bool can_cut(const struct splitting *s, const struct ranking *r, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		const struct candidate_rule *c = ranked(r, i);

		if (c->rule->action != BP_BLOCK)
			continue;
		if (is_meant(s, c))
			return false;
		any = true;
	}
	return any;
}

/* The block that would decide does already, and goes on. */
static bool is_as_it_was(const struct ranking *then, const struct ranking *now)
{
	const struct rule *a = ranked(then, 0)->rule, *b;

	if (!now->verdict.n_deciding || a->action != BP_BLOCK || !stays(a))
		return false;
	b = ranked(now, 0)->rule;
	return b->action == BP_BLOCK && stays(b) && a->id && a->id == b->id;
}

static uint64_t hash_of(const struct ranking *then, size_t n, const struct ranking *now)
{
	uint64_t hash = 1;

	for (size_t i = 0; i < n; i++)
		hash = mix(hash, ranked(then, i)->who);
	hash = mix(hash, UINT64_MAX);
	for (size_t i = 0; i < now->verdict.n_deciding; i++)
		hash = mix(hash, ranked(now, i)->who);
	return hash;
}

/* --- the packet --- */

static struct protected_packet packet_of(const struct splitting *s)
{
	const struct cells *of = s->of;
	bool in = of->dir == BP_IN;
	struct protected_packet packet = {
		.dir = of->dir,
		.line = of->line,
		.frame = {
			.class = FRAME_WHOLE,
			.family = of->local->family,
			.proto = of->proto,
			.has_ports = true,
			.sport = in ? s->remote_port : s->local_port,
			.dport = in ? s->local_port : s->remote_port,
		},
	};
	struct frame *f = &packet.frame;

	memcpy(f->src, in ? of->remote->bytes : of->local->bytes, sizeof(f->src));
	memcpy(f->dst, in ? of->local->bytes : of->remote->bytes, sizeof(f->dst));
	return packet;
}

/* All of v match the packet. */
static int ask(struct splitting *s, const struct candidate_rule *const *v, size_t n)
{
	const struct protected_packet packet = packet_of(s);
	struct ranking then = {}, now = {};
	size_t deciding = 0;
	int rc = rank(s, v, n, false, &packet.frame, &then);

	if (!rc)
		deciding = n_deciding(&then);
	if (!rc && can_cut(s, &then, deciding)) {
		rc = rank(s, v, n, true, &packet.frame, &now);
		if (!rc && !is_as_it_was(&then, &now))
			rc = questions_put(s->asked, hash_of(&then, deciding, &now));
		if (rc > 0)
			rc = protect_add(s->packets, &packet);
	}
	ranking_free(&then);
	ranking_free(&now);
	return rc;
}

/* --- ports --- */

/* The last port from there on that the ranges do not tell from the first. */
static uint16_t alike_to(const struct ports *ports, uint16_t first, uint16_t last)
{
	for (size_t i = 0; i < ports->n; i++) {
		const struct port_range *r = &ports->v[i];

		if (r->lo > first && r->lo <= last)
			last = r->lo - 1;
		else if (r->lo <= first && first <= r->hi && r->hi < last)
			last = r->hi;
	}
	return last;
}

static const struct ports *ports_of(
	const struct splitting *s, const struct candidate_rule *c, bool local)
{
	return local ? &rule_local(c->rule, s->of->dir)->ports
		     : &rule_remote(c->rule, s->of->dir)->ports;
}

/* Those that match packets of that port go to `some`; false: no block of the new rules does. */
static bool choose(const struct splitting *s, bool local, uint16_t port,
	const struct candidate_rule *const *v, size_t n, const struct candidate_rule **some,
	size_t *n_some)
{
	bool blocks = false;

	*n_some = 0;
	for (size_t i = 0; i < n; i++) {
		if (!protect_ports_hold(ports_of(s, v[i], local), port))
			continue;
		some[(*n_some)++] = v[i];
		blocks |= v[i]->rule->action == BP_BLOCK && !v[i]->before;
	}
	return blocks;
}

/* Goes over the local ports, and for each kind of those over the remote ones. */
static int split(struct splitting *s, bool local, const struct candidate_rule *const *v, size_t n)
{
	const struct port_range all = local ? s->of->ports : anybodys;
	const struct candidate_rule **some = calloc(n + 1, sizeof(*some));
	int rc = some ? 0 : -ENOMEM;
	size_t n_some;

	for (uint32_t port = all.lo; port <= all.hi && !rc; port++) {
		uint16_t last = all.hi;

		*(local ? &s->local_port : &s->remote_port) = port;
		if (choose(s, local, port, v, n, some, &n_some))
			rc = local ? split(s, false, some, n_some) : ask(s, some, n_some);
		for (size_t i = 0; i < n; i++)
			last = alike_to(ports_of(s, v[i], local), port, last);
		port = last;
	}
	free(some);
	return rc;
}

/* Whether the rule matches all of the packets, so that shorter prefixes decide on none. */
static bool covers(const struct cells *of, const struct rule *rule)
{
	const struct ports *ports = &rule_local(rule, of->dir)->ports;
	bool all = !ports->n;

	for (size_t i = 0; i < ports->n; i++)
		all |= ports->v[i].lo <= of->ports.lo && of->ports.hi <= ports->v[i].hi;
	return all && !rule_remote(rule, of->dir)->ports.n && stays(rule);
}

/* How long a prefix must be to count, of the rules of one kind. */
static uint8_t least_prefix(
	const struct cells *of, const struct candidate_rule *const *v, size_t n, bool before)
{
	uint8_t least = 0;

	for (size_t i = 0; i < n; i++)
		if (v[i]->before == before && v[i]->len > least && covers(of, v[i]->rule))
			least = v[i]->len;
	return least;
}

/*
 * Where whole networks are blocked or permitted, thousands of rules for ports of anybody's need not
 * be gone over for each.
 */
static size_t drop_covered(const struct cells *of, const struct candidate_rule **v, size_t n)
{
	const uint8_t least[] = { least_prefix(of, v, n, false), least_prefix(of, v, n, true) };
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (v[i]->rule->emergency || v[i]->len >= least[v[i]->before])
			v[kept++] = v[i];
	return kept;
}

int cells_packets(const struct cells *cells, const struct candidate_rule *v, size_t n,
	struct questions *asked, struct protected_packets *packets)
{
	struct splitting s = { .of = cells, .asked = asked, .packets = packets };
	const struct candidate_rule **all = calloc(n + 1, sizeof(*all));
	size_t n_all = 0;
	int rc = all ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && !rc; i++)
		if (v[i].rule->proto == PROTO_ANY || v[i].rule->proto == cells->proto)
			all[n_all++] = &v[i];
	if (!rc)
		rc = split(&s, true, all, drop_covered(cells, all, n_all));
	free(all);
	return rc;
}
