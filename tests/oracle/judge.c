/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The oracle (frame.c, eval.c) for tests that send frames over real interfaces, and captures as
 * such frames. Rules and frames are text, so that a script can hand the same ones to bpfpol.
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "eval.h"
#include "spec.h"

#define MOST_ADDRESSES 16

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "judge: %s: %s\n", what, why);
	exit(2);
}

static void add_line(struct policy *policy, const char *line)
{
	struct spec_opts opts = { .action = -1 };
	struct diag diag = { 0 };
	struct rule *rule;

	if (spec_parse_line(line, &opts, &rule, &diag))
		die(line, diag.message);
	rule->id = policy->n + 1;
	if (policy_add(policy, &rule))
		die(line, strerror(ENOMEM));
}

/* A rule a line. */
static struct policy *read_policy(const char *path)
{
	struct policy *policy = policy_new("judged");
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;

	if (!policy || !file)
		die(path, strerror(errno));
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = 0;
		if (*line)
			add_line(policy, line);
	}
	free(line);
	fclose(file);
	return policy;
}

/* Of this host, prefixes too. */
struct addresses {
	struct prefix v[MOST_ADDRESSES];
	size_t n;
};

static void add_address(struct addresses *own, const char *text)
{
	const char *why;

	if (own->n == MOST_ADDRESSES)
		die(text, "too many addresses");
	if (spec_parse_prefix(text, strlen(text), &own->v[own->n++], &why))
		die(text, why);
}

static bool is_me(const struct addresses *own, enum bp_dir dir, const struct frame *f)
{
	const uint8_t *local = dir == BP_IN ? f->dst : f->src;
	static const uint8_t all[4] = { 255, 255, 255, 255 };

	if (dir == BP_IN && f->family == 4 && (local[0] >> 4 == 14 || !memcmp(local, all, 4)))
		return true;
	if (dir == BP_IN && f->family == 6 && local[0] == 255)
		return true;
	for (size_t i = 0; i < own->n; i++)
		if (prefix_holds(&own->v[i], f->family, local))
			return true;
	return false;
}

static size_t from_hex(const char *hex, uint8_t *data, size_t room)
{
	size_t n = 0;

	for (; *hex && *hex != '\n'; hex += 2)
		if (n == room || sscanf(hex, "%2hhx", &data[n++]) != 1)
			die(hex, "no hex");
	return n;
}

/* `VERDICT WINNER COUNTED HOW`: b or p; its number or -; those of count rules, or -; malformed or -
 */
static void judge(const struct policy *policy, const struct eval_env *env, const struct frame *f)
{
	struct eval_verdict v;

	if (eval_frame(policy, env, f, &v))
		die("eval", strerror(ENOMEM));
	printf("%c ", v.block ? 'b' : 'p');
	if (v.winner)
		printf("%u ", v.winner->id);
	else
		printf("- ");
	for (size_t i = v.n_deciding; i < v.n_matched; i++)
		printf("%s%u", i > v.n_deciding ? "," : "", v.matched[i]->id);
	printf("%s %s\n", v.n_matched > v.n_deciding ? "" : "-", v.malformed ? "malformed" : "-");
	eval_free(&v);
}

/* judge eval RULES in|out IFACE ADDRESS...: a line of stdin is a frame; the addresses are mine */
static int cmd_eval(int argc, char **argv)
{
	struct policy *policy = read_policy(argv[0]);
	struct eval_env env = {
		.dir = strcmp(argv[1], "out") ? BP_IN : BP_OUT,
		.ifname = argv[2],
		.now = time(NULL),
	};
	struct addresses own = { 0 };
	static uint8_t data[1 << 16];
	char *line = NULL;
	size_t size = 0;
	struct frame f;

	for (int i = 3; i < argc; i++)
		add_address(&own, argv[i]);
	while (getline(&line, &size, stdin) > 0) {
		frame_read(data, from_hex(line, data, sizeof(data)), false, &f);
		env.me = is_me(&own, env.dir, &f);
		judge(policy, &env, &f);
	}
	free(line);
	policy_free(&policy);
	return 0;
}

/* judge frames CAPTURE: a frame a line, in hex */
static int cmd_frames(int argc, char **argv)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(argv[0], why);
	struct pcap_pkthdr *head;
	const u_char *data;

	(void)argc;
	if (!pcap)
		die(argv[0], why);
	if (pcap_datalink(pcap) != DLT_EN10MB)
		die(argv[0], "no Ethernet frames");
	while (pcap_next_ex(pcap, &head, &data) == 1) {
		for (bpf_u_int32 i = 0; i < head->caplen; i++)
			printf("%02x", data[i]);
		putchar('\n');
	}
	pcap_close(pcap);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 5 && !strcmp(argv[1], "eval"))
		return cmd_eval(argc - 2, argv + 2);
	if (argc == 3 && !strcmp(argv[1], "frames"))
		return cmd_frames(argc - 2, argv + 2);
	fprintf(stderr, "judge eval RULES in|out IFACE ADDRESS... | judge frames CAPTURE\n");
	return 2;
}
