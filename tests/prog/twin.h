/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The twin test: the loaded classifier and the oracle (frame.c, eval.c) are given the same
 * policies and frames and must agree on every verdict and every counter.
 */
#ifndef BPFPOL_TWIN_H
#define BPFPOL_TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "gen.h"
#include "kernel.h"

#define CAPTURES "../shared/data/captures"

/* --- twin_world.c: a network namespace of our own --- */

/* Frames come in by the first two; rules also speak of the third, which is not there. */
enum { TWIN_IFS = 2, TWIN_NAMES = 3 };
extern const char *const twin_names[TWIN_NAMES];

struct world {
	struct kernel *k;
	uint32_t ifindex[TWIN_NAMES];
	bool forwarding;
	uint64_t now, boot_now; /* seconds; nanoseconds at the same moment */
};

/* Says on stdout what failed. */
int world_open(struct world *w);
void world_close(struct world *w);
int world_forwarding(struct world *w, bool on);
/* Tells the generator of this host's addresses. */
void world_tell(const struct world *w, struct gen *g);
/* Whether the frame's destination is this host itself, by what world_open() set up. */
bool world_me(const struct world *w, const struct frame *frame);

/* --- twin_round.c: one policy and its frames, given to both --- */

struct sample {
	const uint8_t *data; /* not owned */
	size_t len;
	unsigned int iface;
};

struct round {
	const struct policy *policy;
	bool early; /* compiled before any of its rules expired */
	const struct sample *v;
	size_t n;
};

#define FRAME_CLASSES (FRAME_TAGS + 1)

/* What was tried so far. */
struct covered {
	uint64_t policies, redraws, rules, hit;
	uint64_t frames, by_class[FRAME_CLASSES];
	uint64_t passed, blocked, cut_blocked, decided, counted;
	uint64_t hidden, hidden_blocked; /* of unread protocol; of those, blocked as malformed */
};

enum { ROUND_SAME, ROUND_DIFFERS };

/*
 * ROUND_DIFFERS with *bad = the first sample whose verdict differs, or round->n when only
 * counters do. -E2BIG: the policy cannot be compiled; any other negative: all is over, and
 * stdout has the reason. covered and say may be NULL; say gets every difference in words.
 */
int round_run(const struct world *w, const struct round *round, struct covered *covered, FILE *say,
	size_t *bad);
/* Makes a differing round as small as it still differs and prints it, ready for --replay. */
void round_report(const struct world *w, const struct round *round, size_t bad);

/* --- twin_text.c: rounds as text --- */

void round_print(const struct world *w, const struct round *round, FILE *out);
/* Runs what round_print() wrote. The exit code. */
int round_replay(struct world *w, const char *path);

/* --- twin_pcap.c: captures --- */

/* Tries every frame of the captures, and then its cuts. 0, -ENOENT without captures, or 1: differs.
 */
int captures_run(struct world *w, struct gen *g, struct covered *whole, struct covered *cuts);

/* --- twin.c --- */

/* A policy that compiles; lists have names of their own. */
struct policy *draw_policy(struct gen *g);
/* For tests there is nothing to do then. */
void *must(void *p);

#endif
