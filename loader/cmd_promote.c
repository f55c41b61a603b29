// SPDX-License-Identifier: GPL-2.0-only
/* promote: a dynamic rule becomes one of the assigned policy. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "apply.h"
#include "clocks.h"
#include "command.h"
#include "dirs.h"
#include "dynamic.h"
#include "json.h"
#include "seat.h"
#include "spec.h"
#include "tell.h"

#define PATIENCE 1000 /* ms that the kernel may take to empty what a dead agent left */

struct promotion {
	uint32_t id;
	struct policy *held; /* the one dynamic rule of that id; NULL: there is none */
	struct applied applied;
	struct generation *layer; /* the dynamic layer as it was last seen; NULL: there was none */
	bool already;		  /* a static rule has the id */
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
	p->already = at >= 0 && !rule_is_over(host->store->policy->rules[at], wall_clock());
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
	if (end->kind != END_FILE || list_host(end->file) || path_is_there(end->file))
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

/* Once more, as all rules may have been loaded anew since; if there is none, the one before stays.
 */
static void keep_layer(const struct kernel *k, struct promotion *p)
{
	struct generation *layer = NULL;
	struct diag ignored = {};

	if (k && !dynamic_keep(k, &layer, &ignored)) {
		generation_free(&p->layer);
		p->layer = layer;
	}
	diag_free(&ignored);
}

/* Before anything is changed; also without the lock. */
static void keep_layer_first(struct promotion *p)
{
	struct kernel *k = NULL;
	struct diag ignored = {};

	if (!kernel_open(&k, &ignored))
		keep_layer(k, p);
	kernel_free(&k);
	diag_free(&ignored);
}

/* One that is slow may still do what it was asked for. The kernel takes the rules of a dead one
 * away within milliseconds. */
static bool is_agent_dead(const struct kernel *k)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	int pid;

	for (int i = 0; i < PATIENCE; i++) {
		if (!seat_is_taken(&pid) && !dynamic_is_held(k))
			return true;
		nanosleep(&ms, NULL);
	}
	return false;
}

/*
 * What the rule has counted, of an agent that died before it could say so. had: what stood there
 * when it was asked, which is another now if it has said so.
 */
static int keep_counts(const struct kernel *k, const struct promotion *p,
	const struct rule_count *had, struct diag *diag)
{
	struct rule_count now = { .rule = p->id };
	struct rule_counts counts = {};
	const struct rule_count *last;
	int rc = kernel_base_count(k, &now, diag);

	if (rc || now.packets != had->packets || !p->layer)
		return rc;
	kernel_wait_for_packets();
	rc = dynamic_kept_counts(p->layer, &counts);
	last = rc ? NULL : counts_find(&counts, p->id);
	if (last && last->packets)
		rc = kernel_add_count(k, last, diag);
	free(counts.v);
	return rc;
}

/*
 * The static one stands, so the dynamic one can go: no packet meets neither. All that it has
 * counted is the static one's from then on. The lock is held until the agent has done both,
 * whatever becomes of this process: no report is made in between. If it is the agent that dies,
 * this process has its rules' counters open.
 */
static int take_from_agent(struct host *host, struct promotion *p, struct diag *diag)
{
	const bool stands = p->already || p->applied.id == p->id;
	struct rule_count had = { .rule = p->id };
	struct diag ignored = {};
	bool known;
	int rc;

	keep_layer(host->kernel, p);
	known = stands && host->kernel && !kernel_base_count(host->kernel, &had, &ignored);
	rc = tell_retire(p->id, stands, diag);
	if (!rc || diag->kind == DIAG_UNKNOWN)
		diag_clear(diag); /* somebody else may have taken it away */
	else if (!host->kernel || !is_agent_dead(host->kernel))
		diag_to_warning(diag, "the rule is static now, but stands among the dynamic ones, "
				      "too: promote it again to take it away there");
	else if (known && keep_counts(host->kernel, p, &had, &ignored))
		diag_to_warning(diag, "the agent ended meanwhile; the rule is static now, but its "
				      "counters begin anew");
	else
		diag_to_warning(diag, "the agent ended meanwhile; the rule is static now");
	diag_free(&ignored);
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

	if (!rc && !opts.dry_run)
		keep_layer_first(p);
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
		rc = take_from_agent(&host, p, diag);
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
		diag_place_word(diag, args->id);
	generation_free(&p.layer);
	policy_free(&p.held);
	free(p.text);
	return rc;
}
