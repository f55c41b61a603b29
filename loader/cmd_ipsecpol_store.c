// SPDX-License-Identifier: GPL-2.0-only
/*
 * ipsecpol -w REG. All that one command adds to a policy that is, or with -x gets, assigned is one
 * commit and one switch: no packet sees half of it, and what fails changes nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "assign.h"
#include "clocks.h"
#include "cmd_ipsecpol.h"
#include "enforce.h"
#include "first.h"
#include "json.h"
#include "links.h"
#include "pairs.h"
#include "policies.h"
#include "shelf.h"
#include "spec.h"

/* What became of a command. */
struct done {
	struct given_rules rules;
	char *before;	/* a policy that was assigned and is not any more; NULL: none */
	bool assigned;	/* the command's own policy is, when it has ended */
	bool looked_up; /* and a name in it has other addresses now */
	bool unassigned, deleted;
	struct first_links first;
};

static void done_free(struct done *done)
{
	given_free(&done->rules);
	first_links_free(&done->first);
	free(done->before);
}

/* Adding to what is assigned. */

/* The policy of that name with the rules that it has; none of that name is a new one. */
static int load_or_new(struct host *host, const char *name, const struct apply_opts *opts,
	struct policy **policy, struct diag *diag)
{
	int rc = policies_check_name(name, diag);

	if (rc)
		return rc;
	rc = shelf_has(host->store, name, diag);
	if (rc)
		return rc < 0 ? rc : policies_load(host->store, name, opts->names, policy, diag);
	rc = opts->dry_run ? 0 : store_settle(host->store, name, diag);
	if (rc)
		return rc;
	*policy = policy_new(name);
	return *policy ? 0 : -ENOMEM;
}

/* To the store's policy, in memory. */
static int add_in_memory(struct host *host, struct rule **rule, const struct apply_opts *opts,
	struct applied *applied, struct diag *diag)
{
	struct store *s = host->store;
	uint64_t now = wall_clock();
	ptrdiff_t at = policy_find_same(s->policy, *rule, (*rule)->action, now);
	int rc;

	if (at >= 0 && !rule_same_lists(s->policy->rules[at], *rule)) {
		rule_inherit(*rule, s->policy->rules[at]);
		*applied = (struct applied){ .outcome = APPLIED_REPLACED, .id = (*rule)->id };
		policy_remove(s->policy, at);
		return store_add(s, rule);
	}
	if (at >= 0) {
		bool changed = rule_merge(s->policy->rules[at], *rule);

		*applied = (struct applied){
			.outcome = changed ? APPLIED_REPLACED : APPLIED_ALREADY,
			.id = s->policy->rules[at]->id,
		};
		return changed ? store_set(s, at) : 0;
	}
	if ((*rule)->action == BP_PERMIT && !opts->force) {
		at = policy_find_same(s->policy, *rule, BP_BLOCK, now);
		if (at >= 0)
			return apply_refuse_permit(
				s->policy->rules[at]->id, store_assigning(s), *rule, diag);
	}
	rc = apply_refuse_beneath(host, *rule, opts, diag);
	if (!rc)
		rc = store_add(s, rule);
	if (!rc)
		*applied = (struct applied){ .id = s->policy->rules[s->policy->n - 1]->id };
	return rc;
}

static bool any_applied(const struct done *done)
{
	if (done->looked_up)
		return true;
	for (size_t i = 0; i < done->rules.n; i++)
		if (done->rules.applied[i].outcome != APPLIED_ALREADY)
			return true;
	return false;
}

/* The command's policy takes the place of the store's, in memory: its file as it now is. */
static int assign_in_memory(struct host *host, const struct ipsecpol *p,
	const struct apply_opts *opts, struct done *done, struct diag *diag)
{
	const struct policy *was = host->store->policy;
	struct policy *policy = NULL;
	int rc = p->policy->n
			 ? load_or_new(host, p->policy->name, opts, &policy, diag)
			 : policies_load(host->store, p->policy->name, opts->names, &policy, diag);

	if (!rc && was && strcmp(was->name, policy->name)) {
		done->before = strdup(was->name);
		rc = done->before ? 0 : -ENOMEM;
	}
	if (!rc) {
		assign_warn_absent(policy, diag);
		store_assign_again(host->store, &policy);
	}
	policy_free(&policy);
	return rc;
}

static int add_in_force(struct host *host, struct ipsecpol *p, const struct apply_opts *opts,
	struct done *done, struct diag *diag)
{
	bool stays = p->policy->n && store_is_assigned(host->store, p->policy->name);
	unsigned int dirs = policy_dirs(p->policy); /* the rules are the store's, then */
	int rc = stays && p->assign ? store_look_up(host->store, &done->looked_up, diag)
		 : stays	    ? 0
				    : assign_in_memory(host, p, opts, done, diag);

	for (size_t i = 0; i < p->policy->n && !rc; i++)
		rc = add_in_memory(host, &p->policy->rules[i], opts, &done->rules.applied[i], diag);
	if (rc)
		return rc;
	done->assigned = true;
	if (stays && !any_applied(done) && (host->off || host_in_step(host)))
		return 0;
	rc = opts->dry_run ? enforce_try(host, diag) : enforce_settle(host, diag);
	if (!rc && !opts->dry_run)
		warn_one_way(host, dirs, diag);
	return rc;
}

