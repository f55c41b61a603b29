// SPDX-License-Identifier: GPL-2.0-only
#include "enforce.h"

#include <errno.h>
#include <stdlib.h>

#include "attach.h"
#include "awaited.h"
#include "clocks.h"
#include "env.h"
#include "guard.h"
#include "links.h"
#include "moment.h"
#include "progress.h"
#include "protected.h"
#include "spare.h"
#include "tie.h"
#include "tried.h"

#define SECOND 1000000000ULL /* ns */

struct commit {
	struct host *host;
	struct generation *gen;
	uint64_t by; /* when it goes back by itself, as kernel_switch() wants it */
};

/*
 * What only brings the kernel to where the store is writes nothing, so that a boot needs no room on
 * the disk. What is to be cleared up there may be left for later.
 */
static int commit_store(struct store *s, struct diag *diag)
{
	int rc = 0;

	if (s->asked)
		return store_commit(s, diag);
	if (s->changed || s->untidy || !s->inode || journal_is_long(s->journal))
		rc = store_commit(s, diag);
	else
		rc = store_end_commit(s, diag);
	if (rc) {
		s->inode = 0; /* never in step: the next command tries again */
		diag_to_warning(diag, "the rules are in force, but the store is not in order");
	}
	return 0;
}

static int commit(void *arg, struct diag *diag)
{
	struct commit *c = arg;
	struct store *s = c->host->store;
	int rc = c->host->aside || s->for_now ? 0 : commit_store(s, diag);

	if (rc)
		return rc;
	host_stamp(c->gen, s);
	tie_keep(c->host->kernel, c->host->take);
	/* Before it is in force: whoever comes next, though we die here, gives other numbers. */
	if (s->next_id > c->host->kernel->ctl->next_id)
		c->host->kernel->ctl->next_id = s->next_id;
	/* All of its time is left when the disk has done with it, however slow that is. */
	if (c->host->confirm)
		c->by = kernel_clock() + c->host->confirm * SECOND;
	return 0;
}

/* Rules whose time is over leave the store for good. */
static void sweep_expired(struct policy *policy, uint64_t now)
{
	for (size_t i = policy->n; i--;)
		if (rule_is_over(policy->rules[i], now))
			policy_remove(policy, i);
}

/* Plans the store's policy, or for want of one *none, which lets everything pass. */
static int plan_store(
	struct host *host, struct policy **none, struct plan **plan, struct diag *diag)
{
	struct policy *policy = host->store->policy;
	struct compile_env env;
	uint64_t links = 0;
	int rc;

	env_now(&env);
	if (policy)
		sweep_expired(policy, env.now);
	else
		policy = *none = policy_new("");
	rc = policy ? plan_new(policy, &env, plan, diag) : -ENOMEM;
	if (!rc && policy_names_interface(policy))
		rc = env_links(&links, diag);
	if (!rc)
		(*plan)->tables.links = links;
	return rc;
}

/* Generations made for the question alone, which judge nowhere. was: NULL: what is in force. */
static int try_loaded(struct host *host, const struct plan *plan, bool layers,
	const struct plan *was, struct diag *diag)
{
	struct host with = *host;
	struct generation *gen = NULL, *old = NULL;
	bool concerned = false;
	int rc = guard_concerns(host, plan->policy, &concerned, diag);

	if (rc || !concerned)
		return rc;
	rc = host->kernel ? 0 : kernel_load(&with.kernel, diag);
	if (!rc)
		rc = generation_load_for(0, plan, &with.kernel->shared, &gen, diag);
	if (!rc && was)
		rc = generation_load_for(0, was, &with.kernel->shared, &old, diag);
	if (!rc)
		rc = layers ? guard_layers(&with, gen, old, plan->policy, diag)
			    : guard_generation(&with, gen, plan->policy, diag);
	generation_free(&old);
	generation_free(&gen);
	if (!host->kernel)
		kernel_free(&with.kernel);
	return rc;
}

int enforce_try_rules(
	struct host *host, const struct policy *rules, const struct policy *was, struct diag *diag)
{
	struct compile_env env;
	struct plan *plan = NULL, *old = NULL;
	int rc;

