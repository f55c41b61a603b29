/* SPDX-License-Identifier: GPL-2.0-only */
/* What one socket of another process tells of its connection. */
#ifndef BPFPOL_SSH_SOCKET_H
#define BPFPOL_SSH_SOCKET_H

#include "sockets.h"

/* Whether it is a TCP connection of this namespace with another host: 1, 0, or -errno: not known.
 */
int ssh_socket_read(int fd, struct tcp_socket *socket);

#endif