/* With interfaces to begin with, if none is filtered yet. */
static int put_in_force(const struct args *args, struct host *host, struct ipsecpol *p,
	const struct apply_opts *opts, struct done *done, struct diag *diag)
{
	int rc = p->policy->n ? refuse_while_off(host, args, diag) : 0;

	if (!rc)
		rc = first_links_begin(host, &done->first, opts->dry_run, diag);
	if (!rc)
		rc = add_in_force(host, p, opts, done, diag);
	if (rc && !opts->dry_run)
		choices_undo(host, &done->first.choices);
	return rc;
}

/* -y and -o */

static int unassign(struct host *host, const struct ipsecpol *p, const struct apply_opts *opts,
	struct done *done, struct diag *diag)
{
	const char *name = p->policy->name;
	struct assigned assigned;
	int rc = *name ? policies_check_name(name, diag) : 0;

	if (rc)
		return rc;
	if (*name && !store_is_assigned(host->store, name))
		return shelf_must_have(host->store, name, diag);
	if (!host->store->policy)
		return 0;
	rc = assign_policy(host, NULL, opts, &assigned, diag);
	if (!rc)
		done->before = assigned.before;
	done->unassigned = !rc;
	return rc;
}

static int delete_policy(struct host *host, const struct ipsecpol *p, const struct apply_opts *opts,
	struct done *done, struct diag *diag)
{
	const char *name = p->policy->name;
	bool is_assigned = store_is_assigned(host->store, name);
	int rc = shelf_check_delete(host->store, name, opts->force, diag);

	if (!rc && is_assigned)
		rc = shelf_delete_with(host->store, name, diag);
	if (!rc && is_assigned)
		rc = unassign(host, p, opts, done, diag);
	else if (!rc && !opts->dry_run)
		rc = shelf_delete(host, name, diag);
	done->deleted = !rc;
	return rc;
}

/* What is said. */

static void say_json(const struct ipsecpol *p, const struct names *names, const struct done *done,
	bool dry_run, bool off)
{
	struct jw j;

	jw_begin(&j, stdout);
	jw_object(&j, NULL);
	jw_bool(&j, "dry_run", dry_run);
	jw_str(&j, "policy", *p->policy->name ? p->policy->name : NULL);
	jw_bool(&j, "assigned", done->assigned);
	jw_bool(&j, "in_force", done->assigned && !off && !dry_run);
	jw_str(&j, "unassigned", done->before);
	jw_bool(&j, "deleted", done->deleted);
	json_attached(&j, &done->first.choices);
	given_json(&done->rules, &j);
	names_json(names, &j);
	jw_object_end(&j);
}

static void say_policy(const struct ipsecpol *p, const struct done *done, bool dry_run, bool off)
{
	const char *name = p->policy->name, *is = dry_run ? "would be" : "is";

	if (done->before)
		printf("Policy '%s' %s unassigned%s.\n", done->before, is,
			done->deleted ? "" : "; it stays in the store");
	if (done->deleted)
		printf("Policy '%s' %s deleted.\n", name, is);
	else if (done->assigned)
		printf("Policy '%s' %s assigned%s.\n", name, is,
			dry_run ? ""
			: off	? "; filtering is off, 'bpfpol on' puts it in force"
				: " and in force");
	else if (p->unassign && !done->unassigned && *name)
		printf("Policy '%s' is not assigned: nothing to do.\n", name);
	else if (p->unassign && !done->unassigned)
		printf("No policy is assigned: nothing to do.\n");
	else if (!p->unassign)
		printf("Policy '%s' %s stored only, and not in force; with -x it is assigned.\n",
			name, is);
}

static void say(const struct args *args, const struct ipsecpol *p, const struct names *names,
	const struct done *done, bool off)
{
	bool dry_run = args->given & OPT_DRY_RUN;

	if (args->given & OPT_JSON) {
		say_json(p, names, done, dry_run, off);
		return;
	}
	say_attached(&done->first.choices);
	given_print(&done->rules, "", dry_run);
	names_print(names);
	say_policy(p, done, dry_run, off);
}

static int act(const struct args *args, struct host *host, struct ipsecpol *p, struct names *names,
	struct done *done, struct diag *diag)
{
	const struct apply_opts opts = {
		.dry_run = args->given & OPT_DRY_RUN,
		.force = args->given & OPT_FORCE,
		.names = names,
	};

	host->store->names = names;
	if (p->delete)
		return delete_policy(host, p, &opts, done, diag);
	if (p->unassign)
		return unassign(host, p, &opts, done, diag);
	if (p->assign || store_is_assigned(host->store, p->policy->name))
		return put_in_force(args, host, p, &opts, done, diag);
	return shelf_add(host, p->policy->name, p->policy, true, &opts, done->rules.applied, diag);
}

int ipsecpol_store(
	const struct args *args, struct ipsecpol *p, struct names *names, struct diag *diag)
{
	struct host host = {};
	struct done done = {};
	int rc = given_begin(&done.rules, p->policy);

	if (!rc && p->assign)
		rc = policies_ask_ahead(p->policy->name, names);
	if (!rc)
		rc = host_open(&host, args->given & OPT_DRY_RUN ? HOST_TRY : HOST_CHANGE, diag);
	host.unguarded = args->given & OPT_FORCE;
	if (!rc)
		rc = host_store(&host, diag);
	if (!rc)
		rc = act(args, &host, p, names, &done, diag);
	if (!rc) {
		names_warn(names, diag);
		say(args, p, names, &done, host.off);
	}
	done_free(&done);
	host_close(&host);
	return rc;
}
