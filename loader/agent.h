/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent: one process, one loop. It follows the interfaces (hotplug.h) and answers root's
 * clients (clients.h). Static policies need none of it: when it is gone, what is attached stays.
 */
#ifndef BPFPOL_AGENT_H
#define BPFPOL_AGENT_H

#include "diag.h"

/* Runs until SIGTERM or SIGINT. -EBUSY with a diag: there is an agent already. */
int agent_run(struct diag *diag);

#endif
