/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the XDP classifier costs a packet, above an empty program: BPF_PROG_TEST_RUN, for one packet
 * again and again (hot), and for a million different ones (cold). Prints a line of JSON for each
 * case; so many filters stand in the policy, tuples of the family are searched.
 *
 *	classify [--rounds N] [--load N] [--only WORD] [--largest N] [--few]
 *		[--program ID --address A] DATA-DIRECTORY
 *
 * --rounds: of one load, in turn with the empty program. --load: other packets for each N; the sets
 * are the same. --program: that program of the kernel's instead, with a packet from A, and one from
 * elsewhere.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "classifier.h"
#include "kernel.h"
#include "measure.h"
#include "sets.h"

static const char *only;
static size_t largest = 1000000; /* rules of the sets that are made */
static unsigned int nth;	 /* load of several: which packets are drawn */
static int few;			 /* leaves out what is like another case */
static struct kernel *kernel;

static int no_interface(const char *name, void *arg)
{
	(void)name;
	(void)arg;
	return 0;
}

static struct generation *load(const struct policy *policy, struct plan **plan, double *ms)
{
	struct compile_env env = { .ifindex = no_interface };
	struct generation *gen = NULL;
	struct diag diag = { 0 };
	struct timespec a, b, c;

	clock_gettime(CLOCK_MONOTONIC, &a);
	if (plan_new(policy, &env, plan, &diag)) {
		fprintf(stderr, "bench: %s\n", diag.message);
		return NULL;
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	if (generation_load(*plan, &kernel->shared, &gen, &diag)) {
		fprintf(stderr, "bench: %s\n", diag.message);
		exit(1);
	}
	clock_gettime(CLOCK_MONOTONIC, &c);
	ms[0] = (b.tv_sec - a.tv_sec) * 1e3 + (b.tv_nsec - a.tv_nsec) / 1e6;
	ms[1] = (c.tv_sec - b.tv_sec) * 1e3 + (c.tv_nsec - b.tv_nsec) / 1e6;
	return gen;
}

/* Different packets: fewer where the tables stay in the caches whatever is asked. */
static size_t packets_for(const struct policy *policy)
{
	return policy->n <= 10000 && policy->rules[0]->from.kind != END_FILE ? DRIVER_PACKETS / 4
									     : DRIVER_PACKETS;
}

/* Packets that match a rule, or that pass. How many are what was asked for. */
static double draw(const struct policy *policy, int fd, int family, bool match)
{
	uint8_t frame[FRAME];
	size_t kept = 0, drawn = 0, want = packets_for(policy);

	while (kept < want && drawn < 4 * want) {
		struct driver_packet *p = &packets[kept];

		drawn++;
		if (match)
			packet_of(policy, p);
		else
			packet_random(family, p);
		make_frame(p, family, frame);
		if (match) {
			kept++;
			continue;
		}
		kept += verdict_of(fd, frame) == XDP_PASS;
	}
	for (size_t i = kept; kept && i < DRIVER_PACKETS; i++)
		packets[i] = packets[i % kept];
	return kept ? (double)kept / drawn : 0;
}

static int family_of(const struct policy *policy)
{
	const struct end *from = &policy->rules[0]->from;

	return from->kind == END_FILE ? from->list.v[0].family : 4;
}

static unsigned int id_of(int prog)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog, &info, &len))
		die("the program's number");
	return info.id;
}

static void print_cost(const char *name, struct cost cost)
{
	printf("\"%s_ns\": %.1f, \"%s_spread\": %.1f", name, cost.ns, name, cost.spread);
}

