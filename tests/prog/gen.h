/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random policies and frames for the twin test: the loaded program and the oracle (frame.c and
 * eval.c) are given the same ones and must agree. Deterministic: the same struct gen and the same
 * calls give the same output on every machine. Needs policy.c. Out of memory: abort().
 *
 *	struct gen g = { .seed = 42, .ifnames = names, .n_ifnames = 2, .most = 1500 };
 *	gen_policy(&g, &policy, 30, 30);
 *	len = gen_frame(&g, policy, buf);
 */
#ifndef BPFPOL_GEN_H
#define BPFPOL_GEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy.h"

#define GEN_ROOM 24576 /* of a frame's buffer: nothing made here is larger */

/* What to leave out. All false: everything is made. */
struct gen_without {
	bool dynamic;  /* rules of another layer than the static one */
	bool lists;    /* address lists (END_FILE) */
	bool disorder; /* ids in another order than the rules' */
};

struct gen {
	uint64_t seed;	 /* advances with every draw */
	enum bp_dir dir; /* of the frames: says which end is source */
	bool l3;	 /* frames begin with the IP header */
	size_t most;	 /* no frame is longer; 0: GEN_ROOM */
	struct gen_without without;
	uint64_t now;		    /* some rules expire around this second; 0: none expires */
	const char *const *ifnames; /* for `on IFACE`; not NULL if n_ifnames */
	size_t n_ifnames;
	const uint8_t (*local4)[4]; /* this host's addresses, to be hit by me */
	size_t n_local4;
	const uint8_t (*local6)[16];
	size_t n_local6;
};

uint64_t gen_u64(struct gen *g);
/* 0 <= result < n; n must not be 0. */
unsigned int gen_below(struct gen *g, unsigned int n);
bool gen_chance(struct gen *g, unsigned int percent);

/*
 * n rules from a few addresses, prefix lengths and ports, so that they overlap, nest and tie:
 * rules that differ from an earlier one in one thing, copies under another action, layer or word,
 * and plain repetitions, are frequent. The first `models` rules are drawn freely; the others have
 * the shapes of those, so that even thousands need few tuples. Ids are 1..n in no order. Every rule
 * is one that spec.c accepts; lists have names of their own. Free with policy_free().
 */
void gen_policy(struct gen *g, struct policy **policy, unsigned int n, unsigned int models);

/* Gives the rule, if it can be, a list of n prefixes as its remote end. */
void gen_long_list(struct gen *g, struct rule *rule, size_t n);

/*
 * A frame at the edges of a rule of the policy or one beside; 70 of 100 plain and well-formed.
 * Returns its length: at least 14 (l3: 1), never above GEN_ROOM or g->most. Checksums are 0.
 */
size_t gen_frame(struct gen *g, const struct policy *policy, uint8_t buf[GEN_ROOM]);

#endif
