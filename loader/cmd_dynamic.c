// SPDX-License-Identifier: GPL-2.0-only
/* What block, permit, count, remove and ipsecpol have in common where rules are the agent's. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clocks.h"
#include "command.h"
#include "enforce.h"
#include "first.h"
#include "links.h"
#include "lock.h"
#include "pairs.h"
#include "protected.h"
#include "seat.h"
#include "tell.h"

static struct apply_opts opts_of(const struct args *args)
{
	return (struct apply_opts){
		.dry_run = args->given & OPT_DRY_RUN,
		.force = args->given & OPT_FORCE,
	};
}

int need_root(struct diag *diag)
{
	return geteuid() ? diag_set(diag, DIAG_DENIED, EPERM,
				   "this needs root: run it again with sudo")
			 : 0;
}

/*
 * The guard. A rule that by itself would stop nothing of what is protected can cut nothing;
 * otherwise the rules of both layers are asked together, as they would be in force.
 */

static int any_suspect(
	const struct policy *rules, enum bp_action action, bool *any, struct diag *diag)
{
	int rc = 0;

	*any = false;
	for (size_t i = 0; i < rules->n && !rc && !*any; i++)
		if (rules->rules[i]->action == action)
			rc = protected_suspects(rules->rules[i], any, diag);
	return rc;
}

/* Where a rule stands that this one is to take the place of; or NULL. */
static const struct rule *same_of(const struct policy *rules, const struct rule *rule)
{
	ptrdiff_t at = rules ? policy_find_same(rules, rule, rule->action, 0) : -1;

	return at < 0 ? NULL : rules->rules[at];
}

/* A change of the dynamic rules: those that the agent has, and what goes of them or comes to them.
 */
struct dynamic_change {
	const struct policy *held;
	uint32_t without; /* the number of a rule; 0: none goes */
	bool drop;	  /* all go */
	const struct policy *more;
};

static void put(struct policy *all, const struct policy *rules)
{
	for (size_t i = 0; rules && i < rules->n; i++)
		all->rules[all->n++] = rules->rules[i];
}

static void put_kept(struct policy *all, const struct dynamic_change *c)
{
	for (size_t i = 0; i < c->held->n && !c->drop; i++)
		if ((!c->without || c->held->rules[i]->id != c->without) &&
			!same_of(c->more, c->held->rules[i]))
			all->rules[all->n++] = c->held->rules[i];
}

/* As the agent takes them: one that stands keeps its end if that is the later. A number is all that
 * they lack. */
static void put_more(
	struct policy *all, const struct dynamic_change *c, uint32_t id, struct rule *copies)
{
	for (size_t i = 0; c->more && i < c->more->n; i++) {
		struct rule *copy = &copies[i];
		const struct rule *was = same_of(c->held, c->more->rules[i]);

		*copy = *c->more->rules[i];
		copy->id = id + i;
		if (was && copy->deadline && (!was->deadline || was->deadline > copy->deadline))
			copy->deadline = was->deadline;
		all->rules[all->n++] = copy;
	}
}

/* Rules of a policy and those of the agent, as if all were in force, before the change and behind
 * it. now: what is in force is what was before. */
static int try_beside(struct host *host, const struct policy *stored,
	const struct dynamic_change *c, bool now, struct diag *diag)
{
	size_t n_more = c->more ? c->more->n : 0, n = (stored ? stored->n : 0) + c->held->n;
	struct policy all = { .name = "" }, was = { .name = "" };
	struct rule *copies = calloc(n_more + 1, sizeof(*copies));
	int rc = -ENOMEM;

	all.rules = calloc(n + n_more + 1, sizeof(*all.rules));
	was.rules = calloc(n + 1, sizeof(*was.rules));
	if (all.rules && was.rules && copies) {
		put(&all, stored);
		put_kept(&all, c);
		put_more(&all, c, host->store->next_id, copies);
		put(&was, stored);
		put(&was, c->held);
		rc = enforce_try_rules(host, &all, now ? NULL : &was, diag);
	}
	free(all.rules);
	free(was.rules);
	free(copies);
	return rc;
}

/* Beside a policy that awaits confirmation, and beside what it may go back to, which may let pass
 * what the trial stops. */
