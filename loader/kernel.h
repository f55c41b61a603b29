/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all generations share in the kernel: the root programs, the word that says which
 * generation judges, the totals. Pinned in BPFPOL_BPFFS.
 */
#ifndef BPFPOL_KERNEL_H
#define BPFPOL_KERNEL_H

#include "counts.h"
#include "diag.h"
#include "generation.h"

/* libbpf's own messages are for the variable BPFPOL_DEBUG alone. */
void kernel_quiet(void);

struct kernel {
	struct shared shared;
	int made[BP_ARRAYS];	/* the dynamic layer's arrays, where this process loaded them; -1 */
	int root[BP_HOOKS];	/* the programs that are attached */
	struct bp_ctl *ctl;	/* mapped; stored to word by word */
	struct generation *gen; /* the one in force; NULL: none */
	/*
	 * Of a generation that awaits confirmation and the one before it, the one that is not in
	 * force. NULL: none awaits, or there was none before.
	 */
	struct generation *other;
	/* That of no rules, where kernel_need() may have to add to it (norules.h); NULL: not. */
	struct generation *none;
	char *next;	    /* where it stands until it is published */
	uint64_t others;    /* until then: no generation up to that number is its own */
	bool beside;	    /* it is not published yet */
	bool rival;	    /* another load stands beside it, which did not come to its end */
	unsigned int added; /* hooks whose classifiers kernel_need() has added to it */
};

/*
 * Opens what is pinned; -ENOENT without a diag when nothing is, or when it is of another ABI.
 * k->gen is opened if there is one.
 */
int kernel_open(struct kernel **k, struct diag *diag);
/*
 * Loads the root programs and what they share, and pins nothing. Generations of its own get numbers
 * that no older one has, whose pins stay until it is published.
 */
int kernel_load(struct kernel **k, struct diag *diag);
/*
 * Pins all of it beside any older ones, in next-N. Then links are to be adopted (attach.h), and
 * kernel_publish() puts it in their place, `ctl` last: what finds it finds everything. Until then
 * the older ones stay pinned, without which their programs would let everything pass. A command
 * that dies in between leaves no `ctl`, or another version's, and what links refer to pinned; the
 * next begins again. If that is the older version, next-N tells it (k->rival).
 */
int kernel_pin(struct kernel *k, struct diag *diag);
/* A `ctl` is, be it another version's; or nobody knows. */
bool kernel_is_pinned(void);
int kernel_publish(struct kernel *k, struct diag *diag);
/*
 * Looks for loads that a process left which died before it was done. Unless `look`, second pins of
 * what is published go. Those of another load stay, as links may have it: k->rival. -errno: it is
 * not known whether there are any.
 */
int kernel_tidy(struct kernel *k, bool look, struct diag *diag);
/* All links are adopted: other loads go. */
void kernel_is_alone(struct kernel *k);
void kernel_free(struct kernel **k);

/* The network namespace of this process, by its inode; 0: it is not known. */
uint64_t kernel_namespace(void);

/* The program array that holds the hook's classifiers, as bp_slot() says. */
int kernel_generations(const struct kernel *k, int hook);

/* Whether a root program of any load is called so. Others may call theirs so as well. */
bool kernel_is_root_name(const char *name);
/* The same of those for XDP. */
bool kernel_is_xdp_name(const char *name);

/*
 * Makes sure that the generation in force judges at that hook. A generation has the classifiers of
 * those hooks that were in use when it was made, so this comes before anything is attached to
 * another: without one the root program lets everything pass. norules_open() comes before it.
 */
int kernel_need(struct kernel *k, enum bp_hook hook, struct diag *diag);
/* Takes away again what kernel_need() has added, but for the hooks that are in use. */
void kernel_unneed(struct kernel *k, unsigned int in_use);

/*
 * Puts a generation that was loaded, or taken (spare.h) as the next one, in force in one store, and
 * makes it k->gen. Before the store `commit`, if not NULL, is called: it makes the change durable,
 * and its failure calls all off. Afterwards the old generation's counters are folded into the new
 * one's base. *confirm_by, which `commit` may set: 0, or the CLOCK_BOOTTIME nanosecond from which
 * on the old one judges again: then it stays whole beside the new one, until kernel_confirm() or
 * kernel_go_back().
 */
int kernel_switch(struct kernel *k, struct generation *gen, const uint64_t *confirm_by,
	int (*commit)(void *, struct diag *), void *arg, struct diag *diag);

/* A generation awaits confirmation, or did not get it in time. No other can be put in force. */
bool kernel_awaits(const struct kernel *k);
/* One awaits, and was confirmed by a command that was killed before that was done. */
bool kernel_is_kept(const struct kernel *k);
/* ns until the one before judges again; 0: it does. Only if one awaits. */
uint64_t kernel_time_left(const struct kernel *k);
/* The generation that awaits, and the one before it. NULL: its pins are gone, or there was none. */
struct generation *kernel_on_trial(const struct kernel *k);
struct generation *kernel_before_trial(const struct kernel *k);
/* That of the one that comes next. */
uint64_t kernel_next_number(const struct kernel *k);
/* The number of the generation that judges now. */
uint64_t kernel_in_force(const struct kernel *k);
/*
 * Ends that: the one that awaits stays. -ETIME without a diag: it is too late, and over. `commit`
 * as in kernel_switch(), but the kernel's word comes first: no time runs out while it works, nor
 * behind a process that dies in it, and kernel_is_kept() says to whoever comes then what is to be
 * done again.
 */
int kernel_confirm(
	struct kernel *k, int (*commit)(void *, struct diag *), void *arg, struct diag *diag);
/*
 * Or the one before judges, and is k->gen, and the other's counts are kept in its base. Where
 * `commit` fails it judges all the same, as when the time is over, unless kernel_is_kept().
 */
int kernel_go_back(
	struct kernel *k, int (*commit)(void *, struct diag *), void *arg, struct diag *diag);

#define TRIAL_TOO_LATE \
	10000000ULL /* ns: with less left it may be over before we have said a word */

/*
 * Returns when every packet that was being judged when it was called has been judged. False: at
 * once, as the kernel does not tell.
 */
bool kernel_wait_for_packets(void);

/* Finishes a switch, or a going back, that was cut short after its store. */
int kernel_recover(struct kernel *k, struct diag *diag);
/*
 * Before the next generation is built: its place may be that of one that has gone back, whose
 * counts stand nowhere else until that is finished.
 */
int kernel_make_room(struct kernel *k, struct diag *diag);

/*
 * Counters of every rule of the generation in force: base + live, sorted by id; and what the one
 * beside it has counted, where one awaits confirmation.
 */
int kernel_counts(const struct kernel *k, struct rule_counts *counts, struct diag *diag);

/* What a rule had counted before the generation in force: all 0 if nothing. */
int kernel_base_count(const struct kernel *k, struct rule_count *count, struct diag *diag);
/* Adds to what a rule of the generation in force has counted; in one step for whoever reads. */
int kernel_add_count(const struct kernel *k, const struct rule_count *count, struct diag *diag);

/* Sum over all CPUs. */
int kernel_totals(const struct kernel *k, struct bp_totals totals[BP_DIRS], struct diag *diag);

#endif
