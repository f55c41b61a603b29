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
 * The time is over. To be noted before what was on trial is forgotten, so that no kill loses it.
 * -errno: it is not to be forgotten yet.
 */
int late_note(struct diag *diag);
/*
 * -ETIME with DIAG_UNKNOWN if a rollback is too late. It is told once, unless that is a dry run.
 * unnoted: something has ended, and is not noted yet.
 */
int late_refuse(bool unnoted, bool dry_run, struct diag *diag);

#endif
