/* SPDX-License-Identifier: GPL-2.0-only */
/* Random policies and frames over real devices. */
#include "twin_wire.h"

#include <errno.h>
#include <stdlib.h>

#include "gen_pool.h"

static size_t draw_samples(struct gen *g, const struct lane *lane, const struct policy *policy,
	struct sample v[LANES_ROUND])
{
	static uint8_t bytes[LANES_ROUND][GEN_ROOM];
	size_t i, n = 0;

	g->dir = hook_dir(lane->hook);
	g->l3 = hook_is_l3(lane->hook);
	g->most = WIRE_MTU;
	for (i = 0; i < LANES_ROUND; i++) {
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
			hook_split(g, s, hook_is_l3(lane->hook) ? 0 : 14);
		n++;
	}
	return n;
}

static int run_one(struct world *w, struct gen *g, const struct lane *lane, struct covered *covered)
{
	static struct sample v[LANES_ROUND];
	struct round round = {
		.lane = lane,
		.v = v,
		.early = gen_chance(g, 50),
		.sizing = gen_below(g, SIZINGS),
		.layered = gen_chance(g, 50),
	};
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

/* A round for each lane; every other job with forwarding. */
int lanes_run(struct world *w, struct gen *g, size_t job, struct covered *covered)
{
	int rc = world_forwarding(w, job % 2);
	size_t i;

	for (i = 0; i < LANES && !rc; i++)
		rc = run_one(w, g, &lanes[i], covered);
	return rc;
}
