/* SPDX-License-Identifier: GPL-2.0-only */
/* Assigning a policy: the whole of what is in force changes in one step. */
#ifndef BPFPOL_ASSIGN_H
#define BPFPOL_ASSIGN_H

#include "apply.h"

struct assigned {
	char *before;	  /* the policy that was assigned by another name; NULL: none. Owned */
	size_t rules;	  /* of the one that is now */
	uint64_t filters; /* in the kernel; 0 while filtering is off */
};

/*
 * Assigns the policy (policies_load()) in place of the one that is; NULL: none from now on. It is
 * taken over.
 */
int assign_policy(struct host *host, struct policy **policy, const struct apply_opts *opts,
	struct assigned *assigned, struct diag *diag);

/* Puts back what was in force before the last change. -ENOENT with DIAG_UNKNOWN: nothing was. */
int assign_previous(struct host *host, const struct apply_opts *opts, struct assigned *assigned,
	struct diag *diag);

/* Takes back what awaits confirmation, which must be something, as if it had never been. */
int assign_take_back(struct host *host, const struct apply_opts *opts, struct assigned *assigned,
	struct diag *diag);

/* Warns of interfaces that rules name and that are not there, once each; policy may be NULL. */
void assign_warn_absent(const struct policy *policy, struct diag *diag);

#endif
