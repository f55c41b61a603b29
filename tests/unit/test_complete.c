/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Completion: which words are offered where. Of the language three things hold: each word of the
 * golden rules and packets is offered where it stands; who takes nothing but what is offered comes
 * to the end of a rule or packet, never to a place where nothing goes on; each word says what it
 * is. BPFPOL_SEED repeats the walks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "../golden/golden.h"
#include "complete.h"
#include "spec.h"

#define MOST_WORDS 48

/* What was offered. */
struct offered {
	char words[MOST_WORDS * 8][32];
	size_t n;
	unsigned int next;
};

static void take_offer(const char *word, const char *what, void *arg)
{
	struct offered *o = arg;

	if (o->n < sizeof(o->words) / sizeof(o->words[0]))
		snprintf(o->words[o->n++], sizeof(o->words[0]), "%s", word);
	(void)what;
}

static void ask(struct offered *o, enum spec_text_kind kind, int n, char **words, const char *begun)
{
	o->n = 0;
	o->next = spec_complete(kind, n, words, begun, take_offer, o);
}

static bool has(const struct offered *o, const char *word)
{
	for (size_t i = 0; i < o->n; i++)
		if (!strcmp(o->words[i], word))
			return true;
	return false;
}

/* Words that only a user knows stand behind these, or are addresses and numbers. */
static bool is_value(int at, char *const *words)
{
	static const char *const keywords[] = { "on", "for", "port", "type", "code", "name" };

	for (size_t i = 0; at && i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (!strcmp(words[at - 1], keywords[i]) && !(at > 1 && is_value(at - 1, words)))
			return true;
	return strpbrk(words[at], "./:@0123456789") ||
	       words[at][strspn(words[at], "abcdefghijklmnopqrstuvwxyz")];
}

static int offered_in(enum spec_text_kind kind, char *line)
{
	char *words[MOST_WORDS], *word;
	struct offered o;
	int n = 0, asked = 0;

	while ((word = strsep(&line, " ")) && n < MOST_WORDS)
		if (*word)
			words[n++] = word;
	for (int i = 0; i < n; i++) {
		if (is_value(i, words))
			continue;
		ask(&o, kind, i, words, words[i]);
		if (!has(&o, words[i]))
			fail_msg("'%s' is not offered behind '%s', word %d", words[i],
				i ? words[i - 1] : "", i + 1);
		asked++;
	}
	return asked;
}

static int offered_in_file(enum spec_text_kind kind, const char *name)
{
	char *text = read_whole(name), *rest = text, *line;
	int asked = 0;

	while ((line = strsep(&rest, "\n"))) {
		char *arrow = strstr(line, " => ");

		if (!arrow || line[0] == '#')
			continue;
		*arrow = '\0';
		if (!strpbrk(line, "\"#\t"))
			asked += offered_in(kind, line);
	}
	free(text);
	return asked;
}

static void golden_words_are_offered(void **state)
{
	(void)state;
	assert_true(offered_in_file(SPEC_REMOVED, "rules.ok") > 150);
	assert_true(offered_in_file(SPEC_PACKET, "packets.ok") > 120);
}

/* A value where one may or must stand, as a user would write it. */
static const char *value_behind(const char *last, const char *family)
{
	static const struct {
		const char *word, *value;
	} values[] = { { "port", "80" }, { "type", "8" }, { "code", "0" }, { "name", "in" },
		{ "on", "eth0" }, { "for", "2h" } };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (!strcmp(last, values[i].word))
			return values[i].value;
	return !strcmp(last, "from") || !strcmp(last, "to") ? family : NULL;
}

static bool is_whole(enum spec_text_kind kind, int n, char **words)
{
	const struct spec_opts opts = { .action = BP_BLOCK };
	const struct spec_opts removed = { .action = -1, .action_optional = true };
	struct spec_packet packet = { 0 };
	struct rule *rule = NULL;
	struct diag diag = { 0 };
	int err;

	if (kind == SPEC_PACKET || kind == SPEC_SEEN) {
		err = (kind == SPEC_PACKET ? spec_parse_packet : spec_parse_where)(
			n, words, &packet, &diag);
		spec_packet_free(&packet);
	} else {
		err = spec_parse_args(n, words, kind == SPEC_RULE ? &opts : &removed, &rule, &diag);
		rule_free(&rule);
	}
	diag_free(&diag);
	return !err;
}

static void show(int n, char **words)
{
	for (int i = 0; i < n; i++)
		print_message("%s ", words[i]);
	print_message("\n");
}

/* Takes what is offered, by chance, until nothing is; `seen` are the words that were. */
static void walk(enum spec_text_kind kind, struct offered *seen)
{
	const char *family = random() % 2 ? "192.0.2.1" : "2001:db8::1", *value;
	char texts[MOST_WORDS][32], *words[MOST_WORDS];
	struct offered o;
	int n = 0;

	for (int i = 0; i < MOST_WORDS; i++)
		words[i] = texts[i];
	for (;;) {
		const char *last = n ? words[n - 1] : "";

		assert_true(n < MOST_WORDS);
		if (!strcmp(last, "icmpv6"))
			family = "2001:db8::1";
		else if (!strcmp(last, "icmp") || !strcmp(last, "ah"))
			family = "192.0.2.1";
		ask(&o, kind, n, words, "");
		value = o.n && random() % 2 ? NULL : value_behind(last, family);
		if (o.next & SPEC_NEXT_VALUE && strcmp(last, "for") != 0)
			assert_non_null(value = value_behind(last, family));
		if (!value && !o.n)
			break;
		snprintf(words[n], sizeof(texts[0]), "%s", value ? value : o.words[random() % o.n]);
		if (!value && !has(seen, words[n]))
			take_offer(words[n], NULL, seen);
		if (!value && (strchr(words[n], '/') || !strcmp(words[n], "@")))
			strcat(words[n], "80");
		if (!value && !strcmp(words[n], "dns:"))
			strcat(words[n], "host");
		n++;
		if (!(random() % 8) && is_whole(kind, n, words))
			break;
	}
	if (!is_whole(kind, n, words)) {
		show(n, words);
		fail_msg("this is offered, and leads nowhere");
	}
}

static void what_is_offered_leads_on(void **state)
{
	static const char *const all[] = { "in", "out", "inout", "emergency", "on", "from", "to",
		"port", "any", "me", "@", "dns:", "tcp", "udp/", "icmp", "type", "code", "log",
		"name", "for", "2h", "block", "permit", "count" };
	const char *seed = getenv("BPFPOL_SEED");
	unsigned int used = seed ? strtoul(seed, NULL, 10) : (unsigned long)time(NULL);
	struct offered seen = { .n = 0 };

	(void)state;
	print_message("BPFPOL_SEED=%u\n", used);
	srandom(used);
	for (int i = 0; i < 20000; i++)
		walk(i % 4, &seen);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!has(&seen, all[i]))
			fail_msg("'%s' is never offered", all[i]);
}

