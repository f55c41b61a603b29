/* SPDX-License-Identifier: GPL-2.0-only */
/* Fills a struct status from the store, the kernel's maps and rtnetlink. */
#ifndef BPFPOL_GATHER_H
#define BPFPOL_GATHER_H

#include "host.h"
#include "status.h"

enum gather_parts {
	GATHER_RULES = 1 << 0,
	GATHER_COUNTS = 1 << 3, /* the same by id, without ranks, so that no list need be read */
	GATHER_INTERFACES = 1 << 1, /* with all notes only beside rules */
	GATHER_PROTECTED = 1 << 4,
	GATHER_FILTERS = 1 << 2, /* every filter, read back from the maps */
};

/* Static rules stay the host's. */
int gather(struct host *host, unsigned int parts, struct status *status, struct diag *diag);
void gather_free(struct status *status);

#endif
