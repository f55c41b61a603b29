/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dynamic layer: rules that one process holds, and that the kernel takes away when that process
 * is gone, however it went. They stand in maps and programs of their own, pinned nowhere. The root
 * programs jump to them by program arrays of which the holder has the only descriptors: the last
 * one closed, the kernel empties them. The static layer needs no part of this, and never waits for
 * it.
 *
 * A packet meets the dynamic classifier first. It leaves the best of its rules in per-CPU memory
 * and jumps to the static one, which compares that with its own best (one rank, see bp_rank()) and
 * decides; see `struct left` in bpf/query.h.
 *
 * When root programs are loaded anew (`rm -r` of the bpffs, another version's `restore`), the layer
 * has to follow them: dynamic_check() says so, and a change of all rules sees to it
 * (dynamic_begin()); dynamic_add() and dynamic_remove() in place do not.
 *
 * The holder must not fork without exec, or the child holds the rules, too; and it hands out no
 * copy of its descriptors. Nothing here takes the lock. Rules have LAYER_DYNAMIC, and ids that the
 * caller has given them.
 */
#ifndef BPFPOL_DYNAMIC_H
#define BPFPOL_DYNAMIC_H

#include "kernel.h"

/* For the process that holds the rules. */
struct dynamic;

/*
 * Takes hold of the layer, with no rules in it. -ENOENT without a diag: no root programs are
 * pinned. -EBUSY with a diag: another process holds the layer. Waits up to a second for what one
 * that was killed has left.
 */
int dynamic_open(struct dynamic **d, struct diag *diag);

/*
 * A holder that has given up CAP_SYS_ADMIN cannot open the arrays of root programs that are loaded
 * anew. Whoever loads them has descriptors, of which these are copied: dynamic_check() takes them
 * when they are the ones. -errno.
 */
int dynamic_offer(struct dynamic *d, const int fd[BP_ARRAYS]);
/* And what the holder itself loads for these root programs finds the arrays by its descriptors. */
void dynamic_lend(const struct dynamic *d, struct kernel *k);

/*
 * Puts all of the rules in force at once, in place of all that were. Rules whose id was there
 * before keep their counters. On failure what was in force still is. Of its steps those that take
 * long (build, sum, free) change nothing that the others of this file look at: meanwhile another
 * thread may do these, but begin no other such change. What comes in or goes out in place while it
 * is built has to be done to the change as well (dynamic_change_add(), dynamic_change_remove())
 * before it is put in force.
 *
 *	dynamic_begin()		opens what it needs
 *	dynamic_build()		long: compiles and loads the rules, which must stay as they are
 *	dynamic_switch()		puts them in force, all at once
 *	dynamic_sum()		long: waits for packets, and adds up what was counted before
 *	dynamic_settle()	until then dynamic_held_counts() adds what the old ones have counted
 *	dynamic_change_free()	long: also after any failure
 */
struct dynamic_change;
int dynamic_begin(struct dynamic *d, struct dynamic_change **change, struct diag *diag);
int dynamic_build(const struct dynamic *d, struct dynamic_change *change,
	const struct policy *rules, const struct compile_env *env, struct diag *diag);
int dynamic_switch(struct dynamic *d, struct dynamic_change *change, const struct policy *rules,
	struct diag *diag);
/* retired: .rule is one that goes with this, whose counts are told, to the last packet; or NULL. */
void dynamic_sum(struct dynamic_change *change, struct rule_count *retired);
void dynamic_settle(struct dynamic *d, struct dynamic_change *change, struct diag *diag);
void dynamic_change_free(struct dynamic_change **change);

/* One rule more or less in what is built. On failure it is of no use any more. -ENOSPC. */
int dynamic_change_add(
	struct dynamic_change *change, const struct rule *rule, const struct compile_env *env);
int dynamic_change_remove(
	struct dynamic_change *change, const struct rule *rule, const struct compile_env *env);

/*
 * One rule more. rules: all that are to be in force, `rule` among them. In place (microseconds;
 * other rules are not looked at): -ENOSPC without a diag where there is no room, and all have to be
 * loaded anew. All filters of the rule match from one moment on. On failure none does, and the
 * others still stand: the caller takes the rule out of its list.
 */
int dynamic_add(struct dynamic *d, const struct policy *rules, const struct rule *rule,
	const struct compile_env *env, struct diag *diag);

/*
 * One rule less, in place. rules: those that stay, `rule` not among them. env: as the rule was put
 * in with, as far as interfaces go; after they changed all rules have to be loaded anew. -ENOSPC:
 * so it is for this rule.
 */
int dynamic_remove(struct dynamic *d, const struct policy *rules, const struct rule *rule,
	const struct compile_env *env);

/*
 * The rule, one of those in force that ends at a time, ends at another one: rule->deadline, not 0.
 * One store; all of its filters end at once. -ENOENT: it is not there.
 */
int dynamic_prolong(struct dynamic *d, const struct rule *rule, const struct compile_env *env);

/*
 * The id of the rule that has that match and action; -ENOENT: none has. Asked of the tables, so it
 * takes microseconds however many rules there are. Lists must have been read.
 */
int dynamic_find(
	const struct dynamic *d, const struct rule *rule, enum bp_action action, uint32_t *id);

/*
 * To be called now and then (every second), and whenever root programs may have been loaded anew:
 * sees to it that the rules are in force. 0: they are. 1: they were not (the kernel's late
 * emptying after an earlier holder's death) and are again. -ESTALE without a diag: there are new
 * root programs, for which all rules have to be loaded anew. -ENOENT without one: no root programs
 * are pinned. Until rules were loaded there is nothing to see to.
 */
int dynamic_check(struct dynamic *d, const struct policy *rules, struct diag *diag);

/* Counters of its rules, by id: what dynamic_counts() reads, from the holder's own descriptors. */
int dynamic_held_counts(const struct dynamic *d, struct rule_counts *counts);
/* Its tables once more, to be looked at: for reports, which free them. -ENOENT: there are none. */
int dynamic_view(const struct dynamic *d, struct generation **gen, struct diag *diag);

/* The kernel takes the rules away, within milliseconds. */
void dynamic_close(struct dynamic **d);

/* For every process that may read the kernel's state (list, status, explain, netdiag, metrics). */

/*
 * The layer as the kernel holds it, read back without its holder: maps and classifiers, as
 * generation_open() gives those of the static one; gen->number is 0. -ENOENT without a diag: there
 * is none, which is also what there is from the holder's death on.
 */
int dynamic_read(const struct kernel *k, struct generation **gen, struct diag *diag);

/* Whether there is one. */
bool dynamic_is_held(const struct kernel *k);

/* Counters of its rules, by id, like kernel_counts(). None if there is no layer. */
int dynamic_counts(const struct kernel *k, struct rule_counts *counts, struct diag *diag);

/*
 * The same in two steps: what is read lives on with who has read it, when its holder dies. Freed by
 * generation_free(). -ENOENT without a diag: there is no layer.
 */
int dynamic_keep(const struct kernel *k, struct generation **gen, struct diag *diag);
int dynamic_kept_counts(const struct generation *gen, struct rule_counts *counts);
/*
 * Or from the arrays (layer_open()), which keep in force what stands in them: once the holder is
 * dead, whatever it was about to do, nothing else changes it. -ENOENT: they were empty before.
 */
struct layer;
int dynamic_last_counts(const struct layer *layer, struct rule_counts *counts);

/*
 * What both layers together do with a packet of which each was asked alone (asker_ask()):
 * *answer is the static layer's, and becomes the one for both.
 */
void dynamic_answer(struct bp_answer *answer, const struct bp_answer *dynamic);

#endif
