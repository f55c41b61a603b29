/* SPDX-License-Identifier: GPL-2.0-only */
/* Which connections of this network namespace the command may have been typed over. */
#ifndef BPFPOL_SSH_H
#define BPFPOL_SSH_H

#include "diag.h"
#include "sockets.h"

/*
 * Those of the nearest sshd among the process's ancestors, which is there under sudo and su, too.
 * It costs no more than looking at these processes. None is no error. -EACCES with a diag: it does
 * not let its sockets be seen, and the environment names none.
 */
int ssh_above(struct tcp_sockets *list, struct diag *diag);
/* Whether there is such an sshd, whatever its connections are. */
int ssh_is_above(bool *yes, struct diag *diag);
/* Whether some connection's port on the wire may be none that is listened on: the kernel tracks
 * some. */
bool ssh_translated(void);
/* The sockets that listen. */
int ssh_listening(struct tcp_sockets *list, struct diag *diag);
/*
 * For want of one above (the servers of tmux and screen are children of no session, cron's jobs of
 * none): every connection of an sshd that runs as root, on a port that is listened on; and for
 * want of those the one that SSH_CONNECTION names, if it is there.
 */
int ssh_all(const struct tcp_sockets *listening, struct tcp_sockets *list, struct diag *diag);
/* What is to be protected of all that. */
int ssh_connections(struct tcp_sockets *list, struct diag *diag);

#endif
