// SPDX-License-Identifier: GPL-2.0-only
#include "first.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "enforce.h"

/* -ENODEV with DIAG_UNKNOWN when there are none. */
static int add_usual(const struct nl_links *links, struct link_choices *c, struct diag *diag)
{
	const struct nl_link **v = NULL;
	size_t n = 0;
	int rc = nl_default_links(links, &v, &n);

	for (size_t i = 0; i < n && !rc; i++)
		rc = choices_add(c, v[i], ATTACH_AUTO);
	free(v);
	if (!rc && !n)
		return diag_set(diag, DIAG_UNKNOWN, ENODEV,
			"nothing is attached yet, and no interface has hardware behind it or "
			"carries "
			"a default route; say which to filter: bpfpol attach IFACE");
	return rc;
}

/* *returns: some were attached before, and not by bpfpol.conf alone. */
static int add_remembered(
	const struct nl_links *links, struct link_choices *c, bool *returns, struct diag *diag)
{
	struct remembered_list list;
	int rc = remembered_load(&list, diag);

	*returns = false;
	if (!rc)
		rc = choices_follow(c, links, &list);
	for (size_t i = 0; i < c->n; i++)
		*returns |= !remembered_find(&list, c->v[i].link->name)->configured;
	remembered_free(&list);
	return rc;
}

static void not_filtered(const struct link_choice *choice, struct diag *diag)
{
	char so[IF_NAMESIZE + 32];

	snprintf(so, sizeof(so), "%s is NOT filtered", choice->link->name);
	diag_to_warning(diag, so);
}

/* Whatever comes of the command. What could not be attached is told already. */
static void let_stay(struct link_choices *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].failed)
			continue;
		c->v[n] = c->v[i];
		c->v[n++].undo = false;
	}
	c->n = n;
}

static int put_in_force(struct host *host, struct diag *diag)
{
	const struct host asked = *host;
	int rc;

	host->unguarded = true; /* it was asked about, and is for good */
	host->confirm = 0;
	rc = host_in_step(host) ? 0 : enforce(host, diag);
	host->unguarded = asked.unguarded;
	host->confirm = asked.confirm;
	return rc;
}

/*
 * The rules first: an interface that is attached then is filtered from its first packet on. Behind
 * a boot they were in force for nobody who is connected now.
 */
static int bring_back(struct host *host, struct link_choices *c, bool dry_run, struct diag *diag)
{
	int rc = dry_run ? 0 : enforce_try_links(host, c, diag);

	host->adding = NULL; /* what the command itself does comes when they are there */
	if (!rc && !dry_run)
		rc = put_in_force(host, diag);
	if (!rc)
		rc = choices_attach_each(host, c, dry_run, not_filtered, diag);
	let_stay(c);
	if (!rc && !c->n)
		return diag_set(diag, DIAG_SYSTEM, ENODEV,
			"none of the interfaces that are remembered can be filtered, see the "
			"warnings; 'bpfpol attach IFACE' says where else");
	return rc;
}

int first_links_begin(struct host *host, struct first_links *first, bool dry_run, struct diag *diag)
{
	struct link_choices *choices = &first->choices;
	bool returns;
	int rc = host->off ? 1 : attached_look(diag);

	if (rc)
		return rc < 0 ? rc : 0;
	rc = nl_links_get(&first->links);
	if (rc)
		return diag_errno(diag, -rc, "cannot list the interfaces");
	rc = add_remembered(&first->links, choices, &returns, diag);
	if (!rc && returns)
		return bring_back(host, choices, dry_run, diag);
	if (!rc && !choices->n)
		rc = add_usual(&first->links, choices, diag);
	if (!rc)
		rc = choices_check(choices, diag);
	host->adding = choices;
	if (!rc && !dry_run)
		host->first = choices;
	return rc;
}

void first_links_free(struct first_links *first)
{
	choices_free(&first->choices);
	nl_links_free(&first->links);
}
