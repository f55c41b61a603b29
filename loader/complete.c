/* SPDX-License-Identifier: GPL-2.0-only */
#include "complete.h"

#include <stdlib.h>
#include <string.h>

#include "ipsecpol.h"
#include "netdiag.h"
#include "spec.h"
#include "top.h"

struct completer {
	const struct complete_env *env;
	char *before;	    /* what is typed of the word before what is to be completed */
	const char *begun;  /* what is typed of that */
	char *const *taken; /* words that are not offered again */
	int n_taken;
	bool settled; /* something was offered, or only the user can know */
};

void complete_offer(struct completer *c, const char *word, const char *what)
{
	if (strncmp(word, c->begun, strlen(c->begun)) != 0)
		return;
	for (int i = 0; i < c->n_taken; i++)
		if (!strcmp(c->taken[i], word))
			return;
	c->settled = true;
	c->env->put(c->before ? c->before : "", word, what, c->env->arg);
}

static void offer_file(struct completer *c, const char *more)
{
	c->settled = true;
	c->env->files(c->before ? c->before : "", more, c->env->arg);
}

static void offer_names(struct completer *c, enum complete_names which, const struct args *args)
{
	c->env->names(which, args, c);
}

static void offer_word(const char *word, const char *what, void *arg)
{
	complete_offer(arg, word, what);
}

/* Of those of policy, whose names hold both words, the second. */
static const char *last_word(const struct command *command)
{
	const char *blank = strchr(command->name, ' ');

	return blank ? blank + 1 : command->name;
}

static void offer_commands(struct completer *c, const struct command *table)
{
	for (; table->name; table++)
		complete_offer(c, last_word(table), table->summary);
}

static const struct command *find(const struct command *table, const char *word)
{
	while (table->name && strcmp(last_word(table), word) != 0)
		table++;
	return table->name ? table : NULL;
}

/* Whom the command can take: `promote`, which has no words, dynamic ones alone. */
static enum complete_names rules_of(const struct command *command, const struct args *args)
{
	return args->given & OPT_DYNAMIC || command->words == WORDS_NONE ? NAMES_DYNAMIC
									 : NAMES_RULES;
}

static void offer_value(struct completer *c, enum value value, const struct command *command,
	const struct args *args)
{
	switch (value) {
	case VALUE_TIME:
		spec_complete_duration(c->begun, offer_word, c);
		break;
	case VALUE_MODE:
		offer_names(c, NAMES_MODES, args);
		break;
	case VALUE_ID:
		offer_names(c, rules_of(command, args), args);
		break;
	case VALUE_COLUMN:
		for (int i = 0; i < TOP_COLUMNS; i++)
			complete_offer(c, top_column_name(i), NULL);
		break;
	case VALUE_FILE:
		offer_file(c, "");
		break;
	case VALUE_POLICY:
		offer_names(c, NAMES_POLICIES, args);
		break;
	case VALUE_NONE:
	case VALUE_TEXT:
		break;
	}
}

/* --name=VALUE, of which = is typed. */
static void offer_joined(
	struct completer *c, const struct command *command, const struct args *args)
{
	const char *value = strchr(c->begun, '=') + 1;
	size_t len = value - c->begun;

	for (const struct option_entry *o = option_table; o->name; o++) {
		if (!(command->options & o->option) || !o->value || strlen(o->name) != len - 1 ||
			strncmp(o->name, c->begun, len - 1) != 0)
			continue;
		c->before = strndup(c->begun, len);
		c->begun = value;
		if (c->before)
			offer_value(c, o->value, command, args);
		return;
	}
}

static void offer_options(
	struct completer *c, const struct command *command, const struct args *args)
{
	c->n_taken = 0;
	for (const struct option_entry *o = option_table; o->name; o++)
		if (command->options & o->option && !(args->given & o->option))
			complete_offer(c, o->name, o->what);
}

static void offer_language(struct completer *c, enum spec_text_kind kind, const struct args *args)
{
	unsigned int next = spec_complete(kind, args->n, args->words, c->begun, offer_word, c);

	if (next & SPEC_NEXT_IFACE)
		offer_names(c, NAMES_IFACES, args);
	if (next & SPEC_NEXT_FILE)
		offer_file(c, "@");
	if (next & SPEC_NEXT_VALUE)
		c->settled = true;
}

/* Flags are taken in any case, and with a slash. */
static bool is_flag(const char *word, const char *flag)
{
	return (word[0] == '-' || word[0] == '/') && !strcasecmp(word + 1, flag);
}

static bool flag_given(const struct args *args, const char *flag)
{
	for (int i = 0; i < args->n; i++)
		if (is_flag(args->words[i], flag))
			return true;
	return false;
}

static void offer_flag_value(
	struct completer *c, enum ipsecpol_value value, const struct args *args)
{
	switch (value) {
	case FLAG_STORE:
		complete_offer(c, "REG", "the policies on this computer's disk");
		break;
	case FLAG_POLICY:
		offer_names(c, NAMES_POLICIES, args);
		break;
	case FLAG_ACTION:
		complete_offer(c, "BLOCK", NULL);
		complete_offer(c, "PASS", NULL);
		break;
	case FLAG_LABEL:
	case FLAG_SPECS:
	case FLAG_ALONE:
		break;
	}
	c->settled = true;
}

static void offer_flags(struct completer *c, const struct args *args)
{
	const char *last = args->n ? args->words[args->n - 1] : "";
	enum ipsecpol_value value;
	const char *flag;
	char word[16] = { c->begun[0] == '/' ? '/' : '-' };

	for (size_t i = 0; (flag = ipsecpol_flag(i, &value)); i++) {
		if (value != FLAG_ALONE && is_flag(last, flag)) {
			offer_flag_value(c, value, args);
			return;
		}
	}
	for (size_t i = 0; (flag = ipsecpol_flag(i, &value)); i++) {
		bool again = value == FLAG_LABEL || value == FLAG_SPECS;

		strncpy(word + 1, flag, sizeof(word) - 2);
		if (again || !flag_given(args, flag))
			complete_offer(c, word, NULL);
	}
}

