// SPDX-License-Identifier: GPL-2.0-only
#include "eval_kit.h"

#include <stdio.h>

#include "gen.h"
#include "never.h"
#include "spec.h"

#define LINES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static int list_of(struct end *end)
{
	bool six = end->kind == END_FILE && !strcmp(end->file, "six");
	const char *why;

	if (end->kind != END_FILE || !strcmp(end->file, "empty"))
		return 0;
	end->list.v = calloc(2, sizeof(*end->list.v));
	end->list.n = 2;
	if (six)
		return spec_parse_prefix("2001:db8::1", 11, &end->list.v[0], &why) ||
		       spec_parse_prefix("2001:db8::2", 11, &end->list.v[1], &why);
	return spec_parse_prefix("192.0.2.0/25", 12, &end->list.v[0], &why) ||
	       spec_parse_prefix("192.0.2.128/25", 14, &end->list.v[1], &why);
}

static struct policy *policy_of(const char *const *lines)
{
	const struct spec_opts opts = { .action = -1 };
	struct policy *policy = policy_new("p");

	for (; *lines; lines++) {
		struct rule *rule = NULL;
		struct diag diag = {};

		assert_int_equal(spec_parse_line(*lines, &opts, &rule, &diag), 0);
		assert_int_equal(list_of(&rule->from), 0);
		assert_int_equal(list_of(&rule->to), 0);
		rule->id = policy->n + 1;
		assert_int_equal(policy_add(policy, &rule), 0);
	}
	return policy;
}

/* A word for each rule: ".", "repeats 0", "covered 0 2". */
static void expect(const char *const *lines, const char *expected)
{
	static const char *const words[] = { [NEVER_NOT] = ".",
		[NEVER_REPEATS] = "repeats",
		[NEVER_COVERED] = "covered",
		[NEVER_EXEMPT] = "exempt",
		[NEVER_EMPTY] = "empty",
		[NEVER_ENDS] = "ends",
		[NEVER_PROTO] = "proto" };
	struct policy *policy = policy_of(lines);
	struct never *never;
	bool cut_short;
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(never_find(policy, &never, &cut_short), 0);
	assert_false(cut_short);
	for (size_t i = 0; i < policy->n; i++) {
		fprintf(out, "%s%s", i ? ", " : "", words[never[i].why]);
		for (unsigned int k = 0; k < never[i].n_by; k++)
			fprintf(out, " %zu", never[i].by[k]);
		if (never[i].more)
			fputs(" more", out);
	}
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
	free(never);
	policy_free(&policy);
}

static void one_alone(void **state)
{
	(void)state;
	expect(LINES("block udp/1434"), ".");
	expect((const char *const[]){ NULL }, "");
	expect(LINES("block icmpv6 type 134", "count icmpv6 type 133", "block icmpv6 type 137"),
		"exempt, exempt, .");
	expect(LINES("block @empty", "block @full"), "empty, .");
}

/* Lists are of one family each, or the other end or the protocol is. */
static void of_two_families(void **state)
{
	(void)state;
	expect(LINES("block from @full to @six", "count from @full to @six",
		       "block inout from @six to 10.0.0.1", "permit tcp/80 from @full to ::/0"),
		"ends, ends, ends, ends");
	expect(LINES("block icmp from @six", "block icmp type 8 from @six", "count icmp from @six",
		       "block icmpv6 from @full", "block 135 from @six", "block ah to @six"),
		"proto, proto, proto, proto, proto, proto");
	expect(LINES("block icmp from @full to @six"), "ends");
	expect(LINES("block icmpv6 from @six", "block icmp from @full", "block 135 from @full",
		       "block from @six to me", "count from @full to 0.0.0.0/0"),
		"., ., ., ., .");
}

static void repeats(void **state)
{
	(void)state;
	expect(LINES("block udp/1", "count udp/1", "block in udp to port 1", "count udp/1",
		       "block udp/1 for 2h name \"x\""),
		"., ., repeats 0, repeats 1, repeats 0");
}

