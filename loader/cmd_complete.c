// SPDX-License-Identifier: GPL-2.0-only
/* complete: what a shell asks when the user presses TAB. It has no errors: there is nobody to read
 * them. */
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "command.h"
#include "complete.h"
#include "dirs.h"
#include "gather.h"
#include "lock.h"
#include "policies.h"
#include "shelf.h"
#include "shipped.h"
#include "spec.h"

static void offer_name(const char *name, void *arg)
{
	complete_offer(arg, name, NULL);
}

static void offer_policies(struct completer *c)
{
	struct diag diag = {};

	shelf_names(offer_name, c, &diag);
	diag_free(&diag);
}

/* Loopback is never filtered. */
static void offer_links(struct completer *c)
{
	struct if_nameindex *links = if_nameindex();

	for (struct if_nameindex *l = links; l && l->if_index; l++)
		if (strcmp(l->if_name, "lo") != 0)
			complete_offer(c, l->if_name, "interface");
	if (links)
		if_freenameindex(links);
}

static void offer_rule(struct completer *c, const struct rule *rule, bool untold)
{
	char *text = untold ? NULL : spec_text(rule, SPEC_ALL), id[12];

	snprintf(id, sizeof(id), "%" PRIu32, rule->id);
	complete_offer(c, id, text);
	free(text);
}

/* Of a policy on disk: those that have ids already. */
static int offer_stored(struct completer *c, struct host *host, const char *name, struct diag *diag)
{
	struct policy *policy = NULL;
	int rc = host_store_names(host, diag);

	if (!rc)
		rc = policies_load_words(host->store, name, &policy, diag);
	for (size_t i = 0; !rc && i < policy->n; i++)
		if (policy->rules[i]->id < host->store->next_id)
			offer_rule(c, policy->rules[i], false);
	policy_free(&policy);
	return rc;
}

static int offer_in_force(struct completer *c, struct host *host, bool dynamic, struct diag *diag)
{
	struct status status = {};
	int rc = gather(host, GATHER_RULES, &status, diag);

	for (size_t i = 0; !rc && i < status.n_rules; i++) {
		const struct status_rule *r = &status.rules[i];

		if (!dynamic || r->rule->layer == LAYER_DYNAMIC)
			offer_rule(c, r->rule, r->untold);
	}
	gather_free(&status);
	return rc;
}

/* Ids are root's to know. Who presses TAB does not wait for a command that is at work. */
static void offer_rules(struct completer *c, const char *policy, bool dynamic)
{
	struct host host = {};
	struct diag diag = {};

	if (geteuid() || (path_is_there(dirs_get()->run) > 0 && lock_try(&diag))) {
		diag_free(&diag);
		return;
	}
	if (!host_open_to_look(&host, &diag)) {
		if (policy && !dynamic)
			offer_stored(c, &host, policy, &diag);
		else
			offer_in_force(c, &host, dynamic, &diag);
	}
	host_close(&host);
	diag_free(&diag);
}

static void names(enum complete_names which, const struct args *args, struct completer *c)
{
	switch (which) {
	case NAMES_POLICIES:
		offer_policies(c);
		break;
	case NAMES_SHIPPED:
		for (const struct shipped *s = shipped; s->name; s++)
			complete_offer(c, s->name, NULL);
		break;
	case NAMES_IFACES:
		offer_links(c);
		break;
	case NAMES_MODES:
		for (int mode = ATTACH_AUTO; mode < ATTACH_NONE; mode++)
			complete_offer(c, attach_mode_name(mode), attach_mode_text(mode));
		break;
	case NAMES_RULES:
		offer_rules(c, args->policy, false);
		break;
	case NAMES_DYNAMIC:
		offer_rules(c, NULL, true);
		break;
	}
}

static void put(const char *before, const char *word, const char *what, void *arg)
{
	(void)arg;
	printf(what ? "%s%s\t%s\n" : "%s%s\n", before, word, what);
}

static void files(const char *before, const char *more, void *arg)
{
	(void)arg;
	printf("\tfiles\t%s%s\n", before, more);
}

int cmd_complete(const struct args *args, struct diag *diag)
{
	static const struct complete_env env = {
		.commands = commands,
		.policy_commands = policy_commands,
		.names = names,
		.put = put,
		.files = files,
	};
	/* Behind -- a word that is --help is one to be completed. */
	int skip = args->n && !strcmp(args->words[0], "--");

	(void)diag;
	complete(&env, args->n - skip, args->words + skip);
	return 0;
}
