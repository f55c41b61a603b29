// SPDX-License-Identifier: GPL-2.0-only
/* kernel.h: which generation judges, and what the rules have counted over all of them. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clocks.h"
#include "dirs.h"
#include "kernel.h"
#include "pinned.h"
#include "spare.h"

/* Counters. */

static char *base_path(uint64_t number, const char *name)
{
	return path_join(dirs_get()->bpffs, "gen-%llu/%s", (unsigned long long)number, name);
}

/* Adds what `base` of that generation holds. -ENOENT without a diag: it has none. */
static int add_base(uint64_t number, struct rule_counts *c, struct diag *diag)
{
	static const struct map_kind kind = { BPF_MAP_TYPE_HASH, COUNTS_MAP,
		sizeof(struct bp_count) };
	char *path = base_path(number, GENERATION_BASE);
	int fd = path ? bpf_obj_get(path) : -1;
	int rc = fd < 0 ? -errno : pinned_is_map(fd, &kind, path, diag);

	free(path);
	if (fd < 0)
		return rc == -ENOENT ? rc : diag_errno(diag, -rc, "cannot open old counters");
	if (!rc) {
		rc = counts_add_map(c, fd);
		if (rc)
			diag_errno(diag, -rc, "cannot read old counters");
	}
	close(fd);
	return rc;
}

static int generation_counts(
	const struct generation *gen, struct rule_counts *c, struct diag *diag);

/*
 * What was counted before that generation: its base. While it has none, as it was put in force and
 * nothing could be folded into it, the one before is there.
 */
static int add_before(const struct generation *gen, struct rule_counts *c, struct diag *diag)
{
	struct generation *before = NULL;
	int rc = add_base(gen->number, c, diag);

	if (rc != -ENOENT)
		return rc;
	if (gen->table.tables->folded || gen->number <= 1)
		return 0;
	rc = generation_open(gen->number - 1, &before, diag);
	if (!rc)
		rc = generation_counts(before, c, diag);
	generation_free(&before);
	return rc == -ENOENT ? 0 : rc;
}

static int generation_counts(const struct generation *gen, struct rule_counts *c, struct diag *diag)
{
	int rc = counts_add_table(c, &gen->table);

	if (!rc)
		rc = add_before(gen, c, diag);
	counts_sum(c);
	return rc;
}

/*
 * A generation and the one that awaits, or awaited, confirmation after it: whichever judges, both
 * together never fall. What awaits has no base of its own yet.
 */
static int pair_counts(const struct generation *before, const struct generation *trial,
	struct rule_counts *c, struct diag *diag)
{
	int rc = counts_add_table(c, &trial->table);

	return rc || !before ? rc : generation_counts(before, c, diag);
}

int kernel_counts(const struct kernel *k, struct rule_counts *counts, struct diag *diag)
{
	bool in_force = k->gen && k->gen->number == k->ctl->confirm_of;
	int rc = 0;

	*counts = (struct rule_counts){};
	if (k->gen && k->other)
		rc = pair_counts(
			in_force ? k->other : k->gen, in_force ? k->gen : k->other, counts, diag);
	else if (k->gen)
		rc = generation_counts(k->gen, counts, diag);
	return rc;
}

/* Switching. */

/* Writes counts to a map of their own, pinned beside the generation that goes on from them. */
static int write_base(
	uint64_t number, const char *name, const struct rule_counts *c, struct diag *diag)
{
	char *path = base_path(number, name), *fresh = base_path(number, GENERATION_BASE_NEW);
	int fd = path && fresh ? counts_to_map(c) : -ENOMEM;
	int rc = fd < 0 ? fd : 0;

	if (!rc) {
		unlink(fresh); /* of a command that died here */
		rc = bpf_obj_pin(fd, fresh) || rename(fresh, path) ? -errno : 0;
	}
	if (fd >= 0)
		close(fd);
	free(fresh);
	free(path);
	return rc ? diag_errno(diag, -rc, "cannot keep the counters of the rules before") : 0;
}