	env_now(&env);
	rc = plan_new(rules, &env, &plan, diag);
	if (!rc && was)
		rc = plan_new(was, &env, &old, diag);
	if (!rc)
		rc = try_loaded(host, plan, true, old, diag);
	plan_free(&old);
	plan_free(&plan);
	return rc;
}

int enforce_try_staying(struct host *host, struct diag *diag)
{
	const struct policy *parts[] = { host->store->policy, host->staying };
	struct policy all = { .name = "" };
	int rc;

	if (!host->staying || host->unguarded || host->off)
		return 0;
	for (int i = 0; i < 2; i++)
		all.room += parts[i] ? parts[i]->n : 0;
	all.rules = calloc(all.room + 1, sizeof(*all.rules));
	if (!all.rules)
		return -ENOMEM;
	for (int i = 0; i < 2; i++)
		for (size_t r = 0; parts[i] && r < parts[i]->n; r++)
			all.rules[all.n++] = parts[i]->rules[r];
	rc = enforce_try_rules(host, &all, NULL, diag);
	free(all.rules);
	return rc;
}

int enforce_try(struct host *host, struct diag *diag)
{
	struct policy *none = NULL;
	struct plan *plan = NULL;
	struct table table = {};
	int rc = plan_store(host, &none, &plan, diag);

	if (!rc)
		rc = table_alloc(&table, &plan->tables.sizes);
	if (!rc)
		rc = plan_fill(plan, &table, diag);
	table_free(&table);
	if (!rc && !host->unguarded && !host->off)
		rc = try_loaded(host, plan, false, NULL, diag);
	if (!rc)
		rc = enforce_try_staying(host, diag);
	plan_free(&plan);
	policy_free(&none);
	return rc;
}

/* The plan as a generation beside the one in force: the spare, or if need be one loaded anew. */
static int build(
	struct kernel *k, const struct plan *plan, struct generation **out, struct diag *diag)
{
	unsigned int hooks = attached_hooks();
	struct generation *gen =
		spare_take(kernel_next_number(k), &plan->tables.sizes, hooks, &k->shared);
	int rc;

	rc = gen ? plan_fill(plan, &gen->table, diag) : -ENOSPC;
	if (!rc)
		*out = gen;
	else
		spare_give_back(&gen);
	return rc == -ENOSPC ? generation_load_for(hooks, plan, &k->shared, out, diag) : rc;
}

/* When what the store holds goes back by itself; what it says is for whoever finds it so. */
static uint64_t confirm_by(const struct host *host)
{
	struct confirm *c = &host->store->confirm;
	struct moment now;

	if (!host->confirm && (!c->seconds || host->store->for_now))
		return 0;
	moment_now(&now);
	if (host->confirm)
		confirm_begin(c, host->confirm, &now);
	return now.boot + confirm_left(c, &now);
}

/* The store's policy as a generation that nobody is judged by yet. */
static int prepare(struct host *host, struct generation **gen, struct diag *diag)
{
	struct progress progress;
	struct policy *none = NULL;
	struct plan *plan = NULL;
	int rc;

	progress_begin(&progress, "filters, to be put in force");
	rc = plan_store(host, &none, &plan, diag);
	if (!rc) {
		progress_show(&progress, 0.5, plan->tables.filters);
		rc = build(host->kernel, plan, gen, diag);
	}
	if (!rc && !host->unguarded) {
		progress_show(&progress, 0.9, plan->tables.filters);
		rc = guard_generation(host, *gen, plan->policy, diag);
	}
	if (!rc)
		rc = enforce_try_staying(host, diag);
	progress_end(&progress);
	plan_free(&plan);
	policy_free(&none);
	if (rc)
		spare_give_back(gen);
	return rc;
}

static int rebuild(struct host *host, struct diag *diag)
{
	struct commit c = { .host = host };
	int rc = prepare(host, &c.gen, diag);

	if (rc)
		return rc;
	c.by = confirm_by(host);
	rc = kernel_switch(host->kernel, c.gen, &c.by, commit, &c, diag);
	if (host->kernel->gen != c.gen)
		spare_give_back(&c.gen);
	if (rc && host->confirm)
		host->store->confirm = (struct confirm){};
	return rc;
}

