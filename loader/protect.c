// SPDX-License-Identifier: GPL-2.0-only
#include "protect.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

/* One packet's ends as this host sees them. */
struct ends {
	int family, proto;
	const uint8_t *local, *remote;
	uint16_t local_port, remote_port;
};

int protect_add(struct protected_packets *p, const struct protected_packet *packet)
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
		rc = protect_add(p, &packet);
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

bool protect_is_link_local(const struct prefix *p)
{
	return p->family == 6 && p->bytes[0] == 0xfe && (p->bytes[1] & 0xc0) == 0x80;
}

bool protect_is_loopback(const struct prefix *p)
{
	static const uint8_t one[16] = { [15] = 1 };

	return p->family == 4 ? p->bytes[0] == 127 : !memcmp(p->bytes, one, sizeof(one));
}

bool protect_lacks(const struct prefixes *own, int family)
{
	for (size_t i = 0; i < own->n; i++)
		if (own->v[i].family == family && !protect_is_loopback(&own->v[i]) &&
			!protect_is_link_local(&own->v[i]))
			return false;
	return true;
}

/* Given out for what is no host: RFC 7600, and RFC 5180 for IPv6. */
static const struct prefix nobodys[] = {
	{ .family = 4, .len = 32, .bytes = { 192, 0, 0, 8 } },
	{ .family = 6, .len = 128, .bytes = { 0x20, 1, 0, 2, [15] = 8 } },
};

int protect_stand_in(struct prefixes *own, int family)
{
	struct prefix *v = reallocarray(own->v, own->n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	own->v = v;
	v[own->n++] = nobodys[family == 6];
	return 0;
}

bool protect_ports_hold(const struct ports *ports, uint16_t port)
{
	for (size_t i = 0; i < ports->n; i++)
		if (ports->v[i].lo <= port && port <= ports->v[i].hi)
			return true;
	return !ports->n;
}

bool protect_has_port(const struct rule *rule, uint16_t port)
{
	for (int dir = 0; dir < BP_DIRS; dir++)
		if (rule_has_dir(rule, dir) &&
			protect_ports_hold(&rule_local(rule, dir)->ports, port))
			return true;
	return false;
}

static int bits_of(int family)
{
	return family == 4 ? 32 : 128;
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
