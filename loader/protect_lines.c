// SPDX-License-Identifier: GPL-2.0-only
#include "protect_lines.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "alike.h"
#include "mix.h"

#define SSH_PORT 22
#define NEVER 255 /* no prefix is as long */

/* Of one line, and one direction, the hosts of a network. */
struct network {
	const struct protect *line;
	enum bp_dir dir;
	struct prefix within;
	bool anybody;	 /* the line names ports; else this network */
	int names_from;	 /* see struct cells */
	uint32_t *every; /* rules that speak of any host; of the world's */
	size_t n_every;
	struct hosts hosts;
	int *way; /* of each class; -1: not asked yet */
};

struct protect_lines {
	struct protect_world world;
	const struct rule **rules; /* those that would be in force, and those that are */
	size_t n, n_then;
	struct network *v;
	size_t n_networks;
};

/* --- what a line protects --- */

struct service {
	int proto;
	struct port_range ports;
};

/*
 * The halves of IPv4, what is given out of IPv6, private networks, and neighbours. Whoever blocks
 * less than that names hosts.
 */
static const struct prefix anybodys[] = {
	{ .family = 4, .len = 1 },
	{ .family = 4, .len = 1, .bytes = { 0x80 } },
	{ .family = 6, .len = 4, .bytes = { 0x20 } },
	{ .family = 6, .len = 7, .bytes = { 0xfc } },
	{ .family = 6, .len = 10, .bytes = { 0xfe, 0x80 } },
};
#define N_ANYBODYS (sizeof(anybodys) / sizeof(anybodys[0]))

static const struct prefix no_hosts[] = {
	{ .family = 4, .len = 8 },
	{ .family = 4, .len = 8, .bytes = { 127 } },
	{ .family = 4, .len = 3, .bytes = { 224 } },
	{ .family = 6, .len = 127 }, /* ::1, too */
	{ .family = 6, .len = 8, .bytes = { 0xff } },
};

static bool names_address(const struct protect *line)
{
	return line->rule->from.kind == END_PREFIX;
}

/* The line's i-th: its own ports, or for an address SSH's and those of all other lines. */
static bool service_at(
	const struct conf *conf, const struct protect *line, size_t i, struct service *s)
{
	if (names_address(line) && !i) {
		*s = (struct service){ IPPROTO_TCP, { SSH_PORT, SSH_PORT } };
		return true;
	}
	i -= names_address(line);
	for (size_t k = 0; k < conf->n_protects; k++) {
		const struct protect *other = &conf->protects[k];
		const struct ports *ports = &other->rule->to.ports;

		if (names_address(other) || (!names_address(line) && other != line))
			continue;
		if (i < ports->n) {
			*s = (struct service){ other->rule->proto, ports->v[i] };
			return true;
		}
		i -= ports->n;
	}
	return false;
}

static bool ports_meet(const struct ports *ports, const struct port_range *with)
{
	for (size_t i = 0; i < ports->n; i++)
		if (ports->v[i].lo <= with->hi && with->lo <= ports->v[i].hi)
			return true;
	return !ports->n;
}

/* Whether the rule may match packets of the line, but for addresses and the interface. */
static bool may_match(const struct conf *conf, const struct protect *line, const struct rule *rule,
	enum bp_dir dir)
{
	struct service s;

	if (rule->action == BP_COUNT || !rule_has_dir(rule, dir))
		return false;
	for (size_t i = 0; service_at(conf, line, i, &s); i++)
		if ((rule->proto == PROTO_ANY || rule->proto == s.proto) &&
			ports_meet(&rule_local(rule, dir)->ports, &s.ports))
			return true;
	return false;
}

/* --- the hosts of a network --- */

static int mention_end(
	struct mentions *m, const struct prefix *within, const struct end *end, uint32_t who)
{
	int rc = 0;

	if (end->kind == END_PREFIX)
		return mentions_add(m, within, &end->prefix, who);
	for (size_t i = 0; i < end->list.n && !rc; i++)
		rc = mentions_add(m, within, &end->list.v[i], who);
	return rc;
}

/* Routes matter where a line names its hosts: anybody may come by any way. */
static int mention_ways(
	const struct protect_lines *l, const struct network *net, struct mentions *m)
{
	const struct prefixes *own = l->world.own;
	const struct ways *ways = l->world.ways;
	int rc = 0;

	for (size_t i = 0; i < sizeof(no_hosts) / sizeof(no_hosts[0]) && !rc; i++)
		rc = mentions_add(m, &net->within, &no_hosts[i], NOBODY);
	for (size_t i = 0; i < own->n && !rc; i++)
		rc = mentions_add(m, &net->within, &own->v[i], NOBODY);
	for (size_t i = 0; ways && !net->anybody && i < ways->n && !rc; i++) {
		const struct way *way = &ways->v[i];

		rc = mentions_add(
			m, &net->within, &way->to, way->by == NOBODY ? NOBODY : l->n + way->by);
	}
	return rc;
}

