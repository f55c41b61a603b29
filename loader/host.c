// SPDX-License-Identifier: GPL-2.0-only
#include "host.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "await.h"
#include "dirs.h"
#include "guard.h"
#include "links.h"
#include "off.h"
#include "spare.h"
#include "tell.h"
#include "tie.h"

uint32_t host_ifindex(const char *name)
{
	uint32_t ifindex = if_nametoindex(name);
	char is[IF_NAMESIZE];

	return ifindex && if_indextoname(ifindex, is) && !strcmp(is, name) ? ifindex : 0;
}

static uint32_t ifindex_of(const char *name, void *arg)
{
	(void)arg;
	return host_ifindex(name);
}

void host_env(struct compile_env *env)
{
	*env = (struct compile_env){
		.ifindex = ifindex_of,
		.now = time(NULL),
		.boot_now = kernel_clock(),
	};
}

uint64_t host_links(void)
{
	struct if_nameindex *links = if_nameindex();
	uint64_t sum = 1; /* 0 says that no rule names an interface */

	for (struct if_nameindex *l = links; l && l->if_index; l++) {
		uint64_t hash = 0xcbf29ce484222325ULL ^ l->if_index; /* FNV-1a */

		for (const char *c = l->if_name; *c; c++)
			hash = (hash ^ (uint8_t)*c) * 0x100000001b3ULL;
		sum += hash; /* in whatever order they come */
	}
	if (links)
		if_freenameindex(links);
	return sum ? sum : 1;
}

int host_store(struct host *host, struct diag *diag)
{
	int rc = host_store_names(host, diag);

	return rc ? rc : store_read_copies(host->store, diag);
}

/*
 * Changes of single rules that are in force have gone from the journal: more of it was in force
 * than there is. Only a command that was killed may have taken one back.
 */
static bool has_lost(const struct host *host)
{
	const struct bp_tables *t =
		host->kernel && host->kernel->gen ? host->kernel->gen->table.tables : NULL;
	const struct store *s = host->store;

	return t && !t->dirty && s->inode && t->state_inode == s->inode &&
	       t->state_mtime == s->mtime && t->journal > s->journal;
}

/* What is in force stays so, whoever comes, until somebody says that it is to go. */
static int load(struct host *host, struct diag *diag)
{
	size_t warned = strlen(diag->warnings);
	int rc = store_load(&host->store, diag);

	if (rc || !has_lost(host))
		return rc;
	store_free(&host->store);
	diag->warnings[warned] = '\0'; /* that they are lost, which they are not yet */
	return diag_set(diag, DIAG_SYSTEM, EUCLEAN,
		"%s/journal is damaged, and has lost changes of single rules that are in force; "
		"put it back from a backup, or 'bpfpol restore' goes on without them",
		dirs_get()->state);
}

int host_store_names(struct host *host, struct diag *diag)
{
	int rc = host->store ? 0 : load(host, diag);

	/* A store that was moved away or put back from a backup must not give a number twice. */
	if (!rc && host->kernel && host->kernel->ctl->next_id > host->store->next_id)
		host->store->next_id = host->kernel->ctl->next_id;
	if (!rc && !host->store->known)
		host->store->known = host->store->next_id;
	return rc ? rc : await_check(host, diag);
}

int host_kernel(struct host *host, struct diag *diag)
{
	struct off off;
	int rc;

	if (host->kernel)
		return 0;
	rc = dir_make_bpffs(dirs_get()->bpffs, diag);
	if (!rc)
		rc = kernel_init(&host->kernel, diag);
	if (!rc) {
		/* `off` asks for no lock, and may have come in between. */
		host->kernel->ctl->off = off_word();
		off_look(host->kernel, &off);
		host->off = off.is;
		host->off_left = off.left;
		/* Programs of an earlier root stay where they hang, but must obey this one. */
		rc = attach_adopt(host->kernel, diag);
	}
	if (!rc)
		rc = kernel_publish(host->kernel, diag);
	if (rc)
		kernel_free(&host->kernel);
	else if (!host->agent)
		tell_arrays(host->kernel->made);
	return rc;
}

/* While one awaits confirmation, interfaces are those of the moment when it began. */
static bool links_stand(const struct host *host, const struct bp_tables *t)
{
	return !t->links || kernel_awaits(host->kernel) || t->links == host_links();
}

