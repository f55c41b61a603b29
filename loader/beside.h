/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What takes long, a request or work that is the agent's own, done by a thread beside its loop, so
 * that others are answered meanwhile. All that is the agent's is touched by the one of the two who
 * has the turn: the loop gives it while it waits, the thread while it does what needs none of that.
 * Nobody waits long for it, and the thread comes before the loop.
 */
#ifndef BPFPOL_BESIDE_H
#define BPFPOL_BESIDE_H

#include <pthread.h>

#include "answer.h"

struct beside {
	pthread_t thread;
	pthread_mutex_t mutex; /* of these two, and no longer than to look at them */
	pthread_cond_t given;
	bool taken, thread_waits;
	int fd; /* readable when it is done */
	bool runs;
	void (*work)(void *arg);     /* NULL: it is a request */
	struct wire_request request; /* a copy */
	uint64_t who;
	int fds[WIRE_FDS];
	serve_fn serve;
	void *arg;
	struct answer answer;
	int rc;
};

/* The caller has the turn. -errno. */
int beside_open(struct beside *b, serve_fn serve, void *arg);
/* False: the thread still runs, and all that is the agent's has to stay until the process ends. */
bool beside_close(struct beside *b);

/* -EBUSY: one is being served. -errno. */
int beside_begin(struct beside *b, const struct wire_request *request);
/* Work of the agent's own, with what is the requests' arg; it is called with the turn. */
int beside_do(struct beside *b, void (*work)(void *arg));
/* It is done. Of a request: b->who, b->rc and b->answer as answer_make() gives them, until
 * beside_end(). */
bool beside_is_done(struct beside *b);
void beside_end(struct beside *b);

void beside_give(struct beside *b);
void beside_take(struct beside *b);
/* The same, for the thread. */
void beside_thread_give(void *b);
void beside_thread_take(void *b);

#endif
