// SPDX-License-Identifier: GPL-2.0-only
#include "apply.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clocks.h"
#include "cover.h"
#include "dynamic.h"
#include "enforce.h"
#include "env.h"
#include "inplace.h"
#include "late.h"
#include "pairs.h"
#include "policies.h"
#include "protected.h"
#include "spec.h"

/* Whether a record in the journal makes the change. What it would be lost behind is read anew. */
static bool can_append(struct host *host)
{
	uint64_t size = host_in_step(host) ? host->kernel->gen->table.tables->journal : 0;

	if (!size || journal_is_long(size))
		return false;
	host->astray = !journal_is_sound(size);
	return !host->astray;
}

/* Whether the change can be made in the maps that are in force. */
static bool in_place(struct host *host, const struct rule *rule)
{
	return !host->off && !host->confirm && !rule_has_list(rule) && can_append(host);
}

static ptrdiff_t store_find(
	const struct store *s, const struct rule *rule, int action, uint64_t now)
{
	return s->policy ? policy_find_same(s->policy, rule, action, now) : -1;
}

/* Adding. */

/* What stands is a rule of that policy, which is not assigned: rules of its file may have no ids.
 */
static int refuse_shelved(const char *policy, const char *text, struct diag *diag)
{
	char typed[POLICY_NAME_TYPED];

	return diag_set(diag, DIAG_REFUSED, EEXIST,
		"'block %s' stands in policy '%s' and would win over this permit; take it away "
		"with 'bpfpol remove block %s --policy %s', or store the permit beside it with "
		"--force",
		text, policy, text, policy_name_typed(policy, typed));
}

int apply_refuse_permit(
	uint32_t id, const char *shelved, const struct rule *rule, struct diag *diag)
{
	char *text = spec_text(rule, SPEC_MATCH);
	int rc = shelved ? refuse_shelved(shelved, text ? text : "", diag)
			 : diag_set(diag, DIAG_REFUSED, EEXIST,
				   "rule %" PRIu32 " 'block %s' stands and would win over this "
				   "permit; take it away with 'bpfpol remove --id %" PRIu32
				   "', or store the permit beside it with --force",
				   id, text ? text : "", id);

	free(text);
	return rc;
}

static bool is_open(const struct generation *gen, const struct inplace_found *found)
{
	const uint64_t *gate = found->gate ? table_gate(&gen->table, found->gate) : NULL;
	struct compile_env env;

	env_now(&env);
	return !gate || !*gate || *gate > env.boot_now;
}

int apply_refuse_beneath(const struct host *host, const struct rule *rule,
	const struct apply_opts *opts, struct diag *diag)
{
	struct generation *gen = NULL;
	struct inplace_found found;
	int rc;

	if (rule->action != BP_PERMIT || opts->force || !host->kernel ||
		!host->kernel->ctl->dynamic)
		return 0;
	rc = dynamic_read(host->kernel, &gen, diag);
	if (rc == -ENOENT)
		return 0;
	if (!rc)
		rc = inplace_find(gen, rule, BP_BLOCK, &found);
	if (!rc && is_open(gen, &found))
		rc = apply_refuse_permit(found.id, NULL, rule, diag);
	else if (rc == -ENOENT)
		rc = 0;
	if (rc && diag->kind != DIAG_REFUSED) {
		diag_to_warning(diag, "a dynamic block like this permit would win over it");
		rc = 0;
	}
	generation_free(&gen);
	return rc;
}

/* With none assigned `local` is: as its file says, or a new one. */
static int need_policy(struct host *host, const struct apply_opts *opts, struct applied *applied,
	struct diag *diag)
{
	struct policy *local = NULL;
	int rc;

	applied->assigned = false;
	if (host->store->policy)
		return 0;
	rc = policies_load(host->store, "local", opts->names, &local, diag);
	if (rc == -ENOENT) {
		diag_clear(diag);
		rc = opts->dry_run ? 0 : store_settle(host->store, "local", diag);
		local = rc ? NULL : policy_new("local");
		if (!rc && !local)
			rc = -ENOMEM;
	}
	if (rc)
		return rc;
	applied->assigned = local->n > 0;
	store_assign(host->store, &local);
	return 0;
}

