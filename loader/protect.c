// SPDX-License-Identifier: GPL-2.0-only
#include "protect.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

#define SAMPLES 256 /* of a line's addresses, or ports */
#define SSH_PORT 22
#define OTHER_PORT 40000 /* of whoever speaks to us */

/* One packet's ends as this host sees them. */
struct ends {
	int family, proto;
	const uint8_t *local, *remote;
	uint16_t local_port, remote_port;
};

static int add(struct protected_packets *p, const struct protected_packet *packet)
{
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 16;
		struct protected_packet *v = realloc(p->v, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		p->v = v;
		p->room = room;
	}
	p->v[p->n++] = *packet;
	return 0;
}

static int add_both(
	struct protected_packets *p, const struct ends *e, const struct protected_packet *of)
{
	int rc = 0;

	for (int dir = 0; dir < BP_DIRS && !rc; dir++) {
		struct protected_packet packet = *of;
		struct frame *f = &packet.frame;
		bool in = dir == BP_IN;

		packet.dir = dir;
		*f = (struct frame){
			.class = FRAME_WHOLE,
			.family = e->family,
			.proto = e->proto,
			.has_ports = true,
			.sport = in ? e->remote_port : e->local_port,
			.dport = in ? e->local_port : e->remote_port,
		};
		memcpy(f->src, in ? e->remote : e->local, sizeof(f->src));
		memcpy(f->dst, in ? e->local : e->remote, sizeof(f->dst));
		rc = add(p, &packet);
	}
	return rc;
}

int protect_socket(const struct tcp_socket *s, struct protected_packets *packets)
{
	const struct protected_packet of = { .socket = s };
	const struct ends ends = {
		.family = s->family,
		.proto = IPPROTO_TCP,
		.local = s->local,
		.remote = s->remote,
		.local_port = s->local_port,
		.remote_port = s->remote_port,
	};

	return add_both(packets, &ends, &of);
}

/* Which addresses speak to us, and on which ports. */
struct samples {
	struct prefix remote[SAMPLES];
	uint16_t port[SAMPLES];
	size_t n_remotes, n_ports;
};

static void add_remote(struct samples *s, const struct prefix *p)
{
	if (s->n_remotes < SAMPLES)
		s->remote[s->n_remotes++] = *p;
}

static void add_port(struct samples *s, uint16_t port)
{
	for (size_t i = 0; i < s->n_ports; i++)
		if (s->port[i] == port)
			return;
	if (s->n_ports < SAMPLES)
		s->port[s->n_ports++] = port;
}

static int bits_of(int family)
{
	return family == 4 ? 32 : 128;
}

static void add_last(struct samples *s, const struct prefix *p)
{
	struct prefix last = *p;

	for (int bit = p->len; bit < bits_of(p->family); bit++)
		last.bytes[bit / 8] |= 0x80 >> bit % 8;
	add_remote(s, &last);
}

static void add_if_inside(struct samples *s, const struct prefix *whole, const struct prefix *part)
{
	if (part->len > whole->len && prefix_holds(whole, part->family, part->bytes))
		add_remote(s, part);
}

/* The parts of the prefix that block rules speak of. */
static void add_parts(struct samples *s, const struct prefix *whole, const struct end *end)
{
	if (end->kind == END_PREFIX)
		add_if_inside(s, whole, &end->prefix);
	for (size_t i = 0; end->kind == END_FILE && i < end->list.n; i++)
		add_if_inside(s, whole, &end->list.v[i]);
}

static void address_samples(const struct conf *conf, const struct prefix *p,
	const struct policy *policy, struct samples *s)
{
	add_remote(s, p);
	add_last(s, p);
	for (size_t i = 0; i < policy->n; i++) {
		const struct rule *r = policy->rules[i];

		if (r->action != BP_BLOCK)
			continue;
		add_parts(s, p, &r->from);
		add_parts(s, p, &r->to);
	}
	add_port(s, SSH_PORT);
	for (size_t i = 0; i < conf->n_protects; i++) {
		const struct rule *r = conf->protects[i].rule;

		if (r->proto == IPPROTO_TCP)
			add_port(s, r->to.ports.v[0].lo);
	}
}

static void add_ports_inside(
	struct samples *s, const struct port_range *whole, const struct ports *parts)
{
	for (size_t i = 0; i < parts->n; i++)
		if (parts->v[i].lo > whole->lo && parts->v[i].lo < whole->hi)
			add_port(s, parts->v[i].lo);
}

