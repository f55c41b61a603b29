/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands of pkt that go another way than through AF_PACKET. Arguments: after the command. */
#ifndef BPFPOL_TESTS_PKT_MORE_H
#define BPFPOL_TESTS_PKT_MORE_H

#include <stdbool.h>
#include <stddef.h>

#define EXIT_TIMEOUT 3
#define END_PORT 9 /* the end mark of sockets: a datagram to discard */

struct pollfd;

/* These are pkt.c's. */
bool wait_readable(struct pollfd *fds, size_t n);
int listen_on(bool tcp, unsigned int port);

int cmd_serve(int argc, char **argv);
int cmd_tun(int argc, char **argv);
int cmd_tcx(int argc, char **argv);

#endif
