/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the twin test draws: the same from the same seed, of every kind, and within what the oracle
 * may read. Each frame lies in memory of exactly its length for the address sanitizer.
 */
#include "eval_kit.h"

#include "frame.h"
#include "gen.h"

#define POLICIES 60
#define FRAMES 200

static const char *const ifnames[] = { "a", "b" };
static const uint8_t local4[][4] = { { 10, 1, 2, 3 } };
static const uint8_t local6[][16] = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 3 } };

static struct gen begin(uint64_t seed)
{
	return (struct gen){
		.seed = seed,
		.now = 1000000,
		.ifnames = ifnames,
		.n_ifnames = 2,
		.local4 = local4,
		.n_local4 = 1,
		.local6 = local6,
		.n_local6 = 1,
	};
}

/* What came up. */
struct seen {
	unsigned int classes[FRAME_TAGS + 1], families[3], ports, types, unread, tagged, long_ones;
	unsigned int blocked, decided, counted, malformed;
};

static void look(const struct policy *policy, const struct gen *g, const uint8_t *buf, size_t len,
	struct seen *seen)
{
	uint8_t *data = memcpy(malloc(len), buf, len);
	struct eval_env env = { .dir = g->dir, .ifname = "a", .me = len % 2, .now = g->now };
	struct eval_verdict v;
	struct frame f;

	frame_read(data, len, g->l3, &f);
	free(data);
	assert_int_equal(eval_frame(policy, &env, &f, &v), 0);
	seen->classes[f.class]++;
	seen->families[f.family / 3]++; /* 0, 4, 6 */
	seen->ports += f.has_ports;
	seen->types += f.has_type;
	seen->unread += f.class == FRAME_CUT && f.proto == PROTO_UNREAD;
	seen->tagged += !g->l3 && ((buf[12] == 0x81 && !buf[13]) || buf[12] == 0x88);
	seen->long_ones += len > 4096;
	seen->blocked += v.block;
	seen->decided += v.reason == REASON_RULE;
	seen->counted += v.n_matched > v.n_deciding;
	seen->malformed += v.reason == REASON_MALFORMED;
	eval_free(&v);
}

static void draw_round(struct gen *g, struct seen *seen)
{
	static uint8_t buf[GEN_ROOM];
	struct policy *policy;
	unsigned int n = 1 + gen_below(g, 40);

	gen_policy(g, &policy, n, 1 + gen_below(g, n));
	assert_int_equal(policy->n, n);
	for (int i = 0; i < FRAMES; i++) {
		size_t len;

		g->dir = i % 2 ? BP_OUT : BP_IN;
		g->l3 = i % 3 == 0;
		g->most = i % 5 ? GEN_ROOM : 1500;
		len = gen_frame(g, policy, buf);
		assert_in_range(len, g->l3 ? 1 : 14, g->most);
		look(policy, g, buf, len, seen);
	}
	policy_free(&policy);
}

static void draws_every_kind(void **state)
{
	struct gen g = begin(1);
	struct seen seen = { 0 };
	unsigned int all = POLICIES * FRAMES;

	(void)state;
	for (int i = 0; i < POLICIES; i++)
		draw_round(&g, &seen);
	for (int i = 0; i <= FRAME_TAGS; i++)
		assert_in_range(seen.classes[i], all / 200, all);
	assert_in_range(seen.families[1], all / 4, all);
	assert_in_range(seen.families[2], all / 4, all);
	assert_in_range(seen.ports, all / 4, all);
	assert_in_range(seen.types, all / 50, all);
	assert_in_range(seen.unread, all / 100, all);
	assert_in_range(seen.tagged, all / 50, all);
	assert_in_range(seen.long_ones, all / 500, all);
	assert_in_range(seen.blocked, all / 10, all);
	assert_in_range(seen.decided, all / 5, all);
	assert_in_range(seen.counted, all / 50, all);
	assert_in_range(seen.malformed, all / 200, all);
}

static void same_seed_same_frames(void **state)
{
	struct gen g = begin(7), h = begin(7);
	static uint8_t a[GEN_ROOM], b[GEN_ROOM];
	struct policy *p, *q;

	(void)state;
	gen_policy(&g, &p, 30, 10);
	gen_policy(&h, &q, 30, 10);
	for (int i = 0; i < FRAMES; i++) {
		size_t len = gen_frame(&g, p, a);

		assert_int_equal(gen_frame(&h, q, b), len);
		assert_memory_equal(a, b, len);
	}
	assert_int_equal(g.seed, h.seed);
	policy_free(&p);
	policy_free(&q);
}

/* Ids 1..n, each once, and not in order. */
static void ids_in_no_order(void **state)
{
	struct gen g = begin(3);
	bool seen[101] = { 0 };
	struct policy *p;
	size_t in_order = 0;

	(void)state;
	gen_policy(&g, &p, 100, 20);
	for (size_t i = 0; i < p->n; i++) {
		uint32_t id = p->rules[i]->id;

		assert_in_range(id, 1, 100);
		assert_false(seen[id]);
		seen[id] = true;
		in_order += id == i + 1;
	}
	assert_in_range(in_order, 0, 20);
	policy_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(draws_every_kind),
		cmocka_unit_test(same_seed_same_frames),
		cmocka_unit_test(ids_in_no_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