/* Puts what stands in the store's memory in force, or with a dry run only tries. */
static int finish(struct host *host, const struct apply_opts *opts, struct diag *diag)
{
	return opts->dry_run ? enforce_try(host, diag) : enforce_settle(host, diag);
}

/* What is no filter's. */
static int append(struct host *host, const struct rule *rule, struct diag *diag)
{
	int rc = journal_set(&host->kernel->gen->table.tables->journal, rule, diag);

	if (!rc)
		late_forget();
	return rc;
}

/* An equal rule stands in the store at that index. */
static int add_again(struct host *host, ptrdiff_t at, struct rule **rule,
	const struct apply_opts *opts, struct applied *applied, struct diag *diag)
{
	struct rule *old = host->store->policy->rules[at];
	bool reload = !rule_same_lists(old, *rule);
	bool assigns = host->store->changed; /* the policy that has it was not assigned */
	uint64_t deadline = old->deadline;
	bool log = old->log;
	int rc;

	applied->outcome = APPLIED_ALREADY;
	applied->id = old->id;
	if (!reload && !rule_merge(old, *rule)) {
		if (assigns)
			return finish(host, opts, diag);
		host->confirm = 0; /* nothing is changed */
		rc = enforce_try_staying(host, diag);
		return rc || host_in_step(host) || host->off || opts->dry_run
			       ? rc
			       : enforce_settle(host, diag);
	}
	if (reload)
		rule_inherit(*rule, old);
	applied->outcome = deadline == old->deadline ? APPLIED_REPLACED : APPLIED_PROLONGED;
	if (reload) {
		policy_remove(host->store->policy, at);
		rc = store_add(host->store, rule);
		return rc ? rc : finish(host, opts, diag);
	}
	if (!assigns && deadline == old->deadline && log == old->log && !host->confirm &&
		can_append(host)) {
		rc = enforce_try_staying(host, diag);
		return rc || opts->dry_run ? rc : append(host, old, diag);
	}
	rc = store_set(host->store, at);
	return rc ? rc : finish(host, opts, diag);
}

/* By way of the store: reads it all, changes it, and puts all of it in force. */
static int add_by_store(struct host *host, struct rule **rule, const struct apply_opts *opts,
	struct applied *applied, struct diag *diag)
{
	struct compile_env env;
	ptrdiff_t at;
	int rc = host_store(host, diag);

	if (rc)
		return rc;
	host->store->names = opts->names;
	rc = need_policy(host, opts, applied, diag);
	if (rc)
		return rc;
	env_now(&env);
	at = store_find(host->store, *rule, (*rule)->action, env.now);
	if (at >= 0)
		return add_again(host, at, rule, opts, applied, diag);
	if ((*rule)->action == BP_PERMIT && !opts->force) {
		at = store_find(host->store, *rule, BP_BLOCK, env.now);
		if (at >= 0)
			return apply_refuse_permit(host->store->policy->rules[at]->id,
				store_assigning(host->store), *rule, diag);
	}
	rc = apply_refuse_beneath(host, *rule, opts, diag);
	if (rc)
		return rc;
	applied->outcome = APPLIED;
	applied->id = (*rule)->id ? (*rule)->id : host->store->next_id;
	rc = store_add(host->store, rule);
	return rc ? rc : finish(host, opts, diag);
}

int apply_promote(struct host *host, struct rule **rule, const struct apply_opts *opts,
	struct applied *applied, struct diag *diag)
{
	(*rule)->layer = LAYER_STATIC;
	(*rule)->lifetime = 0; /* what is left of its time is not what a file would say */
	return add_by_store(host, rule, opts, applied, diag);
}

/* Where the maps hold a part of a change that failed they are made anew; else the next command does
 * it, as they are dirty. */
static void mend(struct host *host)
{
	struct diag ignored = {};
	bool was = host->unguarded;

	host->unguarded = true; /* what was decided before */
	enforce(host, &ignored);
	host->unguarded = was;
	diag_free(&ignored);
}

