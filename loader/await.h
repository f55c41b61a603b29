/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A change that awaits confirmation, in the store and in the kernel together. The kernel side goes
 * back by itself (kernel.h); here the store follows, by whoever comes next: what is on disk then
 * says the same, as if the change had never been. Where the kernel knows nothing of it, after a
 * boot, the store says when.
 */
#ifndef BPFPOL_AWAIT_H
#define BPFPOL_AWAIT_H

#include "awaited.h"
#include "host.h"

/* For host_open.c */

/*
 * What the kernel went back from by itself goes from the disk, too, and what it keeps is confirmed
 * there. What it awaits and the store does not, as a command was killed, ends in the kernel. Where
 * the store does not say, the trial goes on to its end, unless who comes is to mend the store
 * (`salvage`).
 */
int await_tend(struct host *host, bool salvage, struct diag *diag);
/*
 * -EBUSY with DIAG_REFUSED while something awaits confirmation. Without a word about a store that
 * cannot be read. mend: what a boot, or a command that was killed, has left undone is put in force
 * or written first.
 */
int await_refuse(struct host *host, bool mend, struct diag *diag);

/*
 * What the command changes is to be confirmed within that time; 0: it is not. -EPERM with
 * DIAG_REFUSED while filtering is off, when nothing can be tried.
 */
int await_ask(struct host *host, uint64_t seconds, struct diag *diag);

/* For `policy confirm` and `policy rollback`. */

/* -errno: the disk does not say whether interfaces are on trial, which would be meant. */
int await_know(const struct host *host, struct diag *diag);

/* The store says that something awaits. */

/* -ETIME with DIAG_UNKNOWN: too late. */
int await_confirm(struct host *host, struct diag *diag);
/* -EPERM with DIAG_REFUSED: the rules before it would cut what the guard protects (guard.h). */
int await_go_back(struct host *host, bool dry_run, struct diag *diag);

#endif
