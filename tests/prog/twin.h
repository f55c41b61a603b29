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

/* --- twin_hook.c: a frame given to the program of one hook --- */

/* Those of enum bp_hook that are tried: BP_XDP, BP_TC_IN, BP_TC_OUT. */
enum { TWIN_HOOKS = BP_TC_OUT + 1 };
extern const char *const hook_names[TWIN_HOOKS];

struct sample {
	const uint8_t *data; /* not owned */
	size_t len;
	unsigned int iface;
	enum bp_hook hook;
	bool forwarded;		     /* leaves, and came in by the other interface */
	uint16_t gso_segs, gso_size; /* 0: no aggregate */
};

enum bp_dir hook_dir(enum bp_hook hook);
/* Gives the sample to that hook; some become forwarded ones, some aggregates. */
void hook_dress(struct gen *g, struct sample *s, enum bp_hook hook);
/* Makes an aggregate one that is too long for its IP length field. data: the sample's. */
void hook_make_big(struct sample *s, uint8_t *data);
/* An aggregate without a length in its IP header. */
bool hook_is_big(const struct sample *s);
/* What the oracle reads in it, and what a rule that matches it counts. */
void hook_read(const struct sample *s, struct frame *frame);
struct bp_count hook_count(const struct sample *s);

enum { HOOK_RAN, HOOK_REFUSED };

/* HOOK_REFUSED: BPF_PROG_TEST_RUN does not take such a frame. Negative: stdout has the reason. */
int hook_run(
	const struct world *w, const struct generation *gen, const struct sample *s, bool *block);

/* --- twin_round.c: one policy and its frames, given to both --- */

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
	uint64_t frames, by_class[FRAME_CLASSES], by_hook[TWIN_HOOKS];
	uint64_t forwarded, aggregates, big; /* big: of those, without a length in the IP header */
	uint64_t refused;		     /* not among frames: the kernel does not run them */
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