static void take_meaning(const char *word, const char *what, void *arg)
{
	(void)arg;
	if (!what)
		fail_msg("nothing says what '%s' is", word);
}

static void words_say_what_they_are(void **state)
{
	static char *begun[][6] = { { NULL }, { "udp" }, { "from" }, { "icmp" },
		{ "icmp", "type", "8" }, { "udp", "from", "me" } };

	(void)state;
	for (size_t i = 0; i < sizeof(begun) / sizeof(begun[0]); i++) {
		int n = 0;

		while (begun[i][n])
			n++;
		spec_complete(SPEC_REMOVED, n, begun[i], "", take_meaning, NULL);
	}
}

/* Whole command lines. */

static int run_nothing(const struct args *args, struct diag *diag)
{
	(void)args;
	(void)diag;
	return 0;
}

#define OPTS (OPT_RULE | OPT_FOR | OPT_POLICY | OPT_FORCE)
static const struct command some[] = {
	{ "block", run_nothing, OPTS, WORDS_RULE, "", "stops", NULL },
	{ "remove", run_nothing, OPT_ID | OPT_POLICY | OPT_DYNAMIC, WORDS_REMOVED, "", "removes",
		NULL },
	{ "promote", run_nothing, OPT_ID, WORDS_NONE, "", "promotes", NULL },
	{ "list", run_nothing, OPT_JSON, WORDS_NONE, "", "lists", NULL },
	{ "attach", run_nothing, OPT_MODE, WORDS_IFACES, "", "attaches", NULL },
	{ "explain", run_nothing, OPT_PCAP, WORDS_PACKET, "", "explains", NULL },
	{ "policy", run_nothing, OPT_RAW, WORDS_OF_POLICY, "", "policies", NULL },
	{ "ipsecpol", run_nothing, OPT_JSON, WORDS_IPSECPOL, "", "flags", NULL },
	{ "netdiag", run_nothing, OPT_RAW, WORDS_NETDIAG, "", "report", NULL },
	{ "top", run_nothing, OPT_SORT, WORDS_NONE, "", "top", NULL },
	{ "help", run_nothing, 0, WORDS_COMMAND, "", "help", NULL },
	{ NULL, NULL, 0, WORDS_NONE, NULL, NULL, NULL },
};
static const struct command of_policy[] = {
	{ "policy assign", run_nothing, OPT_DRY_RUN, WORDS_POLICY, "", "assigns", NULL },
	{ "policy create", run_nothing, OPT_DESCRIPTION, WORDS_TEXT, "", "creates", NULL },
	{ "policy check", run_nothing, OPT_PLAN, WORDS_CHECKED, "", "checks", NULL },
	{ "policy import", run_nothing, OPT_SHIPPED, WORDS_IMPORTED, "", "imports", NULL },
	{ "policy diff", run_nothing, OPT_IN_FORCE, WORDS_POLICIES, "", "differs", NULL },
	{ NULL, NULL, 0, WORDS_NONE, NULL, NULL, NULL },
};