static void one_wins_over_all(void **state)
{
	(void)state;
	/* Block before permit where all else is equal. */
	expect(LINES("permit udp/1", "block udp/1"), "covered 1, .");
	/* A wider rule wins only in an emergency. */
	expect(LINES("block udp/1", "permit udp"), "., .");
	expect(LINES("block udp/1", "permit emergency udp"), "covered 1, .");
	expect(LINES("block emergency udp/1", "permit emergency udp"), "., .");
	expect(LINES("block udp/1", "permit emergency tcp", "permit emergency out udp"), "., ., .");
	expect(LINES("block inout udp/1", "permit emergency in udp"), "., .");
	expect(LINES("block inout udp/1", "permit emergency inout udp"), "covered 1, .");
	/* A tie: 0.0.0.0/0 ranks as any. */
	expect(LINES("block udp/1", "block udp/1 from 0.0.0.0/0"), "., covered 0");
	/* In one family, on one interface, to one host: the rest is left. */
	expect(LINES("block udp/1", "permit emergency from 0.0.0.0/0"), "., .");
	/* A frame that is not read has no family. */
	expect(LINES("permit in", "block from 0.0.0.0/0", "block from ::/0"), "., ., .");
	expect(LINES("block in", "permit emergency in"), "covered 1, .");
	expect(LINES("block in on eth0", "permit emergency in"), "covered 1, .");
	expect(LINES("block in", "permit emergency in on eth0"), "., .");
	expect(LINES("block udp/1", "permit emergency on eth0"), "., .");
	expect(LINES("block on eth0 udp/1", "permit emergency on eth0"), "covered 1, .");
	expect(LINES("block on eth1 udp/1", "permit emergency on eth0"), "., .");
	expect(LINES("block udp/1", "permit emergency to me"), "., .");
	expect(LINES("block udp/1 to me", "permit emergency to me"), "covered 1, .");
	/* A later fragment has no ports. */
	expect(LINES("block udp", "permit emergency udp/0-65535"), "., .");
	expect(LINES("block udp/1", "permit emergency udp/0-65535"), "covered 1, .");
	/* Ports without a protocol are of five. */
	expect(LINES("block in to any port 1", "permit emergency udp"), "., .");
	expect(LINES("block in to any port 1", "permit emergency in to any port 1-2"),
		"covered 1, .");
	expect(LINES("block gre", "permit emergency in to any port 0-65535"), "., .");
	/* What counts decides nothing, and is not lost. */
	expect(LINES("count udp/1", "block emergency in"), "., .");
	expect(LINES("block udp/1", "count emergency udp"), "., .");
}

static void time_runs_out(void **state)
{
	(void)state;
	expect(LINES("block udp/1", "permit emergency udp for 2h"), "., .");
	expect(LINES("block udp/1 for 1h", "permit emergency udp for 2h"), "covered 1, .");
	expect(LINES("block udp/1 for 3h", "permit emergency udp for 2h"), "., .");
	expect(LINES("block udp/1 for 3h", "permit emergency udp"), "covered 1, .");
}

static void several_win_together(void **state)
{
	(void)state;
	expect(LINES("block from 10.0.0.0/8", "permit from 10.0.0.0/9", "permit from 10.128.0.0/9"),
		"covered 1 2, ., .");
	expect(LINES("block from 10.0.0.0/8", "permit from 10.0.0.0/9",
		       "permit from 10.128.0.0/10"),
		"., ., .");
	expect(LINES("block tcp/22 from 192.0.2.0/24", "permit @full"), "covered 1, .");
	expect(LINES("block udp/1-4", "permit udp/1", "permit udp/2-3", "permit udp/4"),
		"covered 1 2 3, ., ., .");
	expect(LINES("block udp/1-5", "permit udp/1", "permit udp/2-3", "permit udp/4"),
		"., ., ., .");
	expect(LINES("block udp/1-4", "permit udp/1", "permit udp/2", "permit udp/3",
		       "permit udp/4"),
		"covered 1 2 3 more, ., ., ., .");
	expect(LINES("block udp/1,9", "permit emergency udp/1", "permit emergency udp/9"),
		"covered 1 2, ., .");
	expect(LINES("block udp/1,9", "permit emergency udp/1", "permit emergency tcp/9"),
		"., ., .");
	/* By addresses in one place, by ports in another. */
	expect(LINES("block udp/0-9 from 10.0.0.0/24", "permit from 10.0.0.0/25",
		       "permit udp/0-4 from 10.0.0.128/25", "permit udp/5-9 from 10.0.0.128/26",
		       "permit udp/5-9 from 10.0.0.192/26"),
		"covered 1 2 3 more, ., ., ., .");
	expect(LINES("block in to any port 7", "permit emergency tcp", "permit emergency udp",
		       "permit emergency sctp", "permit emergency dccp",
		       "permit emergency udplite"),
		"covered 1 2 3 more, ., ., ., ., .");
}

