/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of hotplug*.c alone. */
#ifndef BPFPOL_HOTPLUG_PARTS_H
#define BPFPOL_HOTPLUG_PARTS_H

#include "hotplug.h"

/*
 * Brings the kernel to what the store says, if it is not there and it is time to. hp->behind: it is
 * left for hotplug_rebuild(). The lock is held.
 */
int hotplug_put_in_force(struct hotplug *hp, struct host *host, uint64_t now, struct diag *diag);

/* On stderr, a line. */
void hotplug_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What goes wrong at every look is said once. */
void hotplug_complain(struct hotplug *hp, const char *so, int rc, const struct diag *diag);
/* The same with warnings. */
void hotplug_pass_on(struct hotplug *hp, struct diag *diag);

#endif
