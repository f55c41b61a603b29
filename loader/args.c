// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "confirm.h"
#include "nearest.h"

const struct option_entry option_table[] = {
	{ "--json", OPT_JSON, VALUE_NONE, "facts as JSON" },
	{ "--dry-run", OPT_DRY_RUN, VALUE_NONE, "change nothing, say what would change" },
	{ "--force", OPT_FORCE, VALUE_NONE, "go ahead where safety refuses" },
	{ "--debug", OPT_DEBUG, VALUE_NONE, "every filter, or every packet" },
	{ "--rule", OPT_RULE, VALUE_TEXT, "a label for the rule, the same as name \"LABEL\"" },
	{ "--for", OPT_FOR, VALUE_TIME, "until then only: 90s, 15m, 2h, 7d" },
	{ "--id", OPT_ID, VALUE_ID, "the rule with this number" },
	{ "--mode", OPT_MODE, VALUE_MODE, "how what arrives is filtered" },
	{ "--pcap", OPT_PCAP, VALUE_FILE, "the packets of a capture" },
	{ "--policy", OPT_POLICY, VALUE_POLICY, "of this policy, also if it is not in force" },
	{ "--write-blocked", OPT_WRITE_BLOCKED, VALUE_FILE, "the packets that would be blocked" },
	{ "--plan", OPT_PLAN, VALUE_NONE, "what the kernel's maps would hold" },
	{ "--name", OPT_NAME, VALUE_TEXT, "what the policy is to be called" },
	{ "--shipped", OPT_SHIPPED, VALUE_NONE, "of those that come with the program" },
	{ "--in-force", OPT_IN_FORCE, VALUE_NONE, "against the rules that are in force" },
	{ "--description", OPT_DESCRIPTION, VALUE_TEXT, "a text about the policy" },
	{ "--once", OPT_ONCE, VALUE_NONE, "one table, over one interval" },
	{ "--interval", OPT_INTERVAL, VALUE_TEXT, "seconds from one look to the next" },
	{ "--sort", OPT_SORT, VALUE_COLUMN, "by this column" },
	{ "--dynamic", OPT_DYNAMIC, VALUE_NONE, "held by the agent, and gone with it" },
	{ "--count", OPT_COUNT, VALUE_TEXT, "so many packets, then it ends" },
	{ "--rate", OPT_RATE, VALUE_TEXT, "packets a second on each CPU at most; 0: all" },
	{ "--confirm", OPT_CONFIRM, VALUE_TEXT, "seconds to confirm it in, or it goes back" },
	{ "--due", OPT_DUE, VALUE_NONE, "only what was not confirmed, when its time is over" },
	{ NULL, 0, VALUE_NONE, NULL },
};

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
	case OPT_COUNT:
		args->count = value;
		break;
	case OPT_RATE:
		args->rate = value;
		break;
	case OPT_CONFIRM:
		args->confirm = value;
		break;
	default:
		break;
	}
}

/* text: up to a `=`, as far as len goes, it is the option. */
static int unknown_option(
	const struct command *command, const char *text, size_t len, struct diag *diag)
{
	struct nearest near;

	nearest_begin(&near, text, len);
	for (const struct option_entry *o = option_table; o->name; o++)
		if (command->options & o->option)
			nearest_try(&near, o->name);
	diag_place_word(diag, text);
	return diag_set(diag, DIAG_USAGE, EINVAL,
		"'bpfpol %s' has no option %s%s%s%s 'bpfpol help %s' shows those it has",
		command->name, text, near.found ? ": did you mean " : ";",
		near.found ? near.found : "", near.found ? "?" : "", command->name);
}

/* The last one would win, and the first be taken for done: `remove --id 1 --id 2`. */
static int given_twice(const char *text, size_t len, struct diag *diag)
{
	diag_place(diag, text, 0, len);
	return diag_set(
		diag, DIAG_USAGE, EINVAL, "%.*s is given twice: leave one out", (int)len, text);
}