static int try_together(struct host *host, const struct dynamic_change *c, struct diag *diag)
{
	struct store *before = NULL;
	int rc = host_store(host, diag);

	if (!rc)
		rc = try_beside(host, host->store->policy, c, true, diag);
	if (rc || !host->store->confirm.seconds)
		return rc;
	rc = store_load_before(host->store, &before, diag);
	if (!rc)
		rc = store_read_copies(before, diag);
	if (!rc)
		rc = try_beside(host, before->policy, c, false, diag);
	store_free(&before);
	return rc;
}

/* What is off on trial filters again by itself, and nobody is there then to refuse. */
static bool will_filter(const struct host *host)
{
	return !host->off || host->off_left;
}

/* All of them, as they would be without it; id 0: without any. The lock stays. */
static int try_without(uint32_t id, struct diag *diag)
{
	struct policy *held = NULL;
	struct host host = {};
	int rc = host_open(&host, HOST_READ, diag);

	if (!rc)
		rc = tell_rules(&held, diag);
	if (!rc && will_filter(&host))
		rc = try_together(&host,
			&(struct dynamic_change){ .held = held, .without = id, .drop = !id }, diag);
	host_close(&host);
	policy_free(&held);
	return rc;
}

/* A permit that goes may leave what is protected to a block. Who was asked keeps the lock. */
static int guard_removal(const struct args *args, uint32_t id, struct diag *diag)
{
	struct policy *one = NULL;
	bool permit, any = false;
	int rc;

	if (args->given & OPT_FORCE)
		return 0;
	rc = tell_rule(id, false, &one, diag);
	permit = !rc && one->n && one->rules[0]->action == BP_PERMIT;
	if (permit) {
		policy_free(&one);
		rc = tell_rule(id, true, &one, diag);
	}
	if (!rc && permit)
		rc = any_suspect(one, BP_PERMIT, &any, diag);
	policy_free(&one);
	return !rc && any ? try_without(id, diag) : rc;
}

/* Adding. */

/* What the list of a permit has lost since it was given the last time is not permitted any more. */
static int any_shrinks(const struct policy *rules, bool *any, struct diag *diag)
{
	struct policy *held = NULL;
	bool lists = false;
	int rc = 0;

	for (size_t i = 0; i < rules->n; i++)
		lists |= rules->rules[i]->action == BP_PERMIT && rule_has_list(rules->rules[i]);
	if (lists)
		rc = tell_rules(&held, diag);
	for (size_t i = 0; held && i < rules->n && !rc && !*any; i++) {
		const struct rule *rule = rules->rules[i], *was = same_of(held, rule);

		if (was && rule->action == BP_PERMIT && !rule_same_lists(was, rule))
			rc = protected_suspects(was, any, diag);
	}
	policy_free(&held);
	return rc;
}

/*
 * What the agent has to say before the lock is taken, which it may be waiting for: whether it would
 * take the rules, if interfaces are to be attached for them, or the guard (*asked) is to be asked.
 */
static int ask_first(const struct args *args, const struct policy *rules, struct applied *applied,
	bool *asked, struct diag *diag)
{
	const struct apply_opts look = { .dry_run = true, .force = args->given & OPT_FORCE };
	size_t warned = strlen(diag->warnings);
	int rc = need_root(diag);

	if (!rc)
		rc = seat_need(diag);
	if (!rc && !look.force)
		rc = any_suspect(rules, BP_BLOCK, asked, diag);
	if (!rc && !look.force && !*asked)
		rc = any_shrinks(rules, asked, diag);
	if (rc || args->given & OPT_DRY_RUN || (!*asked && attached_any()))
		return rc;
	rc = tell_add(rules, &look, applied, diag);
	if (!rc)
		diag->warnings[warned] = '\0'; /* they come again when it is done */
	return rc;
}

/* They come to those that the agent has. */
static int try_more(struct host *host, const struct policy *rules, struct diag *diag)
{
	struct policy *held = NULL;
	int rc = tell_rules(&held, diag);

	if (!rc)
		rc = try_together(
			host, &(struct dynamic_change){ .held = held, .more = rules }, diag);
	policy_free(&held);
	return rc;
}

/*
 * The lock is held from the first look at the host to the last change of it. What the guard was
 * asked holds until the agent has done it: then the lock stays.
 */
