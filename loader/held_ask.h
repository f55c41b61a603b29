/* SPDX-License-Identifier: GPL-2.0-only */
/* Asking the agent what dynamic rules it holds. */
#ifndef BPFPOL_HELD_ASK_H
#define BPFPOL_HELD_ASK_H

#include "diag.h"
#include "policy.h"

/*
 * lists: as in held_write(). -ECONNREFUSED with a diag: there is no agent. Any other failure, with
 * a diag: there is one, and it does not tell. Waits no longer than a reader of a report would.
 */
int held_ask(bool lists, struct policy **rules, struct diag *diag);

#endif
