/* SPDX-License-Identifier: GPL-2.0-only */
/* One request to the agent, answered. */
#ifndef BPFPOL_ANSWER_H
#define BPFPOL_ANSWER_H

#include <stdio.h>

#include "wire.h"

/*
 * Answers one request: writes output, and a message without prefix or newline; returns the exit
 * code. Descriptors are copied.
 * SERVE_LATER: the answer comes by another way.
 */
typedef int (*serve_fn)(const struct wire_request *request, FILE *out, FILE *err, void *arg);
#define SERVE_LATER (-1)

struct answer {
	struct wire_reply reply; /* points into these */
	char *out, *err;
};

/* SERVE_LATER: there is nothing to free. -ENOMEM as well. */
int answer_make(
	struct answer *answer, serve_fn serve, const struct wire_request *request, void *arg);
void answer_free(struct answer *answer);

#endif
