/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The twin test: see twin.h. twin [--pairs N] [--seed S] [--jobs N] [--part NAME,...] [--brief], or
 * twin --replay FILE
 */
#include "twin_wire.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define PAIRS 10000000

struct options options;

void *must(void *p)
{
	if (!p) {
		printf("# out of memory\n");
		exit(1);
	}
	return p;
}

/* --- the parts --- */

static int run_pairs(struct world *w, struct gen *g, bool forwarding, struct covered *covered)
{
	int rc = world_forwarding(w, forwarding);

	return rc ? rc : random_run(w, g, RANDOM_JOB, covered);
}

static int unrouted(struct world *w, struct gen *g, size_t job, struct covered *covered)
{
	return run_pairs(w, g, false, covered);
}

static int routed(struct world *w, struct gen *g, size_t job, struct covered *covered)
{
	return run_pairs(w, g, true, covered);
}

enum { ROOT, UNROUTED, ROUTED, WIRE, CAPTURES_WHOLE, CAPTURES_CUTS, CAPTURES_WIRE, PARTS };

#define PART(n, w, r)                          \
	{                                      \
		.name = n, .what = w, .run = r \
	}

static struct part parts[PARTS] = {
	[ROOT] = PART("root", "frames without a policy", root_run),
	[UNROUTED] = PART("unrouted", "pairs without forwarding", unrouted),
	[ROUTED] = PART("routed", "pairs with forwarding", routed),
	[WIRE] = PART("wire", "pairs over real devices", lanes_run),
	[CAPTURES_WHOLE] = PART("captures", "frames of captures", captures_whole),
	[CAPTURES_CUTS] = PART("cuts", "cut frames of captures", captures_cuts),
	[CAPTURES_WIRE] =
		PART("captures-wire", "frames of captures over real devices", captures_wire),
};

static void drop(struct part *part, const char *why)
{
	part->jobs = 0;
	part->skip = why;
}

/* options.part: names, with commas between them. */
static bool is_asked_for(const char *name)
{
	const char *at = options.part;
	size_t len = strlen(name);

	while (at) {
		if (!strncmp(at, name, len) && (!at[len] || at[len] == ','))
			return true;
		at = strchr(at, ',');
		at += at != NULL;
	}
	return !options.part;
}

/* How much there is to do. */
static void plan(void)
{
	const char *lacks = wire_lacks();
	size_t i;

	parts[ROOT].jobs = 1;
	parts[UNROUTED].jobs = parts[ROUTED].jobs =
		(options.pairs / 2 + RANDOM_JOB - 1) / RANDOM_JOB;
	parts[WIRE].jobs = (options.pairs / 20 + LANES_JOB - 1) / LANES_JOB;
	if (!captures_jobs(&parts[CAPTURES_WHOLE].jobs, &parts[CAPTURES_CUTS].jobs,
		    &parts[CAPTURES_WIRE].jobs)) {
		for (i = CAPTURES_WHOLE; i <= CAPTURES_WIRE; i++)
			drop(&parts[i], "no " CAPTURES);
	}
	if (lacks) {
		drop(&parts[WIRE], lacks);
		drop(&parts[CAPTURES_WIRE], lacks);
	}
	for (i = 0; i < PARTS; i++) {
		if (!is_asked_for(parts[i].name))
			drop(&parts[i], "not asked for");
	}
}

#define ENOUGH 500000 /* pairs, of which some of each kind must have been */

static int report(const struct part *part)
{
	bool reached = part->covered.frames || part->failed;
	bool random = part == &parts[UNROUTED] || part == &parts[ROUTED];
	const char *lacks = NULL;

	if (!part->jobs || !reached) {
		printf("ok - %s # SKIP %s\n", part->what, part->jobs ? "not reached" : part->skip);
		return 0;
	}
	if (random && part->covered.frames >= ENOUGH)
		lacks = covered_lacks(&part->covered);
	printf("%sok - %llu %s: ", part->failed || lacks ? "not " : "",
		(unsigned long long)part->covered.frames, part->what);
	printf("%s%s\n", lacks ? "too few " : "classifier and oracle agree", lacks ? lacks : "");
	covered_print(&part->covered);
	return part->failed || lacks;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int run_all(void)
{
	struct covered sum = { 0 };
	double begun = seconds();
	int rc, failed = 0;
	size_t i;

	plan();
	rc = jobs_run(parts, PARTS, options.seed, options.processes);
	for (i = 0; i < PARTS; i++) {
		failed += report(&parts[i]);
		covered_add(&sum, &parts[i].covered);
	}
	printf("# %llu pairs in %.0f s, by %u processes\n", (unsigned long long)sum.frames,
		seconds() - begun, options.processes);
	if (rc && !failed)
		printf("not ok - a process died (%s)\n", strerror(-rc));
	printf("1..%d\n", PARTS + (rc && !failed));
	return rc || failed ? 1 : 0;
}

/* --- options --- */

static uint64_t number(const char *text, uint64_t otherwise)
{
	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static int read_option(int c, struct options *o)
{
	switch (c) {
	case 'p':
		o->pairs = number(optarg, PAIRS);
		return 0;
	case 's':
		o->seed = number(optarg, 0);
		return 0;
	case 'j':
		o->processes = number(optarg, 1);
		return o->processes ? 0 : -EINVAL;
	case 'o':
		o->part = optarg;
		return 0;
	case 'b':
		o->brief = true;
		return 0;
	case 'r':
		o->replay = optarg;
		return 0;
	default:
		return -EINVAL;
	}
}

static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "pairs", required_argument, NULL, 'p' },
		{ "seed", required_argument, NULL, 's' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "part", required_argument, NULL, 'o' },
		{ "brief", no_argument, NULL, 'b' },
		{ "replay", required_argument, NULL, 'r' },
		{ 0 },
	};
	int c, rc = 0;

	if (getrandom(&o->seed, sizeof(o->seed), 0) < 0)
		return -errno;
	o->seed = number(getenv("TWIN_SEED"), o->seed >> 1);
	o->pairs = number(getenv("TWIN_PAIRS"), PAIRS);
	o->program = argv[0];
	o->processes = sysconf(_SC_NPROCESSORS_ONLN);
	while (!rc && (c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		rc = read_option(c, o);
	return optind < argc ? -EINVAL : rc;
}

static int replay(const char *path)
{
	struct world w;
	int rc = world_open(&w) ? 1 : round_replay(&w, path);

	world_close(&w);
	return rc;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (read_options(argc, argv, &options)) {
		fprintf(stderr, "usage: twin [--pairs N] [--seed S] [--jobs N] [--part NAME,...] "
				"[--brief]\n       twin --replay FILE\n");
		return 2;
	}
	if (geteuid()) {
		printf("skip - needs root\n");
		return 77;
	}
	if (options.replay)
		return replay(options.replay);
	printf("# seed %llu\n", (unsigned long long)options.seed);
	return run_all();
}
