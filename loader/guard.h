/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lock-out guard: a change is tried on the packets that matter before it is in force. They are
 * those of the SSH connection that the command is typed over, and what bpfpol.conf protects. What
 * passes now and would not afterwards is cut: then the change is refused.
 */
#ifndef BPFPOL_GUARD_H
#define BPFPOL_GUARD_H

#include "host.h"

/* Dynamic rules are in force, which judge beside any policy. */
bool guard_is_beside(const struct host *host);
/*
 * Whether there is anything to ask about: something is protected, and a block rule of the policy
 * may have to do with it (protected.h), or there are dynamic rules beside it.
 */
int guard_concerns(
	const struct host *host, const struct policy *policy, bool *yes, struct diag *diag);

/*
 * Asks the loaded generation, made of that policy, on the interfaces that are filtered, are
 * remembered, or are going to be filtered (host->adding), together with the dynamic rules that are
 * in force. -EPERM with DIAG_REFUSED: it would cut something, by the rule that is named; or it
 * would as soon as the dynamic rules are gone, and what is in force would not. gen: NULL: nothing
 * of the policy is in force, which goes for it.
 */
int guard_generation(const struct host *host, const struct generation *gen,
	const struct policy *policy, struct diag *diag);
/* The same of the rules in force, as `off` ends: they are the kernel's word, and no store's. */
int guard_in_force(const struct host *host, struct diag *diag);
/*
 * The same of a generation that has the rules of both layers as they would be; was: as they are
 * without the change; NULL: those are in force.
 */
int guard_layers(const struct host *host, const struct generation *gen,
	const struct generation *was, const struct policy *policy, struct diag *diag);

#endif
