/* SPDX-License-Identifier: GPL-2.0-only */
/* The packets that a change must not cut, made of what is protected. Pure. */
#ifndef BPFPOL_PROTECT_H
#define BPFPOL_PROTECT_H

#include "conf.h"
#include "frame.h"
#include "sockets.h"

/* Of one of the two, whose packet it is. */
struct protected_packet {
	struct frame frame;
	enum bp_dir dir;
	const struct tcp_socket *socket;
	const struct protect *line;
};
struct protected_packets {
	struct protected_packet *v; /* caller frees */
	size_t n, room;
};

/* A packet of the connection each way. */
int protect_socket(const struct tcp_socket *socket, struct protected_packets *packets);

/* -ENOMEM. */
int protect_add(struct protected_packets *packets, const struct protected_packet *packet);

/* IPv6's: such an address speaks with its like alone. */
bool protect_is_link_local(const struct prefix *address);

bool protect_is_loopback(const struct prefix *address);

/* Whether this host has no address of that family that others speak to, but for neighbours. */
bool protect_lacks(const struct prefixes *own, int family);
/* Adds one that stands for that which is to come; no host has it. -ENOMEM. */
int protect_stand_in(struct prefixes *own, int family);

/* None stand for all. */
bool protect_ports_hold(const struct ports *ports, uint16_t port);
/* Whether the rule's local end has that port, in either direction. */
bool protect_has_port(const struct rule *rule, uint16_t port);

/* What the packet is of, in words; caller frees; NULL: no memory. */
char *protect_text(const struct protected_packet *packet);
char *protect_socket_text(const struct tcp_socket *socket);

#endif
