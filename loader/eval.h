/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The oracle: a slow, obvious twin of the BPF classifier. A policy and a frame in, verdict and
 * rule out, by walking every rule and comparing precedence as the contract's prose says it,
 * without ranks, tuples or maps. The tests hold the loaded program against it. Pure.
 */
#ifndef BPFPOL_EVAL_H
#define BPFPOL_EVAL_H

#include "frame.h"
#include "policy.h"

/* The world as the packet meets it. */
struct eval_env {
	enum bp_dir dir;
	const char *ifname; /* whose hook sees the packet */
	bool me;	    /* the local end is this host itself */
	uint64_t now;	    /* CLOCK_REALTIME seconds */
};

enum eval_reason {
	REASON_NO_MATCH,  /* no rule matches: passes */
	REASON_RULE,	  /* the winner decided */
	REASON_EXEMPT,	  /* FRAME_PASS */
	REASON_MALFORMED, /* too short to read, and a rule asks for what is missing: blocked */
};

struct eval_verdict {
	bool block;
	bool malformed; /* counts as malformed */
	enum eval_reason reason;
	const struct rule *winner; /* NULL unless REASON_RULE */
	/* Every block and permit rule that matches, most specific first (the winner is [0]), then
	 * every count rule that matches, by id. Each rule once. */
	const struct rule **matched;
	size_t n_matched, n_deciding;
};

/* -ENOMEM. */
int eval_frame(const struct policy *policy, const struct eval_env *env, const struct frame *frame,
	struct eval_verdict *verdict);
void eval_free(struct eval_verdict *verdict);

#endif
