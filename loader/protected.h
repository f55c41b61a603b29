/* SPDX-License-Identifier: GPL-2.0-only */
/* What the lock-out guard protects on this host now, and whether a rule can have to do with it. */
#ifndef BPFPOL_PROTECTED_H
#define BPFPOL_PROTECTED_H

#include "conf.h"
#include "diag.h"
#include "policy.h"
#include "sockets.h"

struct protected
{
	struct conf conf;	/* the lines `protect` of bpfpol.conf */
	struct tcp_sockets ssh; /* see ssh.h */
};

/*
 * As much of it as a block rule of the policy can have to do with: without one that may match TCP
 * no connection is looked for. NULL: all. -EINVAL with the place: bpfpol.conf says what nobody can
 * make out.
 */
int protected_get(struct protected *p, const struct policy *policy, struct diag *diag);
void protected_free(struct protected *p);

/*
 * Whether what puts in force what was decided before is to ask as a change does: it was typed over
 * SSH. Where it is not known what is protected, rules are what a host needs first: false, and a
 * diag.
 */
bool protected_over_ssh(struct diag *diag);

/*
 * This host's addresses; and where it has none of a family that it could have one of, one that
 * stands for it: what is protected is so from the moment on that it comes. Caller frees v, also of
 * an error.
 */
int protected_own(struct prefixes *own, struct diag *diag);

/*
 * Whether the rule, if it blocked and were the only one, would stop such a packet: the oracle's
 * word. If it would not, neither its coming as a block nor its going as a permit can cut anything.
 * protected_suspects() gets what it needs to know itself, and no more than that.
 */
int protected_suspects(const struct rule *rule, bool *suspect, struct diag *diag);
int protected_suspects_of(
	const struct protected *p, const struct rule *rule, bool *suspect, struct diag *diag);

/* A line each, in words; caller frees each and the array. */
int protected_texts(char ***texts, size_t *n, struct diag *diag);

#endif
