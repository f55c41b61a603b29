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

#include "classifier.h"
#include "eval.h"
#include "gen.h"
#include "kernel.h"
#include "layer.h"

#define CAPTURES "../shared/data/captures"

/* --- twin_world.c: a network namespace of our own --- */

/* Frames come in by the first two; rules also speak of the third, which is not there. */
enum { TWIN_IFS = 2, TWIN_NAMES = 3 };
extern const char *const twin_names[TWIN_NAMES];

/* Of a generation's tables: as the compiler wants them, much too small, or large. */
enum sizing { AS_FITS, TIGHT, WIDE, SIZINGS };

/* Where rules stand. A round without layers has all of them in the first. */
enum { TWIN_STATIC, TWIN_DYNAMIC, TWIN_LAYERS };

struct world {
	struct kernel *k;
	struct loaded {
		struct generation *gen;
		unsigned int used;	       /* policies that it has held */
		struct asker *asker[BP_HOOKS]; /* opened when they are needed */
	} loaded[TWIN_LAYERS][SIZINGS][2];     /* twin_load.c's; [1]: for large policies */
	struct loaded *in_force[TWIN_LAYERS];  /* NULL: that layer is not there */
	struct layer layer;
	bool patched; /* rules of what is in force were put there in place */
	uint32_t ifindex[TWIN_NAMES];
	bool splits;	   /* the kernel runs XDP frames of several small buffers (6.18) */
	struct wire *wire; /* twin_wire.c's; NULL: there is none */
	bool forwarding;
	uint64_t now, boot_now; /* seconds; nanoseconds at the same moment */
};

/* Says on stdout what failed. */
int world_open(struct world *w);
void world_close(struct world *w);
int world_forwarding(struct world *w, bool on);
/* Runs a command, or "sysctl NAME VALUE"; stdout has it if it fails. */
int world_step(const char *line);
/* It is now: what expired since the last time has. */
void world_tick(struct world *w);
/* Tells the generator of this host's addresses. */
void world_tell(const struct world *w, struct gen *g);
/* Whether the frame's destination is this host itself, by what world_open() set up. */
bool world_me(const struct world *w, const struct frame *frame);

/* --- twin_hook.c: a frame given to the program of one hook --- */

extern const char *const hook_names[BP_HOOKS];

struct sample {
	const uint8_t *data; /* not owned */
	size_t len, beyond;  /* beyond: its last bytes, which are not in the first buffer */
	unsigned int iface;
	enum bp_hook hook;
	bool forwarded; /* leaves, and came in by the other interface */
	/* gso_size > 0: an aggregate, which stands for so many packets; 0: nobody says how many */
	uint16_t gso_segs, gso_size;
};

enum bp_dir hook_dir(enum bp_hook hook);
bool hook_is_l3(enum bp_hook hook);
/* No longer frames are run there for sure. */
size_t hook_most(enum bp_hook hook);
/* Gives the sample to that hook; some become forwarded ones, some aggregates. */
void hook_dress(struct gen *g, struct sample *s, enum bp_hook hook);
/* Leaves at least `least` bytes, and not all, in the first buffer or the linear part. */
void hook_split(struct gen *g, struct sample *s, size_t least);
/* What the oracle reads in it, and what a rule that matches it counts. */
void hook_read(const struct sample *s, struct frame *frame);
struct bp_count hook_count(const struct sample *s, const struct frame *frame);

/* By which interface it came in; 0: this host sends it. */
uint32_t hook_ingress(const struct world *w, const struct sample *s);
/* BPF_PROG_TEST_RUN may refuse such a frame. */
bool hook_refused(const struct world *w, const struct sample *s);
/* Sets w->splits. */
void hook_probe(struct world *w);

/* HOOK_ODD: the program returned what is neither verdict of ours. */
enum { HOOK_RAN, HOOK_REFUSED, HOOK_ODD };

/* Negative: stdout has the reason. */
int hook_run(const struct world *w, const struct sample *s, bool *block);

/* --- twin_gso.c: samples that are aggregates --- */

/* Makes the sample one, if it can be. */
void gso_dress(struct gen *g, struct sample *s);
/* Writes another length, most often none, into its IP header, which nobody is to believe. */
void gso_lie(struct gen *g, struct sample *s, uint8_t *data);
/* Like hook_read() and hook_count(). */
void gso_read(const struct sample *s, struct frame *frame);
struct bp_count gso_count(const struct sample *s, const struct frame *frame);

/* --- twin_round.c: one policy and its frames, given to both --- */

struct round {
	const struct policy *policy;
	bool early;	    /* compiled before any of its rules expired */
	unsigned int patch; /* rules of ids that it divides are put in place; 0: all are compiled */
	enum sizing sizing;
	bool layered;		      /* its dynamic rules stand in a layer of their own */
	const struct bp_sizes *sizes; /* of each layer, just these, if not NULL: those with which it
				       * differs */
	const struct lane *lane;      /* all samples go by it; NULL: BPF_PROG_TEST_RUN */
	const struct sample *v;
	size_t n;
};

