// SPDX-License-Identifier: GPL-2.0-only
#include "sockets.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ESTABLISHED 0x01 /* TCP_ESTABLISHED and so on of the kernel */
#define CLOSE_WAIT 0x08	 /* the other end has no more to say */
#define LISTEN 0x0a

/* Words of 32 bits, each printed as this machine reads it from memory. */
static int parse_address(const char *hex, bool v6, uint8_t bytes[16])
{
	for (int i = 0; i < (v6 ? 4 : 1); i++) {
		uint32_t word;

		if (sscanf(hex + 8 * i, "%8" SCNx32, &word) != 1)
			return -EINVAL;
		memcpy(bytes + 4 * i, &word, sizeof(word));
	}
	return 0;
}

bool sockets_unmap(uint8_t bytes[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (memcmp(bytes, mapped, sizeof(mapped)))
		return false;
	memmove(bytes, bytes + 12, 4);
	memset(bytes + 4, 0, 12);
	return true;
}

bool sockets_is_loopback(const struct tcp_socket *s)
{
	static const uint8_t one[16] = { [15] = 1 };

	return s->family == 4 ? s->remote[0] == 127 : !memcmp(s->remote, one, sizeof(one));
}

/* -EINVAL: the heading, or no line of this kind; 1: a socket of no concern. */
static int parse_line(const char *line, bool v6, struct tcp_socket *s)
{
	char local[33], remote[33];
	unsigned int state;
	int n = sscanf(line,
		" %*u: %32[0-9A-F]:%4" SCNx16 " %32[0-9A-F]:%4" SCNx16
		" %2x %*s %*s %*s %*u %*u %" SCNu64,
		local, &s->local_port, remote, &s->remote_port, &state, &s->inode);

	if (n != 6 || strlen(local) != (v6 ? 32 : 8) || strlen(remote) != strlen(local))
		return -EINVAL;
	if (parse_address(local, v6, s->local) || parse_address(remote, v6, s->remote))
		return -EINVAL;
	s->listens = state == LISTEN;
	s->family = v6 ? 6 : 4;
	if (v6 && sockets_unmap(s->remote)) {
		sockets_unmap(s->local);
		s->family = 4;
	}
	if (state != LISTEN && state != ESTABLISHED && state != CLOSE_WAIT)
		return 1;
	return !s->listens && sockets_is_loopback(s);
}

int sockets_add(struct tcp_sockets *list, const struct tcp_socket *socket)
{
	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		struct tcp_socket *v = realloc(list->v, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		list->v = v;
		list->room = room;
	}
	list->v[list->n++] = *socket;
	return 0;
}

int sockets_parse(const char *text, bool v6, struct tcp_sockets *list)
{
	int rc = 0;

	for (; *text && !rc; text += strcspn(text, "\n"), text += *text == '\n') {
		struct tcp_socket s = {};

		if (!parse_line(text, v6, &s))
			rc = sockets_add(list, &s);
	}
	return rc;
}

void sockets_untranslate(struct tcp_sockets *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct tcp_socket *s = &list->v[i];

		if (!s->wire_port)
			continue;
		memcpy(s->own_local, s->local, sizeof(s->own_local));
		s->own_port = s->local_port;
		memcpy(s->local, s->wire_local, sizeof(s->local));
		s->local_port = s->wire_port;
		s->wire_port = 0;
	}
}

bool sockets_listen(const struct tcp_sockets *list, uint16_t port)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].listens && list->v[i].local_port == port)
			return true;
	return false;
}