/* Changes nothing on disk. */
static int put_aside(struct host *host, struct store *store, struct diag *diag)
{
	struct host with = {
		.kernel = host->kernel,
		.store = store,
		.unguarded = true, /* it was in force, or would be */
		.aside = true,
	};
	int rc = enforce(&with, diag);

	host->kernel = with.kernel;
	return rc;
}

/* Whether a rule is in force; where that is not sure, or not what the disk says, too. */
static bool has_rules(const struct kernel *k)
{
	const struct bp_tables *t = k && k->gen ? k->gen->table.tables : NULL;

	return t && (t->rules || t->dirty || !awaited_is_stored(k->gen));
}

/* No rules, where nothing is attached or what is goes off again: nobody was judged before. */
static int make_way(struct host *host, struct diag *diag)
{
	struct store *nothing;
	int rc;

	if (!has_rules(host->kernel))
		return 0;
	nothing = calloc(1, sizeof(*nothing));
	rc = nothing ? put_aside(host, nothing, diag) : -ENOMEM;
	store_free(&nothing);
	return rc;
}

/* What is on disk. */
static int put_back(struct host *host, struct diag *diag)
{
	struct store *before = NULL;
	int rc = store_load(&before, diag);

	if (!rc)
		rc = put_aside(host, before, diag);
	store_free(&before);
	return rc;
}

/*
 * The rules in the store's memory await confirmation: what they go back to must be what is in force
 * now, and is put there if it is not. With interfaces that came with them that is no rules, so that
 * the end of the time is as if they were off already.
 */
static int prepare_trial(struct host *host, struct diag *diag)
{
	struct store *before = NULL;
	int rc;

	if (host->first || host->store->for_now)
		return 0; /* attach_first() has seen to it, or there is nothing to go back to */
	if (tried_follows())
		return make_way(host, diag);
	if (host->confirm)
		return host_in_step(host) ? 0 : put_back(host, diag);
	rc = awaited_before(host->kernel, host->store, &before, diag);
	if (!rc && before)
		rc = put_aside(host, before, diag);
	store_free(&before);
	return rc;
}

static int put_in_force(struct host *host, struct diag *diag)
{
	struct generation *gen;
	uint64_t was_dirty = 0;
	int rc;

	if (awaited_stands(host->kernel))
		return 0; /* there is no place for another one, nor need of it */
	rc = kernel_make_room(host->kernel, diag);
	if (!rc && (host->confirm || host->store->confirm.seconds))
		rc = prepare_trial(host, diag);
	if (rc)
		return rc;
	gen = host->kernel->gen;
	if (!host->store->policy && !gen) /* nothing to put in force, and nothing in force */
		return host->store->changed && !host->aside ? store_commit(host->store, diag) : 0;
	if (gen) {
		was_dirty = gen->table.tables->dirty;
		gen->table.tables->dirty =
			1; /* killed from here on, the next command does it again */
	}
	rc = rebuild(host, diag);
	if (rc && gen)
		gen->table.tables->dirty = was_dirty;
	return rc;
}

/* What another root judges it goes on judging until ours has rules, and where that fails. */
static int enforce_rules(struct host *host, struct diag *diag)
{
	bool ours = host->kernel;
	int rc = ours ? 0 : host_kernel_load(host, diag);

	if (!rc)
		rc = put_in_force(host, diag);
	if (ours)
		return rc;
	if (rc)
		kernel_free(&host->kernel);
	return rc ? rc : host_kernel_hang(host, diag);
}

/* The interfaces, where no packet meets the rules that were in force before. */
static int attach_first(struct host *host, struct diag *diag)
{
	int rc = choices_remember(host->first, diag);

	if (!rc)
		rc = make_way(host, diag);
	return rc ? rc : choices_attach(host, host->first, diag);
}

