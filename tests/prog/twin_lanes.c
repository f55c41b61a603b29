/* SPDX-License-Identifier: GPL-2.0-only */
/* Random policies and frames over real devices. */
#include "twin_wire.h"

#include <errno.h>
#include <stdlib.h>

#include "gen_pool.h"

#define FRAMES 700 /* of a round */

/* Where the part that is not linear begins: among the headers, most often. */
static void split(struct gen *g, const struct lane *lane, struct sample *s)
{
	size_t least = hook_is_l3(lane->hook) ? 0 : 14, first;

	first = least + gen_below(g, gen_chance(g, 80) && s->len > 150 ? 150 : s->len - least + 1);
	s->beyond = first < s->len ? s->len - first : 0;
}

static size_t draw_samples(struct gen *g, const struct lane *lane, const struct policy *policy,
	struct sample v[FRAMES])
{
	static uint8_t bytes[FRAMES][GEN_ROOM];
	size_t i, n = 0;

	g->dir = hook_dir(lane->hook);
	g->l3 = hook_is_l3(lane->hook);
	g->most = 3400;
	for (i = 0; i < FRAMES; i++) {
		struct sample *s = &v[n];

		*s = (struct sample){
			.data = bytes[i],
			.hook = lane->hook,
			.forwarded = lane->forwarded,
		};
		s->len = gen_frame(g, policy, bytes[i]);
		if (!wire_carries(lane, s))
			continue;
		if (lane->way == BY_RING)
			split(g, lane, s);
		n++;
	}
	return n;
}

static int run_one(struct world *w, struct gen *g, const struct lane *lane, struct covered *covered)
{
	static struct sample v[FRAMES];
	struct round round = { .lane = lane, .v = v, .early = gen_chance(g, 50) };
	struct policy *policy;
	int rc;

	world_tick(w);
	g->now = w->now;
	policy = random_policy(g);
	round.policy = policy;
	round.n = draw_samples(g, lane, policy, v);
	rc = round_try(w, &round, covered);
	policy_free(&policy);
	return rc;
}

/* The lanes take turns, and after all of them forwarding. */
int lanes_run(struct world *w, struct gen *g, size_t job, struct covered *covered)
{
	int rc = world_forwarding(w, job / LANES % 2);

	while (!rc && covered->frames < LANES_JOB)
		rc = run_one(w, g, &lanes[job % LANES], covered);
	return rc;
}
