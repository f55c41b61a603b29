/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps of a generation, mapped piece by piece as they are asked for. The kernel makes every
 * page of a mapping at once and takes each away again: 10 ms for all that a million rules stand in.
 */
#ifndef BPFPOL_WINDOWS_H
#define BPFPOL_WINDOWS_H

#include "table.h"

/*
 * Sets table->windows, the layout, and where each part begins; only the tables themselves are
 * there. fds: the maps. sizes: of the parts; NULL: as the tables say.
 */
int windows_open(struct table *table, const int fds[TABLE_PARTS], const struct bp_sizes *sizes);
/* All of it is there from now on, and nobody asks any more: for who fills it. */
int windows_all(struct table *table);
void windows_close(struct table *table);

#endif
