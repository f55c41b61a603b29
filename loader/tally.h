/* SPDX-License-Identifier: GPL-2.0-only */
/* The packets of a capture, summed up by what decided on them. Pure. */
#ifndef BPFPOL_TALLY_H
#define BPFPOL_TALLY_H

#include "judgement.h"

enum tally_kind {
	TALLY_RULE,
	TALLY_NO_MATCH,
	TALLY_EXEMPT,
	TALLY_MALFORMED, /* blocked as such; others stand with what decided on them */
	TALLY_CUT,	 /* no verdict: the capture holds too little of it */
	TALLY_KINDS,
	TALLY_STRANGER = TALLY_KINDS, /* by rules that the policy did not have */
};

struct tally_row {
	enum tally_kind kind;
	bool block;
	uint32_t id;		 /* TALLY_RULE */
	const struct rule *rule; /* TALLY_RULE */
	uint64_t packets, bytes;
};

struct tally {
	struct tally_row *v; /* by rule id; the last ones are of the other kinds */
	size_t n;
	uint64_t packets, bytes, passed, blocked, malformed, undecided;
};

/* policy: outlives the tally. -ENOMEM. */
int tally_begin(struct tally *tally, const struct policy *policy);
void tally_add(struct tally *tally, const struct judgement *judgement);
/* A packet that cannot be judged. */
void tally_add_cut(struct tally *tally, uint32_t bytes);
/* Drops rows without packets; the rules with the most packets come first. */
void tally_end(struct tally *tally);
void tally_free(struct tally *tally);

#endif
