// SPDX-License-Identifier: GPL-2.0-only
/* policy confirm. */
#include <errno.h>
#include <stdlib.h>

#include "await.h"
#include "awaited.h"
#include "enforce.h"
#include "command.h"
#include "json.h"

static int nothing_awaits(const struct store *s, struct diag *diag)
{
	char ended[AWAITED_ENDED];
	bool has = awaited_ended(s, ended);

	return diag_set(diag, DIAG_UNKNOWN, ENOENT, "nothing awaits confirmation%s%s",
		has ? ": " : "", has ? ended : "");
}

static void say(const struct args *args, const struct host *host)
{
	const struct policy *policy = host->store->policy;
	bool dry_run = args->given & OPT_DRY_RUN;
	struct jw j;

	if (!(args->given & OPT_JSON)) {
		printf("The last change %s for good.\n", dry_run ? "would stay" : "stays");
		return;
	}
	jw_begin(&j, stdout);
	jw_object(&j, NULL);
	jw_str(&j, "outcome", dry_run ? "dry run" : "confirmed");
	jw_str(&j, "policy", policy ? policy->name : NULL);
	jw_object_end(&j);
}

static int confirm_rules(const struct args *args, struct host *host, struct diag *diag)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	int rc;

	if (!dry_run)
		enforce_catch_up(host, diag);
	rc = host_store_names(host, diag);
	if (!rc && !host->store->confirm.seconds)
		rc = nothing_awaits(host->store, diag);
	if (!rc && !dry_run)
		rc = await_confirm(host, diag);
	if (!rc)
		say(args, host);
	return rc;
}

int cmd_policy_confirm(const struct args *args, struct diag *diag)
{
	struct host host = {};
	int rc = args_none(args, diag);

	if (!rc)
		rc = host_open(&host, args->given & OPT_DRY_RUN ? HOST_READ : HOST_TEND, diag);
	if (!rc)
		rc = await_know(&host, diag);
	if (!rc)
		rc = (host.off_left	  ? off_confirm
			: host.tried_left ? attach_confirm
					  : confirm_rules)(args, &host, diag);
	host_close(&host);
	return rc;
}
