/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What commands ask of the agent about dynamic rules. Rules go as text, with all that their lists
 * hold: the agent reads no file for anybody. Where there is no agent each fails with a diag that
 * says how one is started. Who holds the lock when it asks for a change shares it with the agent
 * until that is done. An agent that begins waits for the lock before it holds rules: ask it
 * something that only one that holds some answers (a dry run, tell_rule()) before the lock is
 * taken.
 */
#ifndef BPFPOL_TELL_H
#define BPFPOL_TELL_H

#include "apply.h"

/*
 * Adds the rules in one step, all or none. applied: one for each; id 0 with a dry run: it is not
 * known yet. A permit whose equal dynamic block stands: -EEXIST with DIAG_REFUSED, unless forced.
 */
int tell_add(const struct policy *rules, const struct apply_opts *opts, struct applied *applied,
	struct diag *diag);

/* Like apply_remove() and apply_remove_id(). */
int tell_remove(const struct rule *rule, int action, const struct apply_opts *opts,
	struct apply_removed *removed, struct diag *diag);
int tell_remove_id(uint32_t id, const struct apply_opts *opts, struct diag *diag);
/*
 * The same, and with `keep` what it has counted is the static rule's of that id from then on. This
 * process has the lock.
 */
int tell_retire(uint32_t id, bool keep, struct diag *diag);
/* All of them, in one step; *n: how many. */
int tell_drop(const struct apply_opts *opts, size_t *n, struct diag *diag);

/*
 * All rules that are held, with their lists; or the one of that id, with or without: -ENOENT with
 * DIAG_UNKNOWN.
 */
int tell_rules(struct policy **rules, struct diag *diag);
int tell_rule(uint32_t id, bool lists, struct policy **rules, struct diag *diag);

/* The dynamic layer's arrays, which this process has loaded. No agent, or none that hears: so be
 * it. */
void tell_arrays(const int fd[BP_ARRAYS]);

#endif
