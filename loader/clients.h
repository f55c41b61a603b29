/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Those who are connected to the agent: root, a bounded number of them, each with bounded memory
 * and bounded patience. Where there is no place, the one goes that was idle longest. Those who say
 * nothing cost nothing: what one of them sends is told by an epoll instance of theirs, which is
 * told only what changes.
 */
#ifndef BPFPOL_CLIENTS_H
#define BPFPOL_CLIENTS_H

#include <stdbool.h>

#include "answer.h"

#define CLIENTS 64

struct client {
	int fd; /* -1: nobody */
	uint8_t *in, *out;
	size_t n_in, n_out, sent;
	int fds[WIRE_FDS], n_fds; /* that came with what was read: the next request's */
	bool more;		  /* what was read may hold another whole request */
	bool last;		  /* goes when it has its reply: what it sends cannot be read on */
	bool ended;		  /* sends no more, and goes when all is answered */
	bool waits;		  /* for an answer that comes later */
	bool watched;		  /* the kernel tells of `events` */
	uint32_t events;
	uint64_t who;	/* its number */
	uint64_t order; /* of who did something last, among all */
	uint64_t since; /* idle, or busy with this request or this part of the reply; ms */
};

struct clients {
	struct client v[CLIENTS];
	int fd; /* readable when there is something to handle */
	serve_fn serve;
	void *arg;
	uint64_t order;
	uint64_t deaf_until; /* nobody is taken in before: there was no descriptor; ms */
	uint64_t served, refused, dropped;
};

/* -errno. */
int clients_open(struct clients *c, serve_fn serve, void *arg);
/* Takes in those who wait. now: of CLOCK_MONOTONIC, in ms. */
void clients_accept(struct clients *c, int listen_fd, uint64_t now);
/* What the kernel refused just now it would refuse at once again: that they wait is not looked at.
 */
bool clients_is_deaf(const struct clients *c, uint64_t now);
/* In how many ms something is due though nobody sends: someone's patience, or deafness, ends. -1:
 * never. */
int clients_wait(const struct clients *c, uint64_t now);
/* Reads, answers and writes what can be, and drops who takes too long. */
void clients_handle(struct clients *c, uint64_t now);
/* The answer that was to come later; NULL: there is too little memory for it. */
void clients_reply(struct clients *c, uint64_t who, const struct wire_reply *reply);
unsigned int clients_count(const struct clients *c);
void clients_close(struct clients *c);

#endif
