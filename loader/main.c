// SPDX-License-Identifier: GPL-2.0-only
/* bpfpol: blocks and permits network traffic at the NIC. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clocks.h"
#include "command.h"
#include "kernel.h"
#include "nearest.h"

static int cmd_help(const struct args *args, struct diag *diag);

const struct command commands[] = {
	{ "block", cmd_block,
		OPT_JSON | OPT_DRY_RUN | OPT_FORCE | OPT_RULE | OPT_FOR | OPT_POLICY | OPT_DYNAMIC |
			OPT_CONFIRM,
		WORDS_RULE, "RULE", "stop what the rule matches",
		"  bpfpol block udp/1434                     UDP to port 1434, IPv4 and IPv6\n"
		"  bpfpol block tcp/22 from 203.0.113.0/24   ...from these addresses\n"
		"  bpfpol block 203.0.113.7                  all that this address sends\n"
		"  bpfpol block @bad.txt                     ...or any in this file\n"
		"  bpfpol block tcp/80,443,8000-8999 --for 2h\n"
		"  bpfpol block icmp type 8 to me\n"
		"  bpfpol block tcp/443 --confirm 60         goes back unless 'policy confirm' "
		"follows\n"
		"  bpfpol block --dynamic tcp/25             held by the agent, on no disk\n"
		"In force when the command returns. With nothing attached, attaches first: to the "
		"interfaces\n"
		"with hardware behind them, and those of default routes. The most specific rule "
		"wins.\n"
		"\n"
		"  RULE   [in|out|inout] [emergency] [on IFACE] MATCH [for TIME] [log] [name "
		"TEXT]\n"
		"  MATCH  [PROTO] [from END] [to END], PROTO/PORTS [from ADDR] [to ADDR], or ADDR\n"
		"  END    ADDR [port PORTS], or port PORTS\n"
		"  ADDR   any, me (this host), an address or prefix, @FILE with one a line,\n"
		"         or dns:HOST, all addresses of a host\n"
		"  PROTO  a name or number; icmp and icmpv6 with [type N [code N]]\n"
		"\n"
		"'man bpfpol.policy' explains every word." },
	{ "permit", cmd_permit,
		OPT_JSON | OPT_DRY_RUN | OPT_FORCE | OPT_RULE | OPT_FOR | OPT_POLICY | OPT_DYNAMIC |
			OPT_CONFIRM,
		WORDS_RULE, "RULE", "let pass what a wider block would stop",
		"  bpfpol permit tcp/22 from 10.0.0.0/8\n"
		"The most specific rule wins, wherever it stands; see 'bpfpol help block'." },
	{ "count", cmd_count,
		OPT_JSON | OPT_DRY_RUN | OPT_FORCE | OPT_RULE | OPT_FOR | OPT_POLICY | OPT_DYNAMIC |
			OPT_CONFIRM,
		WORDS_RULE, "RULE", "count what the rule matches, and decide nothing",
		"  bpfpol count udp/53" },
	{ "remove", cmd_remove,
		OPT_JSON | OPT_DRY_RUN | OPT_FORCE | OPT_ID | OPT_POLICY | OPT_DYNAMIC |
			OPT_CONFIRM,
		WORDS_REMOVED, "[ACTION] RULE | --id N", "take a rule away",
		"  bpfpol remove udp/1434\n"
		"  bpfpol remove block udp/1434\n"
		"  bpfpol remove --id 7                      the number that 'list' shows" },
	{ "unblock", cmd_remove,
		OPT_JSON | OPT_DRY_RUN | OPT_FORCE | OPT_ID | OPT_POLICY | OPT_DYNAMIC |
			OPT_CONFIRM,
		WORDS_REMOVED, "[ACTION] RULE | --id N", "the same as remove",
		"  bpfpol unblock udp/1434" },
	{ "promote", cmd_promote, OPT_JSON | OPT_DRY_RUN | OPT_FORCE | OPT_ID, WORDS_NONE, "--id N",
		"make a dynamic rule static",
		"  bpfpol promote --id 7                     the number that 'list' shows\n"
		"It comes into the assigned policy, with its number, label, end and counters, and "
		"stays when\n"
		"the agent ends. At no moment is it out of force." },
	{ "list", cmd_list, OPT_JSON, WORDS_NONE, "",
		"rules in force with their counters, most specific first",
		"Those of the policy (static) and those that the agent holds (dynamic)." },
	{ "status", cmd_status, OPT_JSON | OPT_DEBUG, WORDS_NONE, "[--debug]",
		"policy in force, interfaces, totals",
		"  --debug  every filter, as read back from the kernel's maps" },
	{ "attach", cmd_attach, OPT_JSON | OPT_DRY_RUN | OPT_FORCE | OPT_MODE | OPT_CONFIRM,
		WORDS_IFACES, "IFACE... [--mode native|generic|tc] [--confirm SECONDS]",
		"filter on these interfaces",
		"Names may be patterns, quoted: bpfpol attach 'eth*'. Remembered over a reboot.\n"
		"Without --mode, or with auto: XDP in the driver, else generic XDP, else TC; says\n"
		"which, and why. What is attached already keeps the mode that was given for it.\n"
		"What leaves is always filtered by TC." },
	{ "detach", cmd_detach, OPT_JSON | OPT_DRY_RUN, WORDS_IFACES, "IFACE...",
		"stop filtering on these interfaces", NULL },
	{ "interfaces", cmd_interfaces, OPT_JSON, WORDS_NONE, "",
		"every interface, and how it is filtered", NULL },
	{ "explain", cmd_explain, OPT_JSON | OPT_DEBUG | OPT_PCAP | OPT_POLICY | OPT_WRITE_BLOCKED,
		WORDS_PACKET, "PACKET [in|out] [on IFACE] | --pcap FILE [in|out] [on IFACE]",
		"what would become of a packet, and by which rule",
		"  bpfpol explain udp from 192.0.2.1 port 4000 to 10.0.0.5 port 1434\n"
		"  bpfpol explain tcp/25 from me to 192.0.2.9 out on eth0\n"
		"  bpfpol explain icmp type 8 from 192.0.2.1 to me\n"
		"  bpfpol explain --pcap trace.pcap --write-blocked blocked.pcap\n"
		"Asks the classifiers in the kernel themselves, also of dynamic rules; nothing "
		"counts,\n"
		"and nothing is changed.\n"
		"PACKET has a protocol and both addresses, and where there are ports that of its\n"
		"destination. A capture (pcap or pcapng, - is stdin) is read as inbound unless "
		"`out`\n"
		"says otherwise, and shown as a table of verdicts by rule.\n"
		"  --pcap FILE            the packets of a capture\n"
		"  --policy NAME          by a policy that need not be in force\n"
		"  --write-blocked FILE   the packets that would be blocked, as a capture\n"
		"  --debug                each packet of the capture, before the table" },
	{ "top", cmd_top, OPT_JSON | OPT_ONCE | OPT_INTERVAL | OPT_SORT, WORDS_NONE,
		"[--interval SECONDS] [--sort COLUMN] [--once]",
		"rules by packets per second, live",
		"  bpfpol top                    keys: h shows them, q ends it\n"
		"  bpfpol top --once --sort bytes\n"
		"What passes and is blocked, how each interface is filtered, and what each rule "
		"counts.\n"
		"A rule is chosen with the arrow keys; d removes it, after a question.\n"
		"  --interval SECONDS     how often it looks: 0.1 to 3600, else 1\n"
		"  --sort COLUMN          packet-rate, byte-rate, packets, bytes, id, rule\n"
		"  --once                 one table, over one interval; also where there is no "
		"terminal" },
	{ "watch", cmd_watch, OPT_JSON | OPT_ID | OPT_COUNT | OPT_RATE | OPT_PCAP, WORDS_REMOVED,
		"[MATCH] [--id N] [--count N] [--rate N] [--pcap FILE]",
		"packets as they are blocked, live",
		"  bpfpol watch\n"
		"  bpfpol watch --id 7 --count 10 --json     a JSON object a line\n"
		"  bpfpol watch in on eth0 udp/1434\n"
		"  bpfpol watch 203.0.113.0/24 --pcap - | tshark -r -\n"
		"A line for each packet: when, where, what it is, and which rule blocks it; until "
		"Ctrl-C.\n"
		"Of a flood a sample is shown, and how many were left out. Packets of rules with "
		"`log` are\n"
		"all shown, also those that such a rule permits or counts. One can watch at a "
		"time.\n"
		"MATCH is a rule: [block|permit] [in|out|inout] [on IFACE], protocol, ports and "
		"addresses.\n"
		"Others are not told, nor sampled. block: what is blocked; permit: what is not; "
		"without\n"
		"a direction: both.\n"
		"  --id N                 packets that this rule blocks, or logs, alone\n"
		"  --count N              ends after so many packets\n"
		"  --rate N               of rules without `log` so many a second on each CPU at "
		"most; 500 if\n"
		"                         not given, 0 for all\n"
		"  --pcap FILE            a capture (pcapng) of the frames' first 256 bytes, the "
		"rule "
		"as a\n"
		"                         comment; - is stdout" },
	{ "metrics", cmd_metrics, OPT_JSON, WORDS_NONE, "",
		"state and counters for Prometheus, as OpenMetrics text",
		"  bpfpol metrics >/var/lib/prometheus/node-exporter/bpfpol.prom.new\n"
		"Whether a policy is in force, how each interface is filtered, packets by "
		"direction and\n"
		"verdict, and of each rule packets and bytes: of those with the most packets, "
		"if there are\n"
		"more than bpfpol_rule_series_limit says. Counters never fall." },
	{ "policy", cmd_policy, OPT_RAW, WORDS_OF_POLICY, "COMMAND ...", "the policies on disk",
		"A policy is a file of rules: NAME.policy in the directory policies. One is "
		"assigned at most,\n"
		"and in force. 'bpfpol help policy COMMAND' tells more.\n"
		"Beside rules it has lines with a text in quotes: policy (its name), description, "
		"rule (a\n"
		"label for what follows), include (another policy's rules); see man "
		"bpfpol.policy." },
	{ "off", cmd_off, OPT_JSON | OPT_DRY_RUN | OPT_CONFIRM, WORDS_NONE, "[--confirm SECONDS]",
		"stop all filtering at once, until 'on'",
		"Rules and interfaces are kept. Works whatever else is broken.\n"
		"  bpfpol off --confirm 60    back by itself, unless 'policy confirm' follows" },
	{ "on", cmd_on, OPT_JSON | OPT_DRY_RUN | OPT_FORCE, WORDS_NONE, "",
		"filter again, as before 'off'", NULL },
	{ "ipsecpol", cmd_ipsecpol, OPT_JSON | OPT_DRY_RUN | OPT_FORCE, WORDS_IPSECPOL,
		"[-w REG -p NAME] [-r RULE] [-f SPEC...] [-n BLOCK|PASS] [-x|-y|-o|-u]",
		"filters in the words of Windows' ipsecpol and ipseccmd",
		"  bpfpol ipsecpol -w REG -p \"Block UDP 1434\" -r \"in\" -f '*=0:1434:UDP' -n "
		"BLOCK "
		"-x\n"
		"  bpfpol ipsecpol -f '[*=0:1434:UDP]'\n"
		"\n"
		"  -w REG   stored on this computer; without it a rule is the agent's (dynamic)\n"
		"  -p NAME  the policy; rules are added to it\n"
		"  -r RULE  a name for the rules of -f\n"
		"  -f SPEC  FROM=TO:PORT:PROTOCOL, in single quotes; + for = is both ways; 0 is "
		"this\n"
		"           computer, * any address; [SPEC] blocks, (SPEC) permits\n"
		"  -n WORD  BLOCK or PASS, for SPECs without brackets\n"
		"  -x       assign, and put in force; -y unassign; -o delete\n"
		"  -u       drop all dynamic rules\n"
		"  -lan, -dialup   on interfaces with Ethernet headers, or without\n"
		"  -confirm        ask first\n"
		"\n"
		"In any order and case; also by a link to bpfpol named ipsecpol or ipseccmd.\n"
		"'man bpfpol-ipsecpol' has every old command beside the new one." },
	{ "restore", cmd_restore, OPT_JSON | OPT_DRY_RUN | OPT_FORCE, WORDS_NONE, "[--force]",
		"put everything in force again from disk, as at boot",
		"The assigned policy, and the interfaces that are there; those that come later "
		"need "
		"it once\n"
		"more. What is damaged or missing is said, and the rest put in force. Exit 1 if "
		"not "
		"all could\n"
		"be. While filtering is off, no more is done than to mend a damaged store. Typed "
		"over\n"
		"SSH it is refused where it would cut that connection, or what is protected.\n"
		"  --force  all the same; and also where the rules in force are another store's, "
		"or of one that is "
		"lost" },
	{ "agent", cmd_agent, OPT_JSON, WORDS_AGENT, "[status]",
		"follow the interfaces that come and go, and hold dynamic rules, until stopped",
		"Runs in the foreground; the unit bpfpol-agent starts it. Every interface whose "
		"name was given\n"
		"to 'attach', or matches a pattern of it, is filtered as soon as it is there. What "
		"somebody\n"
		"else takes off is put back, and said. Policies are in force without it, too; "
		"rules that\n"
		"'block --dynamic' adds are gone with it. Those of files in "
		"/etc/bpfpol/dynamic.d are there\n"
		"from its start on; SIGHUP reads them again.\n"
		"  bpfpol agent status   how the agent is that runs; exit 1 if there is none" },
	{ "netdiag", cmd_netdiag, OPT_RAW, WORDS_NETDIAG, "/test:ipsec [/debug] [--json]",
		"the policy in force, as Windows' netdiag shows it",
		"  bpfpol netdiag /test:ipsec           which policy is active\n"
		"  bpfpol netdiag /test:ipsec /debug    ...and every filter, read from the kernel\n"
		"Also -test:ipsec, --test ipsec, and a link to bpfpol named netdiag." },
	{ "complete", cmd_complete, OPT_RAW, WORDS_NONE, "[--] WORD...",
		"what the last word may become, for the completion of shells",
		"  bpfpol complete policy as      prints: assign\n"
		"WORDs are those behind 'bpfpol', the last one as far as it is typed, or empty. A "
		"line for\n"
		"each answer: a word, and behind a tab what it is. A line that begins with a tab "
		"stands for\n"
		"names of files: 'files', and behind another tab what is typed before the name. "
		"Needs no\n"
		"root, and says nothing where it does not know; policies are read as the user "
		"may,\n"
		"and numbers of rules are told to root." },
	{ "help", cmd_help, 0, WORDS_COMMAND, "[COMMAND]", "this, or more on one command", NULL },
	{ NULL, NULL, 0, WORDS_NONE, NULL, NULL, NULL },
};

const struct command *command_find(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static void help_all(void)
{
	printf("Usage: bpfpol COMMAND [WORDS] [OPTIONS]\n\n");
	for (const struct command *c = commands; c->name; c++)
		printf("  %-11s %s\n", c->name, c->summary);
	printf("\n--json prints facts for programs, --dry-run changes nothing and says what it "
	       "would do.\n"
	       "'bpfpol help COMMAND' tells more and shows examples.\n\n"
	       "Exit codes: 0 done; 1 the kernel or system refused, or no agent; 2 bad usage or "
	       "rule; 3 no such\n"
	       "policy, rule or interface; 4 not permitted; 5 refused for safety (--force).\n");
}

static void help_policy(void)
{
	for (const struct command *c = policy_commands; c->name; c++)
		printf("  %-16s %s\n", c->name, c->summary);
}

static const char *what_is(enum option option)
{
	const struct option_entry *o = option_table;

	while (o->option != option)
		o++;
	return o->what;
}

void help_one(const struct command *c)
{
	static const struct {
		enum option option;
		const char *text;
	} general[] = {
		{ OPT_JSON, "--json" },
		{ OPT_DRY_RUN, "--dry-run" },
		{ OPT_FORCE, "--force" },
		{ OPT_RULE, "--rule LABEL" },
		{ OPT_FOR, "--for TIME" },
		{ OPT_POLICY, "--policy N" },
		{ OPT_DYNAMIC, "--dynamic" },
		{ OPT_CONFIRM, "--confirm S" },
	};

	printf("Usage: bpfpol %s%s%s\n\n%s.\n", c->name, *c->synopsis ? " " : "", c->synopsis,
		c->summary);
	if (c->details)
		printf("\n%s\n", c->details);
	printf("\n");
	if (c->run == cmd_policy)
		help_policy();
	for (size_t i = 0; i < sizeof(general) / sizeof(general[0]); i++)
		if (c->options & general[i].option)
			printf("  %-13s %s\n", general[i].text, what_is(general[i].option));
}

/* What it is called elsewhere, and here; NULL: nobody knows. */
static const char *other_name(const char *word)
{
	static const struct {
		const char *word, *command;
	} others[] = {
		{ "drop", "block" },
		{ "deny", "block" },
		{ "reject", "block" },
		{ "add", "block" },
		{ "allow", "permit" },
		{ "accept", "permit" },
		{ "pass", "permit" },
		{ "delete", "remove" },
		{ "del", "remove" },
		{ "rm", "remove" },
		{ "show", "list" },
		{ "start", "on" },
		{ "enable", "on" },
		{ "stop", "off" },
		{ "disable", "off" },
		{ "version", "--version" },
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!strcmp(word, others[i].word))
			return others[i].command;
	for (const struct command *c = policy_commands; c->name; c++)
		if (!strcmp(word, strchr(c->name, ' ') + 1))
			return c->name;
	return NULL;
}