static void names(enum complete_names which, const struct args *args, struct completer *c)
{
	static const char *const texts[][2] = {
		[NAMES_POLICIES] = { "night", "two words" },
		[NAMES_SHIPPED] = { "sasser", "slammer" },
		[NAMES_IFACES] = { "eth0", "wlan0" },
		[NAMES_MODES] = { "native", "tc" },
		[NAMES_RULES] = { "7", "12" },
		[NAMES_DYNAMIC] = { "12", "13" },
	};

	if (which == NAMES_RULES && args->policy)
		complete_offer(c, args->policy, NULL);
	for (int i = 0; i < 2; i++)
		complete_offer(c, texts[which][i], NULL);
}

static char told[4096];

static void tell(const char *before, const char *word, const char *what, void *arg)
{
	size_t used = strlen(told);

	(void)what;
	(void)arg;
	snprintf(told + used, sizeof(told) - used, "%s%s%s", used ? "|" : "", before, word);
}

static void tell_files(const char *before, const char *more, void *arg)
{
	char text[64];

	snprintf(text, sizeof(text), "<%s%s>", before, more);
	tell("", text, NULL, arg);
}

/* The words of `line`, of which the last may be empty, give those, in that order. */
static void gives(const char *line, const char *expected)
{
	static const struct complete_env env = {
		.commands = some,
		.policy_commands = of_policy,
		.names = names,
		.put = tell,
		.files = tell_files,
	};
	char *copy = strdup(line), *rest = copy, *words[MOST_WORDS];
	int n = 0;

	told[0] = '\0';
	while (n < MOST_WORDS && (words[n] = strsep(&rest, " ")))
		n++;
	complete(&env, n, words);
	if (strcmp(told, expected) != 0)
		fail_msg("%s: expected %s, got %s", line, expected, told);
	free(copy);
}

static void commands_and_options(void **state)
{
	(void)state;
	gives("", "block|remove|promote|list|attach|explain|policy|ipsecpol|netdiag|top|help");
	gives("a", "attach");
	gives("-", "--help|--version");
	gives("nothing ", "");
	gives("policy ", "assign|create|check|import|diff");
	gives("policy c", "create|check");
	gives("policy nothing ", "");
	gives("help p", "promote|policy");
	gives("help policy a", "assign");
	gives("help list ", "");
	gives("list ", "--json");
	gives("list --json ", "");
	gives("list -", "--help|--json");
	gives("list --nothing ", "");
	gives("block --", "--help|--force|--rule|--for|--policy");
	gives("block udp --f", "--force|--for");
	gives("block --force udp --fo", "--for");
	gives("block udp -- --", "");
	gives("block udp name --", "");
	gives("block udp --rule ", "");
	gives("block udp --rule=", "");
	gives("remove --id 7 ", "--policy|--dynamic");
	gives("remove --id ", "7|12");
	gives("remove --id 1", "12");
	gives("remove --id=", "--id=7|--id=12");
	gives("remove --policy web --id ", "web|7|12");
	gives("remove --dynamic --id ", "12|13");
	gives("promote --id ", "12|13");
}

