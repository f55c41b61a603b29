/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Generation 0: no rules. It judges where nothing was ever put in force, so that what is malformed,
 * and the segments of an aggregate, are counted there as well. To all else it is as if there were
 * no generation: the first one that is put in force takes its place.
 */
#ifndef BPFPOL_NORULES_H
#define BPFPOL_NORULES_H

#include "kernel.h"

/*
 * Makes sure that k->none is there, for kernel_need() to add the hook to it, where that generation
 * judges, or will when the first rules of all, which are on trial, go back.
 */
int norules_open(struct kernel *k, enum bp_hook hook, struct diag *diag);

#endif
