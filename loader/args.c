// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

static const struct {
	const char *name;
	enum option option;
	bool value;
} options[] = {
	{ "--json", OPT_JSON, false },
	{ "--dry-run", OPT_DRY_RUN, false },
	{ "--force", OPT_FORCE, false },
	{ "--debug", OPT_DEBUG, false },
	{ "--rule", OPT_RULE, true },
	{ "--for", OPT_FOR, true },
	{ "--id", OPT_ID, true },
	{ "--mode", OPT_MODE, true },
	{ "--pcap", OPT_PCAP, true },
	{ "--policy", OPT_POLICY, true },
	{ "--write-blocked", OPT_WRITE_BLOCKED, true },
	{ "--plan", OPT_PLAN, false },
	{ "--name", OPT_NAME, true },
	{ "--shipped", OPT_SHIPPED, false },
	{ "--in-force", OPT_IN_FORCE, false },
	{ "--description", OPT_DESCRIPTION, true },
	{ "--once", OPT_ONCE, false },
	{ "--interval", OPT_INTERVAL, true },
	{ "--sort", OPT_SORT, true },
};
#define OPTIONS (int)(sizeof(options) / sizeof(options[0]))

static void set_value(struct args *args, enum option option, const char *value)
{
	switch (option) {
	case OPT_RULE:
		args->rule = value;
		break;
	case OPT_FOR:
		args->lifetime = value;
		break;
	case OPT_ID:
		args->id = value;
		break;
	case OPT_MODE:
		args->mode = value;
		break;
	case OPT_PCAP:
		args->pcap = value;
		break;
	case OPT_POLICY:
		args->policy = value;
		break;
	case OPT_WRITE_BLOCKED:
		args->write_blocked = value;
		break;
	case OPT_NAME:
		args->name = value;
		break;
	case OPT_DESCRIPTION:
		args->description = value;
		break;
	case OPT_INTERVAL:
		args->interval = value;
		break;
	case OPT_SORT:
		args->sort = value;
		break;
	default:
		break;
	}
}

static int unknown_option(const struct command *command, const char *text, struct diag *diag)
{
	diag_place(diag, text, 0, strlen(text));
	return diag_set(diag, DIAG_USAGE, EINVAL,
		"'bpfpol %s' has no option %s; 'bpfpol help %s' shows those it has", command->name,
		text, command->name);
}

/* --name VALUE or --name=VALUE. Returns how many arguments were used, or -EINVAL. */
static int take_option(
	const struct command *command, char **argv, struct args *args, struct diag *diag)
{
	const char *equals = strchr(argv[0], '=');
	size_t len = equals ? (size_t)(equals - argv[0]) : strlen(argv[0]);
	int i = 0;

	while (i < OPTIONS &&
		(strlen(options[i].name) != len || strncmp(options[i].name, argv[0], len)))
		i++;
	if (i == OPTIONS || !(command->options & options[i].option) ||
		(equals && !options[i].value))
		return unknown_option(command, argv[0], diag);
	args->given |= options[i].option;
	if (!options[i].value)
		return 1;
	if (!equals && !argv[1]) {
		diag_place(diag, argv[0], 0, strlen(argv[0]));
		return diag_set(diag, DIAG_USAGE, EINVAL, "%s needs a value after it", argv[0]);
	}
	set_value(args, options[i].option, equals ? equals + 1 : argv[1]);
	return equals ? 1 : 2;
}

int args_parse(
	const struct command *command, int argc, char **argv, struct args *args, struct diag *diag)
{
	bool ended = command->options & OPT_RAW; /* by -- */

	*args = (struct args){ .words = calloc(argc + 1, sizeof(*args->words)) };
	if (!args->words)
		return -ENOMEM;
	for (int i = 0; i < argc;) {
		/* `name` takes the next word whole, whatever it looks like. */
		bool taken = args->n && !strcmp(args->words[args->n - 1], "name") &&
			     command->options & OPT_RULE;
		int used = 1;

		if (!ended && !taken && !strcmp(argv[i], "--")) {
			ended = true;
		} else if (!ended && !taken && !strncmp(argv[i], "--", 2)) {
			used = take_option(command, argv + i, args, diag);
			if (used < 0)
				return used;
		} else {
			args->words[args->n++] = argv[i];
		}
		i += used;
	}
	return 0;
}

void args_free(struct args *args)
{
	free(args->words);
	args->words = NULL;
}

const struct report *args_report(const struct args *args)
{
	return args->given & OPT_JSON ? &report_json : &report_text;
}

int args_none(const struct args *args, struct diag *diag)
{
	if (!args->n)
		return 0;
	args_place(args, 0, diag);
	return diag_set(diag, DIAG_USAGE, EINVAL, "this command takes no words");
}

int args_one(const struct args *args, const char *what, struct diag *diag)
{
	if (args->n == 1)
		return 0;
	if (args->n)
		args_place(args, 1, diag);
	return diag_set(diag, DIAG_USAGE, EINVAL,
		args->n ? "this command takes one word, %s; put quotes around a name with blanks"
			: "say which: %s",
		what);
}

void args_place(const struct args *args, int index, struct diag *diag)
{
	size_t len = 1, column = 0;
	char *text;

	for (int i = 0; i < args->n; i++)
		len += strlen(args->words[i]) + 1;
	text = calloc(1, len);
	for (int i = 0; text && i < args->n; i++) {
		if (i)
			strcat(text, " ");
		if (i == index)
			column = strlen(text);
		strcat(text, args->words[i]);
	}
	if (text)
		diag_place(diag, text, column, index < args->n ? strlen(args->words[index]) : 1);
	free(text);
}
