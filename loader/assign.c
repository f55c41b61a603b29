// SPDX-License-Identifier: GPL-2.0-only
#include "assign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "enforce.h"
#include "env.h"
#include "shelf.h"

#define ABSENT_MOST 8 /* interfaces that are named one by one */

void assign_warn_absent(const struct policy *policy, struct diag *diag)
{
	const char *said[ABSENT_MOST], *last = "";
	size_t n = 0;

	for (size_t i = 0; policy && i < policy->n && n < ABSENT_MOST; i++) {
		const char *name = policy->rules[i]->ifname;
		size_t k = 0;
		int is;

		if (!name || !strcmp(name, last))
			continue;
		last = name; /* the kernel is asked; rules of one interface often stand together */
		while (k < n && strcmp(name, said[k]))
			k++;
		is = k < n ? 1 : env_ifindex(name, diag);
		if (is < 0)
			diag_to_warning(diag, "it is not known which interfaces are there");
		if (is < 0)
			return;
		if (is)
			continue;
		said[n++] = name;
		diag_set(diag, DIAG_UNKNOWN, ENODEV, "there is no interface '%s' now%s", name,
			n < ABSENT_MOST ? "" : ", nor maybe others");
		diag_to_warning(diag, "rules take effect when their interface is there");
	}
}

static int keep_name(const struct policy *was, const struct policy *now, char **before)
{
	*before = NULL;
	if (!was || (now && !strcmp(was->name, now->name)))
		return 0;
	*before = strdup(was->name);
	return *before ? 0 : -ENOMEM;
}

/* What became of it: rc. */
static int tell(struct host *host, const struct apply_opts *opts, struct assigned *assigned, int rc)
{
	assigned->rules = host->store->policy ? host->store->policy->n : 0;
	if (!rc && !opts->dry_run && !host->off && host->kernel && host->kernel->gen)
		assigned->filters = host->kernel->gen->table.tables->filters;
	if (rc) {
		free(assigned->before);
		assigned->before = NULL;
	}
	return rc;
}

/* What stands in the store's memory. */
static int put_in_force(struct host *host, const struct apply_opts *opts, struct assigned *assigned,
	struct diag *diag)
{
	int rc = opts->dry_run ? enforce_try(host, diag) : enforce_settle(host, diag);

	return tell(host, opts, assigned, rc);
}

int assign_policy(struct host *host, struct policy **policy, const struct apply_opts *opts,
	struct assigned *assigned, struct diag *diag)
{
	const struct policy *now = policy ? *policy : NULL;
	int rc = host_store(host, diag);

	*assigned = (struct assigned){};
	if (!rc)
		rc = keep_name(host->store->policy, now, &assigned->before);
	if (rc)
		return rc;
	(host->confirm || !now ? store_assign : store_assign_again)(host->store, policy);
	return put_in_force(host, opts, assigned, diag);
}

/* Where what is undone is its deletion. Its file is no reason not to go back. */
static int want_file(struct store *store, bool *anew, struct diag *diag)
{
	int has = shelf_has(store, store->policy->name, diag);

	if (has < 0 && has != -ENOMEM)
		diag_to_warning(diag, "the policy's file may be gone");
	if (has)
		return has == -ENOMEM ? has : 0;
	*anew = true;
	return store_want_file(store);
}

static void warn_anew(struct diag *diag)
{
	diag_set(diag, DIAG_SYSTEM, ENOENT,
		"comments and the names of what it included went with the one that was deleted");
	diag_to_warning(diag, "the policy's file is written anew, from its rules");
}

int assign_previous(struct host *host, const struct apply_opts *opts, struct assigned *assigned,
	struct diag *diag)
{
	struct store *previous = NULL;
	bool anew = false;
	int rc = host_store(host, diag);

	*assigned = (struct assigned){};
	if (!rc)
		rc = store_load_previous(host->store, &previous, diag);
	if (!rc)
		rc = keep_name(host->store->policy, previous->policy, &assigned->before);
	if (!rc)
		rc = store_go_back(host->store, previous);
	if (!rc && host->store->policy)
		rc = want_file(host->store, &anew, diag);
	store_free(&previous);
	if (!rc)
		rc = put_in_force(host, opts, assigned, diag);
	if (!rc && anew && !opts->dry_run)
		warn_anew(diag);
	return rc;
}

int assign_take_back(struct host *host, const struct apply_opts *opts, struct assigned *assigned,
	struct diag *diag)
{
	struct store *before = NULL;
	int rc = store_load_before(host->store, &before, diag);

	*assigned = (struct assigned){};
	if (!rc)
		rc = keep_name(host->store->policy, before->policy, &assigned->before);
	store_free(&before);
	if (!rc)
		rc = await_go_back(host, opts->dry_run, diag);
	return tell(host, opts, assigned, rc);
}