int kernel_base_count(const struct kernel *k, struct rule_count *count, struct diag *diag)
{
	struct rule_counts counts = {};
	const struct rule_count *found;
	int rc = k->gen ? add_before(k->gen, &counts, diag) : -ENOENT;

	counts_sum(&counts);
	found = rc ? NULL : counts_find(&counts, count->rule);
	count->packets = found ? found->packets : 0;
	count->bytes = found ? found->bytes : 0;
	free(counts.v);
	return rc;
}

int kernel_add_count(const struct kernel *k, const struct rule_count *count, struct diag *diag)
{
	struct rule_counts counts = {};
	int rc = k->gen ? add_before(k->gen, &counts, diag) : -ENOENT;

	if (!rc)
		rc = counts_add(
			&counts, &(struct rule_counts){ .v = (struct rule_count *)count, .n = 1 });
	counts_sum(&counts);
	if (!rc)
		rc = write_base(k->gen->number, GENERATION_BASE, &counts, diag);
	free(counts.v);
	return rc;
}

bool kernel_wait_for_packets(void)
{
	return !syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

int kernel_generations(const struct kernel *k, int hook)
{
	return k->shared.fd[SHARED_GENERATIONS + bp_array_of(hook)];
}

static void displace(const struct kernel *k, uint64_t number)
{
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		__u32 slot = bp_slot(hook, number);

		bpf_map_delete_elem(kernel_generations(k, hook), &slot);
	}
}

/* Puts the generation's classifiers beside those in force, where nobody calls them yet. */
static int place(const struct kernel *k, const struct generation *gen, uint64_t number)
{
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		int array = kernel_generations(k, hook), fd = gen->classify[hook];
		__u32 slot = bp_slot(hook, number);

		if (fd < 0)
			bpf_map_delete_elem(array, &slot); /* a dead command's, or a spare's */
		else if (bpf_map_update_elem(array, &slot, &fd, BPF_ANY))
			return -errno;
	}
	return 0;
}

static int need(struct kernel *k, struct generation *gen, enum bp_hook hook, struct diag *diag)
{
	int array = kernel_generations(k, hook), rc;
	__u32 slot, id;

	if (!gen)
		return 0;
	slot = bp_slot(hook, gen->number);
	if (!bpf_map_lookup_elem(array, &slot, &id))
		return 0;
	k->added |= 1U << hook;
	rc = generation_add(gen, hook, &k->shared, diag);
	if (!rc && bpf_map_update_elem(array, &slot, &gen->classify[hook], BPF_ANY))
		rc = diag_errno(diag, errno, "cannot place the classifier");
	return rc;
}

int kernel_need(struct kernel *k, enum bp_hook hook, struct diag *diag)
{
	int rc = need(k, k->gen, hook, diag);

	if (!rc)
		rc = need(k, k->other, hook, diag);
	return rc ? rc : need(k, k->none, hook, diag);
}

static void unneed(const struct kernel *k, struct generation *gen, int hook)
{
	__u32 slot;

	if (!gen)
		return;
	slot = bp_slot(hook, gen->number);
	bpf_map_delete_elem(kernel_generations(k, hook), &slot);
	generation_remove(gen, hook);
}

void kernel_unneed(struct kernel *k, unsigned int in_use)
{
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		if (!((k->added & ~in_use) >> hook & 1))
			continue;
		unneed(k, k->gen, hook);
		unneed(k, k->other, hook);
		unneed(k, k->none, hook);
	}
	k->added &= in_use;
}

/* A base that is there has them, and may have more by now. */
static int make_base(const struct kernel *k, const struct generation *old, struct diag *diag)
{
	char *path = base_path(k->gen->number, GENERATION_BASE);
	struct rule_counts counts = {};
	int rc = path ? 0 : -ENOMEM;

	if (!rc && path_is_there(path) <= 0) {
		rc = generation_counts(old, &counts, diag);
		if (!rc)
			rc = write_base(k->gen->number, GENERATION_BASE, &counts, diag);
	}
	free(counts.v);
	free(path);
	return rc;
}

