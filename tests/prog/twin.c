/* SPDX-License-Identifier: GPL-2.0-only */
/* The twin test's rounds: see twin.h. twin [--pairs N] [--seed S] [--replay FILE] */
#include "twin.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "gen_pool.h"

#define PAIRS 200000
/* Loading a policy takes as long as some thousand frames. */
#define FRAMES_LEAST 300
#define FRAMES_MOST 900

struct options {
	uint64_t pairs, seed;
	const char *replay;
};

void *must(void *p)
{
	if (!p) {
		printf("# out of memory\n");
		exit(1);
	}
	return p;
}

static void name_list(const struct rule *rule, struct end *end, char which)
{
	if (end->kind != END_FILE)
		return;
	free(end->file);
	if (asprintf(&end->file, "%c%u", which, rule->id) < 0)
		must(NULL);
}

/* Any address, or of one family: equal in rank, though not in what they match. */
static void any_end(struct gen *g, struct end *end)
{
	free(end->file);
	free(end->list.v);
	free(end->ports.v);
	*end = (struct end){ .kind = END_ANY };
	if (gen_chance(g, 30)) {
		end->kind = END_PREFIX;
		end->prefix.family = gen_chance(g, 50) ? 4 : 6;
	}
}

static void any_rule(struct gen *g, struct rule *rule)
{
	rule->proto = PROTO_ANY;
	rule->type = rule->code = -1;
	any_end(g, &rule->from);
	any_end(g, &rule->to);
	if (rule->from.kind == END_PREFIX && rule->to.kind == END_PREFIX)
		rule->to.prefix.family = rule->from.prefix.family;
}

/* What gen_policy() does not draw, or too seldom. */
static void vary(struct gen *g, struct rule *rule)
{
	/* Legal in rules, and IPv4's alone: IPv6 walks over them. */
	static const uint8_t walked[] = { IPPROTO_AH, 135, 139, 140 };

	if (gen_chance(g, 8))
		any_rule(g, rule);
	if (rule->proto == IPPROTO_AH)
		rule->proto = PICK(g, walked);
	if (rule->proto == IPPROTO_ICMPV6 && rule->type == 135) /* the edges of what is exempt */
		rule->type = 132 + gen_below(g, 6);
	name_list(rule, &rule->from, 'f');
	name_list(rule, &rule->to, 't');
}

/* Small ones most often: there each rule decides more. */
struct policy *draw_policy(struct gen *g)
{
	static const unsigned int sizes[] = { 2, 4, 8, 8, 20, 60 };
	struct policy *policy;
	size_t i;

	gen_policy(g, &policy, PICK(g, sizes));
	for (i = 0; i < policy->n; i++)
		vary(g, policy->rules[i]);
	return policy;
}

/* The hooks take turns, so that each meets every policy. */
static void draw_sample(
	struct gen *g, const struct policy *policy, size_t i, uint8_t *data, struct sample *s)
{
	enum bp_hook hook = i % TWIN_HOOKS;

	g->dir = hook_dir(hook);
	s->data = data;
	s->len = gen_frame(g, policy, data, GEN_ROOM);
	s->iface = gen_below(g, 8) == 0;
	hook_dress(g, s, hook);
	if (s->gso_segs && gen_chance(g, 30))
		hook_make_big(s, data);
}

static int run_round(const struct world *w, struct gen *g, size_t n, struct covered *covered)
{
	static uint8_t data[FRAMES_MOST][GEN_ROOM];
	static struct sample v[FRAMES_MOST];
	struct policy *policy = draw_policy(g);
	struct round round = { .policy = policy, .v = v, .n = n, .early = gen_chance(g, 50) };
	size_t i, bad;
	int rc;

	for (i = 0; i < n; i++)
		draw_sample(g, policy, i, data[i], &v[i]);
	rc = round_run(w, &round, covered, NULL, &bad);
	if (rc == -E2BIG) {
		covered->redraws++;
		rc = 0;
	} else if (rc == ROUND_DIFFERS) {
		round_report(w, &round, bad);
	}
	policy_free(&policy);
	return rc;
}

static int run_rounds(struct world *w, struct gen *g, uint64_t pairs, struct covered *covered)
{
	int rc = 0;

	while (covered->frames < pairs && !rc) {
		size_t n = FRAMES_LEAST + gen_below(g, FRAMES_MOST - FRAMES_LEAST + 1);

		if (n > pairs - covered->frames)
			n = pairs - covered->frames;
		rc = run_round(w, g, n, covered);
	}
	return rc;
}

static double share(uint64_t part, uint64_t all)
{
	return all ? 100.0 * part / all : 0;
}

