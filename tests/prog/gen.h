/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random policies and frames for the twin test: the loaded program and the oracle (frame.c and
 * eval.c) are given the same ones and must agree. Deterministic: the same struct gen and the same
 * calls give the same output on every machine. Needs policy.c. Out of memory: abort().
 *
 *	struct gen g = { .seed = 42, .ifnames = names, .n_ifnames = 2 };
 *	gen_policy(&g, &policy, 30);
 *	len = gen_frame(&g, policy, buf, sizeof(buf));
 */
#ifndef BPFPOL_GEN_H
#define BPFPOL_GEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "frame.h"
#include "policy.h"

#define GEN_ROOM 4096 /* of a frame's buffer: nothing made here is larger */

/* What to leave out. All false: everything is made. */
struct gen_without {
	bool vlan;	/* frames with tags */
	bool exthdr;	/* IPv6 extension headers, except a fragment's */
	bool fragments; /* first, later and atomic fragments */
	bool malformed; /* cut frames, wrong lengths, fifth tag, extension headers that are cut, too
			 * long or a ninth, RFC 3128 (which also needs fragments), garbage */
	bool count;	/* count rules */
	bool me;	/* rules with me at the local end */
	bool iface;	/* rules with an interface; implied by n_ifnames == 0 */
	bool out;	/* out and inout rules: in only */
	bool dynamic;	/* rules of the dynamic layer: static only */
	bool lists;	/* address lists (END_FILE) */
};

struct gen {
	uint64_t seed;	 /* advances with every draw */
	enum bp_dir dir; /* of the frames: says which end is source */
	bool l3;	 /* frames begin with the IP header */
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

/*
 * 1..max_rules rules with ids 1..n, from a few addresses, prefix lengths and ports, so that they
 * overlap, nest and tie: copies of earlier rules under another action, layer or word, and plain
 * repetitions, are frequent. Every rule is one that spec.c would accept. Free with policy_free().
 */
void gen_policy(struct gen *g, struct policy **policy, unsigned int max_rules);

/*
 * A frame at the edges of a rule of the policy or one beside; 70 of 100 plain and well-formed.
 * Returns its length: never above GEN_ROOM or room; at least 14 (l3: 1) if room allows. The MAC
 * addresses mean nothing and may be overwritten. Checksums are 0.
 */
size_t gen_frame(struct gen *g, const struct policy *policy, uint8_t *buf, size_t room);

/*
 * Whether the frame's local end, for packets of g->dir, is one of the host's addresses or, on the
 * way in, broadcast or multicast. Knows nothing of subnet broadcasts.
 */
bool gen_me(const struct gen *g, const struct frame *frame);

/* The frame in hex, 16 bytes a line, each line after a tab. */
void gen_print_frame(FILE *out, const uint8_t *data, size_t len);

#endif
