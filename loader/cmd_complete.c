// SPDX-License-Identifier: GPL-2.0-only
/* complete: what a shell asks when the user presses TAB. It has no errors: there is nobody to read
 * them. */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "attach.h"
#include "command.h"
#include "complete.h"
#include "shelf.h"
#include "shipped.h"

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

static void names(enum complete_names which, struct completer *c)
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
