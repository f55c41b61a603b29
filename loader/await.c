// SPDX-License-Identifier: GPL-2.0-only
#include "await.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <inttypes.h>

#include "awaited.h"
#include "dirs.h"
#include "enforce.h"
#include "guard.h"
#include "tried.h"

/*
 * Both on disk and in memory: it is what judges. One without rules, where some are to be, stood in
 * for them (enforce.c), and the next command puts them in its place.
 */
static void settle(struct generation *gen, const struct store *s)
{
	if (!gen || (!gen->table.tables->state_inode && s->policy))
		return;
	host_stamp(gen, s);
	gen->table.tables->dirty = 0;
}

/* It judges, until somebody can write that, and nothing changes it meanwhile. */
static void stand(struct generation *gen)
{
	if (gen)
		gen->table.tables->dirty = 0;
}

/*
 * What was taken back by hand may have time left on a disk that is full: only the kernel knows that
 * it is over, and goes on knowing it until it is written.
 */
static int go_back_by_itself(struct host *host, struct diag *diag)
{
	struct kernel *k = host->kernel;
	int rc = host_store_names(host, diag);
	bool taken = !rc && host->store->taking_back;

	if (taken)
		rc = store_commit(host->store, diag);
	if (taken && rc) {
		stand(kernel_before_trial(k));
		return rc;
	}
	kernel_go_back(k, NULL, NULL, diag);
	if (taken)
		settle(k->gen, host->store);
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

/* What awaits in the kernel and in the store stays in both. */
static int keep(struct host *host, struct diag *diag)
{
	struct store *s = host->store;
	struct confirm was = s->confirm;
	struct kernel *k = host->kernel;
	int rc;

	s->confirm = (struct confirm){};
	rc = kernel_confirm(k, commit, &(struct commit){ s, kernel_on_trial(k) }, diag);
	if (rc)
		s->confirm = was;
	return rc;
}

static int keep_at_last(struct host *host, struct diag *diag)
{
	int rc = host_store_names(host, diag);

	return rc ? rc : keep(host, diag);
}

/* Whether a `policy rollback` was killed behind its commit. -errno: the store does not say. */
static int taken_back(struct host *host, struct diag *diag)
{
	int rc = host_store_names(host, diag);

	if (!rc)
		return !host->store->confirm.seconds && host->store->back;
	diag_clear(diag); /* who needs the store will be told */
	return rc;
}

int await_tend(struct host *host, bool salvage, struct diag *diag)
{
	struct kernel *k = host->kernel;

	if (!k || !kernel_awaits(k))
		return 0;
	if (!awaited_is_known(host->kernel)) {
		int back = !kernel_time_left(k) || awaited_is_stored(kernel_before_trial(k))
				   ? 1
				   : taken_back(host, diag);

		/* The kernel goes back in time; only who mends the store puts another in its place.
		 */
		if (back < 0 && !salvage)
			return 0;
		if (back > 0 || kernel_confirm(k, NULL, NULL, diag))
			kernel_go_back(k, NULL, NULL, diag);
		else if (k->gen && host->store && host->store->confirm.seconds)
			k->gen->table.tables->dirty = 1; /* for the store's own trial */
		return 0;
	}
	if (kernel_is_kept(k))
		return keep_at_last(host, diag);
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

static int refuse_off(uint64_t left, struct diag *diag)
{
	return diag_set(diag, DIAG_REFUSED, EBUSY,
		"filtering is off and awaits confirmation, and nothing can be changed until then: "
		"'bpfpol on' starts it again, 'bpfpol policy confirm' keeps it off; left to itself "
		"it is back in %" PRIu64 " s",
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

int await_know(const struct host *host, struct diag *diag)
{
	if (host->off_unsure)
		return diag_set(diag, DIAG_SYSTEM, EIO,
			"cannot tell whether filtering is off on trial: %s/off does not say it; "
			"'bpfpol on' starts filtering again, 'bpfpol off' keeps it off",
			dirs_get()->state);
	if (host->off_left || !host->tried_rc)
		return 0;
	return diag_set(diag, DIAG_SYSTEM, -host->tried_rc,
		"cannot tell whether what was attached last is on trial: cannot read %s/tried: %s; "
		"if that stays so move it away, and what was attached stays",
		dirs_get()->state, strerror(-host->tried_rc));
}

int await_refuse(struct host *host, bool mend, struct diag *diag)
{
	struct kernel *k = host->kernel;
	uint64_t left;

	if (host->off_left)
		return refuse_off(host->off_left, diag);
	if (host->tried_rc)
		return await_know(host, diag);
	if (host->tried_left)
		return refuse(host->tried_left, diag);
	if (k && kernel_awaits(k)) {
		if (kernel_is_kept(k))
			return 0; /* who needs the store will be told */
		left = kernel_time_left(k);
		return left || mend ? refuse(left, diag) : 0;
	}
	if (k && awaited_is_stored(k->gen))
		return 0;
	if (host_store_names(host, diag)) {
		diag_clear(diag); /* who needs it will be told */
		return 0;
	}
	/* A commit of its own: the change that comes can be undone by itself. */
	if (mend && host->store->taking_back)
		return unguarded(host, enforce_settle, diag);
	if (!host->store->confirm.seconds)
		return 0;
	/* A boot, or a command that was killed, has left it to us to put it in force. */
	if (mend && !host->off && unguarded(host, enforce, diag))
		diag_to_warning(diag, "the rules on disk could not be put in force");
	left = awaited_left(host->kernel, host->store);
	return left || mend ? refuse(left, diag) : 0;
}

int await_confirm(struct host *host, struct diag *diag)
{
	struct store *s = host->store;
	int rc = 0;

	if (!host->off && !(host->kernel && kernel_awaits(host->kernel)))
		rc = unguarded(host, enforce, diag);
	if (rc)
		return rc;
	if (!host->kernel || !kernel_awaits(host->kernel)) {
		s->confirm = (struct confirm){};
		return store_commit(s, diag);
	}
	rc = keep(host, diag);
	if (!rc)
		tried_tend(diag); /* interfaces that came with the rules */
	if (rc != -ETIME)
		return rc;
	return diag_set(
		diag, DIAG_UNKNOWN, ETIME, "it is too late: the change has gone back by itself");
}

/* The store holds what is gone back to: who came in by what was tried is not to be cut by hand. */
static int ask_before(struct host *host, struct diag *diag)
{
	static const struct policy none;
	const struct store *s = host->store;
	int rc = -EPROTO;

	if (host->unguarded || host->off)
		return 0;
	if (awaited_is_known(host->kernel)) {
		/* A disk that cannot be read keeps nobody from what the kernel has yet. */
		if (store_read_copies(host->store, diag)) {
			diag_to_warning(
				diag, "whether this cuts a protected connection was not asked");
			return 0;
		}
		rc = guard_generation(host, kernel_before_trial(host->kernel),
			s->policy ? s->policy : &none, diag);
	}
	if (rc != -EPROTO)
		return rc;
	diag_clear(diag); /* another version's: one of ours is asked */
	return enforce_try(host, diag);
}

/* As at the end of the time, where nobody could write either. */
static int back_unwritten(int rc, struct diag *diag)
{
	char why[sizeof(diag->message)];

	snprintf(why, sizeof(why), "%.600s",
		diag->kind == DIAG_NONE ? strerror(-rc) : diag->message);
	return diag_set(diag, DIAG_SYSTEM, -rc,
		"the rules before the change are in force again, but not written down: %s; the "
		"next command writes it, as does 'bpfpol status'; until then a boot tries the "
		"change again for what is left of its time",
		why);
}

/* Interfaces that came with the rules: nothing judges there any more. */
static void detach_unwritten(void)
{
	struct diag ignored = {};

	if (tried_follows())
		tried_take_back(&ignored);
	diag_free(&ignored);
}

int await_go_back(struct host *host, bool dry_run, struct diag *diag)
{
	struct store *s = host->store;
	struct kernel *k = host->kernel;
	bool awaits = k && kernel_awaits(k);
	int rc = store_take_back(s, 0, diag);

	if (!rc && (awaits || dry_run))
		rc = ask_before(host, diag);
	if (rc || dry_run)
		return rc;
	if (!awaits && tried_follows())
		rc = tried_take_back(diag); /* before the rules judge that were before */
	if (!awaits)
		return rc ? rc : enforce_settle(host, diag);
	rc = kernel_go_back(k, commit, &(struct commit){ s, kernel_before_trial(k) }, diag);
	if (rc) {
		detach_unwritten();
		return back_unwritten(rc, diag);
	}
	tried_tend(diag); /* interfaces that came with the rules */
	enforce_catch_up(host, diag);
	return 0;
}

int await_ask(struct host *host, uint64_t seconds, struct diag *diag)
{
	host->confirm = seconds;
	if (!seconds || !host->off)
		return 0;
	return diag_set(diag, DIAG_REFUSED, EPERM,
		"filtering is off, so that nothing can be tried; 'bpfpol on' starts it again");
}