/* --name VALUE or --name=VALUE. Returns how many arguments were used, or -EINVAL. */
static int take_option(
	const struct command *command, char **argv, struct args *args, struct diag *diag)
{
	const char *equals = strchr(argv[0], '=');
	size_t len = equals ? (size_t)(equals - argv[0]) : strlen(argv[0]);
	const struct option_entry *o = option_table;

	while (o->name && (strlen(o->name) != len || strncmp(o->name, argv[0], len)))
		o++;
	if (!o->name || !(command->options & o->option) || (equals && !o->value))
		return unknown_option(command, argv[0], len, diag);
	if (o->value && args->given & o->option)
		return given_twice(argv[0], len, diag);
	args->given |= o->option;
	if (!o->value)
		return 1;
	if (!equals && !argv[1]) {
		args->open = o;
		diag_place_word(diag, argv[0]);
		return diag_set(diag, DIAG_USAGE, EINVAL, "%s needs a value after it", argv[0]);
	}
	set_value(args, o->option, equals ? equals + 1 : argv[1]);
	return equals ? 1 : 2;
}

bool args_want_text(const struct command *command, const struct args *args)
{
	return command->options & OPT_RULE && args->n && !strcmp(args->words[args->n - 1], "name");
}

int args_parse(
	const struct command *command, int argc, char **argv, struct args *args, struct diag *diag)
{
	*args = (struct args){
		.words = calloc(argc + 1, sizeof(*args->words)),
		.ended = command->options & OPT_RAW,
	};
	if (!args->words)
		return -ENOMEM;
	for (int i = 0; i < argc;) {
		bool taken = args_want_text(command, args);
		int used = 1;

		if (!args->ended && !taken && !strcmp(argv[i], "--")) {
			args->ended = true;
		} else if (!args->ended && !taken && !strncmp(argv[i], "--", 2)) {
			used = take_option(command, argv + i, args, diag);
			if (used < 0)
				return used;
		} else {
			args->words[args->n++] = argv[i];
		}
		i += used;
	}
	diag->changes = command->options & OPT_DRY_RUN && !(args->given & OPT_DRY_RUN);
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

int args_confirm(const struct args *args, uint64_t *seconds, struct diag *diag)
{
	const char *text = args->confirm;
	size_t digits = text ? strspn(text, "0123456789") : 0;

	*seconds = 0;
	if (!text)
		return 0;
	if (digits && digits < 10 && !text[digits])
		*seconds = strtoul(text, NULL, 10);
	if (*seconds && *seconds <= CONFIRM_MOST)
		return 0;
	*seconds = 0;
	diag_place_word(diag, text);
	return diag_set(diag, DIAG_USAGE, EINVAL, "--confirm takes seconds, 1 to %d, as in: %s",
		CONFIRM_MOST, "--confirm 60");
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
	size_t len = 1, column = 0, width = 1;
	char *text;

	for (int i = 0; i < args->n; i++)
		len += strlen(args->words[i]) + sizeof(DIAG_EMPTY);
	text = calloc(1, len);
	for (int i = 0; text && i < args->n; i++) {
		const char *word = *args->words[i] ? args->words[i] : DIAG_EMPTY;

		if (i)
			strcat(text, " ");
		if (i == index) {
			column = strlen(text);
			width = strlen(word);
		}
		strcat(text, word);
	}
	if (text)
		diag_place(diag, text, column, width);
	free(text);
}

int args_id(const struct args *args, uint32_t *id, struct diag *diag)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(args->id, &end, 10);
	if (*end || end == args->id || errno || !value || value > UINT32_MAX ||
		args->id[0] == '-') {
		diag_place_word(diag, args->id);
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"'%s' is not a rule's id; 'bpfpol list' shows them", args->id);
	}
	if (args->n) {
		args_place(args, 0, diag);
		return diag_set(diag, DIAG_USAGE, EINVAL, "give either a rule or --id, not both");
	}
	*id = value;
	return 0;
}
