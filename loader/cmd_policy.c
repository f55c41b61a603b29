// SPDX-License-Identifier: GPL-2.0-only
/* policy: its commands, each of which is run, and explained, like any other. */
#include <errno.h>
#include <string.h>

#include "command.h"
#include "nearest.h"

const struct command policy_commands[] = {
	{ "policy list", cmd_policy_list, OPT_JSON | OPT_SHIPPED, WORDS_NONE, "[--shipped]",
		"the policies that are stored, and which one is assigned",
		"  --shipped     those that come with the program, to be imported" },
	{ "policy show", cmd_policy_show, OPT_JSON, WORDS_POLICY, "NAME",
		"a policy as canonical text, with all that it includes",
		"What is printed reads back as the same policy, but for timed rules of commands, "
		"which are\n"
		"comments. 'policy export' prints the file as it is." },
	{ "policy create", cmd_policy_create, OPT_JSON | OPT_DRY_RUN | OPT_FORCE | OPT_DESCRIPTION,
		WORDS_TEXT, "NAME [--description TEXT]", "a new policy, without rules",
		"  bpfpol policy create web\n"
		"  bpfpol block --policy web tcp/3306\n"
		"  bpfpol policy assign web" },
	{ "policy delete", cmd_policy_delete, OPT_JSON | OPT_DRY_RUN | OPT_FORCE, WORDS_POLICY,
		"NAME", "throw a policy away; if it is assigned, it is unassigned first", NULL },
	{ "policy check", cmd_policy_check, OPT_JSON | OPT_PLAN, WORDS_CHECKED,
		"FILE|NAME [--plan]",
		"everything that is wrong in a policy, and rules that can never win",
		"  bpfpol policy check web.policy    a file\n"
		"  bpfpol policy check web           a policy of the store\n"
		"Changes nothing. Exit 2 if there are errors; warnings alone are no failure.\n"
		"  --plan        what the kernel's maps would hold" },
	{ "policy import", cmd_policy_import,
		OPT_JSON | OPT_DRY_RUN | OPT_FORCE | OPT_NAME | OPT_SHIPPED, WORDS_IMPORTED,
		"FILE [--name NAME] | --shipped NAME [--name NAME]",
		"store a policy that lies elsewhere, or comes with the program",
		"  bpfpol policy import web.policy\n"
		"  bpfpol policy import --shipped slammer\n"
		"FILE - is stdin. The policy is called as --name or the file says, else as the "
		"file "
		"is called.\n"
		"Lists are from then on named by their whole paths. Nothing is in force by it." },
	{ "policy export", cmd_policy_export, OPT_JSON, WORDS_POLICY, "NAME",
		"a policy's file as it is, for a backup",
		"  bpfpol policy export web >web.policy\n"
		"With --json its text stands beside what 'policy show --json' tells." },
	{ "policy assign", cmd_policy_assign, OPT_JSON | OPT_DRY_RUN | OPT_FORCE | OPT_CONFIRM,
		WORDS_POLICY, "NAME [--confirm SECONDS]",
		"put a policy in force, in place of the one that is",
		"  bpfpol policy assign web --confirm 60    goes back by itself if nobody confirms "
		"it\n"
		"In one step, which no packet sees half of. Takes the file as it is now, and the "
		"lists that\n"
		"it names. Rules that stay keep their numbers and counters." },
	{ "policy unassign", cmd_policy_unassign, OPT_JSON | OPT_DRY_RUN | OPT_FORCE, WORDS_NONE,
		"", "take the policy out of force; it stays stored", NULL },
	{ "policy confirm", cmd_policy_confirm, OPT_JSON | OPT_DRY_RUN, WORDS_NONE, "",
		"keep the change that awaits confirmation",
		"What was changed with --confirm SECONDS goes back by itself after that time: the "
		"kernel sees\n"
		"to it, also if the terminal, the connection and every process of bpfpol is gone, "
		"and over a\n"
		"reboot. Until then nothing else can be changed. Exit 3 if nothing awaits "
		"confirmation." },
	{ "policy rollback", cmd_policy_rollback, OPT_JSON | OPT_DRY_RUN | OPT_FORCE | OPT_DUE,
		WORDS_NONE, "[--due]",
		"undo the last change: the rules before it are in force again",
		"The last command that changed what is in force is undone: an assignment, or "
		"rules that were\n"
		"added, changed or removed. Rules have their numbers and counters again. Another "
		"rollback\n"
		"undoes this one. Rules of single commands also leave the policy's file, or come "
		"back to it;\n"
		"after an assignment the files stay as they are.\n"
		"While a change awaits confirmation it is taken back at once, for good.\n"
		"  --due         waits until the time is over that a change awaits confirmation, "
		"and "
		"undoes no\n"
		"                other; 'attach --confirm' has it run" },
	{ "policy diff", cmd_policy_diff, OPT_JSON | OPT_IN_FORCE, WORDS_POLICIES,
		"A B | NAME --in-force", "the rules that differ",
		"  bpfpol policy diff web --in-force    what 'policy assign web' would change" },
	{ NULL, NULL, 0, WORDS_NONE, NULL, NULL, NULL },
};

/* Behind `policy`. */
static const char *word_of(const struct command *c)
{
	return strchr(c->name, ' ') + 1;
}

static bool is_named(const struct command *c, const char *word)
{
	return !strcmp(word_of(c), word);
}

int policy_command_find(
	const struct args *args, int word, const struct command **command, struct diag *diag)
{
	const char *given = args->words[word];
	struct nearest near;

	nearest_begin(&near, given, strlen(given));
	for (const struct command *c = policy_commands; c->name; c++) {
		if (is_named(c, given)) {
			*command = c;
			return 0;
		}
		nearest_try(&near, word_of(c));
	}
	args_place(args, word, diag);
	return diag_set(diag, DIAG_USAGE, EINVAL,
		"there is no command 'policy %s'%s%s%s 'bpfpol help policy' lists them", given,
		near.found ? ": did you mean policy " : ";", near.found ? near.found : "",
		near.found ? "?" : "");
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
