/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Completion: what the last word of a command line may become, told from the tables that the
 * program itself runs by. Pure: names that only the host knows are asked of the caller.
 */
#ifndef BPFPOL_COMPLETE_H
#define BPFPOL_COMPLETE_H

#include "command.h"

struct completer;

enum complete_names {
	NAMES_POLICIES,
	NAMES_SHIPPED,
	NAMES_IFACES,
	NAMES_MODES,
	NAMES_RULES,   /* ids of those in force, or of --policy */
	NAMES_DYNAMIC, /* of the agent's */
};

struct complete_env {
	const struct command *commands, *policy_commands;
	/* Gives each name to complete_offer(). args: the words and options before. */
	void (*names)(enum complete_names which, const struct args *args, struct completer *c);
	/* A word is before and word, joined. what: NULL: there is nothing to say. */
	void (*put)(const char *before, const char *word, const char *what, void *arg);
	/* Names of files, behind these two. */
	void (*files)(const char *before, const char *more, void *arg);
	void *arg;
};

/*
 * argv: what stands behind the program's name; the last word is taken out of it. Says nothing
 * where it does not know.
 */
void complete(const struct complete_env *env, int argc, char **argv);

/* Passed on if it begins as the word that is typed. */
void complete_offer(struct completer *c, const char *word, const char *what);

#endif
