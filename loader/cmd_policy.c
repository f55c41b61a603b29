// SPDX-License-Identifier: GPL-2.0-only
/* policy: its commands, each of which is run, and explained, like any other. */
#include <errno.h>
#include <string.h>

#include "command.h"

const struct command policy_commands[] = {
	{ "policy check", cmd_policy_check, OPT_JSON | OPT_PLAN, "FILE|NAME [--plan]",
		"everything that is wrong in a policy, and rules that can never win",
		"  bpfpol policy check web.policy    a file\n"
		"  bpfpol policy check web           a policy of the store\n"
		"Changes nothing. Exit 2 if there are errors; warnings alone are no failure.\n"
		"  --plan        what the kernel's maps would hold" },
	{ NULL, NULL, 0, NULL, NULL, NULL },
};

static bool is_named(const struct command *c, const char *word)
{
	return !strcmp(strchr(c->name, ' ') + 1, word);
}

int policy_command_find(
	const struct args *args, int word, const struct command **command, struct diag *diag)
{
	for (const struct command *c = policy_commands; c->name; c++) {
		if (is_named(c, args->words[word])) {
			*command = c;
			return 0;
		}
	}
	args_place(args, word, diag);
	return diag_set(diag, DIAG_USAGE, EINVAL,
		"there is no command 'policy %s'; 'bpfpol help policy' lists them",
		args->words[word]);
}

int cmd_policy(const struct args *args, struct diag *diag)
{
	const struct command *c;
	struct args own = {};
	int rc;

	if (!args->n)
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"say what to do with policies; 'bpfpol help policy' lists it");
	rc = policy_command_find(args, 0, &c, diag);
	if (rc)
		return rc;
	if (args->n > 1 && (!strcmp(args->words[1], "--help") || !strcmp(args->words[1], "-h"))) {
		help_one(c);
		return 0;
	}
	rc = args_parse(c, args->n - 1, args->words + 1, &own, diag);
	if (!rc)
		rc = c->run(&own, diag);
	args_free(&own);
	return rc;
}