static void measure_traffic(const char *name, const struct policy *policy, const struct plan *plan,
	const struct generation *gen, bool match)
{
	int family = family_of(policy), fd = gen->classify[BP_XDP];
	const struct bp_tables *t = &plan->tables;
	double share;

	set_seed(2 + 2 * nth + match);
	share = draw(policy, fd, family, match);
	if (!share) {
		fprintf(stderr, "bench: %s: no packet is clean\n", name);
		return;
	}
	printf("{ \"case\": \"%s\", \"traffic\": \"%s\", \"filters\": %llu, \"tuples\": %d, "
	       "\"shapes\": %u, ",
		name, match ? "matching" : "clean", t->filters,
		__builtin_popcountll(t->live[BP_IN][family == 4 ? BP_V4 : BP_V6][BP_DECIDE]),
		plan->n_shapes);
	printf("\"program\": %u, ", id_of(fd));
	print_cost("cold", cold_cost(fd, family));
	printf(", ");
	print_cost("hot", hot_cost(fd, family));
	printf(", \"drawn\": %.4f }\n", share);
	fflush(stdout);
}

static void measure(const char *name, struct policy *policy)
{
	struct plan *plan = NULL;
	struct generation *gen;
	double ms[2];

	if (!policy) {
		fprintf(stderr, "bench: %s: not there, left out\n", name);
		return;
	}
	gen = only && !strstr(name, only) ? NULL : load(policy, &plan, ms);
	if (gen) {
		printf("{ \"case\": \"%s\", \"compile_ms\": %.0f, \"load_ms\": %.0f }\n", name,
			ms[0], ms[1]);
		measure_traffic(name, policy, plan, gen, false);
		measure_traffic(name, policy, plan, gen, true);
	}
	plan_free(&plan);
	generation_free(&gen);
	policy_free(&policy);
}

/* --- what reading costs, by what is read --- */

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* An IP packet of UDP behind that many tags, IPv4 option words or IPv6 extension headers. */
static void headers_frame(uint8_t *f, int family, int tags, int more, unsigned int fragment)
{
	uint8_t *ip = f + 14 + 4 * tags;
	int i;

	memset(f, 0, FRAME);
	f[0] = 2;
	for (i = 0; i < tags; i++)
		put16(f + 12 + 4 * i, 0x8100);
	put16(ip - 2, family == 4 ? 0x0800 : 0x86dd);
	if (family == 4) {
		ip[0] = 0x45 + more;
		put16(ip + 2, f + FRAME - ip);
		put16(ip + 6, fragment);
		ip[9] = IPPROTO_UDP;
		memset(ip + 12, 10, 8);
		return;
	}
	ip[0] = 0x60;
	put16(ip + 4, f + FRAME - ip - 40);
	memset(ip + 8, 0x20, 32);
	ip[6] = more ? IPPROTO_DSTOPTS : IPPROTO_UDP;
	for (i = 0; i < more; i++)
		ip[40 + 8 * i] = i + 1 < more ? IPPROTO_DSTOPTS : IPPROTO_UDP;
}

/* Without a rule: a frame is read, counted and passed. */
static void measure_reading(void)
{
	static const struct {
		const char *name;
		int family, tags, more;
		unsigned int fragment;
	} frames[] = {
		{ "reading ipv4 udp", 4, 0, 0, 0 },
		{ "reading ipv4 udp, 10 words of options", 4, 0, 10, 0 },
		{ "reading ipv4 udp, a later fragment", 4, 0, 0, 185 },
		{ "reading ipv4 udp, 4 tags", 4, 4, 0, 0 },
		{ "reading ipv6 udp", 6, 0, 0, 0 },
		{ "reading ipv6 udp, 1 extension header", 6, 0, 1, 0 },
		{ "reading ipv6 udp, 6 extension headers", 6, 0, 6, 0 },
	};
	struct policy *none = policy_new("none");
	struct plan *plan = NULL;
	uint8_t frame[FRAME];
	double ms[2];
	struct generation *gen = load(none, &plan, ms);

	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		if (only && !strstr(frames[i].name, only))
			continue;
		headers_frame(frame, frames[i].family, frames[i].tags, frames[i].more,
			frames[i].fragment);
		printf("{ \"case\": \"%s\", \"traffic\": \"clean\", ", frames[i].name);
		print_cost("hot", hot_frame(gen->classify[BP_XDP], frame));
		printf(" }\n");
		fflush(stdout);
	}
	plan_free(&plan);
	generation_free(&gen);
	policy_free(&none);
}