static bool is_block(const struct protect_lines *l, uint32_t who)
{
	return who < l->n_then && l->rules[who]->action == BP_BLOCK;
}

/* Whether a block names a longer prefix than the network's for each of its hosts. */
static bool all_named(const struct protect_lines *l, const struct network *net)
{
	for (size_t i = 0; i < net->hosts.n; i++) {
		const struct host_class *c = &net->hosts.v[i];
		bool named = false;

		for (size_t k = c->first; k < c->first + c->n && !named; k++)
			named = is_block(l, net->hosts.by[k].who) &&
				net->hosts.by[k].len > net->within.len;
		if (!named)
			return false;
	}
	return true;
}

static int sort_out(const struct protect_lines *l, struct network *net, struct mentions *m)
{
	uint32_t n_by = l->world.ways ? l->world.ways->n_by : 0;
	int rc = mention_ways(l, net, m);

	if (!rc)
		rc = hosts_sort_out(&net->within, m, l->n + n_by, &net->hosts);
	if (rc)
		return rc;
	net->names_from = NEVER;
	if (net->anybody && !all_named(l, net))
		net->names_from = net->within.len;
	net->way = malloc((net->hosts.n + 1) * sizeof(*net->way));
	for (size_t i = 0; net->way && i < net->hosts.n; i++)
		net->way[i] = -1;
	return net->way ? 0 : -ENOMEM;
}

static void network_free(struct network *net)
{
	free(net->every);
	free(net->way);
	hosts_free(&net->hosts);
}

/* Leaves the network out, if no block can have to do with it. */
static int add_network(struct protect_lines *l, struct network *net)
{
	struct mentions m = {};
	bool blocks = false;
	int rc = 0;

	net->every = calloc(l->n + 1, sizeof(*net->every));
	if (!net->every)
		return -ENOMEM;
	for (size_t i = 0; i < l->n && !rc; i++) {
		const struct end *remote = rule_remote(l->rules[i], net->dir);
		size_t before = m.n;

		if (!may_match(l->world.conf, net->line, l->rules[i], net->dir))
			continue;
		if (remote->kind == END_PREFIX || remote->kind == END_FILE)
			rc = mention_end(&m, &net->within, remote, i);
		else
			net->every[net->n_every++] = i;
		blocks |= is_block(l, i) && (remote->kind == END_ANY || m.n > before);
	}
	if (!rc && blocks)
		rc = sort_out(l, net, &m);
	free(m.v);
	if (!rc && blocks)
		l->v[l->n_networks++] = *net;
	else
		network_free(net);
	return rc;
}

static int add_line(struct protect_lines *l, const struct protect *line, enum bp_dir dir)
{
	bool anybody = !names_address(line);
	size_t n = anybody ? N_ANYBODYS : 1;
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		struct network net = {
			.line = line,
			.dir = dir,
			.within = anybody ? anybodys[i] : line->rule->from.prefix,
			.anybody = anybody,
		};

		rc = add_network(l, &net);
	}
	return rc;
}

static void add_rules(struct protect_lines *l, const struct policy *policy)
{
	for (size_t i = 0; policy && i < policy->n; i++)
		l->rules[l->n++] = policy->rules[i];
}

int protect_lines_new(const struct protect_world *world, struct protect_lines **out)
{
	size_t n = world->then->n + (world->now ? world->now->n : 0);
	size_t n_lines = world->conf->n_protects;
	struct protect_lines *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return -ENOMEM;
	l->world = *world;
	l->rules = calloc(n + 1, sizeof(*l->rules));
	l->v = calloc(n_lines * BP_DIRS * N_ANYBODYS + 1, sizeof(*l->v));
	rc = l->rules && l->v ? 0 : -ENOMEM;
	if (!rc) {
		add_rules(l, world->then);
		l->n_then = l->n;
		add_rules(l, world->now);
	}
	for (size_t i = 0; i < n_lines * BP_DIRS && !rc; i++)
		rc = add_line(l, &world->conf->protects[i / BP_DIRS], i % BP_DIRS);
	if (rc)
		protect_lines_free(&l);
	else
		*out = l;
	return rc;
}

void protect_lines_free(struct protect_lines **out)
{
	struct protect_lines *l = *out;

	if (!l)
		return;
	for (size_t i = 0; i < l->n_networks; i++)
		network_free(&l->v[i]);
	free(l->v);
	free(l->rules);
	free(l);
	*out = NULL;
}

/* --- at a place --- */

struct asking {
	const struct protect_lines *lines;
	const struct protect_place *at;
	const struct network *net;
	const struct prefix *local;
	bool *fits; /* of each rule, whether it may match there */
	struct candidate_rule *candidates;
	struct questions asked, locals;
	struct protected_packets *packets;
};