/* One in each half of IPv4; of a network that has been its owner's alone for decades. */
static void add_strangers(struct samples *s)
{
	static const struct prefix strangers[] = {
		{ .family = 4, .len = 32, .bytes = { 11, 22, 33, 44 } },
		{ .family = 4, .len = 32, .bytes = { 214, 22, 33, 44 } },
		{ .family = 6, .len = 128, .bytes = { 0x26, 0x08, 0x44, [15] = 0x44 } },
	};

	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		add_remote(s, &strangers[i]);
}

static void port_samples(const struct ports *ports, const struct policy *policy, struct samples *s)
{
	add_strangers(s);
	for (size_t i = 0; i < ports->n; i++) {
		add_port(s, ports->v[i].lo);
		add_port(s, ports->v[i].hi);
		for (size_t k = 0; k < policy->n; k++) {
			if (policy->rules[k]->action != BP_BLOCK)
				continue;
			add_ports_inside(s, &ports->v[i], &policy->rules[k]->from.ports);
			add_ports_inside(s, &ports->v[i], &policy->rules[k]->to.ports);
		}
	}
}

bool protect_is_link_local(const struct prefix *p)
{
	return p->family == 6 && p->bytes[0] == 0xfe && (p->bytes[1] & 0xc0) == 0x80;
}

static bool is_loopback(const struct prefix *p)
{
	static const uint8_t one[16] = { [15] = 1 };

	return p->family == 4 ? p->bytes[0] == 127 : !memcmp(p->bytes, one, sizeof(one));
}

/* Whether the two can speak with each other. */
static bool speak(const struct prefix *own, const struct prefix *remote)
{
	return own->family == remote->family && !is_loopback(own) &&
	       protect_is_link_local(own) == protect_is_link_local(remote);
}

int protect_line(const struct conf *conf, const struct protect *line, const struct policy *policy,
	const struct prefixes *own, struct protected_packets *packets)
{
	const struct protected_packet of = { .line = line };
	const struct rule *r = line->rule;
	struct samples *s = calloc(1, sizeof(*s));
	int rc = s ? 0 : -ENOMEM;

	if (!rc && r->from.kind == END_PREFIX)
		address_samples(conf, &r->from.prefix, policy, s);
	else if (!rc)
		port_samples(&r->to.ports, policy, s);
	for (size_t i = 0; !rc && i < own->n * s->n_remotes * s->n_ports; i++) {
		size_t at = i / s->n_ports;
		const struct prefix *local = &own->v[at / s->n_remotes];
		const struct prefix *remote = &s->remote[at % s->n_remotes];
		const struct ends ends = {
			.family = local->family,
			.proto = r->proto == PROTO_ANY ? IPPROTO_TCP : r->proto,
			.local = local->bytes,
			.remote = remote->bytes,
			.local_port = s->port[i % s->n_ports],
			.remote_port = OTHER_PORT,
		};

		if (speak(local, remote))
			rc = add_both(packets, &ends, &of);
	}
	free(s);
	return rc;
}

static bool ports_hold(const struct ports *ports, uint16_t port)
{
	for (size_t i = 0; i < ports->n; i++)
		if (ports->v[i].lo <= port && port <= ports->v[i].hi)
			return true;
	return !ports->n;
}

bool protect_has_port(const struct rule *rule, uint16_t port)
{
	for (int dir = 0; dir < BP_DIRS; dir++)
		if (rule_has_dir(rule, dir) && ports_hold(&rule_local(rule, dir)->ports, port))
			return true;
	return false;
}

char *protect_socket_text(const struct tcp_socket *s)
{
	struct prefix remote = { .family = s->family, .len = bits_of(s->family) };
	struct prefix local = remote;
	char from[64], to[64], *text;

	memcpy(remote.bytes, s->remote, sizeof(remote.bytes));
	memcpy(local.bytes, s->local, sizeof(local.bytes));
	spec_prefix_text(&remote, from, sizeof(from));
	spec_prefix_text(&local, to, sizeof(to));
	if (asprintf(&text, "the SSH connection from %s port %u to %s port %u", from,
		    s->remote_port, to, s->local_port) < 0)
		return NULL;
	return text;
}

char *protect_text(const struct protected_packet *packet)
{
	char *text;

	if (packet->socket)
		return protect_socket_text(packet->socket);
	if (asprintf(&text, "what bpfpol.conf protects in line %u, %s", packet->line->line,
		    packet->line->text) < 0)
		return NULL;
	return text;
}
