/* SPDX-License-Identifier: GPL-2.0-only */
/* Which rules of a policy can never win, and because of which others. Pure. */
#ifndef BPFPOL_NEVER_H
#define BPFPOL_NEVER_H

#include "policy.h"

enum never_why {
	NEVER_NOT,     /* there is a packet that it decides, or counts */
	NEVER_REPEATS, /* another rule before it is the same */
	NEVER_COVERED, /* others win over all that it matches */
	NEVER_EXEMPT,  /* it could only match what always passes: neighbour discovery */
	NEVER_EMPTY,   /* its list is empty: it matches nothing */
	NEVER_ENDS,    /* its ends have no addresses of one family: it matches nothing */
	NEVER_PROTO,   /* they have none of its protocol's family: proto_family() says why */
};

#define NEVER_NAMED 3

struct never {
	enum never_why why;
	size_t by[NEVER_NAMED]; /* indices of rules that win over it, or of the one it repeats */
	unsigned int n_by;
	bool more; /* there are others beside */
};

/*
 * An entry for each rule, in the policy's order; caller frees. A rule that is named can never win;
 * *cut_short says that some may be missing, as the search was given up. -ENOMEM.
 */
int never_find(const struct policy *policy, struct never **out, bool *cut_short);

#endif