/*
 * The kernel refused what is written down behind `length` already. That must go: going back undoes
 * the last record, and would bring it. -ENOSPC without a diag: nothing of the change is in the
 * maps.
 */
static int take_back(
	struct host *host, __u64 length, int rc, const char *refusal, struct diag *diag)
{
	struct bp_tables *t = host->kernel->gen->table.tables;

	if (journal_cut(&t->journal, length, diag))
		return rc; /* still dirty: the next command puts the journal's word in force */
	if (rc == -ENOSPC) {
		t->dirty = 0;
		return rc;
	}
	diag_errno(diag, -rc, "%s", refusal);
	mend(host);
	return rc;
}

/* Written down first, then in the maps: a process that dies in between leaves `dirty` set. */
static int add_in_place(struct host *host, struct rule *rule, struct diag *diag)
{
	struct generation *gen = host->kernel->gen;
	struct bp_tables *t = gen->table.tables;
	const __u64 before = t->journal;
	struct compile_env env;
	uint64_t filters, links = t->links;
	int rc = filter_count(rule, &filters);

	if (!rc && rule->ifname && !links)
		rc = env_links(&links, diag);
	if (rc)
		return rc;
	env_now(&env);
	t->dirty = 1;
	rc = journal_add(&t->journal, rule, diag);
	if (!rc) {
		host->kernel->ctl->next_id = rule->id + 1;
		rc = inplace_insert(gen, rule, &env);
		if (rc)
			return take_back(
				host, before, rc, "the kernel did not take the rule", diag);
		t->rules++;
		t->filters += filters;
		t->links = links;
	}
	t->dirty = 0;
	if (!rc)
		late_forget();
	return rc;
}

/*
 * Whether the rule, as it comes or goes, may cut what is protected: then the whole of what would be
 * in force is asked, which only the store can make.
 */
static int may_cut(const struct host *host, const struct rule *rule, bool *cuts, struct diag *diag)
{
	*cuts = false;
	return host->unguarded ? 0 : protected_suspects(rule, cuts, diag);
}

/* A rule with a gate ends at a time: the store knows it. */
static bool stands_for_good(const struct inplace_found *found)
{
	return !found->gate;
}

int apply_add(struct host *host, struct rule **rule, const struct apply_opts *opts,
	struct applied *applied, struct diag *diag)
{
	struct generation *gen;
	struct inplace_found found;
	bool cuts = false;
	int rc;

	if (!in_place(host, *rule))
		return add_by_store(host, rule, opts, applied, diag);
	gen = host->kernel->gen;
	rc = inplace_find(gen, *rule, (*rule)->action, &found);
	if (rc && rc != -ENOENT)
		return rc;
	if (!rc) {
		if ((*rule)->label || (*rule)->log || !stands_for_good(&found))
			return add_by_store(host, rule, opts, applied, diag);
		*applied = (struct applied){ APPLIED_ALREADY, found.id, false };
		return 0;
	}
	if ((*rule)->action == BP_PERMIT && !opts->force &&
		!inplace_find(gen, *rule, BP_BLOCK, &found)) {
		if (stands_for_good(&found))
			return apply_refuse_permit(found.id, NULL, *rule, diag);
		return add_by_store(host, rule, opts, applied, diag);
	}
	rc = (*rule)->action == BP_BLOCK ? may_cut(host, *rule, &cuts, diag)
					 : apply_refuse_beneath(host, *rule, opts, diag);
	if (rc)
		return rc;
	if (cuts || !inplace_fits(gen, *rule))
		return add_by_store(host, rule, opts, applied, diag);
	(*rule)->id = host->kernel->ctl->next_id;
	*applied = (struct applied){ APPLIED, (*rule)->id, false };
	if (opts->dry_run)
		return 0;
	rc = add_in_place(host, *rule, diag);
	if (rc != -ENOSPC || diag->kind != DIAG_NONE)
		return rc;
	/* No tuple or chain is free in this generation; a new one is numbered afresh. */
	(*rule)->id = 0;
	return add_by_store(host, rule, opts, applied, diag);
}

