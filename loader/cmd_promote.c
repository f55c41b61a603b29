// SPDX-License-Identifier: GPL-2.0-only
/* promote: a dynamic rule becomes one of the assigned policy. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply.h"
#include "command.h"
#include "dirs.h"
#include "json.h"
#include "seat.h"
#include "spec.h"
#include "tell.h"

struct promotion {
	uint32_t id;
	struct policy *held; /* the one dynamic rule of that id; NULL: there is none */
	struct applied applied;
	bool already; /* a static rule has the id */
	char *text;
};

/* What stands in the policy by that id is done; what else may be said of it is `why`. */
static int find_static(struct host *host, struct promotion *p, int why, struct diag *diag)
{
	struct diag of_agent = *diag;
	ptrdiff_t at;
	int rc;

	*diag = (struct diag){};
	rc = host_store(host, diag);
	at = !rc && host->store->policy ? policy_find_id(host->store->policy, p->id) : -1;
	p->already = at >= 0;
	if (p->already) {
		diag_free(&of_agent);
		p->text = spec_text(host->store->policy->rules[at], SPEC_ALL);
		return p->text ? 0 : -ENOMEM;
	}
	if (rc) {
		diag_free(&of_agent);
		return rc;
	}
	diag_free(diag);
	*diag = of_agent;
	return why;
}

/* A boot has the copy; an assignment reads the file. */
static void warn_list(const struct end *end, struct diag *diag)
{
	if (end->kind != END_FILE || list_host(end->file) || !access(end->file, F_OK))
		return;
	diag_set(diag, DIAG_USAGE, ENOENT,
		"%s; the copy of it stays in force, but the policy is not assigned again "
		"without the file",
		end->file);
	diag_to_warning(diag, "the rule's list is gone");
}

static int put_in_policy(const struct args *args, struct host *host, struct promotion *p,
	const struct apply_opts *opts, struct diag *diag)
{
	int rc = refuse_while_off(host, args, diag);

	if (rc)
		return rc;
	p->text = spec_text(p->held->rules[0], SPEC_ALL);
	warn_list(&p->held->rules[0]->from, diag);
	warn_list(&p->held->rules[0]->to, diag);
	host->unguarded = opts->force;
	return p->text ? apply_promote(host, &p->held->rules[0], opts, &p->applied, diag) : -ENOMEM;
}

/*
 * The static one stands, so the dynamic one can go: no packet meets neither. All that it has
 * counted is the static one's from then on. The lock is held until the agent has done both,
 * whatever becomes of this process: no report is made in between.
 */
static int take_from_agent(const struct promotion *p, struct diag *diag)
{
	if (tell_retire(p->id, p->already || p->applied.id == p->id, diag))
		diag_to_warning(diag, "the rule is static now, but stands among the dynamic ones, "
				      "too: promote it again to take it away there");
	return 0;
}

static void say(const struct args *args, const struct promotion *p)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	const char *outcome = p->already ? "already static" : dry_run ? "dry run" : "promoted";
	struct jw j;

	if (args->given & OPT_JSON) {
		jw_begin(&j, stdout);
		jw_object(&j, NULL);
		jw_str(&j, "outcome", outcome);
		jw_u64(&j, "id", p->already ? p->id : p->applied.id);
		jw_str(&j, "rule", p->text);
		jw_str(&j, "layer", "static");
		jw_object_end(&j);
	} else if (p->already) {
		printf("Rule %" PRIu32 " is static already: %s\n", p->id, p->text);
	} else if (p->applied.id != p->id) {
		printf("Rule %" PRIu32 " is static and has that match: dynamic rule %" PRIu32
		       " %s with it: %s\n",
			p->applied.id, p->id, dry_run ? "would be one" : "is one", p->text);
	} else {
		printf("Rule %" PRIu32 " %s static%s: %s\n", p->id, dry_run ? "would be" : "is",
			dry_run ? "" : " now", p->text);
	}
}

static int promote(const struct args *args, struct promotion *p, struct diag *diag)
{
	const struct apply_opts opts = {
		.dry_run = args->given & OPT_DRY_RUN,
		.force = args->given & OPT_FORCE,
	};
	struct host host = {};
	int rc = seat_need(diag), why;

	/* Before the lock is taken: the agent may be busy, or hang. */
	if (!rc)
		rc = tell_rule(p->id, true, &p->held, diag);
	why = rc;
	rc = host_open(&host, opts.dry_run ? HOST_TRY : HOST_CHANGE, diag);
	if (!rc)
		rc = find_static(&host, p, why, diag);
	if (!rc && !p->already)
		rc = put_in_policy(args, &host, p, &opts, diag);
	if (!rc && p->held && !opts.dry_run)
		rc = take_from_agent(p, diag);
	host_close(&host);
	return rc;
}

int cmd_promote(const struct args *args, struct diag *diag)
{
	struct promotion p = {};
	int rc;

	if (!args->id) {
		args_place(args, 0, diag);
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"say which rule: bpfpol promote --id N; 'bpfpol list' shows the numbers");
	}
	rc = need_root(diag);
	if (!rc)
		rc = args_id(args, &p.id, diag);
	if (!rc)
		rc = promote(args, &p, diag);
	if (!rc)
		say(args, &p);
	else if (diag->kind == DIAG_UNKNOWN)
		diag_place(diag, args->id, 0, strlen(args->id));
	policy_free(&p.held);
	free(p.text);
	return rc;
}
