/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Somebody who comes when the time of what is attached on trial is over: a transient timer of
 * systemd's where it runs and sees what we see, else a process of this program, with no terminal
 * and no lock, which ends when there is nothing to wait for. Both run `policy rollback --due`,
 * which looks at what is on trial when its time has come: so it may come late, twice, or for
 * nothing.
 */
#ifndef BPFPOL_DUE_H
#define BPFPOL_DUE_H

#include <stdint.h>

#include "diag.h"

int due_arm(uint64_t seconds, struct diag *diag);
/* Returns when nothing is on trial, or its time is over. */
void due_wait(void);

#endif
