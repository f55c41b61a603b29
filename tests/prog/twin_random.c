/* SPDX-License-Identifier: GPL-2.0-only */
/* Random policies, and frames at the edges of their rules, at every hook. */
#include "twin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gen_pool.h"

/* Frames of a round: bytes of all of them, one behind the other. */
#define FRAMES_MOST 8192
#define BYTES_MOST (8 << 20)

struct policy *random_policy(struct gen *g)
{
	static const unsigned int small[] = { 1, 2, 4, 8, 8, 20, 60 };
	unsigned int draw = gen_below(g, 100), n, models;
	struct policy *policy;

	if (draw < 80) {
		n = models = 1 + gen_below(g, PICK(g, small));
	} else if (draw < 96) {
		n = 60 + gen_below(g, 340);
		models = gen_chance(g, 50) ? n : 3 + gen_below(g, 12);
	} else {
		n = 400 + gen_below(g, 1601);
		models = gen_chance(g, 30) ? n : 2 + gen_below(g, 8);
	}
	gen_policy(g, &policy, n, models);
	if (gen_chance(g, 2))
		gen_long_list(g, policy->rules[gen_below(g, n)], 1000 + gen_below(g, 12000));
	return policy;
}

/* The hooks take turns, so that each meets every policy. */
static void draw_sample(
	struct gen *g, const struct policy *policy, size_t i, uint8_t *data, struct sample *s)
{
	enum bp_hook hook = i % BP_HOOKS;

	g->dir = hook_dir(hook);
	g->l3 = hook_is_l3(hook);
	g->most = hook_most(hook);
	*s = (struct sample){ .data = data, .iface = gen_below(g, 8) == 0 };
	s->len = gen_frame(g, policy, data);
	hook_dress(g, s, hook);
	if (hook == BP_XDP && gen_chance(g, 20))
		hook_split(g, s, 1);
	if (s->gso_size && gen_chance(g, 50))
		gso_lie(g, s, data);
}

/* At most n samples, as many as there is room for. */
static size_t draw_samples(
	struct gen *g, const struct policy *policy, size_t n, struct sample v[FRAMES_MOST])
{
	static uint8_t bytes[BYTES_MOST];
	size_t i, at = 0;

	for (i = 0; i < n && i < FRAMES_MOST && at + GEN_ROOM <= BYTES_MOST; i++) {
		draw_sample(g, policy, i, bytes + at, &v[i]);
		at += v[i].len;
	}
	return i;
}

/* The more rules, the more frames, so that most rules meet some. */
static size_t draw_n(struct gen *g, const struct policy *policy)
{
	return 500 + gen_below(g, 1500) + 2 * policy->n;
}

/* Some dozens of rules at most, as each change reads through its chains. */
static unsigned int draw_patch(struct gen *g, const struct policy *policy)
{
	return gen_chance(g, 25) ? 1 + gen_below(g, 4) + policy->n / 40 : 0;
}

static int run_one(struct world *w, struct gen *g, size_t most, struct covered *covered)
{
	static struct sample v[FRAMES_MOST];
	struct policy *policy;
	struct round round = { .v = v, .early = gen_chance(g, 50) };
	size_t n;
	int rc;

	world_tick(w);
	g->now = w->now;
	policy = random_policy(g);
	n = draw_n(g, policy);
	round.policy = policy;
	round.patch = draw_patch(g, policy);
	round.sizing = gen_below(g, SIZINGS);
	round.layered = gen_chance(g, 50);
	round.n = draw_samples(g, policy, n < most ? n : most, v);
	rc = round_try(w, &round, covered);
	policy_free(&policy);
	return rc;
}

int random_run(struct world *w, struct gen *g, size_t n, struct covered *covered)
{
	int rc = 0;

	while (covered->frames < n && !rc)
		rc = run_one(w, g, n - covered->frames, covered);
	return rc;
}