/* Each single port of a range by a rule of its own: no recursion without end, no false word. */
static void a_long_cover(void **state)
{
	const struct spec_opts opts = { .action = BP_PERMIT };
	struct policy *policy = policy_of(LINES("block udp/1000-29999"));
	struct never *never;
	bool cut_short;

	(void)state;
	for (int port = 1000; port < 30000; port++) {
		struct rule *rule = NULL;
		struct diag diag = {};
		char text[32];

		snprintf(text, sizeof(text), "udp/%d", port);
		assert_int_equal(spec_parse_line(text, &opts, &rule, &diag), 0);
		assert_int_equal(policy_add(policy, &rule), 0);
	}
	assert_int_equal(never_find(policy, &never, &cut_short), 0);
	assert_false(cut_short);
	assert_int_equal(never[0].why, NEVER_COVERED);
	free(never);
	policy_remove(policy, 20000);
	assert_int_equal(never_find(policy, &never, &cut_short), 0);
	assert_int_equal(never[0].why, NEVER_NOT);
	free(never);
	policy_free(&policy);
}

/* --- small worlds, of which every packet is tried --- */

static void random_line(struct gen *g, char *line, size_t size)
{
	static const char *const protos[] = { "", "", " tcp", " udp", " any" };
	static const char *const from[] = { "", " from 10.0.0.%u/32", " from 10.0.0.%u/31",
		" from 10.0.0.%u/30", " from 10.0.0.%u/29", " from 0.0.0.0/0" };
	static const char *const to[] = { "", "", "", " to me", " to 10.9.0.0", " to 10.9.0.0/31" };
	unsigned int lo = 1 + gen_below(g, 3), width = gen_below(g, 3), f = gen_below(g, 6);
	bool ports = !gen_below(g, 2);
	const char *proto = protos[gen_below(g, 5)], *where = to[gen_below(g, 6)];
	char source[32], port[32] = "", words[64];

	snprintf(source, sizeof(source), from[f], gen_below(g, 8) & ~((1U << (f ? f - 1 : 0)) - 1));
	if (ports)
		snprintf(port, sizeof(port), "%s port %u-%u", *where ? "" : " to", lo, lo + width);
	snprintf(words, sizeof(words), " in%s%s", gen_below(g, 5) ? "" : " emergency",
		gen_below(g, 6) ? "" : " on eth0");
	snprintf(line, size, "%s%s%s%s%s%s", gen_below(g, 2) ? "block" : "permit", words, proto,
		source, where, port);
}

static struct policy *random_world(struct gen *g)
{
	char text[12][160];
	const char *lines[13] = {};
	unsigned int n = 2 + gen_below(g, 10);

	for (unsigned int i = 0; i < n; i++) {
		random_line(g, text[i], sizeof(text[i]));
		lines[i] = text[i];
	}
	return policy_of(lines);
}

static void note_winner(const struct policy *policy, const struct frame *f, bool *won)
{
	for (int world = 0; world < 4; world++) {
		const struct eval_env env = {
			.dir = BP_IN, .ifname = world & 1 ? "eth0" : "eth1", .me = world & 2
		};
		struct eval_verdict verdict;

		assert_int_equal(eval_frame(policy, &env, f, &verdict), 0);
		if (verdict.winner)
			won[verdict.winner->id - 1] = true;
		eval_free(&verdict);
	}
}

