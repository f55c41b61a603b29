// SPDX-License-Identifier: GPL-2.0-only
#include "await.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define SECOND 1000000000ULL /* ns */

/* The generation is what the store on disk says. */
static bool stands(const struct generation *gen)
{
	const struct bp_tables *t = gen ? gen->table.tables : NULL;

	return t && store_unchanged(t->state_inode, t->state_mtime, t->journal);
}

static bool kernel_knows(const struct host *host)
{
	return host->kernel && kernel_awaits(host->kernel) && stands(kernel_on_trial(host->kernel));
}

uint64_t await_left(const struct host *host)
{
	struct moment now;

	if (!host->store->confirm.seconds)
		return 0;
	if (kernel_knows(host))
		return kernel_time_left(host->kernel);
	moment_now(&now);
	return confirm_left(&host->store->confirm, &now);
}

uint64_t in_seconds(uint64_t ns)
{
	return (ns + SECOND - 1) / SECOND;
}

uint64_t await_seconds(const struct host *host)
{
	return in_seconds(await_left(host));
}

/* The change stays: better than nothing at all. */
static int keep_for_good(struct store *s, struct diag *diag)
{
	s->confirm = (struct confirm){};
	s->untidy = true;
	diag_to_warning(diag, "what was in force before is LOST, so that the last change cannot go "
			      "back any more: it stays");
	return 0;
}

int await_check(struct host *host, struct diag *diag)
{
	struct store *s = host->store;
	int rc;

	if (!s->confirm.seconds || await_left(host))
		return 0;
	rc = store_take_back(s, s->confirm.by.real / SECOND, diag);
	return rc && rc != -ENOMEM ? keep_for_good(s, diag) : rc;
}

/* Both on disk and in memory: it is what judges. */
static void settle(struct generation *gen, const struct store *s)
{
	if (!gen)
		return;
	host_stamp(gen, s);
	gen->table.tables->dirty = 0;
}

static int go_back_by_itself(struct host *host, struct diag *diag)
{
	struct kernel *k = host->kernel;
	int rc = host_store_names(host, diag); /* while the kernel knows that it is over */
	bool taken = !rc && host->store->taking_back;

	kernel_go_back(k, NULL, NULL, diag);
	if (taken)
		rc = store_commit(host->store, diag);
	if (taken && !rc)
		settle(k->gen, host->store);
	return rc;
}

/* A `policy rollback` was killed behind its commit. */
static bool taken_back(struct host *host, struct diag *diag)
{
	if (!host_store_names(host, diag))
		return !host->store->confirm.seconds && host->store->back;
	diag_clear(diag); /* who needs the store will be told */
	return false;
}

int await_tend(struct host *host, struct diag *diag)
{
	struct kernel *k = host->kernel;

	if (!k || !kernel_awaits(k))
		return 0;
	if (!kernel_knows(host)) {
		bool back = !kernel_time_left(k) || stands(kernel_before_trial(k)) ||
			    taken_back(host, diag);

		if (back || kernel_confirm(k, NULL, NULL, diag))
			kernel_go_back(k, NULL, NULL, diag);
		return 0;
	}
	return kernel_time_left(k) ? 0 : go_back_by_itself(host, diag);
}

static int refuse(uint64_t left, struct diag *diag)
{
	return diag_set(diag, DIAG_REFUSED, EBUSY,
		"the last change awaits confirmation, and nothing can be changed until then: "
		"'bpfpol policy confirm' keeps it, 'bpfpol policy rollback' takes it back; left to "
		"itself it goes back in %" PRIu64 " s",
		in_seconds(left));
}

/* What was decided is done, whatever the guard would say to it now. */
static int unguarded(struct host *host, int (*act)(struct host *, struct diag *), struct diag *diag)
{
	bool was = host->unguarded;
	int rc;

	host->unguarded = true;
	rc = act(host, diag);
	host->unguarded = was;
	return rc;
}

bool await_stands(struct host *host)
{
	if (!kernel_knows(host))
		return false;
	kernel_on_trial(host->kernel)->table.tables->dirty = 0; /* nothing changes it now */
	return true;
}

