/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a command sees that only looks, where the store cannot be used: it is damaged or lost, or
 * what is in force is another one's. Then the kernel's maps tell what is in force, and the reason
 * is noted, for whoever reads: it is an error all the same.
 */
#ifndef BPFPOL_FAULT_H
#define BPFPOL_FAULT_H

#include "host.h"

/* Notes what the diag says, which is empty then. Returns 0, or -ENOMEM. */
int fault_note(struct host *host, int rc, struct diag *diag);
/*
 * host_store(), or without lists host_store_names(); or a store with the rules that are in force,
 * of which host->untold says what is not known. Nothing writes that one. Where only what lists hold
 * cannot be read, the rules are the store's.
 */
int fault_store(struct host *host, bool lists, struct diag *diag);
/* 0: there is none. Otherwise what was noted, as the error that it is. */
int fault_tell(const struct host *host, struct diag *diag);
/* The same, or that what judges packets is foreign (host.h): nothing can be told of it. */
int fault_tell_all(const struct host *host, struct diag *diag);
int fault_foreign(struct diag *diag);
/* What was noted as a warning: the command has done all that it was asked. */
void fault_warn(const struct host *host, struct diag *diag);

#endif
