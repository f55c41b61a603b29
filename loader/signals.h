/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A change that has begun is made to its end: who is asked to end meanwhile, by Ctrl-C, a terminal
 * that goes or `kill`, ends behind it. What cannot wait is what `kill -9` is for.
 */
#ifndef BPFPOL_SIGNALS_H
#define BPFPOL_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* Of this thread; twice is as once. */
void signals_hold(void);
/* One that is held has come: who has changed nothing yet can leave it so, and end. */
bool signals_came(void);
/* What came takes effect here. Nothing, where none are held. */
void signals_let(void);
/* The mask of a process that is begun meanwhile. */
void signals_unheld(sigset_t *mask);

#endif