int await_refuse(struct host *host, struct diag *diag)
{
	if (host->off_left || host->tried_left)
		return refuse(host->off_left ? host->off_left : host->tried_left, diag);
	if (host->kernel && kernel_awaits(host->kernel))
		return refuse(kernel_time_left(host->kernel), diag);
	if (host->kernel && stands(host->kernel->gen))
		return 0;
	if (host_store_names(host, diag)) {
		diag_clear(diag); /* who needs it will be told */
		return 0;
	}
	/* A commit of its own: the change that comes can be undone by itself. */
	if (host->store->taking_back)
		return unguarded(host, host_settle, diag);
	if (!host->store->confirm.seconds)
		return 0;
	/* A boot, or a command that was killed, has left it to us to put it in force. */
	if (!host->off && unguarded(host, host_rebuild, diag))
		diag_to_warning(diag, "the rules on disk could not be put in force");
	return refuse(await_left(host), diag);
}

int await_would_refuse(struct host *host, struct diag *diag)
{
	uint64_t left = host->off_left ? host->off_left : host->tried_left;

	if (!left && host->kernel && kernel_awaits(host->kernel))
		left = kernel_time_left(host->kernel);
	else if (!left && host_store_names(host, diag))
		diag_clear(diag); /* who needs it will be told */
	else if (!left)
		left = await_left(host);
	return left ? refuse(left, diag) : 0;
}

/* What is in force is what the store goes back to. */
static bool is_before(const struct generation *gen, const struct store *s)
{
	const struct bp_tables *t = gen ? gen->table.tables : NULL;
	uint64_t inode, mtime, journal;

	if (!s->previous || !t)
		return !s->previous && !t;
	store_stat_before(s, &inode, &mtime, &journal);
	return inode && t->state_inode == inode && t->state_mtime == mtime && t->journal == journal;
}

static int load_before(const struct store *s, struct store **before, struct diag *diag)
{
	int rc = store_load_before(s, before, diag);

	if (!rc)
		rc = store_read_copies(*before, diag);
	if (!rc)
		store_stat_before(s, &(*before)->inode, &(*before)->mtime, &(*before)->journal);
	if (!rc)
		(*before)->confirm = (struct confirm){};
	else
		store_free(before);
	return rc;
}

/* Changes nothing on disk. */
static int put_in_force(struct host *host, struct store *store, struct diag *diag)
{
	struct host with = {
		.kernel = host->kernel,
		.store = store,
		.unguarded = true, /* it was in force, or would be */
		.aside = true,
	};
	int rc = host_rebuild(&with, diag);

	host->kernel = with.kernel;
	return rc;
}

int await_prepare(struct host *host, struct diag *diag)
{
	struct store *other = NULL, *s = host->store;
	int rc;

	if (host->confirm)
		rc = host_in_step(host) ? 0 : store_load(&other, diag);
	else
		rc = is_before(host->kernel->gen, s) ? 0 : load_before(s, &other, diag);
	if (rc && rc != -ENOMEM && !host->confirm)
		return keep_for_good(s, diag);
	if (!rc && other)
		rc = put_in_force(host, other, diag);
	store_free(&other);
	return rc;
}

/* A commit of the store, and the generation that then stands for it. */
struct commit {
	struct store *store;
	struct generation *gen;
};

static int commit(void *arg, struct diag *diag)
{
	struct commit *c = arg;
	int rc = store_commit(c->store, diag);

	if (!rc)
		settle(c->gen, c->store);
	return rc;
}

int await_confirm(struct host *host, struct diag *diag)
{
	struct store *s = host->store;
	struct kernel *k;
	int rc = 0;

	if (!host->off && !(host->kernel && kernel_awaits(host->kernel)))
		rc = unguarded(host, host_rebuild, diag);
	if (rc)
		return rc;
	s->confirm = (struct confirm){};
	k = host->kernel;
	if (!k || !kernel_awaits(k))
		return store_commit(s, diag);
	rc = kernel_confirm(k, commit, &(struct commit){ s, kernel_on_trial(k) }, diag);
	if (rc != -ETIME)
		return rc;
	return diag_set(
		diag, DIAG_UNKNOWN, ETIME, "it is too late: the change has gone back by itself");
}

int await_go_back(struct host *host, struct diag *diag)
{
	struct store *s = host->store;
	struct kernel *k = host->kernel;
	int rc = store_take_back(s, 0, diag);

	if (rc)
		return rc;
	if (!k || !kernel_awaits(k))
		return unguarded(host, host_settle, diag);
	return kernel_go_back(k, commit, &(struct commit){ s, kernel_before_trial(k) }, diag);
}

int await_ask(struct host *host, uint64_t seconds, struct diag *diag)
{
	host->confirm = seconds;
	if (!seconds || !host->off)
		return 0;
	return diag_set(diag, DIAG_REFUSED, EPERM,
		"filtering is off, so that nothing can be tried; 'bpfpol on' starts it again");
}
