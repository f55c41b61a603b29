/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP sockets of this network namespace, asked of the kernel by sock_diag. */
#ifndef BPFPOL_NETLINK_DIAG_H
#define BPFPOL_NETLINK_DIAG_H

#include "sockets.h"

/*
 * Adds those that listen, and no others: those stand in a table of their own, while the one of the
 * connections has half a million buckets to walk. -errno, also where the kernel has no sock_diag.
 */
int nl_listening(struct tcp_sockets *list);
/* Whether there is an established connection with these ends. 0 or -errno. */
int nl_is_connected(const struct tcp_socket *ends, bool *yes);

#endif