/* Its words begin as the user has begun: /debug, -debug or --debug. */
static void offer_netdiag(struct completer *c, int argc, char **argv)
{
	const char *lead = !strncmp(c->begun, "--", 2) ? "--" : c->begun[0] == '-' ? "-" : "/";
	char word[24];

	if (argc && !strcasecmp(argv[argc - 1], "--test")) {
		complete_offer(c, "ipsec", NULL);
		return;
	}
	c->taken = argv;
	c->n_taken = argc;
	strcpy(word, lead);
	strcat(word, lead[1] ? "test" : "test:ipsec");
	complete_offer(c, word, "which policy is active");
	for (int i = 0; i < NETDIAG_WORDS; i++) {
		if (i == NETDIAG_HELP && !argc && lead[1])
			continue; /* --help is offered of every command */
		strcpy(word, lead);
		complete_offer(c, strncat(word, netdiag_words[i], sizeof(word) - 3), NULL);
	}
}

/* The first words of `help`. */
static void offer_topics(struct completer *c, const struct args *args)
{
	const struct command *topic = NULL;

	if (!args->n)
		offer_commands(c, c->env->commands);
	else if (args->n == 1)
		topic = find(c->env->commands, args->words[0]);
	if (topic && topic->words == WORDS_OF_POLICY)
		offer_commands(c, c->env->policy_commands);
}

static void offer_policies(struct completer *c, const struct args *args, int most)
{
	c->taken = args->words;
	c->n_taken = args->n;
	if (args->n < most)
		offer_names(c, NAMES_POLICIES, args);
}

static void offer_words(struct completer *c, const struct command *command, const struct args *args)
{
	bool first = !args->n;

	switch (command->words) {
	case WORDS_RULE:
		offer_language(c, SPEC_RULE, args);
		break;
	case WORDS_REMOVED:
		if (!(args->given & OPT_ID))
			offer_language(c, SPEC_REMOVED, args);
		break;
	case WORDS_PACKET:
		offer_language(c, args->given & OPT_PCAP ? SPEC_SEEN : SPEC_PACKET, args);
		break;
	case WORDS_IFACES:
		c->taken = args->words;
		c->n_taken = args->n;
		offer_names(c, NAMES_IFACES, args);
		break;
	case WORDS_POLICY:
		offer_policies(c, args, 1);
		break;
	case WORDS_POLICIES:
		offer_policies(c, args, args->given & OPT_IN_FORCE ? 1 : 2);
		break;
	case WORDS_CHECKED:
		offer_policies(c, args, 1);
		if (first)
			offer_file(c, "");
		break;
	case WORDS_IMPORTED:
		if (first && args->given & OPT_SHIPPED)
			offer_names(c, NAMES_SHIPPED, args);
		else if (first)
			offer_file(c, "");
		break;
	case WORDS_COMMAND:
		offer_topics(c, args);
		break;
	case WORDS_AGENT:
		if (first)
			complete_offer(c, "status", "how the agent is that runs");
		break;
	case WORDS_IPSECPOL:
		offer_flags(c, args);
		break;
	case WORDS_TEXT:
		c->settled = first;
		break;
	case WORDS_NONE:
	case WORDS_OF_POLICY:
	case WORDS_NETDIAG:
		break;
	}
}

/* Options are offered when they are asked for, or nothing else is there. */
static void complete_args(struct completer *c, const struct command *command, int argc, char **argv)
{
	bool dashes = !strncmp(c->begun, "--", 2);
	struct diag diag = {};
	struct args args;
	int rc = args_parse(command, argc, argv, &args, &diag);

	if (rc && args.open) {
		offer_value(c, args.open->value, command, &args);
	} else if (!rc && !args.ended && dashes && strchr(c->begun, '=')) {
		offer_joined(c, command, &args);
	} else if (!rc) {
		offer_words(c, command, &args);
		if (!args.ended && !args_want_text(command, &args) &&
			(c->begun[0] == '-' || !c->settled))
			offer_options(c, command, &args);
	}
	args_free(&args);
	diag_free(&diag);
}

static void complete_command(
	struct completer *c, const struct command *command, int argc, char **argv)
{
	const struct command *of_policy;

	if (!argc && c->begun[0] == '-')
		complete_offer(c, "--help", "what the command does, with examples");
	switch (command->words) {
	case WORDS_NETDIAG:
		offer_netdiag(c, argc, argv);
		break;
	case WORDS_OF_POLICY:
		if (!argc) {
			offer_commands(c, c->env->policy_commands);
			break;
		}
		of_policy = find(c->env->policy_commands, argv[0]);
		if (of_policy)
			complete_command(c, of_policy, argc - 1, argv + 1);
		break;
	default:
		complete_args(c, command, argc, argv);
	}
}

void complete(const struct complete_env *env, int argc, char **argv)
{
	struct completer c = { .env = env, .begun = argc ? argv[argc - 1] : "" };
	const struct command *command;

	if (argc)
		argv[argc - 1] = NULL;
	if (argc < 2) {
		offer_commands(&c, env->commands);
		if (c.begun[0] == '-') {
			complete_offer(&c, "--help", "all commands");
			complete_offer(&c, "--version", NULL);
		}
		return;
	}
	command = find(env->commands, argv[0]);
	if (command)
		complete_command(&c, command, argc - 2, argv + 1);
	free(c.before);
}
