// SPDX-License-Identifier: GPL-2.0-only
/* Rules that are to be in force where interfaces come and go: by a look, or beside it. */
#include <errno.h>

#include "clock.h"
#include "enforce.h"
#include "env.h"
#include "held.h"
#include "hotplug_parts.h"
#include "lock.h"

#define MANY 4096 /* filters, above which rules take long to be put in force */

/* A rule's time is over, and it still stands in the tables. */
static bool is_overdue(const struct host *host)
{
	const struct table *table = &host->kernel->gen->table;
	struct compile_env env;

	env_now(&env);
	for (uint64_t i = 1; i <= table->tables->gates; i++) {
		const uint64_t *gate = table_gate(table, i);

		if (gate && *gate && *gate <= env.boot_now)
			return true;
	}
	return false;
}

/* What keeps the rules from being in force as they should be, and when they are to be. */
struct lag {
	bool is, sweep; /* sweep: some whose time is over leave the store */
	bool put_off;	/* it is not yet time to */
	bool is_long;
};

/*
 * Names of rules that came or went, what a command that was killed has left, rules whose time is
 * over. Not all the time, whatever happens.
 */
static struct lag lag_of(const struct hotplug *hp, const struct host *host, uint64_t now)
{
	const struct bp_tables *t =
		host->kernel && host->kernel->gen ? host->kernel->gen->table.tables : NULL;
	bool behind = !t || !host_in_step(host);
	bool is = !t || (behind && now >= hp->pace.rebuild_at);
	bool sweep =
		t && now >= hp->pace.sweep_at && !kernel_awaits(host->kernel) && is_overdue(host);

	return (struct lag){
		.is = is || sweep,
		.sweep = sweep,
		.put_off = behind && !is && !sweep,
		/* What a command has left may be of any length. */
		.is_long =
			t && (t->filters > MANY || t->dirty ||
				     !store_unchanged(t->state_inode, t->state_mtime, t->journal)),
	};
}

/* Brings the kernel to what the store says. */
static int bring(struct host *host, const struct lag *lag, struct diag *diag)
{
	int rc = lag->sweep ? host_store(host, diag) : 0;

	if (lag->sweep && !rc)
		host->store->untidy = true; /* so that it is written */
	return rc ? rc : enforce(host, diag);
}

static void note_brought(struct hotplug *hp, const struct lag *lag, uint64_t begun, int rc)
{
	uint64_t now = clock_ms();

	pace_rebuilt(&hp->pace, begun, now, rc);
	if (lag->sweep)
		pace_swept(&hp->pace, begun, now);
	hp->rebuilt += !rc;
}

/* Where that takes long, it is left for hotplug_rebuild(). */
int hotplug_put_in_force(struct hotplug *hp, struct host *host, uint64_t now, struct diag *diag)
{
	struct lag lag = lag_of(hp, host, now);
	int rc;

	hp->behind = lag.is && lag.is_long && hp->apart;
	hp->pace.put_off = lag.put_off;
	if (!lag.is || hp->behind)
		return 0;
	pace_rebuild(&hp->pace);
	rc = bring(host, &lag, diag);
	note_brought(hp, &lag, now, rc);
	return rc;
}

/* As a look does it, but that others have their turn in between. */
static int rebuild(struct hotplug *hp, uint64_t begun, struct diag *diag)
{
	struct layer lent = { { -1, -1, -1 } };
	struct host host = {};
	struct lag lag = {};
	int rc = host_open(&host, HOST_TEND, diag);

	host.agent = true;
	host.unguarded = true;
	if (!rc)
		rc = held_lend_copies(hp->held, host.kernel, &lent);
	if (!rc && host.kernel && !(host.off && !host.off_left))
		lag = lag_of(hp, &host, begun);
	if (lag.is)
		pace_rebuild(&hp->pace);
	held_give_turn(hp->held);
	if (lag.is)
		rc = bring(&host, &lag, diag);
	held_take_turn(hp->held);
	if (lag.is)
		note_brought(hp, &lag, begun, rc);
	held_follow(hp->held, host.kernel);
	held_give_turn(hp->held);
	host_close(&host);
	layer_close(&lent);
	held_take_turn(hp->held);
	return rc;
}

void hotplug_rebuild(struct hotplug *hp)
{
	struct diag diag = {};
	int rc = lock_try(&diag);

	hp->behind = false;
	if (!rc)
		rc = rebuild(hp, clock_ms(), &diag);
	lock_release();
	if (rc && rc != -EAGAIN)
		hotplug_complain(hp, "the rules on disk could not be put in force", rc, &diag);
	hotplug_pass_on(hp, &diag);
	diag_free(&diag);
}