/*
 * The old generation's final counts become the new one's base; then it is the spare, or its pins
 * go, and with them whatever a command that died left pinned. `folded` comes last: until then all
 * of it is done again.
 */
static int fold(struct kernel *k, uint64_t old_number, struct diag *diag)
{
	struct generation *old = NULL;
	int rc = generation_open(old_number, &old, diag);
	bool unused = !(old_number || old) || kernel_wait_for_packets();

	if (!rc)
		rc = make_base(k, old, diag);
	else if (rc == -ENOENT)
		rc = 0; /* the first, or one whose counters are kept already */
	if (!rc) {
		/* As long as it may be in use, who reads the old number finds it. */
		if (unused && (!old || k->beside || spare_keep(old)))
			displace(k, old_number);
		if (k->beside)
			generation_unpin(old_number);
		else
			generation_sweep(k->gen->number, UINT64_MAX);
		generation_free(&k->none);
		k->gen->table.tables->folded = 1;
	}
	generation_free(&old);
	return rc;
}

/* Trials: a generation that awaits confirmation, beside the one before it, which stays whole. */

static void set(__u64 *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

struct generation *kernel_on_trial(const struct kernel *k)
{
	return k->gen && k->gen->number == k->ctl->confirm_of ? k->gen : k->other;
}

struct generation *kernel_before_trial(const struct kernel *k)
{
	return k->gen && k->gen->number == k->ctl->confirm_of ? k->other : k->gen;
}

#define TRIAL_KEPT UINT64_MAX /* for confirm_by: the time is never over */

bool kernel_is_kept(const struct kernel *k)
{
	return kernel_awaits(k) && k->ctl->confirm_by == TRIAL_KEPT;
}

/* In one step, once the counts in it stand nowhere else. */
static int adopt_base(uint64_t number)
{
	char *from = base_path(number, GENERATION_BASE_NEXT);
	char *to = base_path(number, GENERATION_BASE);
	int rc = from && to ? 0 : -ENOMEM;

	if (!rc && rename(from, to) && errno != ENOENT)
		rc = -errno;
	free(from);
	free(to);
	return rc;
}

/* The base of the one before, and what the other has counted. */
static int add_to_base(const struct kernel *k, struct diag *diag)
{
	struct rule_counts counts = {};
	int rc = counts_add_table(&counts, &k->other->table);

	if (!rc)
		rc = add_before(k->gen, &counts, diag);
	counts_sum(&counts);
	if (!rc)
		rc = write_base(k->gen->number, GENERATION_BASE_NEXT, &counts, diag);
	free(counts.v);
	return rc;
}

/*
 * The one before judges again, and is k->gen. A base that holds the other's counts, too, takes the
 * place of its own as soon as that other is the spare or gone. So whoever dies in between leaves
 * nothing that is counted twice, or not at all; confirm_of says until the end that it is to be done
 * again.
 */
static int finish_back(struct kernel *k, struct diag *diag)
{
	uint64_t number = k->ctl->confirm_of;
	bool unused = kernel_wait_for_packets();
	int rc = k->other && k->gen ? add_to_base(k, diag) : 0;

	if (rc)
		return rc;
	if (k->other && (!unused || spare_keep(k->other))) {
		if (unused)
			displace(k, number);
		generation_unpin(number);
	}
	rc = k->gen ? adopt_base(k->gen->number) : 0;
	if (rc)
		return diag_errno(diag, -rc, "cannot keep the counters of the rules");
	generation_free(&k->other);
	set(&k->ctl->confirm_of, 0);
	return 0;
}

int kernel_go_back(
	struct kernel *k, int (*commit)(void *, struct diag *), void *arg, struct diag *diag)
{
	int rc = 0;

	/* Now, and not when a slow disk is done. */
	if (commit && !kernel_is_kept(k) && kernel_time_left(k))
		set(&k->ctl->confirm_by, kernel_clock());
	if (commit)
		rc = commit(arg, diag);
	if (rc)
		return rc;
	set(&k->ctl->generation, k->ctl->confirm_of - 1);
	if (k->gen && k->gen->number == k->ctl->confirm_of) {
		struct generation *before = k->other;

		k->other = k->gen;
		k->gen = before;
	}
	k->added = 0;
	if (finish_back(k, diag))
		diag_to_warning(diag, "the rules before are in force, but their counters are not "
				      "yet put together");
	return 0;
}

int kernel_confirm(
	struct kernel *k, int (*commit)(void *, struct diag *), void *arg, struct diag *diag)
{
	uint64_t by = k->ctl->confirm_by;
	int rc;

	if (kernel_time_left(k) < TRIAL_TOO_LATE) {
		kernel_clock_wait(by);
		return -ETIME;
	}
	set(&k->ctl->confirm_by, TRIAL_KEPT);
	rc = commit ? commit(arg, diag) : 0;
	if (rc) {
		set(&k->ctl->confirm_by, by);
		return rc;
	}
	set(&k->ctl->confirm_of, 0);
	generation_free(&k->other);
	if (k->gen && fold(k, k->gen->number - 1, diag))
		diag_to_warning(diag, "what the rules before have counted is not put together yet");
	return 0;
}

static bool is_going_back(const struct kernel *k)
{
	return k->ctl->confirm_of && k->ctl->confirm_of == k->ctl->generation + 1;
}

int kernel_make_room(struct kernel *k, struct diag *diag)
{
	return is_going_back(k) ? finish_back(k, diag) : 0;
}

int kernel_recover(struct kernel *k, struct diag *diag)
{
	if (kernel_awaits(k))
		return 0;
	if (is_going_back(k))
		return finish_back(k, diag);
	if (!k->gen || k->gen->table.tables->folded)
		return 0;
	return fold(k, k->gen->number - 1, diag);
}

/* In one store each: from the second on the one before is what it goes back to. */
static void begin_trial(struct kernel *k, uint64_t number, uint64_t confirm_by)
{
	set(&k->ctl->confirm_by, confirm_by);
	set(&k->ctl->confirm_of, confirm_by ? number : 0);
}

uint64_t kernel_next_number(const struct kernel *k)
{
	return (k->ctl->generation ? k->ctl->generation : k->others) + 1;
}

int kernel_switch(struct kernel *k, struct generation *gen, const uint64_t *confirm_by,
	int (*commit)(void *, struct diag *), void *arg, struct diag *diag)
{
	uint64_t old = k->ctl->generation, number = kernel_next_number(k);
	bool give_back = gen->number == number; /* it was the spare */
	int rc;

	if (kernel_awaits(k)) /* the place is taken by what it may go back to */
		return diag_set(diag, DIAG_SYSTEM, EBUSY, "a change awaits confirmation");
	rc = give_back ? 0 : generation_pin(gen, number, diag);
	if (rc)
		return rc;
	rc = place(k, gen, number);
	if (rc) {
		give_back = false; /* something is wrong with it */
		rc = diag_errno(diag, -rc, "cannot place the classifiers beside those in force");
	}
	if (!rc && commit)
		rc = commit(arg, diag);
	if (rc && !give_back) {
		displace(k, number);
		generation_unpin(number);
	}
	if (rc)
		return rc;
	gen->number = number;
	begin_trial(k, number, *confirm_by);
	set(&k->ctl->generation, number);
	k->added = 0;
	generation_free(&k->other);
	k->other = k->gen;
	k->gen = gen;
	if (*confirm_by)
		return 0;
	generation_free(&k->other);
	if (fold(k, old, diag))
		diag_to_warning(diag, "what the rules before have counted is not put together yet");
	return 0;
}
