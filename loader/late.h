/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `off` or `attach` on trial that ended by itself. A `policy rollback` that comes after that was
 * meant for it, and must not undo the change of the policy before. BPFPOL_STATE_DIR/late says that
 * one ended. Once rules in force were changed, a rollback is meant for that change.
 */
#ifndef BPFPOL_LATE_H
#define BPFPOL_LATE_H

#include <stdbool.h>
#include <stdint.h>

#include "confirm.h"
#include "diag.h"

enum late {
	LATE_UNTOLD, /* it is not known what, or whether it ended by itself; or told elsewhere */
	LATE_ATTACH,
	LATE_OFF,
};

/*
 * The time is over, and which that was. To be noted before what was on trial is forgotten, so that
 * no kill loses it. -errno: it is not to be forgotten yet. over: NULL for LATE_UNTOLD.
 */
int late_note(enum late what, const struct confirm *over, struct diag *diag);
/* When that ended, in seconds since 1970; 0: it is not what is noted. */
uint64_t late_when(enum late what);
/* Rules in force, interfaces, or filtering, are as somebody wanted them since. */
void late_forget(void);
/*
 * -ETIME with DIAG_UNKNOWN if a rollback is too late; another error: nobody can tell. It is told
 * once, unless that is a dry run. unnoted: something has ended, and is not noted yet.
 */
int late_refuse(bool unnoted, bool dry_run, struct diag *diag);

#endif
