/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the XDP classifier costs a packet, above an empty program: BPF_PROG_TEST_RUN, for one packet
 * again and again (hot), and for a million different ones (cold). Prints a line of JSON for each
 *case.
 *
 *	classify [--rounds N] [--only WORD] DATA-DIRECTORY
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "classifier.h"
#include "driver.skel.h"
#include "kernel.h"
#include "sets.h"

#define FRAME 128 /* bytes, of every frame */
#define REPEAT DRIVER_PACKETS

static int rounds = 5;
static const char *only;
static struct kernel *kernel;
static struct driver_bpf *driver;
static struct driver_packet *packets; /* the driver's */

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t no_interface(const char *name, void *arg)
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
	if (generation_load(*plan, kernel->totals_fd, &gen, &diag)) {
		fprintf(stderr, "bench: %s\n", diag.message);
		exit(1);
	}
	clock_gettime(CLOCK_MONOTONIC, &c);
	ms[0] = (b.tv_sec - a.tv_sec) * 1e3 + (b.tv_nsec - a.tv_nsec) / 1e6;
	ms[1] = (c.tv_sec - b.tv_sec) * 1e3 + (c.tv_nsec - b.tv_nsec) / 1e6;
	return gen;
}

static void make_frame(const struct driver_packet *p, int family, uint8_t *f)
{
	memset(f, 0, FRAME);
	f[0] = 2;
	if (family == 4) {
		f[12] = 0x08;
		f[14] = 0x45;
		f[17] = FRAME - 14;
		f[23] = p->proto;
		memcpy(f + 26, p->remote, 4);
		memcpy(f + 30, p->local, 4);
		memcpy(f + 34, &p->ports, 4);
		return;
	}
	f[12] = 0x86;
	f[13] = 0xdd;
	f[14] = 0x60;
	f[19] = FRAME - 54;
	f[20] = p->proto;
	memcpy(f + 22, p->remote, 16);
	memcpy(f + 38, p->local, 16);
	memcpy(f + 54, &p->ports, 4);
}