static bool end_holds(const struct end *end, const struct prefix *address)
{
	if (end->kind == END_PREFIX)
		return prefix_holds(&end->prefix, address->family, address->bytes);
	for (size_t i = 0; end->kind == END_FILE && i < end->list.n; i++)
		if (prefix_holds(&end->list.v[i], address->family, address->bytes))
			return true;
	return end->kind != END_FILE; /* an own address is `me` as well */
}

static bool fits(const struct asking *a, uint32_t who)
{
	const struct rule *rule = a->lines->rules[who];

	if (who >= a->lines->n_then && !a->at->filtered)
		return false;
	if (rule->ifname && (!a->at->ifname || strcmp(rule->ifname, a->at->ifname)))
		return false;
	return rule_has_dir(rule, a->at->dir) && end_holds(rule_local(rule, a->at->dir), a->local);
}

/* Whether the two can speak with each other. */
static bool speak(const struct prefix *own, const struct prefix *remote)
{
	return own->family == remote->family &&
	       protect_is_link_local(own) == protect_is_link_local(remote);
}

static void add_candidate(struct asking *a, uint32_t who, uint8_t len, size_t *n, bool *blocks)
{
	if (who >= a->lines->n || !a->fits[who])
		return;
	a->candidates[(*n)++] = (struct candidate_rule){
		.rule = a->lines->rules[who],
		.who = who,
		.len = len,
		.before = who >= a->lines->n_then,
	};
	*blocks |= is_block(a->lines, who);
}

/* The rules that may match what that class sends; false: no block does. */
static bool find_candidates(struct asking *a, const struct host_class *c, size_t *n)
{
	bool blocks = false;

	*n = 0;
	for (size_t i = 0; i < a->net->n_every; i++)
		add_candidate(a, a->net->every[i], 0, n, &blocks);
	for (size_t i = c->first; i < c->first + c->n; i++)
		add_candidate(a, a->net->hosts.by[i].who, a->net->hosts.by[i].len, n, &blocks);
	return blocks;
}

static int ask_class(struct asking *a, size_t which)
{
	const struct host_class *c = &a->net->hosts.v[which];
	const struct protect_place *at = a->at;
	struct service s;
	bool yes = true;
	size_t n;
	int rc = 0;

	if (!speak(a->local, &c->host) || !find_candidates(a, c, &n))
		return 0;
	if (at->crosses && !a->net->anybody)
		rc = at->crosses(
			at->arg, &c->host, a->local - at->own->v, &a->net->way[which], &yes);
	for (size_t i = 0; yes && !rc && service_at(a->lines->world.conf, a->net->line, i, &s);
		i++) {
		const struct cells cells = {
			.ifname = at->ifname,
			.dir = at->dir,
			.local = a->local,
			.remote = &c->host,
			.proto = s.proto,
			.ports = s.ports,
			.names_from = a->net->names_from,
			.anyhow = a->lines->world.anyhow,
			.line = a->net->line,
		};

		rc = cells_packets(&cells, a->candidates, n, &a->asked, a->packets);
	}
	return rc;
}

/* Finds the rules that may match there: 1, or 0 where they are those of another local address. */
static int find_fitting(struct asking *a)
{
	uint64_t hash = mix(a->local->family, protect_is_link_local(a->local));

	if (a->at->classes)
		hash = mix(hash, a->at->classes[a->local - a->at->own->v]);
	for (size_t i = 0; i < a->lines->n; i++) {
		a->fits[i] = fits(a, i);
		hash = mix(hash, a->fits[i]);
	}
	return questions_put(&a->locals, hash);
}

/* All networks, for one of this host's addresses. */
static int ask_local(struct asking *a)
{
	int rc = find_fitting(a);

	if (rc <= 0)
		return rc;
	rc = 0;
	for (size_t i = 0; i < a->lines->n_networks && !rc; i++) {
		a->net = &a->lines->v[i];
		if (a->net->dir != a->at->dir || a->net->within.family != a->local->family)
			continue;
		for (size_t k = 0; k < a->net->hosts.n && !rc; k++)
			rc = ask_class(a, k);
	}
	return rc;
}

int protect_lines_at(const struct protect_lines *lines, const struct protect_place *at,
	struct protected_packets *packets)
{
	struct asking a = {
		.lines = lines,
		.at = at,
		.packets = packets,
		.fits = calloc(lines->n + 1, sizeof(*a.fits)),
		.candidates = calloc(lines->n + 1, sizeof(*a.candidates)),
	};
	int rc = a.fits && a.candidates ? 0 : -ENOMEM;

	for (size_t i = 0; i < at->own->n && !rc; i++) {
		a.local = &at->own->v[i];
		rc = protect_is_loopback(a.local) ? 0 : ask_local(&a);
	}
	free(a.fits);
	free(a.candidates);
	free(a.asked.v);
	free(a.locals.v);
	return rc;
}
