/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands: a table that is run, and that prints its own help. Each is parse, act, free. */
#ifndef BPFPOL_COMMAND_H
#define BPFPOL_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "diag.h"
#include "report.h"

enum option {
	OPT_JSON = 1 << 0,
	OPT_DRY_RUN = 1 << 1,
	OPT_FORCE = 1 << 2,
	OPT_DEBUG = 1 << 3,
	OPT_RULE = 1 << 4,
	OPT_FOR = 1 << 5,
	OPT_ID = 1 << 6,
	OPT_MODE = 1 << 7,
	OPT_PCAP = 1 << 8,
	OPT_POLICY = 1 << 9,
	OPT_WRITE_BLOCKED = 1 << 10,
	OPT_PLAN = 1 << 11,
	OPT_NAME = 1 << 12,
	OPT_SHIPPED = 1 << 13,
	OPT_IN_FORCE = 1 << 14,
	OPT_DESCRIPTION = 1 << 15,
	OPT_ONCE = 1 << 16,
	OPT_INTERVAL = 1 << 17,
	OPT_SORT = 1 << 18,
	OPT_DYNAMIC = 1 << 19,
	OPT_CONFIRM = 1 << 20,
	OPT_DUE = 1 << 22,
	OPT_COUNT = 1 << 24,
	OPT_RATE = 1 << 25,
	OPT_RAW = 1 << 30, /* the command reads its options itself: all stand in words */
};

/* What an option takes. */
enum value {
	VALUE_NONE,
	VALUE_TEXT,
	VALUE_TIME,
	VALUE_MODE,
	VALUE_COLUMN,
	VALUE_FILE,
	VALUE_POLICY,
	VALUE_ID
};
struct option_entry {
	const char *name;
	enum option option;
	enum value value;
	const char *what;
};
extern const struct option_entry option_table[]; /* ends with a name of NULL */

/* The command line taken apart; words point into argv. */
struct args {
	unsigned int given; /* enum option */
	char **words;
	int n;
	const char *rule, *lifetime, *id, *mode, *pcap, *policy, *write_blocked, *name;
	const char *description, *interval, *sort, *count, *rate, *confirm;
	bool ended;			 /* words that begin with -- are no options any more */
	const struct option_entry *open; /* the value of this one is missing at the end */
};

/* What the words of a command are, for completion. */
enum command_words {
	WORDS_NONE,
	WORDS_TEXT, /* what only the user knows */
	WORDS_RULE,
	WORDS_REMOVED, /* a rule, with or without its action; none with --id */
	WORDS_PACKET,  /* with --pcap only where it is seen */
	WORDS_IFACES,
	WORDS_POLICY,
	WORDS_POLICIES,	 /* two; one with --in-force */
	WORDS_CHECKED,	 /* a file, or a policy of the store */
	WORDS_IMPORTED,	 /* a file; with --shipped one of those policies */
	WORDS_COMMAND,	 /* a command, or a command of `policy` */
	WORDS_OF_POLICY, /* a command of `policy`, and its words */
	WORDS_AGENT,	 /* `status` */
	WORDS_IPSECPOL,
	WORDS_NETDIAG,
};

struct command {
	const char *name;
	int (*run)(const struct args *args, struct diag *diag);
	unsigned int options;
	enum command_words words;
	const char *synopsis, *summary, *details;
};

/* -EINVAL: an option that the command does not have, or without its value. Says diag->changes. */
int args_parse(
	const struct command *command, int argc, char **argv, struct args *args, struct diag *diag);
/* Whether the last word is `name`, which takes the next one whole, whatever it looks like. */
bool args_want_text(const struct command *command, const struct args *args);
void args_free(struct args *args);
/* The report back-end that was asked for. */
const struct report *args_report(const struct args *args);
/* --confirm; 0: it was not given. -EINVAL with its place: not a number of seconds. */
int args_confirm(const struct args *args, uint64_t *seconds, struct diag *diag);
/* -EINVAL with its place if there are words, for commands that take none. */
int args_none(const struct args *args, struct diag *diag);
/* -EINVAL with its place unless there is exactly one word: `what`. */
int args_one(const struct args *args, const char *what, struct diag *diag);
/* The words joined, with the one at `index` marked, as the diag's place. */
void args_place(const struct args *args, int index, struct diag *diag);

/* cmd_say.c: -EPERM with DIAG_REFUSED while filtering is off, unless forced or a dry run. */
struct host;
int refuse_while_off(const struct host *host, const struct args *args, struct diag *diag);
/* Its rules' directions, as bits of enum bp_dir. NULL: none. */
struct policy;
unsigned int policy_dirs(const struct policy *policy);
/* Warns where rules of these directions are not in force on an interface that is filtered the other
 * way. */