bool host_in_step(const struct host *host)
{
	const struct bp_tables *t;

	if (!host->kernel || !host->kernel->gen || host->first)
		return false;
	t = host->kernel->gen->table.tables;
	return !t->dirty && links_stand(host, t) &&
	       store_unchanged(t->state_inode, t->state_mtime, t->journal);
}

struct commit {
	struct host *host;
	struct generation *gen;
};

/*
 * What only brings the kernel to where the store is writes nothing, so that a boot needs no room on
 * the disk. What is to be cleared up there may be left for later.
 */
static int commit_store(struct store *s, struct diag *diag)
{
	bool by_itself = s->taking_back && s->went_back; /* nobody's wish: the time was over */
	int rc = 0;

	if (s->changed && !by_itself)
		return store_commit(s, diag);
	if (by_itself || s->untidy || !s->inode || journal_is_long(s->journal))
		rc = store_commit(s, diag);
	if (rc) {
		s->inode = 0; /* never in step: the next command tries again */
		diag_to_warning(diag, "the rules are in force, but the store is not in order");
	}
	return 0;
}

void host_stamp(struct generation *gen, const struct store *s)
{
	struct bp_tables *t = gen->table.tables;

	t->state_inode = s->inode;
	t->state_mtime = s->mtime;
	t->journal = s->journal;
	snprintf(t->policy, sizeof(t->policy), "%s", s->policy ? s->policy->name : "");
}

static int commit(void *arg, struct diag *diag)
{
	struct commit *c = arg;
	struct store *s = c->host->store;
	int rc = c->host->aside ? 0 : commit_store(s, diag);

	if (rc)
		return rc;
	host_stamp(c->gen, s);
	tie_keep(c->host->kernel, c->host->take);
	/* Before it is in force: whoever comes next, though we die here, gives other numbers. */
	if (s->next_id > c->host->kernel->ctl->next_id)
		c->host->kernel->ctl->next_id = s->next_id;
	return 0;
}

/* Rules whose time is over leave the store for good. */
static void sweep_expired(struct policy *policy, uint64_t now)
{
	for (size_t i = policy->n; i--;)
		if (policy->rules[i]->deadline && policy->rules[i]->deadline <= now)
			policy_remove(policy, i);
}

static bool names_interface(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n; i++)
		if (policy->rules[i]->ifname)
			return true;
	return false;
}

/* Plans the store's policy, or for want of one *none, which lets everything pass. */
static int plan_store(
	struct host *host, struct policy **none, struct plan **plan, struct diag *diag)
{
	struct policy *policy = host->store->policy;
	struct compile_env env;
	int rc;

	host_env(&env);
	if (policy)
		sweep_expired(policy, env.now);
	else
		policy = *none = policy_new("");
	rc = policy ? plan_new(policy, &env, plan, diag) : -ENOMEM;
	if (!rc && names_interface(policy))
		(*plan)->tables.links = host_links();
	return rc;
}

/* A generation made for the question alone, which judges nowhere. */
static int try_loaded(struct host *host, const struct plan *plan, bool layers, struct diag *diag)
{
	struct host with = *host;
	struct generation *gen = NULL;
	bool concerned = false;
	int rc = guard_concerns(host, plan->policy, &concerned, diag);

	if (rc || !concerned)
		return rc;
	rc = host->kernel ? 0 : kernel_load(&with.kernel, diag);
	if (!rc)
		rc = generation_load_for(0, plan, &with.kernel->shared, &gen, diag);
	if (!rc)
		rc = (layers ? guard_layers : guard_generation)(&with, gen, plan->policy, diag);
	generation_free(&gen);
	if (!host->kernel)
		kernel_free(&with.kernel);
	return rc;
}

int host_try(struct host *host, struct diag *diag)
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
		rc = try_loaded(host, plan, false, diag);
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
		spare_take(k->ctl->generation + 1, &plan->tables.sizes, hooks, &k->shared);
	int rc;

	rc = gen ? plan_fill(plan, &gen->table, diag) : -ENOSPC;
	if (!rc)
		*out = gen;
	else
		spare_give_back(&gen);
	return rc == -ENOSPC ? generation_load_for(hooks, plan, &k->shared, out, diag) : rc;
}

int host_try_rules(struct host *host, const struct policy *rules, struct diag *diag)
{
	struct compile_env env;
	struct plan *plan = NULL;
	int rc;

	host_env(&env);
	rc = plan_new(rules, &env, &plan, diag);
	if (!rc)
		rc = try_loaded(host, plan, true, diag);
	plan_free(&plan);
	return rc;
}