/* ns a run; *verdict: of the last. */
static double run(int fd, const uint8_t *frame, int repeat, __u32 *verdict)
{
	LIBBPF_OPTS(
		bpf_test_run_opts, opts, .data_in = frame, .data_size_in = FRAME, .repeat = repeat);

	if (bpf_prog_test_run_opts(fd, &opts))
		die("BPF_PROG_TEST_RUN");
	*verdict = opts.retval;
	return opts.duration;
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double median(double *v)
{
	qsort(v, rounds, sizeof(*v), by_size);
	return v[rounds / 2];
}

/* The program and what it is measured against take turns. */
static double cost(int fd, int against, const uint8_t *frame)
{
	double with[64], without[64];
	__u32 verdict;

	for (int i = 0; i < rounds; i++) {
		without[i] = run(against, frame, REPEAT, &verdict);
		with[i] = run(fd, frame, REPEAT, &verdict);
	}
	return median(with) - median(without);
}

static double cold_cost(int fd, const uint8_t *frame)
{
	int drive = bpf_program__fd(driver->progs.drive), next = bpf_map__fd(driver->maps.next);
	int empty = bpf_program__fd(driver->progs.empty);
	double with[64], without[64];
	__u32 zero = 0, verdict;

	for (int i = 0; i < rounds; i++) {
		bpf_map_update_elem(next, &zero, &empty, BPF_ANY);
		without[i] = run(drive, frame, REPEAT, &verdict);
		bpf_map_update_elem(next, &zero, &fd, BPF_ANY);
		with[i] = run(drive, frame, REPEAT, &verdict);
	}
	return median(with) - median(without);
}

/* Packets that match a rule, or that pass. How many are what was asked for. */
static double draw(const struct policy *policy, int fd, int family, bool match)
{
	uint8_t frame[FRAME];
	size_t kept = 0, drawn = 0;
	__u32 verdict;

	while (kept < DRIVER_PACKETS && drawn < 4 * DRIVER_PACKETS) {
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
		run(fd, frame, 1, &verdict);
		kept += verdict == XDP_PASS;
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

/* Medians over packets as well: a packet's own path weighs a lot when it is run a million times. */
static double hot_cost(int fd, int family)
{
	double each[9];
	uint8_t frame[FRAME];
	int n = 0;

	for (; n < 9; n++) {
		make_frame(&packets[(size_t)n * (DRIVER_PACKETS / 9)], family, frame);
		each[n] = cost(fd, bpf_program__fd(driver->progs.empty), frame);
	}
	qsort(each, n, sizeof(*each), by_size);
	return each[n / 2];
}

static void measure(const char *name, struct policy *policy)
{
	struct plan *plan = NULL;
	struct generation *gen;
	double ms[2];
	int family;

	if (!policy) {
		fprintf(stderr, "bench: %s: not there, left out\n", name);
		return;
	}
	gen = only && !strstr(name, only) ? NULL : load(policy, &plan, ms);
	if (!gen) {
		policy_free(&policy);
		return;
	}
	family = family_of(policy);
	for (int match = 0; match < 2; match++) {
		double share = draw(policy, gen->classify[BP_XDP], family, match);
		uint8_t frame[FRAME];
		double cold, hot;

		make_frame(&packets[0], family, frame);
		cold = cold_cost(gen->classify[BP_XDP], frame);
		hot = hot_cost(gen->classify[BP_XDP], family);
		printf("{ \"case\": \"%s\", \"traffic\": \"%s\", \"filters\": %llu, \"tuples\": "
		       "%d, "
		       "\"shapes\": %u, \"hot_ns\": %.1f, \"cold_ns\": %.1f, \"drawn\": %.2f, "
		       "\"compile_ms\": %.0f, \"load_ms\": %.0f }\n",
			name, match ? "matching" : "clean", plan->tables.filters,
			__builtin_popcountll(
				plan->tables.live[BP_IN][family == 4 ? BP_V4 : BP_V6][BP_DECIDE]),
			plan->n_shapes, hot, cold, share, ms[0], ms[1]);
		fflush(stdout);
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
		printf("{ \"case\": \"%s\", \"traffic\": \"clean\", \"hot_ns\": %.1f }\n",
			frames[i].name,
			cost(gen->classify[BP_XDP], bpf_program__fd(driver->progs.empty), frame));
		fflush(stdout);
	}
	plan_free(&plan);
	generation_free(&gen);
	policy_free(&none);
}

static void measure_shapes(void)
{
	static const size_t sizes[] = { 1000, 100000, 1000000 };
	static const unsigned int tuples[] = { 1, 4, 16, 64 };
	char name[64];

	measure("1 host", set_hosts(1));
	for (int s = 0; s < 3; s++) {
		snprintf(name, sizeof(name), "%zu hosts", sizes[s]);
		measure(name, set_hosts(sizes[s]));
		for (int t = 1; t < 4; t++) {
			snprintf(name, sizeof(name), "%zu rules, %u shapes", sizes[s], tuples[t]);
			if (!only || strstr(name, only))
				measure(name, set_shapes(sizes[s], tuples[t]));
		}
	}
}

static void measure_files(const char *data)
{
	static const char *const lists[] = { "country-v4.txt", "country-v6.txt",
		"malicious-v4.txt.xz" };
	static const char *const sets[] = { "acl1_1k", "acl1_10k", "acl5_1k", "acl5_10k", "fw1_1k",
		"fw1_10k", "ipc1_1k", "ipc1_10k" };
	char path[512];

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		snprintf(path, sizeof(path), "%s/lists/%s", data, lists[i]);
		if (!only || strstr(lists[i], only))
			measure(lists[i], set_list(path));
	}
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		snprintf(path, sizeof(path), "%s/classbench/%s", data, sets[i]);
		if (!only || strstr(sets[i], only))
			measure(sets[i], set_classbench(path));
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "rounds", 1, NULL, 'r' },
		{ "only", 1, NULL, 'o' }, { 0 } };
	struct diag diag = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'r')
			rounds = atoi(optarg);
		else if (c == 'o')
			only = optarg;
		else
			return 2;
	}
	set_seed(1);
	driver = driver_bpf__open_and_load();
	if (!driver || kernel_load(&kernel, &diag))
		die("the programs do not load");
	packets = mmap(NULL, sizeof(*packets) * DRIVER_PACKETS, PROT_READ | PROT_WRITE, MAP_SHARED,
		bpf_map__fd(driver->maps.packets), 0);
	if (packets == MAP_FAILED)
		die("mmap");
	measure_reading();
	measure_shapes();
	measure_files(optind < argc ? argv[optind] : "../shared/data");
	kernel_free(&kernel);
	driver_bpf__destroy(driver);
	return 0;
}