static void values_of_options(void **state)
{
	(void)state;
	gives("block --policy ", "night|two words");
	gives("block --policy t", "two words");
	gives("block --policy=n", "--policy=night");
	gives("block --force=", "");
	gives("attach --mode ", "native|tc");
	gives("attach --mode=", "--mode=native|--mode=tc");
	gives("attach --mode tc ", "eth0|wlan0");
	gives("attach eth0 ", "wlan0");
	gives("block --for ", "15m|1h|2h|1d|7d");
	gives("block --for 3", "3d|3h|3m|3s");
	gives("block --for 40000", "40000h|40000m|40000s");
	gives("top --sort p", "packet-rate|packets");
	gives("explain --pcap ", "<>");
	gives("explain --pcap=x", "<--pcap=>");
	gives("explain --pcap x ", "in|out|on");
	gives("explain --pcap x in ", "on");
	gives("explain --pcap x on ", "eth0|wlan0");
}

static void policies(void **state)
{
	(void)state;
	gives("policy assign ", "night|two words");
	gives("policy assign night ", "--dry-run");
	gives("policy create ", "");
	gives("policy create x ", "--description");
	gives("policy check ", "night|two words|<>");
	gives("policy import ", "<>");
	gives("policy import --shipped ", "sasser|slammer");
	gives("policy import --shipped slammer ", "");
	gives("policy diff ", "night|two words");
	gives("policy diff night ", "two words");
	gives("policy diff night --in-force ", "");
	gives("policy diff a b ", "--in-force");
}

static void rules_and_packets(void **state)
{
	(void)state;
	gives("block udp ", "from|to|for|log|name");
	gives("block tcp/", "");
	gives("block tcp/ss", "tcp/ssh");
	gives("block tcp/80,ss", "tcp/80,ssh");
	gives("block udp from port tft", "tftp");
	gives("block udp from port ", "");
	gives("block from m", "me");
	gives("block out to m", "");
	gives("block out from m", "me");
	gives("block @", "<@>");
	gives("block from d", "dns:");
	gives("explain udp from d", "");
	gives("block from @x", "<@>");
	gives("block @lists/http", "<@>");
	gives("block udp @", "");
	gives("block in on ", "eth0|wlan0");
	gives("block in on eth0 o", "");
	gives("block 192.0.2.1 ", "for|log|name");
	gives("block osp", "ospf");
	gives("block udp log ", "for|name");
	gives("block udp lo", "log");
	gives("block wrong f", "");
	gives("remove p", "permit");
	gives("remove block p", "");
	gives("explain udp ", "from");
	gives("explain udp from 192.0.2.1 ", "port|to");
	gives("explain udp from 192.0.2.1 to 192.0.2.2 ", "port");
	gives("explain udp from 192.0.2.1 to 192.0.2.2 port 1 ", "in|out|on");
	gives("explain e", "esp");
}

static void windows(void **state)
{
	(void)state;
	gives("ipsecpol ", "-w|-p|-r|-f|-n|-x|-y|-o|-u|-lan|-dialup|-confirm");
	gives("ipsecpol -w ", "REG");
	gives("ipsecpol -W REG -p ", "night|two words");
	gives("ipsecpol -w REG -p night -N ", "BLOCK|PASS");
	gives("ipsecpol -w REG -p x -r x -f *=0:1:UDP -x -",
		"-r|-f|-n|-y|-o|-u|-lan|-dialup|-confirm|--json");
	gives("ipsecpol /c", "/confirm");
	gives("netdiag ", "/test:ipsec|/debug|/json|/help");
	gives("netdiag -", "--help|-test:ipsec|-debug|-json|-help");
	gives("netdiag --", "--help|--test|--debug|--json");
	gives("netdiag --t", "--test");
	gives("netdiag /debug --h", "--help");
	gives("netdiag --test ", "ipsec");
	gives("netdiag /test:ipsec /d", "/debug");
	gives("netdiag /debug /d", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_words_are_offered),
		cmocka_unit_test(what_is_offered_leads_on),
		cmocka_unit_test(words_say_what_they_are),
		cmocka_unit_test(commands_and_options),
		cmocka_unit_test(values_of_options),
		cmocka_unit_test(policies),
		cmocka_unit_test(rules_and_packets),
		cmocka_unit_test(windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