void warn_one_way(const struct host *host, unsigned int dirs, struct diag *diag);
/* Warns where a rule's `on` names an interface that is not filtered. */
void warn_not_there(const char *ifname, struct diag *diag);
/* What a command that puts rules in force attached to, before it says what it did. */
struct link_choices;
struct jw;
void say_attached(const struct link_choices *choices);
/* The same: the array `attached`. */
void json_attached(struct jw *j, const struct link_choices *choices);
/* That no static rule is in force where no policy is assigned any more: the end of a line. */
void say_none_assigned(const struct host *host, bool dry_run);
/* How to keep what was done; 0: it is kept. */
void say_confirm(uint64_t seconds);

/* `policy confirm` and `policy rollback` of an `attach` that is on trial. */
int attach_confirm(const struct args *args, struct host *host, struct diag *diag);
int attach_rollback(const struct args *args, struct host *host, struct diag *diag);
/* `policy confirm` and `policy rollback` of an `off` that is on trial. The store is not asked. */
int off_confirm(const struct args *args, struct host *host, struct diag *diag);
int off_rollback(const struct args *args, struct host *host, struct diag *diag);

/* What `remove --id` does, without a word. */
int remove_by_id(uint32_t id, struct diag *diag);
/* The number behind --id, where no words may stand beside it. -EINVAL with its place. */
int args_id(const struct args *args, uint32_t *id, struct diag *diag);

/*
 * The words name interfaces, or are patterns: at least one. Of a name that no interface has; later:
 * what is to be done for one that is still to come.
 */
int args_interfaces(const struct args *args, struct diag *diag);
int args_no_interface(const struct args *args, int index, const char *later, struct diag *diag);

/* -EPERM with DIAG_DENIED. */
int need_root(struct diag *diag);

/*
 * Puts rules into the agent in one step, on the operator's word (guard, `off`); attaches first if
 * nothing is attached. names: what was looked up for them. *off: filtering is.
 */
struct policy;
struct applied;
struct first_links;
int dynamic_put(const struct args *args, const struct policy *rules, struct first_links *first,
	struct applied *applied, bool *off, struct diag *diag);
/* The guard's word on a permit that goes from among them, and then it goes. */
struct rule;
struct apply_removed;
int dynamic_remove_rule(const struct args *args, const struct rule *rule, int action,
	struct apply_removed *removed, struct diag *diag);
/* All of them; *n: how many there are. */
int dynamic_drop(const struct args *args, size_t *n, struct diag *diag);
int dynamic_remove_id(const struct args *args, uint32_t id, struct diag *diag);

extern const struct command commands[]; /* ends with a name of NULL */
const struct command *command_find(const char *name);
void help_one(const struct command *command);

/* The commands of `bpfpol policy`; their names hold both words. */
extern const struct command policy_commands[];
/* -EINVAL: there is no such one. */
int policy_command_find(
	const struct args *args, int word, const struct command **command, struct diag *diag);
int cmd_policy_list(const struct args *args, struct diag *diag);
int cmd_policy_show(const struct args *args, struct diag *diag);
int cmd_policy_create(const struct args *args, struct diag *diag);
int cmd_policy_delete(const struct args *args, struct diag *diag);
int cmd_policy_check(const struct args *args, struct diag *diag);
int cmd_policy_import(const struct args *args, struct diag *diag);
int cmd_policy_export(const struct args *args, struct diag *diag);
int cmd_policy_assign(const struct args *args, struct diag *diag);
int cmd_policy_unassign(const struct args *args, struct diag *diag);
int cmd_policy_diff(const struct args *args, struct diag *diag);
int cmd_policy_confirm(const struct args *args, struct diag *diag);
int cmd_policy_rollback(const struct args *args, struct diag *diag);
/* A file named on the command line (- is stdin), and the name of the policy in it. */
int policy_word_read(const char *word, char **text, size_t *len, struct diag *diag);
char *policy_word_name(const char *word);

int cmd_block(const struct args *args, struct diag *diag);
int cmd_permit(const struct args *args, struct diag *diag);
int cmd_count(const struct args *args, struct diag *diag);
int cmd_remove(const struct args *args, struct diag *diag);
int cmd_promote(const struct args *args, struct diag *diag);
int cmd_list(const struct args *args, struct diag *diag);
int cmd_status(const struct args *args, struct diag *diag);
int cmd_watch(const struct args *args, struct diag *diag);
int cmd_top(const struct args *args, struct diag *diag);
int cmd_metrics(const struct args *args, struct diag *diag);
int cmd_agent(const struct args *args, struct diag *diag);
int cmd_attach(const struct args *args, struct diag *diag);
int cmd_detach(const struct args *args, struct diag *diag);
int cmd_interfaces(const struct args *args, struct diag *diag);
int cmd_explain(const struct args *args, struct diag *diag);
int cmd_off(const struct args *args, struct diag *diag);
int cmd_on(const struct args *args, struct diag *diag);
int cmd_restore(const struct args *args, struct diag *diag);
int cmd_policy(const struct args *args, struct diag *diag);
int cmd_ipsecpol(const struct args *args, struct diag *diag);
int cmd_netdiag(const struct args *args, struct diag *diag);
int cmd_complete(const struct args *args, struct diag *diag);

#endif