#define FRAME_CLASSES (FRAME_TAGS + 1)

/* What was tried so far. Nothing but numbers: sums are made of it. */
struct covered {
	uint64_t policies, redraws, patched, layered, rules, hit;
	uint64_t large, huge; /* policies of hundreds of rules; of thousands of filters */
	uint64_t by_sizing[SIZINGS];
	uint64_t frames, by_class[FRAME_CLASSES], by_hook[BP_HOOKS];
	uint64_t forwarded, aggregates, unsaid; /* unsaid: of those, of how many packets */
	uint64_t refused;			/* not among frames: the kernel does not run them */
	uint64_t unsplit; /* of those: as the kernel runs none of several buffers */
	uint64_t split;	  /* headers or payload beyond the first buffer or the linear part */
	uint64_t asked;	  /* of frames: the program was also asked for its reasons */
	uint64_t passed, blocked, cut_blocked, decided, counted;
	/* Decided by a rule of that layer where another of the other one matches as well. */
	uint64_t across[TWIN_LAYERS];
	uint64_t hidden, hidden_blocked; /* of unread protocol; of those, blocked as malformed */
};

/* twin_covered.c */
void covered_add(struct covered *sum, const struct covered *c);
void covered_print(const struct covered *c);
/* What random pairs have too few of to prove much; NULL: nothing. */
const char *covered_lacks(const struct covered *c);

enum { ROUND_SAME, ROUND_DIFFERS };

/*
 * ROUND_DIFFERS with *bad = the first sample whose verdict differs, or round->n when only
 * counters do. -E2BIG: the policy cannot be compiled; any other negative: all is over, and
 * stdout has the reason. covered and say may be NULL; say gets every difference in words.
 */
int round_run(struct world *w, const struct round *round, struct covered *covered, FILE *say,
	size_t *bad);

/* --- twin_load.c: the policy of a round, in force --- */

/* Sets w->in_force. -E2BIG as above; any other negative: stdout has the reason. */
int load_policy(struct world *w, const struct round *round);
/* The root programs find no classifier, as where nothing was ever put in force. */
void unload_static(struct world *w);
/* Of what is in force. Negative: stdout has the reason. */
int load_asker(struct world *w, int layer, enum bp_hook hook, struct asker **asker);
void load_free(struct world *w);

/* --- twin_shrink.c --- */

/*
 * Like round_run(), but a policy that cannot be compiled is only counted, and a round that differs
 * is made as small as it still differs and printed, ready for --replay.
 */
int round_try(struct world *w, const struct round *round, struct covered *covered);

/* --- twin_text.c: rounds as text --- */

void round_print(const struct world *w, const struct round *round, FILE *out);
/* Runs what round_print() wrote. The exit code. */
int round_replay(struct world *w, const char *path);

/* --- twin_jobs.c: what is tried, in parts, each of jobs that run side by side --- */

struct part {
	const char *name, *what;
	/* ROUND_SAME or ROUND_DIFFERS; negative: it could not be done. stdout has the reason. */
	int (*run)(struct world *w, struct gen *g, size_t job, struct covered *covered);
	size_t jobs;
	const char *skip; /* why there are none */
	/* What came of it. */
	struct covered covered;
	bool failed;
};

/*
 * Runs the jobs of all parts in that many processes, each with a world of its own, until one
 * fails. What a job draws depends on the seed, its part's place and its number alone. Negative: a
 * process died, or could not begin.
 */
int jobs_run(struct part *parts, size_t n, uint64_t seed, unsigned int processes);

/* --- twin_random.c --- */

enum { RANDOM_JOB = 10000 }; /* pairs */

int random_run(struct world *w, struct gen *g, size_t n, struct covered *covered);
struct policy *random_policy(struct gen *g);

/* --- twin_root.c --- */

int root_run(struct world *w, struct gen *g, size_t job, struct covered *covered);

/* --- twin_cuts.c: captures --- */

/* How many jobs there are for each. False: there are no captures. */
bool captures_jobs(size_t *whole, size_t *cuts, size_t *shorts);
int captures_whole(struct world *w, struct gen *g, size_t job, struct covered *covered);
int captures_cuts(struct world *w, struct gen *g, size_t job, struct covered *covered);
int captures_wire(struct world *w, struct gen *g, size_t job, struct covered *covered);

/* --- twin.c --- */

struct options {
	uint64_t pairs, seed;
	unsigned int processes;
	const char *program, *replay, *part;
	bool brief; /* only say that it differs: not shrunk */
};
extern struct options options;

/* For tests there is nothing to do then. */
void *must(void *p);

#endif
