// SPDX-License-Identifier: GPL-2.0-only
/* policy rollback. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "assign.h"
#include "attach.h"
#include "await.h"
#include "awaited.h"
#include "command.h"
#include "due.h"
#include "enforce.h"
#include "json.h"
#include "late.h"
#include "lock.h"
#include "policies.h"
#include "tried.h"

static void say_json(const struct args *args, const char *name, const struct assigned *a,
	const struct host *host)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	struct jw j;

	jw_begin(&j, stdout);
	jw_object(&j, NULL);
	jw_str(&j, "outcome", dry_run ? "dry run" : "rolled back");
	jw_str(&j, "policy", name);
	jw_str(&j, "unassigned", a->before);
	jw_u64(&j, "rules", a->rules);
	jw_u64(&j, "filters", a->filters);
	jw_bool(&j, "in_force", name && !dry_run && !host->off && attached_any());
	jw_object_end(&j);
}

static void say_text(const struct args *args, const char *name, const struct assigned *a,
	const struct host *host)
{
	bool dry_run = args->given & OPT_DRY_RUN;

	if (a->before)
		printf("Policy '%s' %s unassigned; it stays in the store.\n", a->before,
			dry_run ? "would be" : "is");
	if (!name)
		printf("As before the last change, no policy %s assigned.\n",
			dry_run ? "would be" : "is");
	else if (dry_run)
		printf("Policy '%s' would be as it was before the last change: %zu rules.\n", name,
			a->rules);
	else if (host->off)
		printf("Policy '%s' is as it was before the last change: %zu rules; filtering is "
		       "off, 'bpfpol on' puts them in force.\n",
			name, a->rules);
	else if (!attached_any())
		printf("Policy '%s' is as it was before the last change: %zu rules; no interface "
		       "is "
		       "filtered, 'bpfpol attach IFACE' changes that.\n",
			name, a->rules);
	else
		printf("Policy '%s' is as it was before the last change, and in force: %zu rules, "
		       "%" PRIu64 " filters.\n",
			name, a->rules, a->filters);
	if (!dry_run && !host->store->back)
		printf("'bpfpol policy rollback' undoes this.\n");
}

static void say(const struct args *args, const struct host *host, const struct assigned *a)
{
	const struct policy *policy = host->store->policy;
	const char *name = policy ? policy->name : NULL;

	(args->given & OPT_JSON ? say_json : say_text)(args, name, a, host);
}

/* Nothing awaits confirmation any more: who comes may have meant what has ended. */
static int refuse_late(const struct host *host, bool dry_run, struct diag *diag)
{
	char ended[AWAITED_ENDED];
	int rc = late_refuse(host->ended, dry_run, diag);

	if (rc || !awaited_ended(host->store, ended))
		return rc;
	return diag_set(diag, DIAG_UNKNOWN, ENOENT, "it is too late: %s", ended);
}

static int roll_back_rules(const struct args *args, struct host *host, struct diag *diag)
{
	struct apply_opts opts = { .dry_run = args->given & OPT_DRY_RUN };
	struct assigned assigned = {};
	int rc;

	if (!opts.dry_run)
		enforce_catch_up(host, diag);
	host->unguarded = args->given & OPT_FORCE;
	rc = host_store_names(host, diag);
	if (!rc && !host->store->confirm.seconds)
		rc = refuse_late(host, opts.dry_run, diag);
	if (!rc)
		rc = (host->store->confirm.seconds ? assign_take_back : assign_previous)(
			host, &opts, &assigned, diag);
	if (!rc && host->store->policy)
		assign_warn_absent(host->store->policy, diag);
	if (!rc)
		say(args, host, &assigned);
	free(assigned.before);
	return rc;
}

#define LONGEST_PAUSE 60 /* seconds; two minutes in all */

/*
 * Who opens the host behind the time takes back what is to be. That it is damaged is for somebody
 * to hear who is there. What stands in the way may be gone a moment later: there is nobody else to
 * come.
 */
static int when_due(struct diag *diag)
{
	struct host host = {};
	int rc = need_root(diag);
	uint64_t left;

	for (unsigned int pause = 1; !rc; pause *= 2) {
		due_wait();
		if (tried_check())
			return 0;
		rc = host_open(&host, HOST_TEND, diag);
		host_close(&host);
		lock_release();
		if ((!rc && !tried_is_there()) || pause > LONGEST_PAUSE)
			return rc;
		diag_clear(diag);
		rc = 0;
		/* It had only begun to be attached, or stands again as it could not be detached. */
		if (tried_left(&left) || !left)
			sleep(pause);
	}
	return rc;
}

/* What would be waited for. */
static int would_be_due(const struct args *args, struct diag *diag)
{
	struct host host = {};
	struct jw j;
	int rc = host_open(&host, HOST_READ, diag);

	if (!rc && host.tried_left) {
		rc = attach_rollback(args, &host, diag);
	} else if (!rc && args->given & OPT_JSON) {
		jw_begin(&j, stdout);
		jw_object(&j, NULL);
		jw_str(&j, "outcome", "nothing to do");
		jw_object_end(&j);
	} else if (!rc) {
		printf("Nothing that was attached awaits confirmation: nothing to do.\n");
	}
	host_close(&host);
	return rc;
}

int cmd_policy_rollback(const struct args *args, struct diag *diag)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	struct host host = {};
	int rc = args_none(args, diag);

	if (!rc && args->given & OPT_DUE)
		return dry_run ? would_be_due(args, diag) : when_due(diag);
	if (!rc)
		rc = host_open(&host, dry_run ? HOST_READ : HOST_TEND, diag);
	if (!rc)
		rc = await_know(&host, diag);
	if (!rc)
		rc = (host.off_left	  ? off_rollback
			: host.tried_left ? attach_rollback
					  : roll_back_rules)(args, &host, diag);
	host_close(&host);
	return rc;
}
