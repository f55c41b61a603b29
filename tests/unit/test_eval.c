/* SPDX-License-Identifier: GPL-2.0-only */
/* "Which rule wins", sentence by sentence. */
#include "eval_kit.h"

/* --- the ladder: every step of the comparison against all that come after it --- */

/* A rule that matches the packet, by how specific it is in each thing that is compared. */
enum step { EMERGENCY, REMOTE, LOCAL, IFACE, PROTO, LPORT, RPORT, LAYER, ACTION, STEPS };

static const unsigned int top[STEPS] = { 1, 4, 5, 1, 1, 4, 4, 1, 1 };

static void set_end(struct end *end, int family, bool local, unsigned int level)
{
	static const unsigned int lens4[] = { 0, 1, 24, 31, 32 }, lens6[] = { 0, 1, 64, 127, 128 };
	const char *address = local ? (family == 4 ? NEAR4 : NEAR6) : (family == 4 ? FAR4 : FAR6);

	if (local && level == 4) {
		end->kind = END_ME;
		return;
	}
	if (local && level == 5)
		level = 4;
	if (level)
		end_is(end, address, family == 4 ? lens4[level] : lens6[level]);
}

static void set_port(struct end *end, unsigned int port, unsigned int level)
{
	static const unsigned int more[] = { 0, 0, 900, 1, 0 };

	if (level == 1)
		add_port(end, 0, 65535);
	else if (level)
		add_port(end, port, port + more[level]);
}

static struct rule *on_ladder(struct policy *p, int family, const unsigned int level[STEPS])
{
	struct rule *rule = add(p, level[ACTION] ? BP_BLOCK : BP_PERMIT, DIR_IN);

	rule->emergency = level[EMERGENCY];
	set_end(&rule->from, family, false, level[REMOTE]);
	set_end(&rule->to, family, true, level[LOCAL]);
	if (level[IFACE])
		set_iface(rule, "eth0");
	if (level[PROTO])
		rule->proto = IPPROTO_UDP;
	set_port(&rule->to, 1434, level[LPORT]);
	set_port(&rule->from, 4000, level[RPORT]);
	rule->layer = level[LAYER] ? LAYER_DYNAMIC : LAYER_STATIC;
	return rule;
}

/* One step up in `step` outweighs everything that comes after it, and the lower id. */
static void check_step(int family, enum step step, unsigned int level, bool high)
{
	unsigned int worse[STEPS], better[STEPS];
	struct policy *p = setup_policy();
	struct frame f = udp_in(family);
	enum step i;

	for (i = 0; i < STEPS; i++) {
		worse[i] = i < step && !high ? 0 : top[i];
		better[i] = i < step && high ? top[i] : 0;
	}
	worse[step] = level;
	better[step] = level + 1;
	on_ladder(p, family, worse);
	on_ladder(p, family, better);
	wins(p, &in_eth0, &f, 2);
	policy_free(&p);
}

static void test_ladder(void **state)
{
	unsigned int level;
	enum step step;
	int family;

	(void)state;
	for (family = 4; family <= 6; family += 2) {
		for (step = 0; step < STEPS; step++) {
			for (level = 0; level < top[step]; level++) {
				check_step(family, step, level, false);
				check_step(family, step, level, true);
			}
		}
	}
}

static void test_lower_id(void **state)
{
	struct policy *p = setup_policy();
	struct frame f = udp_in(4);
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++)
		add(p, BP_BLOCK, DIR_IN);
	p->rules[0]->id = 9;
	p->rules[1]->id = 7;
	p->rules[2]->id = 4000000000;
	wins(p, &in_eth0, &f, 7);
	policy_free(&p);
}

/* icmp, icmp type 8, icmp type 8 code 0: in the place of the protocol, before any port. */
static void test_type_and_code(void **state)
{
	struct policy *p = setup_policy();
	struct frame echo = icmp_in(4, 8, 0), other = icmp_in(4, 8, 1), reply = icmp_in(4, 0, 0);
	struct frame unreachable = icmp_in(4, 3, 0);

	(void)state;
	add(p, BP_BLOCK, DIR_IN);
	set_type(add(p, BP_BLOCK, DIR_IN), IPPROTO_ICMP, -1, -1);
	set_type(add(p, BP_PERMIT, DIR_IN), IPPROTO_ICMP, 8, -1);
	set_type(add(p, BP_PERMIT, DIR_IN), IPPROTO_ICMP, 8, 0);
	wins(p, &in_eth0, &echo, 4);
	wins(p, &in_eth0, &other, 3);
	wins(p, &in_eth0, &reply, 2);
	set_type(add(p, BP_PERMIT, DIR_IN), IPPROTO_ICMP, 0, -1); /* 0 is a type like others */
	wins(p, &in_eth0, &reply, 5);
	wins(p, &in_eth0, &unreachable, 2);
	set_iface(add(p, BP_BLOCK, DIR_IN), "eth0"); /* compared before the protocol */
	wins(p, &in_eth0, &echo, 6);
	policy_free(&p);
}

/* A domain policy stands in the static one's place. */
static void test_layers(void **state)
{
	struct policy *p = setup_policy();
	struct frame f = udp_in(4);

	(void)state;
	add(p, BP_PERMIT, DIR_IN)->layer = LAYER_STATIC;
	add(p, BP_BLOCK, DIR_IN)->layer = LAYER_DOMAIN;
	wins(p, &in_eth0, &f, 2); /* block before permit */
	add(p, BP_BLOCK, DIR_IN)->layer = LAYER_STATIC;
	wins(p, &in_eth0, &f, 2); /* the lower id */
	add(p, BP_PERMIT, DIR_IN)->layer = LAYER_DYNAMIC;
	wins(p, &in_eth0, &f, 4);
	policy_free(&p);
}

