/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dynamic rules that are in force, for reports. That there are some, their filters and counters
 * are the kernel's word; what they say, and their labels, is the agent's. Where it does not tell,
 * they are put together from their filters.
 */
#ifndef BPFPOL_DYNAMIC_RULES_H
#define BPFPOL_DYNAMIC_RULES_H

#include "dynamic.h"
#include "filters.h"

struct dynamic_rules {
	struct generation *gen;	    /* the layer; NULL: no dynamic rule is in force */
	const struct policy *rules; /* never NULL once opened */
	struct policy *told;	    /* these, unless the process holds them itself */
	struct rule_counts counts;
	bool *untold; /* of each rule: it is not all known, see struct status_rule; NULL: of none */
	size_t n_untold;
	/* Of the tables, before the agent was asked: every change of rules leaves a trace in it. */
	struct dynamic_mark {
		uint64_t number, rules, given, used, withheld;
	} mark;
};

/*
 * Fills it, and costs nothing where no dynamic rule is. k: NULL: nothing is pinned. own: the rules
 * of a process that holds them itself; NULL: the agent is asked. lists: whether the addresses of
 * their lists are wanted as well. An agent that does not tell makes a warning.
 */
int dynamic_rules_open(struct dynamic_rules *d, const struct kernel *k, const struct policy *own,
	bool lists, struct diag *diag);
/* What the kernel has alone, without counters: nobody is asked, so the lock may be held. */
int dynamic_rules_read(struct dynamic_rules *d, const struct kernel *k, struct diag *diag);
/* The same for that process itself, by descriptors that it has: that takes no CAP_SYS_ADMIN. */
int dynamic_rules_own(struct dynamic_rules *d, const struct dynamic *holder,
	const struct policy *own, struct diag *diag);
void dynamic_rules_close(struct dynamic_rules *d);

/*
 * Adds the layer's filters, see filters_read(). Its holder takes no lock, so this is done again
 * while rules come and go, but not for ever: with changes all the time, a rule may not be whole.
 */
int dynamic_filters(struct filters *filters, const struct kernel *k, const struct generation *gen,
	uint64_t boot_now);

/* Whether that one is not all known. */
bool dynamic_rules_untold(const struct dynamic_rules *d, const struct rule *rule);
/*
 * Whether the tables do not hold the rules that name interfaces as those are now: the agent follows
 * them, a moment later. One that is not there makes no difference. -ENOMEM.
 */
int dynamic_rules_behind(const struct dynamic_rules *d, bool *behind, struct diag *diag);
/* Whether rules came or went since. */
bool dynamic_rules_changed(const struct dynamic_rules *d, const struct kernel *k);

#endif