/* Removing. */

/* Rules found by their match, of one action each. */
struct removal {
	uint32_t ids[BP_ACTIONS];
	struct rule rules[BP_ACTIONS]; /* like the one asked for; they own nothing */
	size_t n;
};

/* One record for all, so that all go or none. */
static int delete_in_place(struct host *host, const struct rule *rules, const uint32_t *ids,
	size_t n, struct diag *diag)
{
	struct generation *gen = host->kernel->gen;
	struct bp_tables *t = gen->table.tables;
	const __u64 before = t->journal;
	struct compile_env env;
	int rc;

	env_now(&env);
	t->dirty = 1;
	rc = journal_del(&t->journal, ids, n, diag);
	if (rc) {
		t->dirty = 0;
		return rc;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t filters;

		rc = filter_count(&rules[i], &filters);
		if (!rc)
			rc = inplace_delete(gen, &rules[i], &env);
		if (rc)
			return take_back(
				host, before, rc, "the kernel did not let the rule go", diag);
		t->rules--;
		t->filters -= filters;
	}
	t->dirty = 0;
	late_forget();
	return 0;
}

/* -ENOENT: none is found, or one that only the store can tell all about. */
static int find_in_place(struct host *host, const struct rule *rule, int action, struct removal *r)
{
	const struct generation *gen = host->kernel->gen;

	for (int a = 0; a < BP_ACTIONS; a++) {
		struct inplace_found found;

		if ((action != -1 && action != a) || inplace_find(gen, rule, a, &found))
			continue;
		if (!stands_for_good(&found) || found.included)
			return -ENOENT; /* the store knows more of it */
		r->rules[r->n] = *rule;
		r->rules[r->n].action = a;
		r->rules[r->n].id = found.id;
		r->rules[r->n].deadline = 0;
		r->ids[r->n++] = found.id;
	}
	return r->n ? 0 : -ENOENT;
}

/* Of one that is not there: another covers it, or is the same with another action. */
struct unknown {
	const char *none, *does;
};

static const struct unknown unknown_match = { "no rule has exactly that match", "covers it" };
static const struct unknown unknown_action = { "no rule of that action has that match", "does" };

/* A rule of that text, in the policy, which is not assigned. */
static int unknown_shelved(
	const struct unknown *u, const char *policy, const char *text, struct diag *diag)
{
	char typed[POLICY_NAME_TYPED];

	return diag_set(diag, DIAG_UNKNOWN, EEXIST,
		"%s; '%s' in policy '%s' %s: 'bpfpol remove %s --policy %s' takes that one away",
		u->none, text, policy, u->does, text, policy_name_typed(policy, typed));
}

int apply_unknown_rule(const struct policy *p, const char *shelved, const struct rule *rule,
	uint64_t now, struct diag *diag)
{
	char typed[POLICY_NAME_TYPED];

	for (size_t i = 0; p && i < p->n; i++) {
		const struct unknown *u;
		char *text;
		int rc;

		/* A count rule stops nothing: to take it away would not help. */
		if (p->rules[i]->action == BP_COUNT || rule_is_over(p->rules[i], now) ||
			!rule_covers(p->rules[i], rule))
			continue;
		text = spec_text(p->rules[i], SPEC_ACTION | SPEC_MATCH);
		u = rule_same_match(p->rules[i], rule) ? &unknown_action : &unknown_match;
		rc = shelved ? unknown_shelved(u, shelved, text ? text : "", diag)
			     : diag_set(diag, DIAG_UNKNOWN, EEXIST,
				       "%s; rule %" PRIu32 " '%s' %s: 'bpfpol remove --id %" PRIu32
				       "' takes that one away",
				       u->none, p->rules[i]->id, text ? text : "", u->does,
				       p->rules[i]->id);
		free(text);
		return rc;
	}
	if (shelved)
		return diag_set(diag, DIAG_UNKNOWN, ENOENT,
			"policy '%s' has no rule with that match; 'bpfpol policy show %s' prints "
			"them",
			shelved, policy_name_typed(shelved, typed));
	return diag_set(diag, DIAG_UNKNOWN, ENOENT,
		"no rule has that match; 'bpfpol list' shows those in force");
}

