/* SPDX-License-Identifier: GPL-2.0-only */
/* Which rules are the same: those of equal action and match. Pure. */
#ifndef BPFPOL_PAIRS_H
#define BPFPOL_PAIRS_H

#include "policy.h"

/* A rule that stands in one policy, the other, or both. */
struct rule_pair {
	struct rule *a, *b; /* NULL: not in this one */
	size_t at;	    /* its place in b, else in a */
};

struct rule_pairs {
	struct rule_pair *v; /* in the order of b, then those of a alone in the order of a */
	size_t n;
};

/*
 * For each rule the index of the first one that is the same: its own, if it repeats none. Caller
 * frees; NULL: no memory.
 */
size_t *policy_firsts(const struct policy *policy);
/*
 * Of rules that stand twice the first stays, with the later end of the two; and with the label and
 * log of the policy's own file, where the other one is included, or else of the last with a label.
 * -ENOMEM.
 */
int policy_drop_repeats(struct policy *policy);

/* The rules of both, neither of which repeats one. a may be NULL. -ENOMEM. */
int rule_pairs(const struct policy *a, const struct policy *b, struct rule_pairs *pairs);
void rule_pairs_free(struct rule_pairs *pairs);

/* The index of a rule of that match and action that is live then, or -1. */
ptrdiff_t policy_find_same(
	const struct policy *policy, const struct rule *rule, int action, uint64_t now);

/*
 * The same rule is given again: takes over what it says of time (the later end holds), label and
 * log. With a label it says both; without, what it does not mention stays. True: something changed.
 */
bool rule_merge(struct rule *is, struct rule *again);
/*
 * A list that is given again was read again: the new contents take the old ones' place, and what
 * the rule was beside them stays. *again: gets all that the old one has.
 */
void rule_inherit(struct rule *again, struct rule *is);

#endif