static void print_hooks(const struct covered *c)
{
	int i;

	printf("# frames by hook:");
	for (i = 0; i < TWIN_HOOKS; i++)
		printf(" %s %llu,", hook_names[i], (unsigned long long)c->by_hook[i]);
	printf(" of these forwarded %llu, aggregates %llu (%llu without a length)",
		(unsigned long long)c->forwarded, (unsigned long long)c->aggregates,
		(unsigned long long)c->big);
	printf("; %llu more that BPF_PROG_TEST_RUN refuses\n", (unsigned long long)c->refused);
}

static void print_covered(const struct covered *c)
{
	static const char *const classes[] = { "exempt", "whole", "cut", "bad", "fifth tag" };
	int i;

	printf("# %llu policies, %llu drawn again; %llu rules, %.0f %% of them hit\n",
		(unsigned long long)c->policies, (unsigned long long)c->redraws,
		(unsigned long long)c->rules, share(c->hit, c->rules));
	print_hooks(c);
	printf("# %.1f %% blocked, of them %.1f %% as malformed; %.1f %% decided by a rule, ",
		share(c->blocked, c->frames), share(c->cut_blocked, c->blocked),
		share(c->decided, c->frames));
	printf("%.1f %% counted by one\n# read as", share(c->counted, c->frames));
	for (i = 0; i < FRAME_CLASSES; i++)
		printf("%s %s %.1f %%", i ? "," : "", classes[i], share(c->by_class[i], c->frames));
	printf("\n# protocol hidden: %.1f %%, of them %.1f %% blocked as malformed\n",
		share(c->hidden, c->frames), share(c->hidden_blocked, c->hidden));
}

static unsigned int tests, failed;

static void report(int rc, const struct covered *c, const char *what)
{
	tests++;
	failed += rc != 0;
	printf("%sok - %llu %s: classifier and oracle agree\n", rc ? "not " : "",
		(unsigned long long)c->frames, what);
	print_covered(c);
	fflush(stdout);
}

static int run_captures(struct world *w, struct gen *g)
{
	struct covered whole = { 0 }, cuts = { 0 };
	int rc = captures_run(w, g, &whole, &cuts);

	if (rc == -ENOENT) {
		printf("ok - frames of captures # SKIP no %s\n", CAPTURES);
		tests++;
		return 0;
	}
	report(cuts.frames ? 0 : rc, &whole, "frames of captures");
	if (cuts.frames)
		report(rc, &cuts, "cut frames of captures");
	return rc;
}

static int run_all(struct world *w, const struct options *o)
{
	struct gen g = { .seed = o->seed, .dir = BP_IN };
	struct covered routed = { 0 }, unrouted = { 0 };
	int rc;

	world_tell(w, &g);
	rc = run_rounds(w, &g, o->pairs / 2, &unrouted);
	report(rc, &unrouted, "pairs without forwarding");
	if (!rc)
		rc = world_forwarding(w, true);
	if (!rc) {
		rc = run_rounds(w, &g, o->pairs - o->pairs / 2, &routed);
		report(rc, &routed, "pairs with forwarding");
	}
	if (!rc)
		rc = run_captures(w, &g);
	printf("1..%u\n", tests);
	return rc || failed ? 1 : 0;
}

static uint64_t number(const char *text, uint64_t otherwise)
{
	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "pairs", required_argument, NULL, 'p' },
		{ "seed", required_argument, NULL, 's' },
		{ "replay", required_argument, NULL, 'r' },
		{ 0 },
	};
	int c;

	if (getrandom(&o->seed, sizeof(o->seed), 0) < 0)
		return -errno;
	o->seed = number(getenv("BPFPOL_SEED"), o->seed >> 1);
	o->pairs = number(getenv("BPFPOL_TWIN_PAIRS"), PAIRS);
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'p')
			o->pairs = number(optarg, PAIRS);
		else if (c == 's')
			o->seed = number(optarg, 0);
		else if (c == 'r')
			o->replay = optarg;
		else
			return -EINVAL;
	}
	return optind < argc ? -EINVAL : 0;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct world w;
	int code = 1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (read_options(argc, argv, &o)) {
		fprintf(stderr, "usage: twin [--pairs N] [--seed S] [--replay FILE]\n");
		return 2;
	}
	if (geteuid()) {
		printf("skip - needs root\n");
		return 77;
	}
	printf("# seed %llu\n", (unsigned long long)o.seed);
	if (world_open(&w))
		printf("not ok - a network namespace with the classifier\n1..1\n");
	else
		code = o.replay ? round_replay(&w, o.replay) : run_all(&w, &o);
	world_close(&w);
	return code;
}
