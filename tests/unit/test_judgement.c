/* SPDX-License-Identifier: GPL-2.0-only */
/* What is said of a packet, and when the kernel's answer and the oracle's are the same. */
#include "eval_kit.h"

#include "judgement.h"
#include "tally.h"

static void says(const struct judgement *j, size_t deciding, const char *expected)
{
	char text[512];

	judgement_text(j, deciding, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void reasons(void **state)
{
	struct judgement j = { .frame = udp_in(4), .reason = REASON_NO_MATCH };

	(void)state;
	says(&j, 0, "no block or permit rule matches: it passes");
	j.reason = REASON_RULE;
	j.rule = 7;
	says(&j, 1, "rule 7 permits it: no other block or permit rule matches");
	j.block = true;
	says(&j, 3, "rule 7 blocks it: the most specific of the 3 that match");
}

static void exempt(void **state)
{
	struct judgement j = { .reason = REASON_EXEMPT };

	(void)state;
	says(&j, 0, "what is not IP, as ARP, always passes: no rule is asked");
	j.frame = icmp_in(6, 135, 0);
	j.frame.class = FRAME_PASS;
	says(&j, 0, "neighbour discovery (ICMPv6 type 135) always passes: no rule is asked");
}

static void malformed(void **state)
{
	struct judgement j = {
		.frame = headless(udp_in(4), FRAME_CUT),
		.block = true,
		.malformed = true,
		.reason = REASON_MALFORMED,
	};

	(void)state;
	says(&j, 0,
		"malformed: its ports cannot be read, and a rule asks for them: "
		"blocked before any rule is compared");
	j.frame = headless(icmp_in(6, 1, 0), FRAME_CUT);
	says(&j, 0,
		"malformed: its type cannot be read, and a rule asks for it: "
		"blocked before any rule is compared");
	j.frame = hidden(udp_in(6));
	says(&j, 0,
		"malformed: its extension headers cannot be walked, and a rule asks for what is "
		"behind them: blocked before any rule is compared");
}

/* Read badly, but not blocked for it. */
static void badly_read(void **state)
{
	struct judgement j = {
		.frame = headless(udp_in(4), FRAME_CUT),
		.malformed = true,
		.reason = REASON_NO_MATCH,
	};

	(void)state;
	says(&j, 0,
		"no block or permit rule matches: it passes (malformed: its ports cannot be read)");
	j.frame = headless(udp_in(4), FRAME_BAD);
	j.reason = REASON_RULE;
	j.rule = 2;
	says(&j, 1,
		"rule 2 permits it: no other block or permit rule matches (malformed: its header's "
		"lengths do not fit, and only its fixed part counts)");
	j.frame = unread(FRAME_BAD);
	j.reason = REASON_NO_MATCH;
	says(&j, 0,
		"no block or permit rule matches: it passes (malformed: it has no whole IP "
		"header)");
	j.frame = unread(FRAME_TAGS);
	says(&j, 0,
		"no block or permit rule matches: it passes (malformed: it has a fifth VLAN tag, "
		"and "
		"what lies below is not read)");
}

/* Every field of the answer tells a difference. */
static void agreement(void **state)
{
	const struct rule rule = { .id = 3 };
	const struct eval_verdict verdict = {
		.block = true, .reason = REASON_RULE, .winner = &rule
	};
	const struct bp_answer same = { .rule = 3, .reading = READ_WHOLE, .blocked = 1, .me = 1 };
	struct frame frame = udp_in(4);
	struct bp_answer a = same;

	(void)state;
	assert_true(judgement_agrees(&a, &frame, &verdict));
	a.blocked = 0;
	assert_false(judgement_agrees(&a, &frame, &verdict));
	a = same;
	a.rule = 4;
	assert_false(judgement_agrees(&a, &frame, &verdict));
	a = same;
	a.hidden = 1;
	assert_false(judgement_agrees(&a, &frame, &verdict));
	a = same;
	a.reading = READ_BAD;
	assert_false(judgement_agrees(&a, &frame, &verdict));
}

static void readings(void **state)
{
	const struct {
		struct frame frame;
		enum bp_reading reading;
	} same[] = {
		{ unread(FRAME_PASS), READ_EXEMPT },
		{ udp_in(6), READ_WHOLE },
		{ headless(udp_in(6), FRAME_CUT), READ_CUT },
		{ hidden(udp_in(6)), READ_BLIND },
		{ headless(udp_in(6), FRAME_BAD), READ_BAD },
		{ unread(FRAME_BAD), READ_OPAQUE },
		{ unread(FRAME_TAGS), READ_OPAQUE },
	};
	const struct eval_verdict verdict = { .reason = REASON_NO_MATCH };

	(void)state;
	for (size_t i = 0; i < COUNT(same); i++) {
		for (int reading = READ_EXEMPT; reading <= READ_OPAQUE; reading++) {
			struct bp_answer a = { .reading = reading };

			assert_int_equal(judgement_agrees(&a, &same[i].frame, &verdict),
				reading == (int)same[i].reading);
		}
	}
}

/* --- sums --- */

static void packet_of(
	struct tally *t, uint32_t rule, enum eval_reason reason, bool block, uint32_t bytes)
{
	struct judgement j = { .frame = udp_in(4), .rule = rule, .reason = reason, .block = block };

	j.frame.bytes = bytes;
	j.malformed = reason == REASON_MALFORMED;
	tally_add(t, &j);
}

static void row_is(const struct tally_row *row, enum tally_kind kind, uint32_t id, bool block,
	uint64_t packets, uint64_t bytes)
{
	assert_int_equal(row->kind, kind);
	assert_int_equal(row->id, id);
	assert_int_equal(row->block, block);
	assert_int_equal(row->packets, packets);
	assert_int_equal(row->bytes, bytes);
	assert_int_equal(row->rule != NULL, kind == TALLY_RULE);
}

static void sums(void **state)
{
	struct policy *p = setup_policy();
	struct tally t;

	(void)state;
	add(p, BP_BLOCK, DIR_IN);
	add(p, BP_PERMIT, DIR_IN);
	add(p, BP_BLOCK, DIR_IN); /* meets nothing */
	add(p, BP_BLOCK, DIR_IN)->id = 1000;
	assert_int_equal(tally_begin(&t, p), 0);
	packet_of(&t, 1, REASON_RULE, true, 100);
	packet_of(&t, 1000, REASON_RULE, true, 1);
	packet_of(&t, 2, REASON_RULE, false, 10);
	packet_of(&t, 2, REASON_RULE, false, 20);
	packet_of(&t, 77, REASON_RULE, true, 5);
	packet_of(&t, 78, REASON_RULE, false, 6);
	packet_of(&t, 0, REASON_NO_MATCH, false, 7);
	packet_of(&t, 0, REASON_EXEMPT, false, 8);
	packet_of(&t, 0, REASON_MALFORMED, true, 9);
	tally_add_cut(&t, 1500);
	tally_end(&t);

	assert_int_equal(t.n, 9);
	row_is(&t.v[0], TALLY_RULE, 2, false, 2, 30);
	row_is(&t.v[1], TALLY_RULE, 1, true, 1, 100);
	row_is(&t.v[2], TALLY_RULE, 1000, true, 1, 1);
	row_is(&t.v[3], TALLY_NO_MATCH, 0, false, 1, 7);
	row_is(&t.v[4], TALLY_EXEMPT, 0, false, 1, 8);
	row_is(&t.v[5], TALLY_MALFORMED, 0, true, 1, 9);
	row_is(&t.v[6], TALLY_CUT, 0, false, 1, 1500);
	/* By rules that the policy does not have. */
	assert_int_equal(t.v[7].kind, TALLY_STRANGER);
	assert_int_equal(t.v[8].kind, TALLY_STRANGER);
	assert_int_equal(t.v[7].block + t.v[8].block, 1);
	assert_int_equal(t.packets, 10);
	assert_int_equal(t.bytes, 1666);
	assert_int_equal(t.blocked, 4);
	assert_int_equal(t.passed, 5);
	assert_int_equal(t.malformed, 1);
	assert_int_equal(t.undecided, 1);
	tally_free(&t);
	policy_free(&p);
}

static void no_packets(void **state)
{
	struct policy *p = setup_policy();
	struct tally t;

	(void)state;
	assert_int_equal(tally_begin(&t, p), 0);
	tally_end(&t);
	assert_int_equal(t.n, 0);
	assert_int_equal(t.packets, 0);
	tally_free(&t);
	policy_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reasons),
		cmocka_unit_test(exempt),
		cmocka_unit_test(malformed),
		cmocka_unit_test(badly_read),
		cmocka_unit_test(agreement),
		cmocka_unit_test(readings),
		cmocka_unit_test(sums),
		cmocka_unit_test(no_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