static void measure_shapes(void)
{
	static const size_t sizes[] = { 1000, 100000, 1000000 };
	static const unsigned int tuples[] = { 4, 16, 64 };
	char name[64];

	measure("1 host", set_hosts(1));
	for (int s = 0; s < 3 && sizes[s] <= largest; s++) {
		snprintf(name, sizeof(name), "%zu hosts", sizes[s]);
		measure(name, set_hosts(sizes[s]));
		for (int t = few + (few && sizes[s] == 1000000); t < 3; t++) {
			snprintf(name, sizeof(name), "%zu rules, %u shapes", sizes[s], tuples[t]);
			if (!only || strstr(name, only))
				measure(name, set_shapes(sizes[s], tuples[t]));
		}
	}
}

/* Each set of 10,000 also cut to its first 1,000, and the measure of what more rules may cost. */
static void measure_classbench(const char *data)
{
	static const char *const sets[] = { "acl1", "acl5", "fw1", "ipc1" };
	char path[512], name[32];

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i += 1 + few) {
		snprintf(path, sizeof(path), "%s/classbench/%s_10k", data, sets[i]);
		for (size_t n = 1000; n <= 10000; n *= 10) {
			snprintf(name, sizeof(name), "%s, %zu rules", sets[i], n);
			if (!only || strstr(name, only))
				measure(name, set_classbench(path, n));
		}
	}
	if (only && !strstr("hash miss", only))
		return;
	printf("{ \"case\": \"hash miss\", \"traffic\": \"clean\", ");
	print_cost("cold", miss_cost(10000));
	printf(" }\n");
}

static void measure_lists(const char *data)
{
	static const char *const lists[] = { "country-v4.txt", "country-v6.txt",
		"malicious-v4.txt.xz" };
	char path[512];

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && !few; i++) {
		snprintf(path, sizeof(path), "%s/lists/%s", data, lists[i]);
		if (!only || strstr(lists[i], only))
			measure(lists[i], set_list(path));
	}
}

/* Somebody else's program, by its number, for one packet that it drops and one that it does not. */
static void measure_program(unsigned int id, const char *address)
{
	struct driver_packet packet;
	uint8_t frame[FRAME];
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd < 0)
		die("that program");
	packet_random(4, &packet);
	for (int match = 0; match < 2; match++) {
		if (match && inet_pton(AF_INET, address, packet.remote) != 1) {
			errno = EINVAL;
			die(address);
		}
		make_frame(&packet, 4, frame);
		printf("{ \"case\": \"program\", \"traffic\": \"%s\", \"verdict\": %u, ",
			match ? "matching" : "clean", verdict_of(fd, frame));
		print_cost("hot", hot_frame(fd, frame));
		printf(" }\n");
	}
	close(fd);
}

static void measure_all(const char *data)
{
	struct diag diag = { 0 };

	if (kernel_load(&kernel, &diag)) {
		fprintf(stderr, "bench: %s\n", diag.message);
		exit(1);
	}
	measure_reading();
	measure_shapes();
	if (largest >= 10000) {
		measure_lists(data);
		measure_classbench(data);
	}
	kernel_free(&kernel);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "rounds", 1, NULL, 'r' },
		{ "load", 1, NULL, 'n' }, { "only", 1, NULL, 'o' }, { "largest", 1, NULL, 'l' },
		{ "few", 0, &few, 1 }, { "program", 1, NULL, 'p' }, { "address", 1, NULL, 'a' },
		{ 0 } };
	const char *address = NULL;
	unsigned int program = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (!c)
			continue;
		if (c == 'r')
			rounds = atoi(optarg);
		else if (c == 'n')
			nth = atoi(optarg);
		else if (c == 'o')
			only = optarg;
		else if (c == 'l')
			largest = strtoul(optarg, NULL, 10);
		else if (c == 'p')
			program = strtoul(optarg, NULL, 10);
		else if (c == 'a')
			address = optarg;
		else
			return 2;
	}
	if (!program != !address)
		return 2;
	measure_open();
	if (program)
		measure_program(program, address);
	else
		measure_all(optind < argc ? argv[optind] : "../shared/data");
	measure_close();
	return 0;
}