/* What make_way() has left as it was stays so. */
static void undo_first(struct host *host)
{
	struct link_choices *first = host->first;
	struct diag ignored = {};

	tried_take_back(&ignored);
	host->first = NULL; /* with it nothing is in step */
	if (host->kernel && host->kernel->gen && !host_in_step(host))
		put_back(host, &ignored);
	host->first = first;
	diag_free(&ignored);
}

/* On trial they stay as long as the rules do. */
static int keep_first(const struct host *host, uint64_t commit, struct diag *diag)
{
	int rc = host->confirm ? 0 : tried_keep(diag);

	if (!rc || host->store->commit < commit)
		return rc;
	diag_to_warning(diag, "it is done, and the next command clears up on disk");
	return 0;
}

/*
 * With the first rules come interfaces: attached before, and judged by nothing until these are in
 * force. What the guard refuses leaves nothing in the kernel, and no driver is touched for it. Of
 * one that dies in between the next command takes back what is there, unless the rules are
 * committed (tried.h).
 */
static int enforce_first(struct host *host, struct diag *diag)
{
	uint64_t commit = host->store->commit + 1;
	int rc = host->unguarded ? 0 : enforce_try(host, diag);

	if (!rc)
		rc = tried_begin_with_rules(commit, host->first, diag);
	if (rc)
		return rc;
	rc = attach_first(host, diag);
	if (!rc)
		rc = enforce_rules(host, diag);
	if (!rc)
		rc = keep_first(host, commit, diag);
	if (rc)
		undo_first(host);
	else
		host->first = NULL;
	return rc;
}

int enforce(struct host *host, struct diag *diag)
{
	int rc = host_store(host, diag);

	return rc ? rc : (host->first ? enforce_first : enforce_rules)(host, diag);
}

int enforce_take_over(struct host *host, struct diag *diag)
{
	bool unguarded = host->unguarded;
	int rc;

	if (!host_is_foreign(host))
		return 0;
	host->unguarded = true;
	rc = enforce(host, diag);
	host->unguarded = unguarded;
	return rc;
}

int enforce_alone(struct host *host, struct diag *diag)
{
	bool unguarded = host->unguarded;
	size_t renewed = 0;
	int rc = 0;

	if (!host->kernel || !host->kernel->rival)
		return 0;
	host->unguarded = true; /* what was decided then */
	if (!host->off && !host_in_step(host))
		rc = enforce(host, diag);
	host->unguarded = unguarded;
	if (!rc)
		rc = attach_adopt(host->kernel, &renewed, diag);
	if (rc)
		return rc;
	kernel_is_alone(host->kernel);
	if (!renewed)
		return 0;
	diag_set(diag, DIAG_SYSTEM, EPROTO, "what it had put on interfaces is replaced");
	diag_to_warning(diag, "another version of bpfpol was cut short here");
	return 0;
}

int enforce_settle(struct host *host, struct diag *diag)
{
	return host->off ? store_commit(host->store, diag) : enforce(host, diag);
}

/* Of what is attached already nothing begins. */
static bool any_new(const struct link_choices *choices)
{
	for (size_t i = 0; i < choices->n; i++)
		if (!choices->v[i].already)
			return true;
	return false;
}

int enforce_try_links(struct host *host, const struct link_choices *choices, struct diag *diag)
{
	int rc;

	host->adding = choices;
	if (host->unguarded || !any_new(choices))
		return 0;
	rc = host_store(host, diag);
	if (rc || (!host->store->policy && !guard_is_beside(host)))
		return rc;
	if (!host->store->policy || !host_in_step(host))
		return enforce_try(host, diag);
	return guard_generation(host, host->kernel->gen, host->store->policy, diag);
}

void enforce_catch_up(struct host *host, struct diag *diag)
{
	struct diag ignored = {};

	if (!host->kernel || host->off || host->fault || host_in_step(host))
		return;
	/* It was decided then; but a store may have been put back from a backup since. */
	host->unguarded = host->unguarded || !protected_over_ssh(&ignored);
	diag_free(&ignored);
	if (enforce(host, diag))
		diag_to_warning(diag, "the rules on disk could not be put in force");
}
