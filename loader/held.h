/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dynamic rules that the agent holds: as the kernel judges by them (dynamic.h), and as they
 * were said. They stand in memory alone, and are gone with the process.
 */
#ifndef BPFPOL_HELD_H
#define BPFPOL_HELD_H

#include "apply.h"
#include "dynamic.h"
#include "layer.h"

/* A rule that came or went in place. */
struct held_noted {
	struct rule *rule;
	bool gone;
};

/*
 * What takes long (held_replace() in held_parts.h, and to read a long text) can be done by a thread
 * beside the one that answers. One of them has the turn at a time, and with it all that is the
 * agent's; give() and take() are called around what needs none of that. NULL: there is one thread.
 */
struct held_turn {
	void (*give)(void *arg);
	void (*take)(void *arg);
	void *arg;
};

struct held {
	struct dynamic *d;
	struct policy *rules;	  /* by rising id */
	uint32_t next_id, end_id; /* ids that are reserved, and not given yet */
	uint32_t batch;		  /* how many are reserved the next time; 0: the first ones */
	uint64_t links;		  /* env_links() as the rules were compiled; 0: none names one */
	uint64_t ends_at;	  /* no rule's time is over before; 0: none ends */
	uint64_t reload_at;	  /* ms: not before, where interfaces change all the time */
	bool waits;		  /* ...and a look was before that */
	char trouble[1024];	  /* what was said last, so that it is said once */
	struct held_turn turn;
	uint64_t loads; /* how often all were loaded anew; for status */
	bool look;	/* one is to be had soon: there are new root programs */
	bool busy;	/* all are being loaded anew; others can change some in place meanwhile */
	bool quick;	/* who has the turn must not take long: see held_add() */
	const struct policy *coming; /* while they are built: what changes is noted; or NULL */
	struct held_log {
		struct held_noted *v;
		size_t n, room, done;
	} log;
};

/* Around what takes long and needs nothing of the agent's. */
void held_give_turn(const struct held *h);
void held_take_turn(const struct held *h);

/*
 * Takes hold of the layer, and loads and pins root programs if there are none. Before privileges
 * are given up. -EBUSY with a diag: another process holds dynamic rules.
 */
int held_open(struct held *h, struct diag *diag);
/* With no rules yet: loads what rules are added to. */
int held_begin(struct held *h, struct diag *diag);
void held_close(struct held *h);

/*
 * Around each look of the agent at the host, which may load programs: they find the layer's arrays
 * by the descriptors that are held, and those that were loaded anew are taken hold of.
 */
void held_lend(const struct held *h, struct kernel *k);
/* The same by copies, for one who gives the turn away meanwhile; to be closed. -errno. */
int held_lend_copies(const struct held *h, struct kernel *k, struct layer *copies);
void held_follow(struct held *h, const struct kernel *k);
/* Descriptors of arrays that another process has loaded. -errno. */
int held_offer(struct held *h, const int fd[BP_ARRAYS]);
/*
 * After each look: rules whose time is over go, those on interfaces that came or went are compiled
 * anew, and all are in force, whatever became of the kernel's side. What goes wrong is said on
 * stderr. quick: what would take long is not done: false.
 */
bool held_look(struct held *h, bool quick);
/* ms until held_look() is to be called without a look before it; -1: it is not. */
int held_wait(const struct held *h, uint64_t now);

/*
 * Adds rules in one step: all or none. None of them repeats another. Those that stand already get
 * the later end, label and log of these. Lists have been read. They are taken over one by one.
 * applied: one for each. -EAGAIN without a diag: ids are to be reserved, and another process
 * changes the store just now; or others have to be through with what they do. -EINPROGRESS without
 * a diag, with h->quick alone: it would take long, and nothing was done. Both also from the
 * functions below.
 */
int held_add(struct held *h, struct policy *rules, const struct apply_opts *opts,
	struct applied *applied, struct diag *diag);

/* Like apply_remove() and apply_remove_id(). */
int held_remove(struct held *h, const struct rule *rule, int action, const struct apply_opts *opts,
	struct apply_removed *removed, struct diag *diag);
int held_remove_id(struct held *h, uint32_t id, const struct apply_opts *opts, struct diag *diag);
/* Those of these ids that are there, in one step. */
int held_remove_ids(struct held *h, const uint32_t *ids, size_t n, struct diag *diag);
/*
 * The same; with `keep` what it has counted is the static rule's of that id from then on. The lock
 * is held for this by who asks. Counters that cannot be kept are a warning.
 */
int held_retire(struct held *h, uint32_t id, bool keep, struct diag *diag);
/* All of them in one step; *n: how many there were. */
int held_drop(struct held *h, const struct apply_opts *opts, size_t *n, struct diag *diag);

/* -ENOENT with DIAG_UNKNOWN. */
int held_find(const struct held *h, uint32_t id, const struct rule **rule, struct diag *diag);

#endif