/* The caller has said where it stands. */
static int unknown_command(const char *word, struct diag *diag)
{
	const char *meant = other_name(word);
	struct nearest near;

	nearest_begin(&near, word, strlen(word));
	for (const struct command *c = commands; c->name; c++)
		nearest_try(&near, c->name);
	if (!meant)
		meant = near.found;
	return diag_set(diag, DIAG_USAGE, EINVAL,
		"there is no command '%s'%s%s%s 'bpfpol help' lists them", word,
		meant ? ": did you mean " : ";", meant ? meant : "", meant ? "?" : "");
}

static int cmd_help(const struct args *args, struct diag *diag)
{
	const struct command *c;
	int most = 1; /* words */

	if (!args->n) {
		help_all();
		return 0;
	}
	c = command_find(args->words[0]);
	if (!c) {
		args_place(args, 0, diag);
		return unknown_command(args->words[0], diag);
	}
	if (args->n > 1 && c->run == cmd_policy) {
		int rc = policy_command_find(args, 1, &c, diag);

		if (rc)
			return rc;
		most = 2;
	}
	if (args->n > most) {
		args_place(args, most, diag);
		return diag_set(diag, DIAG_USAGE, EINVAL, "there is help on one command at a time");
	}
	help_one(c);
	return 0;
}