static int prepare(const struct args *args, struct host *host, bool asked,
	const struct policy *rules, struct first_links *first, struct diag *diag)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	int rc = host_open(host, dry_run ? HOST_READ : HOST_TEND, diag);

	host->unguarded = args->given & OPT_FORCE;
	if (!rc)
		rc = refuse_while_off(host, args, diag);
	if (!rc)
		rc = first_links_begin(host, first, dry_run, diag);
	if (!rc && asked && will_filter(host))
		rc = try_more(host, rules, diag);
	if (!rc && host->first) /* with them comes what the store has to put in force */
		rc = enforce(host, diag);
	if (rc && first->choices.n && !dry_run)
		choices_undo(host, &first->choices);
	if (!asked)
		lock_release();
	return rc;
}

/* Whoever came since relies on them, be it with a rule of the policy or one of the agent. */
static void warn_attached(const struct link_choices *choices, struct diag *diag)
{
	for (size_t i = 0; i < choices->n; i++) {
		const char *name = choices->v[i].link->name;
		size_t used = strlen(diag->warnings);

		snprintf(diag->warnings + used, sizeof(diag->warnings) - used,
			"%s is attached now, and stays so; 'bpfpol detach %s' takes it off\n", name,
			name);
	}
}

/* Their time begins when all else is done: it was counted from that second. */
static void begin_later(const struct policy *rules, uint64_t second)
{
	uint64_t now = wall_clock();

	for (size_t i = 0; i < rules->n; i++)
		if (rules->rules[i]->deadline && now > second)
			rules->rules[i]->deadline += now - second;
}

int dynamic_put(const struct args *args, const struct policy *rules, struct first_links *first,
	struct applied *applied, bool *off, struct diag *diag)
{
	const struct apply_opts opts = opts_of(args);
	struct host host = {};
	uint64_t second = wall_clock();
	bool asked = false;
	int rc = ask_first(args, rules, applied, &asked, diag);

	if (!rc)
		rc = prepare(args, &host, asked, rules, first, diag);
	if (!rc) {
		begin_later(rules, second);
		rc = tell_add(rules, &opts, applied, diag);
		if (rc && !opts.dry_run)
			warn_attached(&first->choices, diag);
	}
	/* Of several, some may still get numbers that the agent has reserved. */
	if (!rc && rules->n == 1 && !applied->id && host.kernel)
		applied->id = host.kernel->ctl->next_id;
	if (!rc && !opts.dry_run)
		warn_one_way(&host, policy_dirs(rules), diag);
	*off = host.off;
	host_close(&host);
	lock_release();
	return rc;
}

/* Removing. */

int dynamic_remove_rule(const struct args *args, const struct rule *rule, int action,
	struct apply_removed *removed, struct diag *diag)
{
	const struct apply_opts opts = opts_of(args), look = { .dry_run = true };
	int rc = need_root(diag);

	if (!rc && (action == -1 || action == BP_PERMIT)) {
		rc = tell_remove(rule, action, &look, removed, diag);
		for (size_t i = 0; i < removed->n && !rc; i++)
			rc = guard_removal(args, removed->ids[i], diag);
	}
	if (!rc)
		rc = tell_remove(rule, action, &opts, removed, diag);
	lock_release();
	return rc;
}

int dynamic_remove_id(const struct args *args, uint32_t id, struct diag *diag)
{
	const struct apply_opts opts = opts_of(args);
	int rc = need_root(diag);

	if (!rc)
		rc = guard_removal(args, id, diag);
	if (!rc)
		rc = tell_remove_id(id, &opts, diag);
	lock_release();
	return rc;
}

int dynamic_drop(const struct args *args, size_t *n, struct diag *diag)
{
	const struct apply_opts opts = opts_of(args), look = { .dry_run = true };
	struct policy *held = NULL;
	bool any = false;
	int rc = need_root(diag);

	if (!rc && !opts.force) {
		rc = tell_rules(&held, diag);
		if (!rc)
			rc = any_suspect(held, BP_PERMIT, &any, diag);
		policy_free(&held);
	}
	if (!rc && any)
		rc = tell_drop(&look, n, diag);
	if (!rc && any)
		rc = try_without(0, diag);
	if (!rc)
		rc = tell_drop(&opts, n, diag);
	lock_release();
	return rc;
}
