/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What puts the store's rules in force: compiled into a generation beside the one that judges,
 * asked by the lock-out guard, committed to disk and switched to in one step.
 */
#ifndef BPFPOL_ENFORCE_H
#define BPFPOL_ENFORCE_H

#include "host.h"

/* Compiles the store's policy, commits the store and puts both in force in one step. */
int enforce(struct host *host, struct diag *diag);
/*
 * Ours, with the rules on disk, in the place of what is foreign (host.h), which judges until then.
 * The guard is not asked: it was decided then. 0 where nothing is.
 */
int enforce_take_over(struct host *host, struct diag *diag);
/*
 * Another load began to take the place of ours and died over it: links that it renewed obey its
 * rules of then, until they are ours again here, with the rules on disk. 0 where there is none.
 */
int enforce_alone(struct host *host, struct diag *diag);
/* As enforce(), but while filtering is off on disk alone. */
int enforce_settle(struct host *host, struct diag *diag);
/* Ends what a command that was killed began, where the kernel is behind the store. Warnings only.
 */
void enforce_catch_up(struct host *host, struct diag *diag);

/* Whether the store's policy, as it stands in memory, can be put in force. Changes nothing. */
int enforce_try(struct host *host, struct diag *diag);
/*
 * Whether these rules, were they all that is in force, would cut what the lock-out guard protects,
 * and what passes by those before them (NULL: those in force): -EPERM with DIAG_REFUSED. The store
 * has been read. Changes nothing.
 */
int enforce_try_rules(
	struct host *host, const struct policy *rules, const struct policy *was, struct diag *diag);
/* The same of the store's policy with the dynamic rules that stay, where host->staying says so. */
int enforce_try_staying(struct host *host, struct diag *diag);
/*
 * The same of the rules that are in force, or are going to be with them, on interfaces that are to
 * be attached, which become host->adding.
 */
int enforce_try_links(struct host *host, const struct link_choices *choices, struct diag *diag);

#endif
