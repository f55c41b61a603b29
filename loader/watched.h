/* SPDX-License-Identifier: GPL-2.0-only */
/* A packet that `watch` was told of, for its reports. Pure. */
#ifndef BPFPOL_WATCHED_H
#define BPFPOL_WATCHED_H

#include <time.h>

#include "event.h"
#include "frame.h"
#include "policy.h"

struct watched {
	const struct bp_event *event;
	struct timespec time;	 /* CLOCK_REALTIME */
	const char *interface;	 /* its name; NULL: it is gone */
	const struct rule *rule; /* that decides; NULL: none does, or nobody knows it any more */
	const struct rule *logged[BP_LOGGED]; /* that asked for the event, likewise */
};

/* How many rules with `log` are named: those that count it, or as many of them as fit. */
unsigned int watched_logged(const struct bp_event *event);
/* Which way it went. */
enum bp_dir watched_dir(const struct bp_event *event);
/* What the classifier has read of it. */
void watched_frame(const struct bp_event *event, struct frame *frame);
/* Why it was blocked, or passed, as a sentence. */
void watched_reason(const struct bp_event *event, char *text, size_t size);

#endif