/* 0.0.0.0/0 ranks as any but is of one family. */
static void test_prefix_zero(void **state)
{
	struct policy *p = setup_policy();
	struct frame f4 = udp_in(4), f6 = udp_in(6);

	(void)state;
	add(p, BP_PERMIT, DIR_IN);
	end_is(&add(p, BP_PERMIT, DIR_IN)->from, "0.0.0.0", 0);
	wins(p, &in_eth0, &f4, 1);
	end_is(&add(p, BP_BLOCK, DIR_IN)->from, "0.0.0.0", 0);
	wins(p, &in_eth0, &f4, 3);
	wins(p, &in_eth0, &f6, 1);
	policy_free(&p);
}

/* The filter that matches best speaks for its rule. */
static void test_best_filter(void **state)
{
	const struct prefix list[] = { prefix_of("192.0.0.0", 8), prefix_of("192.0.2.0", 24),
		prefix_of("192.0.2.80", 32), prefix_of("2001:db8::", 32) };
	struct policy *p = setup_policy();
	struct frame f4 = udp_in(4), f6 = udp_in(6);
	struct rule *rule;

	(void)state;
	end_is(&add(p, BP_PERMIT, DIR_IN)->from, FAR4, 23);
	end_lists(&add(p, BP_BLOCK, DIR_IN)->from, list, COUNT(list));
	wins(p, &in_eth0, &f4, 2);
	wins(p, &in_eth0, &f6, 2);
	end_is(&add(p, BP_PERMIT, DIR_IN)->from, FAR4, 25);
	wins(p, &in_eth0, &f4, 3);
	policy_free(&p);

	p = setup_policy();
	add_port(&add(p, BP_PERMIT, DIR_IN)->to, 1430, 1440);
	rule = add(p, BP_BLOCK, DIR_IN);
	add_port(&rule->to, 1, 2);
	add_port(&rule->to, 1000, 2000);
	add_port(&rule->to, 1434, 1435);
	wins(p, &in_eth0, &f4, 2);
	add_port(&add(p, BP_PERMIT, DIR_IN)->to, 1434, 1434);
	wins(p, &in_eth0, &f4, 3);
	policy_free(&p);
}

static void test_no_match(void **state)
{
	struct policy *p = setup_policy();
	struct frame f = udp_in(4);

	(void)state;
	wins(p, &in_eth0, &f, 0);
	add(p, BP_BLOCK, DIR_IN)->proto = IPPROTO_TCP;
	wins(p, &in_eth0, &f, 0);
	policy_free(&p);
}

/* From the second of its deadline on, a rule does not exist. */
static void test_deadline(void **state)
{
	struct policy *p = setup_policy();
	struct frame f = udp_in(4), cut = headless(f, FRAME_CUT);
	struct eval_env env = in_eth0;
	struct rule *rule = add(p, BP_BLOCK, DIR_IN);

	(void)state;
	add_port(&rule->to, 1434, 1434);
	rule->deadline = 1001;
	wins(p, &env, &f, 1);
	is_malformed(p, &env, &cut, true);
	env.now = 1001;
	wins(p, &env, &f, 0);
	is_malformed(p, &env, &cut, false);
	policy_free(&p);
}

/* The list: those that decide by precedence, then those that count by id; count never decides. */
static void test_matched(void **state)
{
	static const unsigned int expected[] = { 4, 2, 5, 1, 3 };
	struct policy *p = setup_policy();
	struct frame f = udp_in(4);
	struct eval_verdict v;
	size_t i;

	(void)state;
	end_is(&add(p, BP_COUNT, DIR_IN)->from, FAR4, 24);
	add(p, BP_BLOCK, DIR_IN)->proto = IPPROTO_UDP;
	add(p, BP_COUNT, DIR_IN)->emergency = true;
	end_is(&add(p, BP_PERMIT, DIR_IN)->from, FAR4, 24);
	add(p, BP_PERMIT, DIR_INOUT);
	add(p, BP_BLOCK, DIR_OUT);
	add(p, BP_COUNT, DIR_IN)->proto = IPPROTO_TCP;
	assert_int_equal(eval_frame(p, &in_eth0, &f, &v), 0);
	assert_int_equal(v.n_matched, COUNT(expected));
	assert_int_equal(v.n_deciding, 3);
	for (i = 0; i < COUNT(expected); i++)
		assert_int_equal(v.matched[i]->id, expected[i]);
	assert_false(v.block);
	eval_free(&v);
	policy_free(&p);
}

static void test_count_alone(void **state)
{
	struct policy *p = setup_policy();
	struct frame f = udp_in(4);
	struct eval_verdict v;

	(void)state;
	add(p, BP_COUNT, DIR_IN);
	assert_int_equal(eval_frame(p, &in_eth0, &f, &v), 0);
	assert_int_equal(v.n_matched, 1);
	assert_int_equal(v.n_deciding, 0);
	assert_int_equal(v.reason, REASON_NO_MATCH);
	assert_null(v.winner);
	assert_false(v.block);
	eval_free(&v);
	policy_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ladder),
		cmocka_unit_test(test_lower_id),
		cmocka_unit_test(test_type_and_code),
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_prefix_zero),
		cmocka_unit_test(test_best_filter),
		cmocka_unit_test(test_no_match),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_matched),
		cmocka_unit_test(test_count_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
