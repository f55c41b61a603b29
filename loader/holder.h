/* SPDX-License-Identifier: GPL-2.0-only */
/* Which process has the lock of a file, for those who wait for it. */
#ifndef BPFPOL_HOLDER_H
#define BPFPOL_HOLDER_H

#include <stdbool.h>

struct holder {
	int pid;
	bool stopped; /* by a signal (SIGSTOP, Ctrl-Z), so that it does not go on by itself */
	bool traced;  /* stands still at this moment, because of a debugger */
};

/*
 * Of flock(2). False: nobody has it, or nobody knows who: a process of another PID namespace, or
 * one that is gone and has left its descriptor to another.
 */
bool holder_find(int fd, struct holder *holder);

#endif