static void try_ports(const struct policy *policy, struct frame *f, bool *won)
{
	static const int protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_GRE };

	for (int p = 0; p < 4; p++) {
		f->proto = protos[p];
		f->has_ports = false;
		note_winner(policy, f, won);
		f->has_ports = f->proto != IPPROTO_GRE;
		for (f->dport = 0; f->has_ports && f->dport < 7; f->dport++)
			note_winner(policy, f, won);
	}
}

static void try_all(const struct policy *policy, bool *won)
{
	static const char *const near[] = { "10.9.0.0", "10.9.0.1", "10.8.0.0" };
	struct frame f = { .class = FRAME_WHOLE, .family = 4 };

	for (int to = 0; to < 3; to++) {
		memcpy(f.dst, prefix_of(near[to], 32).bytes, 16);
		for (unsigned int from = 0; from < 9; from++) {
			memcpy(f.src, prefix_of("10.0.0.0", 32).bytes, 16);
			f.src[3] = from;
			try_ports(policy, &f, won);
		}
	}
	f.family = 6;
	memset(f.src, 0xfd, 16);
	memset(f.dst, 0xfd, 16);
	try_ports(policy, &f, won);
}

static void small_worlds(void **state)
{
	struct gen g = { .seed = 7 };
	unsigned int lost = 0;

	(void)state;
	for (int round = 0; round < 400; round++) {
		struct policy *policy = random_world(&g);
		bool won[12] = {}, cut_short;
		struct never *never;

		assert_int_equal(never_find(policy, &never, &cut_short), 0);
		try_all(policy, won);
		for (size_t i = 0; i < policy->n; i++) {
			if ((never[i].why == NEVER_NOT) != won[i]) {
				for (size_t k = 0; k < policy->n; k++)
					print_error("%zu %s\n", k,
						spec_text(policy->rules[k], SPEC_ALL));
				fail_msg("round %d: rule %zu %s", round, i,
					won[i] ? "wins" : "never wins");
			}
			lost += !won[i];
		}
		free(never);
		policy_free(&policy);
	}
	assert_in_range(lost, 100, 4000); /* or this test tests nothing */
}

/* --- of the twin test's policies no rule that is named decides a packet --- */

static void random_packets(void **state)
{
	static const char *const ifnames[] = { "eth0", "eth1" };
	struct gen g = { .seed = 3,
		.ifnames = ifnames,
		.n_ifnames = 2,
		.without = { .dynamic = true, .lists = true, .disorder = true } };
	unsigned int decided = 0;
	static uint8_t data[GEN_ROOM];

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct policy *policy;
		struct never *never;
		bool cut_short;

		gen_policy(&g, &policy, 1 + gen_below(&g, 60), 60);
		assert_int_equal(never_find(policy, &never, &cut_short), 0);
		for (int i = 0; i < 300; i++) {
			struct eval_env env = { .ifname = ifnames[gen_below(&g, 2)] };
			struct eval_verdict verdict;
			struct frame frame;

			g.dir = env.dir = gen_below(&g, 2);
			frame_read(data, gen_frame(&g, policy, data), false, &frame);
			env.me = gen_below(&g, 2);
			assert_int_equal(eval_frame(policy, &env, &frame, &verdict), 0);
			if (verdict.winner) {
				assert_int_equal(never[verdict.winner->id - 1].why, NEVER_NOT);
				decided++;
			}
			eval_free(&verdict);
		}
		free(never);
		policy_free(&policy);
	}
	assert_in_range(decided, 20000, 90000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_alone),
		cmocka_unit_test(of_two_families),
		cmocka_unit_test(repeats),
		cmocka_unit_test(one_wins_over_all),
		cmocka_unit_test(time_runs_out),
		cmocka_unit_test(several_win_together),
		cmocka_unit_test(a_long_cover),
		cmocka_unit_test(small_worlds),
		cmocka_unit_test(random_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