/* When what the store holds goes back by itself, as kernel_switch() wants it. */
static uint64_t confirm_by(const struct host *host)
{
	struct confirm *c = &host->store->confirm;
	struct moment now;

	if (!host->confirm && !c->seconds)
		return 0;
	moment_now(&now);
	if (host->confirm)
		confirm_begin(c, host->confirm, &now);
	return now.boot + confirm_left(c, &now);
}

static int rebuild(struct host *host, struct diag *diag)
{
	struct commit c = { .host = host };
	struct policy *none = NULL;
	struct plan *plan = NULL;
	int rc = plan_store(host, &none, &plan, diag);

	if (!rc)
		rc = build(host->kernel, plan, &c.gen, diag);
	if (!rc && !host->unguarded)
		rc = guard_generation(host, c.gen, plan->policy, diag);
	plan_free(&plan);
	policy_free(&none);
	if (rc) {
		spare_give_back(&c.gen);
		return rc;
	}
	rc = kernel_switch(host->kernel, c.gen, confirm_by(host), commit, &c, diag);
	if (host->kernel->gen != c.gen)
		spare_give_back(&c.gen);
	if (rc && host->confirm)
		host->store->confirm = (struct confirm){};
	return rc;
}

/* What the guard refuses leaves nothing in the kernel, and no driver is touched for it. */
static int attach_first(struct host *host, struct diag *diag)
{
	struct link_choices *first = host->first;
	int rc = host->unguarded ? 0 : host_try(host, diag);

	/* Remembered first: whoever dies in between leaves nothing that a reboot would undo. */
	if (!rc)
		rc = choices_remember(first, diag);
	if (!rc)
		rc = choices_attach(host, first, diag);
	if (!rc)
		host->first = NULL;
	return rc;
}

int host_rebuild(struct host *host, struct diag *diag)
{
	struct generation *gen;
	uint64_t was_dirty = 0;
	int rc = host_store(host, diag);

	if (!rc && host->first)
		rc = attach_first(host, diag);
	if (!rc)
		rc = host_kernel(host, diag);
	if (!rc && await_stands(host))
		return 0; /* there is no place for another one, nor need of it */
	if (!rc && (host->confirm || host->store->confirm.seconds))
		rc = await_prepare(host, diag);
	if (rc)
		return rc;
	gen = host->kernel->gen;
	if (!host->store->policy && !gen) /* nothing to put in force, and nothing in force */
		return host->store->changed ? store_commit(host->store, diag) : 0;
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

int host_settle(struct host *host, struct diag *diag)
{
	return host->off ? store_commit(host->store, diag) : host_rebuild(host, diag);
}

int host_commit(struct host *host, struct diag *diag)
{
	bool in_step = host_in_step(host);
	struct bp_tables *t = in_step ? host->kernel->gen->table.tables : NULL;
	int rc;

	if (t)
		t->dirty = 1; /* killed from here on, the next command rebuilds */
	rc = store_commit(host->store, diag);
	if (!rc && t)
		host_stamp(host->kernel->gen, host->store);
	if (t)
		t->dirty = 0;
	return rc;
}

int host_give_ids(struct host *host, uint32_t next_id, struct diag *diag)
{
	struct bp_tables *t;
	int rc;

	if (next_id <= host->store->next_id)
		return 0;
	host->store->next_id = next_id;
	t = host_in_step(host) ? host->kernel->gen->table.tables : NULL;
	if (!t || !t->journal)
		return host_commit(host, diag);
	t->dirty = 1;
	rc = journal_next(&t->journal, next_id, diag);
	if (!rc)
		host->kernel->ctl->next_id = next_id;
	t->dirty = 0;
	return rc;
}

int host_reserve_ids(struct host *host, uint32_t n, uint32_t *first, struct diag *diag)
{
	struct bp_tables *t = host_in_step(host) ? host->kernel->gen->table.tables : NULL;
	struct bp_ctl *ctl = host->kernel ? host->kernel->ctl : NULL;
	int rc;

	if (t && t->journal) {
		*first = ctl->next_id;
		t->dirty = 1;
		rc = journal_next(&t->journal, *first + n, diag);
		if (!rc)
			ctl->next_id = *first + n;
		t->dirty = 0;
		return rc;
	}
	rc = host_store_names(host, diag);
	if (rc)
		return rc;
	*first = host->store->next_id;
	rc = host_give_ids(host, *first + n, diag);
	if (!rc && ctl && ctl->next_id < *first + n)
		ctl->next_id = *first + n;
	return rc;
}
