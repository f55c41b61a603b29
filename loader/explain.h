/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asking what would become of packets: the classifiers of both layers are run on them, over the
 * maps that are in force, and the oracle is asked the same. Where the two differ, one of them is
 * wrong, and that is what is said.
 */
#ifndef BPFPOL_EXPLAIN_H
#define BPFPOL_EXPLAIN_H

#include "classifier.h"
#include "dynamic_rules.h"
#include "host.h"
#include "judgement.h"
#include "vantage.h"

/* Whose word the verdicts are. */
enum explain_by {
	EXPLAIN_NOBODY,	  /* no policy is in force: every packet passes */
	EXPLAIN_NEVER,	  /* the interface is never filtered */
	EXPLAIN_IN_FORCE, /* the maps that judge packets now */
	EXPLAIN_LOADED,	  /* maps made of a policy for the question alone */
};

struct explainer {
	struct host host;
	struct vantage vantage;
	enum explain_by by;
	struct policy *policy;	     /* the host's, or one of these; never NULL */
	struct policy *other, *none; /* one that is not assigned; one without rules */
	const char *name;	     /* of the policy; NULL: none is assigned */
	const struct generation *gen;
	struct generation *loaded; /* gen, if it was made for the question */
	struct kernel *kernel;	   /* made for it as well, where there is none */
	struct asker *asker;	   /* NULL: no rule of the policy is in force */
	struct dynamic_rules dynamic;
	struct asker *dynamic_asker; /* NULL: no dynamic rule is in force */
	struct policy all;	     /* both layers' rules, which are theirs */
	struct prefixes own;	     /* this host's addresses */
	uint64_t number, journal;    /* of the generation when it was opened */
	bool changed;		     /* rules have changed since */
};

/* policy: a name; NULL: the one in force. packet: for its interface and direction. */
int explainer_open(struct explainer *ex, const char *policy, const struct spec_packet *packet,
	struct diag *diag);
void explainer_close(struct explainer *ex);

/* Whether rules are asked at all. */
bool explainer_asks(const struct explainer *ex);
/* What a rule says is not all known, as the agent does not tell, or the store cannot be used: the
 * kernel's word stands alone, and losers are not told. */
bool explainer_blind(const struct explainer *ex);

struct explain_frame {
	const uint8_t *data; /* from the Ethernet header on, in front of a bare IP packet as well */
	size_t len;
	bool l3; /* the packet began with its IP header */
};

/*
 * One frame. check: whether the oracle is asked as well. verdict: what it says, if that is wanted;
 * then it is asked in any case. -EILSEQ with a diag: the two differ.
 */
int explainer_judge(struct explainer *ex, const struct explain_frame *frame, bool check,
	struct judgement *judgement, struct eval_verdict *verdict, struct diag *diag);

/* Whether somebody has changed the rules since; asks now, and remembers. */
bool explainer_changed(struct explainer *ex);

/* Whether this host itself sends a packet that leaves and is read so. */
bool explainer_own(const struct explainer *ex, const struct frame *frame);

#endif
