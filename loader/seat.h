/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent's place in BPFPOL_RUN_DIR: agent.lock, which one process holds, and agent.sock, where
 * it listens. The lock alone says whether there is an agent: a socket may be left over.
 */
#ifndef BPFPOL_SEAT_H
#define BPFPOL_SEAT_H

#include <stdbool.h>

#include "diag.h"
#include "wire.h"

struct seat {
	int lock_fd, listen_fd;
	char *socket; /* its path */
};

/* Sits down and listens. -EBUSY with a diag: there is an agent already. */
int seat_take(struct seat *seat, struct diag *diag);
void seat_leave(struct seat *seat);
/* Somebody took the lock's file away, so that another agent could sit down beside this one. */
bool seat_is_lost(const struct seat *seat);

/* Whether there is an agent: 1, 0, or -errno: not known. Changes nothing, and does not get in its
 * way. */
int seat_is_taken(int *pid);

/* -ECONNREFUSED with a diag that says how an agent is started, where there is none. */
int seat_need(struct diag *diag);

struct seat_question {
	char *const *words;
	int n;
	const int *fds; /* go along, WIRE_FDS at most */
	int n_fds;
	unsigned int patience; /* seconds for an answer; 0: some */
};

/*
 * Asks the agent. *bytes holds what *reply points into; caller frees. -ECONNREFUSED with a diag
 * that says how it is started: there is none. Waits some seconds for an answer.
 */
int seat_ask_with(const struct seat_question *q, uint8_t **bytes, struct wire_reply *reply,
	struct diag *diag);
/* Asks, and does not wait to hear what comes of it. */
int seat_tell(const struct seat_question *q, struct diag *diag);
int seat_ask(
	char *const *words, int n, uint8_t **bytes, struct wire_reply *reply, struct diag *diag);
/* The same, but gives up when nothing comes for that many seconds. */
int seat_ask_within(unsigned int seconds, char *const *words, int n, uint8_t **bytes,
	struct wire_reply *reply, struct diag *diag);

#endif
