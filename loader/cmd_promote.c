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
#include "layer.h"
#include "protected.h"
#include "seat.h"
#include "spec.h"
#include "tell.h"

#define PATIENCE 1000 /* ms that the kernel may take to empty what a dead agent left */

struct promotion {
	uint32_t id;
	struct policy *held;	/* the one dynamic rule of that id; NULL: there is none */
	struct policy *staying; /* the others, where the lock-out guard is to know */
	struct applied applied;
	struct generation *layer; /* the dynamic layer as it was; NULL: there was none */
	uint64_t number;	  /* which that was */
	bool already;		  /* a static rule has the id */
	char *text;
};

/* The dynamic rule of that id is the static one, and no other that says the same. */
static bool is_static(const struct promotion *p)
{
	return p->already || p->applied.id == p->id;
}

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

/*
 * A permit that wins a tie with a static block as it is dynamic does not as a static one: what is
 * protected is asked about without it. As in force the agent's word counts, not what was asked for
 * before the lock was there.
 */
static int find_staying(struct host *host, struct promotion *p, struct diag *diag)
{
	const struct rule *rule = p->held->rules[0];
	bool suspect = false;
	ptrdiff_t at;
	int rc = 0;

	if (host->unguarded || rule->action != BP_PERMIT)
		return 0;
	rc = protected_suspects(rule, &suspect, diag);
	if (rc || !suspect)
		return rc;
	rc = tell_rules(&p->staying, diag);
	at = rc ? -1 : policy_find_id(p->staying, p->id);
	if (at >= 0)
		policy_remove(p->staying, at);
	host->staying = p->staying;
	return rc;
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
	rc = p->text ? find_staying(host, p, diag) : -ENOMEM;
	return rc ? rc : apply_promote(host, &p->held->rules[0], opts, &p->applied, diag);
}

/* As it is before anything is changed, and without the lock. */
static void keep_layer(struct promotion *p)
{
	struct kernel *k = NULL;
	struct diag ignored = {};

	if (!kernel_open(&k, &ignored)) {
		p->number = k->ctl->dynamic;
		dynamic_keep(k, &p->layer, &ignored);
	}
	kernel_free(&k);
	diag_free(&ignored);
}

/* Its process; 0: there is none. -errno: not known. */
static int pid_of_agent(void)
{
	int pid, is = seat_is_taken(&pid);

	return is > 0 ? pid : is;
}

/* An agent that is slow may still do what it was asked for. Another one may have come since. */
static bool is_agent_dead(int pid)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	for (int i = 0; i < PATIENCE; i++) {
		int now = pid_of_agent();

		if (!now || (now > 0 && pid > 0 && now != pid))
			return true;
		nanosleep(&ms, NULL);
	}
	return false;
}

/* The kernel takes the rules of a dead agent away within milliseconds. */
static void wait_for_end(const struct kernel *k)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	for (int i = 0; i < PATIENCE && dynamic_is_held(k); i++)
		nanosleep(&ms, NULL);
}

/* Where the agent died before the layer's arrays were opened. -ESTALE: it was another one then. */
static int add_kept(const struct kernel *k, const struct promotion *p, struct rule_counts *counts)
{
	int rc = p->layer ? dynamic_kept_counts(p->layer, counts) : -ENOENT;

	return rc || p->number == k->ctl->dynamic ? rc : -ESTALE;
}

/* What the layer's arrays keep in force, and the static rule that stands for one of its rules. */
struct handover {
	struct layer layer;
	int rc;		       /* they could not be opened */
	struct rule_count had; /* what that had counted before */
	int had_rc;
};

/*
 * What the rule has counted, of an agent that died before it could say so. What stands there is
 * another number now if it has.
 */
static int keep_counts(const struct kernel *k, const struct promotion *p,
	const struct handover *over, struct diag *diag)
{
	struct rule_count now = { .rule = p->id };
	struct rule_counts counts = {};
	const struct rule_count *last;
	int rc = over->had_rc ? over->had_rc : kernel_base_count(k, &now, diag), added = 0;

	if (rc || now.packets != over->had.packets)
		return rc;
	rc = over->rc ? over->rc : dynamic_last_counts(&over->layer, &counts);
	if (rc == -ENOENT)
		rc = add_kept(k, p, &counts);
	last = counts_find(&counts, p->id);
	if (last && last->packets)
		added = kernel_add_count(k, last, diag);
	free(counts.v);
	return rc ? rc : added;
}

static void say_death(const struct kernel *k, const struct promotion *p,
	const struct handover *over, struct diag *diag)
{
	struct diag ignored = {};

	if (is_static(p) && keep_counts(k, p, over, &ignored))
		diag_to_warning(diag,
			"the agent ended meanwhile; the rule is static now, but without "
			"all that it has counted");
	else
		diag_to_warning(diag, "the agent ended meanwhile; the rule is static now");
	diag_free(&ignored);
}

/*
 * The static one stands, so the dynamic one can go: no packet meets neither. All that it has
 * counted is the static one's from then on. The lock is held until the agent has done both,
 * whatever becomes of this process: no report is made in between. If it is the agent that dies,
 * this process has the layer's arrays open, which keep what stands in them as the agent left it.
 */
static int take_from_agent(const struct kernel *k, struct promotion *p, struct diag *diag)
{
	struct handover over = { .had.rule = p->id };
	struct diag ignored = {};
	int pid = pid_of_agent(), rc;

	over.rc = k ? layer_open(&k->shared, &over.layer) : -ENOENT;
	over.had_rc = k ? kernel_base_count(k, &over.had, &ignored) : -ENOENT;
	rc = tell_retire(p->id, is_static(p), diag);
	if (!rc || diag->kind == DIAG_UNKNOWN)
		diag_clear(diag); /* somebody else may have taken it away */
	else if (!is_agent_dead(pid))
		diag_to_warning(diag, "the rule is static now, but stands among the dynamic ones, "
				      "too: promote it again to take it away there");
	else
		say_death(k, p, &over, diag);
	if (!over.rc)
		layer_close(&over.layer);
	if (rc && k)
		wait_for_end(k);
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
		keep_layer(p);
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
		rc = take_from_agent(host.kernel, p, diag);
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
	policy_free(&p.staying);
	policy_free(&p.held);
	free(p.text);
	return rc;
}
