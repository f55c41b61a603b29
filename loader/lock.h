/* SPDX-License-Identifier: GPL-2.0-only */
/* The lock of BPFPOL_RUN_DIR: one command at a time, and the agent between them. */
#ifndef BPFPOL_LOCK_H
#define BPFPOL_LOCK_H

#include "diag.h"

/*
 * Holds the lock until it is released or the process ends; waits for it. Who has it keeps it. It is
 * a thread's: another thread of the process is another who waits. -EBUSY with a diag: who has it
 * was stopped, and nobody has let it go on for some seconds.
 */
int lock_take(struct diag *diag);
/* The same, but gives up after so many seconds: -EAGAIN. At once if who has it was stopped. */
int lock_take_within(unsigned int seconds, struct diag *diag);
/* Does not wait: -EAGAIN without a diag when another has it. */
int lock_try(struct diag *diag);
/* For what reads on for long when all that it reads of the state is read. */
void lock_release(void);
/*
 * What holds it, -1: nothing does. A process that is given this descriptor holds the lock as well,
 * until it closes it.
 */
int lock_held(void);
/* Such a descriptor, whose lock this thread has from then on, too. -EBADF: it is none. */
int lock_share(int fd);

#endif
