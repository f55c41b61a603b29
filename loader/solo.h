/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file in BPFPOL_RUN_DIR that one process at a time has locked, and in which that one says who it
 * is. The lock goes when the process does, however that ends; the file stays.
 */
#ifndef BPFPOL_SOLO_H
#define BPFPOL_SOLO_H

#include <stdbool.h>

#include "diag.h"

/*
 * *fd has the lock, until it is closed. -EBUSY without a diag: process *pid has it; 0: it has not
 * said that it does. Others with a diag.
 */
int solo_take(const char *name, int *fd, int *pid, struct diag *diag);
/* Whether somebody has it, and who: 1, 0, or -errno: not known. Makes nothing, and gets in nobody's
 * way. */
int solo_is_taken(const char *name, int *pid);

#endif
