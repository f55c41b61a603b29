/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps of a generation, mapped piece by piece as they are asked for. The kernel makes every
 * page of a mapping at once and takes each away again: 10 ms for all that a million rules stand in.
 * And each page of it counts as memory of this process.
 */
#ifndef BPFPOL_WINDOWS_H
#define BPFPOL_WINDOWS_H

#include "table.h"

/*
 * Sets table->windows, the layout, and where each part begins; only the tables themselves are
 * there. fds: the maps. sizes: of the parts; NULL: as the tables say.
 */
int windows_open(struct table *table, const int fds[TABLE_PARTS], const struct bp_sizes *sizes);
/*
 * For who fills it: all is there but the elements behind the homes, of which there is mostly room;
 * those come in long pieces.
 */
int windows_fill(struct table *table);
/* It is filled: nothing is there any more but the tables themselves, until it is asked for. */
void windows_leave(struct table *table);
void windows_close(struct table *table);

#endif