static int know_clocks(struct diag *diag)
{
	int rc = clocks_begin();

	return rc ? diag_errno(diag, -rc,
			    "cannot tell by how much the clocks of this time namespace differ, so "
			    "that a time would be another than is meant: /proc/self/timens_offsets")
		  : 0;
}

static int run_command(const struct command *c, int argc, char **argv, struct diag *diag)
{
	struct args args = {};
	int rc;

	if (argc && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))) {
		help_one(c);
		return 0;
	}
	kernel_quiet();
	rc = args_parse(c, argc, argv, &args, diag);
	/* Whoever reads what it says may go: that must not end it in the middle, nor look like it.
	 */
	if (diag->changes)
		signal(SIGPIPE, SIG_IGN);
	if (!rc)
		rc = know_clocks(diag);
	if (!rc)
		rc = c->run(&args, diag);
	args_free(&args);
	return rc;
}

/* The command that a link to this program is named after; NULL: it is called by its own name. */
static const struct command *command_of_link(const char *path)
{
	static const struct {
		const char *link, *command;
	} links[] = { { "ipsecpol", "ipsecpol" }, { "ipseccmd", "ipsecpol" },
		{ "netdiag", "netdiag" } };
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (!strcmp(name, links[i].link))
			return command_find(links[i].command);
	return NULL;
}

