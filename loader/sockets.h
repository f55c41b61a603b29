/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP sockets, and how the kernel lists them in /proc/net/tcp and tcp6. Pure. */
#ifndef BPFPOL_SOCKETS_H
#define BPFPOL_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses in network order, IPv4 in the first 4 bytes, also where an IPv6 socket carries it. */
struct tcp_socket {
	int family; /* 4, 6 */
	uint8_t local[16], remote[16];
	uint16_t local_port, remote_port;
	/* What the other end sends to, where this host translates that (NAT); port 0: the same. */
	uint8_t wire_local[16];
	uint16_t wire_port;
	/* The socket's own end, by which routes are chosen, where `local` is the wire's; port 0:
	 * the same. */
	uint8_t own_local[16];
	uint16_t own_port;
	/* Interfaces, where they are known: that the first packet came by, that it is bound to. */
	int arrived, bound;
	uint64_t inode;
	bool listens; /* else a connection that is established */
};
struct tcp_sockets {
	struct tcp_socket *v; /* caller frees */
	size_t n, room;
};

/* -ENOMEM. */
int sockets_add(struct tcp_sockets *list, const struct tcp_socket *socket);
/* Takes an address that stands for one of IPv4 (::ffff:a.b.c.d) for that one. */
bool sockets_unmap(uint8_t bytes[16]);
/* Whether it is a connection of the host with itself. */
bool sockets_is_loopback(const struct tcp_socket *socket);
/* Adds those that listen or are established, but for connections of the host with itself. */
int sockets_parse(const char *text, bool v6, struct tcp_sockets *list);
/* From then on `local` is what packets bear on the wire. */
void sockets_untranslate(struct tcp_sockets *list);
bool sockets_listen(const struct tcp_sockets *list, uint16_t port);

#endif