/* It would come back with the next assignment: whoever wants that says so. */
static int refuse_included(
	const struct rule *rule, const struct apply_opts *opts, struct diag *diag)
{
	char *text;
	int rc;

	if (!rule->included || opts->force)
		return 0;
	text = spec_text(rule, SPEC_ACTION | SPEC_MATCH);
	rc = diag_set(diag, DIAG_REFUSED, EPERM,
		"rule %" PRIu32 " '%s' stands in a policy that this one includes; take it out "
		"there and assign this one again, or --force takes it out of force until then",
		rule->id, text ? text : "");
	free(text);
	return rc;
}

static int remove_by_store(struct host *host, const struct rule *rule, int action,
	const struct apply_opts *opts, struct removal *r, struct diag *diag)
{
	uint64_t now = wall_clock();
	int rc = host_store(host, diag);

	for (int a = 0; a < BP_ACTIONS && !rc; a++) {
		ptrdiff_t at;

		if (action != -1 && action != a)
			continue;
		at = store_find(host->store, rule, a, now);
		if (at < 0)
			continue;
		r->ids[r->n++] = host->store->policy->rules[at]->id;
		rc = refuse_included(host->store->policy->rules[at], opts, diag);
		if (!rc)
			rc = store_del(host->store, at);
	}
	if (!rc && !r->n)
		return apply_unknown_rule(host->store->policy, NULL, rule, now, diag);
	return rc ? rc : finish(host, opts, diag);
}

/* Permits that go may leave what is protected to a block. */
static int removal_may_cut(
	const struct host *host, const struct removal *r, bool *cuts, struct diag *diag)
{
	int rc = 0;

	*cuts = false;
	for (size_t i = 0; i < r->n && !rc && !*cuts; i++)
		if (r->rules[i].action == BP_PERMIT)
			rc = may_cut(host, &r->rules[i], cuts, diag);
	return rc;
}

int apply_remove(struct host *host, const struct rule *rule, int action,
	const struct apply_opts *opts, struct apply_removed *removed, struct diag *diag)
{
	struct removal r = {};
	bool by_store = !in_place(host, rule) || find_in_place(host, rule, action, &r);
	int rc = by_store ? 0 : removal_may_cut(host, &r, &by_store, diag);

	if (rc)
		return rc;
	if (!by_store && !opts->dry_run)
		rc = delete_in_place(host, r.rules, r.ids, r.n, diag);
	else if (by_store) {
		r.n = 0;
		rc = remove_by_store(host, rule, action, opts, &r, diag);
	}
	if (rc)
		return rc;
	memcpy(removed->ids, r.ids, sizeof(r.ids));
	removed->n = r.n;
	return 0;
}

int apply_remove_id(
	struct host *host, uint32_t id, const struct apply_opts *opts, struct diag *diag)
{
	const struct rule *rule;
	bool cuts = false;
	ptrdiff_t at;
	int rc = host_store(host, diag);

	if (rc)
		return rc;
	at = host->store->policy ? policy_find_id(host->store->policy, id) : -1;
	if (at < 0 || rule_is_over(host->store->policy->rules[at], wall_clock()))
		return diag_set(diag, DIAG_UNKNOWN, ENOENT,
			"no rule has the id %" PRIu32 "; 'bpfpol list' shows those in force", id);
	rule = host->store->policy->rules[at];
	rc = refuse_included(rule, opts, diag);
	if (!rc && rule->action == BP_PERMIT)
		rc = may_cut(host, rule, &cuts, diag);
	if (rc)
		return rc;
	if (!cuts && in_place(host, rule) && !rule->deadline)
		return opts->dry_run ? 0 : delete_in_place(host, rule, &id, 1, diag);
	rc = store_del(host->store, at);
	return rc ? rc : finish(host, opts, diag);
}