static int run(int argc, char **argv, struct diag *diag)
{
	const struct command *c = argc ? command_of_link(argv[0]) : NULL;

	if (c)
		return run_command(c, argc - 1, argv + 1, diag);
	if (argc < 2)
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"say what to do, as in: bpfpol block udp/1434; 'bpfpol help' lists the "
			"commands");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		help_all();
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("bpfpol %s\n", VERSION);
		return 0;
	}
	c = command_find(argv[1]);
	if (c)
		return run_command(c, argc - 2, argv + 2, diag);
	diag_place_word(diag, argv[1]);
	return unknown_command(argv[1], diag);
}

/*
 * A standard stream that is closed stays of no use, but its number is taken: the next file that is
 * opened, be it the lock or the journal, would get that number, and what is printed with it. The
 * root directory is there without /dev, and with O_PATH reading and writing fail with EBADF.
 */
static void hold_streams(void)
{
	int fd;

	do
		fd = open("/", O_PATH);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* Root's own files without rights for root are of no use to the agent, which gives up
 * CAP_DAC_OVERRIDE. */
static void keep_own_rights(void)
{
	umask(umask(077) & 077);
}

/*
 * Variables, directories and files that an ordinary user names would be used with root's rights.
 * The kernel says the same of root's own start where a security module changes what it may.
 */
static int refuse_given_rights(struct diag *diag)
{
	if (!getauxval(AT_SECURE) || !getuid())
		return 0;
	return diag_set(diag, DIAG_DENIED, EPERM,
		"this copy of the program gives whoever starts it more rights than his own, by "
		"set-user-ID, set-group-ID or file capabilities, for which it is not made; take "
		"them away ('chmod ug-s FILE', 'setcap -r FILE') and run it with sudo");
}

/* What fails changes nothing: what was changed has not failed because nobody can be told. */
static int finish_output(struct diag *diag)
{
	int err;

	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	err = errno;
	if (!diag->changes)
		return diag_errno(diag, err, "cannot write the output");
	fprintf(stderr, "bpfpol: warning: it is done, but the output cannot be written: %s\n",
		strerror(err));
	return 0;
}

int main(int argc, char **argv)
{
	struct diag diag = {};
	int rc, exit_code = EXIT_SUCCESS;

	hold_streams();
	keep_own_rights();
	/* Texts and lists that were freed go back to the system; by itself, libc keeps 64 MB. */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	signal(SIGXFSZ, SIG_IGN); /* a limit on files' sizes: write() fails instead, and is heard */
	rc = refuse_given_rights(&diag);
	if (!rc)
		rc = run(argc, argv, &diag);
	for (char *line = strtok(diag.warnings, "\n"); line; line = strtok(NULL, "\n"))
		fprintf(stderr, "bpfpol: warning: %s\n", line);
	if (!rc)
		rc = finish_output(&diag);
	else
		fflush(stdout);
	if (rc) {
		char *text;

		if (diag.kind == DIAG_NONE)
			diag_errno(&diag, -rc,
				rc == -ENOMEM ? "there is too little memory" : "something failed");
		text = diag_text(&diag);
		if (diag.message[0]) /* or else it was said already */
			fputs(text ? text : "bpfpol: there is too little memory\n", stderr);
		free(text);
		exit_code = diag.kind;
	}
	diag_free(&diag);
	return exit_code;
}
