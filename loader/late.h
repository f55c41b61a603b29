/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `off` or `attach` on trial that ended by itself. A `policy rollback` that comes after that was
 * meant for it, and must not undo the change of the policy before. BPFPOL_STATE_DIR/late says which
 * state of the store that was: once another change has come, a rollback is meant for that one.
 */
#ifndef BPFPOL_LATE_H
#define BPFPOL_LATE_H

#include <stdbool.h>

#include "diag.h"

/*
 * The time is over. To be noted before what was on trial is forgotten, so that no kill loses it. On
 * a disk that cannot be written a late rollback is one of the change before, and nothing else is
 * lost.
 */
void late_note(void);
/* -ETIME with DIAG_UNKNOWN if a rollback is too late. It is told once, unless that is a dry run. */
int late_refuse(bool dry_run, struct diag *diag);

#endif
