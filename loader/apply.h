/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changes of single rules. Where the generation in force allows it, a rule is added or removed in
 * place: one record in the journal, a few elements, and a word that lets all of them begin or end
 * at once. Otherwise (a long list, a full map, nothing in force yet) the policy is compiled anew
 * beside the one in force and switched to in one step.
 */
#ifndef BPFPOL_APPLY_H
#define BPFPOL_APPLY_H

#include "host.h"

enum apply_outcome {
	APPLIED,
	APPLIED_ALREADY,   /* an equal rule stands, nothing to change */
	APPLIED_REPLACED,  /* an equal rule stands; its label, log or list is changed */
	APPLIED_PROLONGED, /* ...or it ends later, whatever else is changed */
};

struct applied {
	enum apply_outcome outcome;
	uint32_t id;   /* of the rule added, or the one that stands */
	bool assigned; /* none was assigned: `local` is now, with the rules that it had */
};

struct apply_opts {
	bool dry_run; /* all checks, no change */
	bool force;
	struct names *names; /* what this command looks up */
};

/*
 * Adds a rule to the policy in force; takes *rule over. A permit whose equal block stands is
 * refused (-EEXIST, DIAG_REFUSED) unless forced.
 */
int apply_add(struct host *host, struct rule **rule, const struct apply_opts *opts,
	struct applied *applied, struct diag *diag);

/*
 * A dynamic rule becomes one of the policy in force, with the id that it has; if an equal one
 * stands there already, that one stays, with its own.
 */
int apply_promote(struct host *host, struct rule **rule, const struct apply_opts *opts,
	struct applied *applied, struct diag *diag);

/*
 * A permit whose equal block, of that id, stands: -EEXIST with DIAG_REFUSED. shelved: the name of
 * the policy in which it stands, which is not assigned; NULL: it is in force.
 */
int apply_refuse_permit(
	uint32_t id, const char *shelved, const struct rule *rule, struct diag *diag);
/*
 * The same where a dynamic block like the permit is in force, as the kernel has it; 0 for any other
 * rule, and forced.
 */
int apply_refuse_beneath(const struct host *host, const struct rule *rule,
	const struct apply_opts *opts, struct diag *diag);

/*
 * DIAG_UNKNOWN: -EEXIST, naming a rule of the policy that covers this one at that second of
 * CLOCK_REALTIME, or -ENOENT: none does. p: may be NULL. shelved: as above.
 */
int apply_unknown_rule(const struct policy *p, const char *shelved, const struct rule *rule,
	uint64_t now, struct diag *diag);

/* The rules that were removed: at most one of each action. */
struct apply_removed {
	uint32_t ids[BP_ACTIONS];
	size_t n;
};

/*
 * Removes the rules with that match, of that action or (action == -1) of any; all or none.
 * -ENOENT with DIAG_UNKNOWN when there is none.
 */
int apply_remove(struct host *host, const struct rule *rule, int action,
	const struct apply_opts *opts, struct apply_removed *removed, struct diag *diag);
int apply_remove_id(
	struct host *host, uint32_t id, const struct apply_opts *opts, struct diag *diag);

#endif
