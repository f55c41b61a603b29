// SPDX-License-Identifier: GPL-2.0-only
#include "host.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dirs.h"

static uint32_t ifindex_of(const char *name, void *arg)
{
	(void)arg;
	return if_nametoindex(name);
}

void host_env(struct compile_env *env)
{
	struct timespec boot;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	*env = (struct compile_env){
		.ifindex = ifindex_of,
		.now = time(NULL),
		.boot_now = boot.tv_sec * 1000000000ULL + boot.tv_nsec,
	};
}

static bool off_file(void)
{
	char *path = path_join(dirs_get()->state, "off");
	bool there = path && !access(path, F_OK);

	free(path);
	return there;
}

int host_open(struct host *host, enum host_use use, struct diag *diag)
{
	int rc;

	*host = (struct host){};
	if (geteuid())
		return diag_set(
			diag, DIAG_DENIED, EPERM, "this needs root: run it again with sudo");
	rc = use == HOST_CHANGE || !access(dirs_get()->run, F_OK) ? lock_take(diag) : 0;
	if (!rc && use == HOST_CHANGE)
		rc = dir_make(dirs_get()->state, diag);
	if (!rc)
		rc = kernel_open(&host->kernel, diag);
	if (rc == -ENOENT)
		rc = 0;
	if (!rc && host->kernel && use == HOST_CHANGE)
		rc = kernel_recover(host->kernel, diag);
	host->off = (host->kernel && host->kernel->ctl->off) || off_file();
	return rc;
}

void host_close(struct host *host)
{
	kernel_free(&host->kernel);
	store_free(&host->store);
}

int host_store(struct host *host, struct diag *diag)
{
	return host->store ? 0 : store_load(&host->store, diag);
}

int host_kernel(struct host *host, struct diag *diag)
{
	int rc;

	if (host->kernel)
		return 0;
	rc = dir_make_bpffs(dirs_get()->bpffs, diag);
	if (!rc)
		rc = kernel_init(&host->kernel, diag);
	if (!rc)
		host->kernel->ctl->off = host->off;
	return rc;
}

bool host_in_step(const struct host *host)
{
	const struct bp_tables *t;

	if (!host->kernel || !host->kernel->gen)
		return false;
	t = host->kernel->gen->tables;
	return !t->dirty && store_unchanged(t->state_inode, t->state_mtime, t->journal);
}

struct commit {
	struct host *host;
	struct generation *gen;
};

static int commit(void *arg, struct diag *diag)
{
	struct commit *c = arg;
	struct store *s = c->host->store;
	int rc = store_commit(s, diag);

	if (rc)
		return rc;
	c->gen->tables->state_inode = s->inode;
	c->gen->tables->state_mtime = s->mtime;
	c->gen->tables->journal = s->journal;
	return 0;
}

/* Rules whose time is over leave the store for good. */
static void sweep_expired(struct policy *policy, uint64_t now)
{
	for (size_t i = policy->n; i--;)
		if (policy->rules[i]->deadline && policy->rules[i]->deadline <= now)
			policy_remove(policy, i);
}

int host_rebuild(struct host *host, struct diag *diag)
{
	struct commit c = { .host = host };
	struct compile_env env;
	struct plan *plan = NULL;
	int rc = host_kernel(host, diag);

	host_env(&env);
	if (!rc)
		rc = host_store(host, diag);
	if (!rc && !host->store->policy)
		return 0; /* no policy: nothing to put in force */
	if (!rc) {
		sweep_expired(host->store->policy, env.now);
		rc = compile(host->store->policy, &env, &plan, diag);
	}
	if (!rc)
		rc = generation_load(plan, host->kernel->totals_fd, &c.gen, diag);
	plan_free(&plan);
	if (rc)
		return rc;
	rc = kernel_switch(host->kernel, c.gen, commit, &c, diag);
	if (host->kernel->gen != c.gen)
		generation_free(&c.gen);
	else
		host->kernel->ctl->next_id = host->store->next_id;
	return rc;
}
