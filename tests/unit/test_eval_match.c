/* SPDX-License-Identifier: GPL-2.0-only */
/* What a rule matches, and what decides on packets that cannot be read. */
#include "eval_kit.h"

/* --- what a rule matches --- */

static void from_far_to_near_port(struct rule *rule)
{
	end_is(&rule->from, FAR4, 32);
	end_is(&rule->to, NEAR4, 32);
	add_port(&rule->to, 1434, 1434);
}

static void from_near_port_to_far(struct rule *rule)
{
	end_is(&rule->from, NEAR4, 32);
	add_port(&rule->from, 1434, 1434);
	end_is(&rule->to, FAR4, 32);
}

static void test_directions(void **state)
{
	(void)state;
	assert_true(matches(DIR_IN, from_far_to_near_port, &in_eth0, udp_in(4)));
	assert_false(matches(DIR_IN, from_far_to_near_port, &in_eth0, udp_out(4)));
	assert_false(matches(DIR_IN, from_far_to_near_port, &out_eth0, udp_out(4)));
	assert_true(matches(DIR_OUT, from_near_port_to_far, &out_eth0, udp_out(4)));
	assert_false(matches(DIR_OUT, from_near_port_to_far, &in_eth0, udp_out(4)));
	assert_false(matches(DIR_OUT, from_far_to_near_port, &out_eth0, udp_out(4)));
	/* in as written, out with the ends exchanged */
	assert_true(matches(DIR_INOUT, from_far_to_near_port, &in_eth0, udp_in(4)));
	assert_true(matches(DIR_INOUT, from_far_to_near_port, &out_eth0, udp_out(4)));
	assert_false(matches(DIR_INOUT, from_far_to_near_port, &out_eth0, udp_in(4)));
	assert_false(matches(DIR_INOUT, from_near_port_to_far, &out_eth0, udp_out(4)));
}

static void to_me(struct rule *rule)
{
	rule->to.kind = END_ME;
}

static void from_me(struct rule *rule)
{
	rule->from.kind = END_ME;
}

static void on_eth1(struct rule *rule)
{
	set_iface(rule, "eth1");
}

static void test_me_and_interface(void **state)
{
	struct eval_env eth1 = in_eth0;

	(void)state;
	eth1.ifname = "eth1";
	assert_true(matches(DIR_IN, to_me, &in_eth0, udp_in(4)));
	assert_true(matches(DIR_IN, to_me, &in_eth0, udp_in(6)));
	assert_false(matches(DIR_IN, to_me, &forwarded, udp_in(4)));
	assert_true(matches(DIR_OUT, from_me, &out_eth0, udp_out(4)));
	assert_true(matches(DIR_INOUT, to_me, &out_eth0, udp_out(6)));
	assert_false(matches(DIR_IN, on_eth1, &in_eth0, udp_in(4)));
	assert_true(matches(DIR_IN, on_eth1, &eth1, udp_in(4)));
}

static void any_port(struct rule *rule)
{
	add_port(&rule->to, 0, 65535);
}

static void proto_icmp(struct rule *rule)
{
	rule->proto = IPPROTO_ICMP;
}

static void proto_icmpv6(struct rule *rule)
{
	rule->proto = IPPROTO_ICMPV6;
}

static void proto_ah(struct rule *rule)
{
	rule->proto = IPPROTO_AH;
}

static void proto_udp(struct rule *rule)
{
	rule->proto = IPPROTO_UDP;
}

static struct frame of_proto(int family, int proto)
{
	struct frame f = headless(udp_in(family), FRAME_WHOLE);

	f.proto = proto;
	return f;
}

static void test_protocols(void **state)
{
	(void)state;
	assert_true(matches(DIR_IN, any_port, &in_eth0, udp_in(6)));
	assert_false(matches(DIR_IN, any_port, &in_eth0, icmp_in(4, 8, 0)));
	assert_false(matches(DIR_IN, any_port, &in_eth0, of_proto(4, IPPROTO_GRE)));
	assert_true(matches(DIR_IN, NULL, &in_eth0, of_proto(6, IPPROTO_GRE)));
	assert_true(matches(DIR_IN, proto_icmp, &in_eth0, icmp_in(4, 8, 0)));
	assert_false(matches(DIR_IN, proto_icmp, &in_eth0, of_proto(6, IPPROTO_ICMP)));
	assert_true(matches(DIR_IN, proto_icmpv6, &in_eth0, icmp_in(6, 128, 0)));
	assert_false(matches(DIR_IN, proto_icmpv6, &in_eth0, of_proto(4, IPPROTO_ICMPV6)));
	assert_true(matches(DIR_IN, proto_ah, &in_eth0, of_proto(4, IPPROTO_AH)));
	assert_false(matches(DIR_IN, proto_ah, &in_eth0, of_proto(6, IPPROTO_AH)));
}

static void ports_around(struct rule *rule)
{
	rule->proto = IPPROTO_UDP;
	add_port(&rule->to, 1430, 1434);
	add_port(&rule->from, 4000, 4001);
	add_port(&rule->from, 65535, 65535);
}

static struct frame between(uint16_t sport, uint16_t dport)
{
	struct frame f = udp_in(4);

	f.sport = sport;
	f.dport = dport;
	return f;
}

/* Ranges are inclusive. */
static void test_port_edges(void **state)
{
	(void)state;
	assert_true(matches(DIR_IN, ports_around, &in_eth0, between(4000, 1434)));
	assert_true(matches(DIR_IN, ports_around, &in_eth0, between(4001, 1430)));
	assert_true(matches(DIR_IN, ports_around, &in_eth0, between(65535, 1432)));
	assert_false(matches(DIR_IN, ports_around, &in_eth0, between(4000, 1435)));
	assert_false(matches(DIR_IN, ports_around, &in_eth0, between(4000, 1429)));
	assert_false(matches(DIR_IN, ports_around, &in_eth0, between(3999, 1434)));
	assert_false(matches(DIR_IN, ports_around, &in_eth0, between(4002, 1434)));
	assert_false(matches(DIR_IN, ports_around, &in_eth0, between(1434, 4000)));
}

static void echo_reply(struct rule *rule)
{
	set_type(rule, IPPROTO_ICMP, 0, 0);
}

static void test_type_zero(void **state)
{
	struct frame later = headless(icmp_in(4, 0, 0), FRAME_WHOLE);

	(void)state;
	assert_true(matches(DIR_IN, echo_reply, &in_eth0, icmp_in(4, 0, 0)));
	assert_false(matches(DIR_IN, echo_reply, &in_eth0, icmp_in(4, 0, 1)));
	assert_false(matches(DIR_IN, echo_reply, &in_eth0, icmp_in(4, 8, 0)));
	assert_false(matches(DIR_IN, echo_reply, &in_eth0, later));
}

/* Rules with ports never match later fragments; others do. */
static void test_later_fragment(void **state)
{
	struct frame later = headless(udp_in(4), FRAME_WHOLE);

	(void)state;
	assert_false(matches(DIR_IN, any_port, &in_eth0, later));
	assert_false(matches(DIR_IN, from_far_to_near_port, &in_eth0, later));
	assert_true(matches(DIR_IN, proto_udp, &in_eth0, later));
	assert_true(matches(DIR_IN, NULL, &in_eth0, later));
}

/* --- what cannot be read --- */

static void test_exempt(void **state)
{
	struct policy *p = setup_policy();
	struct frame f = unread(FRAME_PASS);
	struct eval_verdict v;

	(void)state;
	add(p, BP_BLOCK, DIR_IN)->emergency = true;
	add(p, BP_COUNT, DIR_IN);
	assert_int_equal(eval_frame(p, &in_eth0, &f, &v), 0);
	assert_int_equal(v.reason, REASON_EXEMPT);
	assert_false(v.block || v.malformed || v.winner || v.n_matched);
	eval_free(&v);
	policy_free(&p);
}

/* Does one rule, made by `make`, get the packet blocked as malformed? */
static bool catches_as_is(enum bp_action action, void (*make)(struct rule *),
	const struct eval_env *env, struct frame f)
{
	struct policy *p = setup_policy();
	struct eval_verdict v;
	bool blocked;

	make(add(p, action, DIR_IN));
	assert_int_equal(eval_frame(p, env, &f, &v), 0);
	blocked = v.reason == REASON_MALFORMED;
	is_malformed(p, env, &f, blocked);
	eval_free(&v);
	policy_free(&p);
	return blocked;
}

/* The same of the packet cut short. */
static bool catches(enum bp_action action, void (*make)(struct rule *), const struct eval_env *env,
	struct frame f)
{
	return catches_as_is(action, make, env, headless(f, FRAME_CUT));
}

/* The same of the packet behind extension headers that hide its protocol. */
static bool catches_hidden(enum bp_action action, void (*make)(struct rule *),
	const struct eval_env *env, struct frame f)
{
	return catches_as_is(action, make, env, hidden(f));
}

static void far_udp_port(struct rule *rule)
{
	rule->proto = IPPROTO_UDP;
	end_is(&rule->from, FAR4, 24);
	add_port(&rule->from, 7, 7);
}

static void other_udp_port(struct rule *rule)
{
	rule->proto = IPPROTO_UDP;
	end_is(&rule->from, "198.51.100.0", 24);
	add_port(&rule->to, 1434, 1434);
}

static void tcp_port(struct rule *rule)
{
	rule->proto = IPPROTO_TCP;
	add_port(&rule->to, 1434, 1434);
}

static void echo_request(struct rule *rule)
{
	set_type(rule, IPPROTO_ICMP, 8, -1);
}

static void me_port(struct rule *rule)
{
	rule->to.kind = END_ME;
	add_port(&rule->to, 1434, 1434);
}

static void eth1_port(struct rule *rule)
{
	set_iface(rule, "eth1");
	add_port(&rule->to, 1434, 1434);
}

static void test_cut(void **state)
{
	(void)state;
	assert_true(catches(BP_BLOCK, echo_reply, &in_eth0, icmp_in(4, 8, 0)));
	assert_true(catches(BP_BLOCK, far_udp_port, &in_eth0, udp_in(4)));
	assert_true(catches(BP_PERMIT, far_udp_port, &in_eth0, udp_in(4)));
	assert_false(catches(BP_COUNT, far_udp_port, &in_eth0, udp_in(4)));
	assert_false(catches(BP_PERMIT, far_udp_port, &in_eth0, udp_in(6)));
	assert_false(catches(BP_BLOCK, other_udp_port, &in_eth0, udp_in(4)));
	assert_false(catches(BP_BLOCK, tcp_port, &in_eth0, udp_in(4)));
	assert_false(catches(BP_BLOCK, far_udp_port, &out_eth0, udp_out(4)));
	assert_false(catches(BP_BLOCK, eth1_port, &in_eth0, udp_in(4)));
	assert_true(catches(BP_BLOCK, me_port, &in_eth0, udp_in(4)));
	assert_false(catches(BP_BLOCK, me_port, &forwarded, udp_in(4)));
	/* without a protocol, whatever the packet's is */
	assert_true(catches(BP_BLOCK, any_port, &in_eth0, icmp_in(4, 8, 0)));
	assert_true(catches(BP_BLOCK, any_port, &in_eth0, icmp_in(6, 128, 0)));
	assert_true(catches(BP_BLOCK, echo_request, &in_eth0, icmp_in(4, 8, 0)));
	assert_false(catches(BP_BLOCK, echo_request, &in_eth0, udp_in(4)));
	assert_false(catches(BP_BLOCK, echo_request, &in_eth0, of_proto(6, IPPROTO_ICMP)));
}

static void far6_udp_port(struct rule *rule)
{
	rule->proto = IPPROTO_UDP;
	end_is(&rule->from, FAR6, 64);
	add_port(&rule->from, 7, 7);
}

static void other6_udp_port(struct rule *rule)
{
	rule->proto = IPPROTO_UDP;
	end_is(&rule->from, "2001:db8:ffff::", 64);
	add_port(&rule->to, 1434, 1434);
}

/* Of both families: IPv4's element does not speak of IPv6. */
static void listed_port(struct rule *rule)
{
	const struct prefix list[] = { prefix_of("0.0.0.0", 0), prefix_of(FAR6, 48) };

	end_lists(&rule->from, list, COUNT(list));
	add_port(&rule->to, 1434, 1434);
}

static void other_listed_port(struct rule *rule)
{
	const struct prefix list[] = { prefix_of("0.0.0.0", 0), prefix_of(NEAR6, 48) };

	end_lists(&rule->from, list, COUNT(list));
	add_port(&rule->to, 1434, 1434);
}

static void echo6_request(struct rule *rule)
{
	set_type(rule, IPPROTO_ICMPV6, 128, -1);
}

static void ah_port(struct rule *rule)
{
	rule->proto = IPPROTO_AH;
	add_port(&rule->to, 1434, 1434);
}

static void hip_port(struct rule *rule)
{
	rule->proto = 139;
	add_port(&rule->to, 1434, 1434);
}

/* Whatever the protocol, ports or type: it may be what the rule asks for. */
static void test_hidden(void **state)
{
	(void)state;
	assert_true(catches_hidden(BP_BLOCK, tcp_port, &in_eth0, udp_in(6)));
	assert_true(catches_hidden(BP_PERMIT, tcp_port, &in_eth0, udp_in(6)));
	assert_false(catches_hidden(BP_COUNT, tcp_port, &in_eth0, udp_in(6)));
	assert_true(catches_hidden(BP_BLOCK, any_port, &in_eth0, udp_in(6)));
	assert_true(catches_hidden(BP_BLOCK, echo6_request, &in_eth0, udp_in(6)));
	/* addresses, direction, interface */
	assert_true(catches_hidden(BP_BLOCK, far6_udp_port, &in_eth0, udp_in(6)));
	assert_false(catches_hidden(BP_BLOCK, other6_udp_port, &in_eth0, udp_in(6)));
	assert_true(catches_hidden(BP_BLOCK, listed_port, &in_eth0, udp_in(6)));
	assert_false(catches_hidden(BP_BLOCK, other_listed_port, &in_eth0, udp_in(6)));
	assert_true(catches_hidden(BP_BLOCK, me_port, &in_eth0, udp_in(6)));
	assert_false(catches_hidden(BP_BLOCK, me_port, &forwarded, udp_in(6)));
	assert_false(catches_hidden(BP_BLOCK, tcp_port, &out_eth0, udp_out(6)));
	assert_false(catches_hidden(BP_BLOCK, eth1_port, &in_eth0, udp_in(6)));
	/* IPv4's alone, or asking for nothing that is hidden */
	assert_false(catches_hidden(BP_BLOCK, far_udp_port, &in_eth0, udp_in(6)));
	assert_false(catches_hidden(BP_BLOCK, echo_request, &in_eth0, udp_in(6)));
	assert_false(catches_hidden(BP_BLOCK, ah_port, &in_eth0, udp_in(6)));
	assert_false(catches_hidden(BP_BLOCK, hip_port, &in_eth0, udp_in(6)));
	assert_false(catches_hidden(BP_BLOCK, proto_udp, &in_eth0, udp_in(6)));
	assert_false(catches_hidden(BP_BLOCK, to_me, &in_eth0, udp_in(6)));
}

/* No rule with a protocol decides on a packet of none that is known, nor counts it. */
static void test_hidden_order(void **state)
{
	struct policy *p = setup_policy();
	struct frame f = hidden(udp_in(6));
	struct eval_verdict v;

	(void)state;
	add(p, BP_BLOCK, DIR_IN)->proto = IPPROTO_UDP;
	add(p, BP_BLOCK, DIR_IN)->proto = IPPROTO_ICMPV6;
	add(p, BP_BLOCK, DIR_IN)->proto = 0;
	add(p, BP_COUNT, DIR_IN)->proto = IPPROTO_UDP;
	wins(p, &in_eth0, &f, 0);
	add(p, BP_PERMIT, DIR_IN);
	wins(p, &in_eth0, &f, 5);
	end_is(&add(p, BP_BLOCK, DIR_IN)->from, FAR6, 64);
	wins(p, &in_eth0, &f, 6);
	set_type(add(p, BP_BLOCK, DIR_IN), IPPROTO_ICMP, 8, -1);
	add(p, BP_COUNT, DIR_IN);
	wins(p, &in_eth0, &f, 6);
	assert_int_equal(eval_frame(p, &in_eth0, &f, &v), 0);
	assert_int_equal(v.n_deciding, 2);
	assert_int_equal(v.n_matched, 3);
	assert_int_equal(v.matched[2]->id, 8);
	eval_free(&v);
	tcp_port(add(p, BP_PERMIT, DIR_IN));
	is_malformed(p, &in_eth0, &f, true);
	policy_free(&p);
}

/* From the second of its deadline on, a rule asks for nothing. */
static void test_hidden_deadline(void **state)
{
	struct policy *p = setup_policy();
	struct frame f = hidden(udp_in(6));
	struct eval_env env = in_eth0;
	struct rule *rule = add(p, BP_BLOCK, DIR_IN);

	(void)state;
	tcp_port(rule);
	rule->deadline = 1001;
	is_malformed(p, &env, &f, true);
	env.now = 1001;
	is_malformed(p, &env, &f, false);
	wins(p, &env, &f, 0);
	policy_free(&p);
}

/* Before any rule is compared, and no rule counts; else those without ports or type decide. */
static void test_cut_order(void **state)
{
	struct policy *p = setup_policy();
	struct frame cut = headless(udp_in(4), FRAME_CUT);
	struct rule *rule;

	(void)state;
	add(p, BP_PERMIT, DIR_IN)->emergency = true;
	add(p, BP_COUNT, DIR_IN);
	add(p, BP_BLOCK, DIR_IN)->proto = IPPROTO_TCP;
	add(p, BP_PERMIT, DIR_IN)->proto = IPPROTO_UDP;
	wins(p, &in_eth0, &cut, 1);
	p->rules[0]->emergency = false;
	wins(p, &in_eth0, &cut, 4);
	p->rules[0]->emergency = true;
	rule = add(p, BP_PERMIT, DIR_IN);
	add_port(&rule->to, 1, 1);
	is_malformed(p, &in_eth0, &cut, true);
	policy_free(&p);
}

/* The fixed header alone: addresses and protocol, never ports or type, no block for malformed. */
static void test_bad(void **state)
{
	struct frame bad = headless(udp_in(4), FRAME_BAD);
	struct policy *p = setup_policy();

	(void)state;
	assert_true(matches(DIR_IN, proto_udp, &in_eth0, bad));
	assert_true(matches(DIR_IN, to_me, &in_eth0, bad));
	add_port(&add(p, BP_BLOCK, DIR_IN)->to, 0, 65535);
	wins(p, &in_eth0, &bad, 0);
	end_is(&add(p, BP_PERMIT, DIR_IN)->from, FAR4, 32);
	wins(p, &in_eth0, &bad, 2);
	policy_free(&p);
}

static void all_of_ipv4(struct rule *rule)
{
	end_is(&rule->from, "0.0.0.0", 0);
}

static void emergency_on_eth0(struct rule *rule)
{
	rule->emergency = true;
	set_iface(rule, "eth0");
}

/* A fifth tag, or not even a fixed header: rules with nothing but direction and interface. */
static void check_unread(struct frame f)
{
	assert_true(matches(DIR_IN, NULL, &in_eth0, f));
	assert_true(matches(DIR_INOUT, NULL, &out_eth0, f));
	assert_true(matches(DIR_IN, emergency_on_eth0, &in_eth0, f));
	assert_false(matches(DIR_OUT, NULL, &in_eth0, f));
	assert_false(matches(DIR_IN, on_eth1, &in_eth0, f));
	assert_false(matches(DIR_IN, all_of_ipv4, &in_eth0, f));
	assert_false(matches(DIR_IN, to_me, &in_eth0, f));
	assert_false(matches(DIR_IN, proto_udp, &in_eth0, f));
	assert_false(matches(DIR_IN, any_port, &in_eth0, f));
	assert_false(matches(DIR_IN, echo_request, &in_eth0, f));
}

static void test_unread(void **state)
{
	struct policy *p = setup_policy();
	struct frame f = unread(FRAME_TAGS);
	struct eval_verdict v;

	(void)state;
	check_unread(f);
	check_unread(unread(FRAME_BAD));
	add(p, BP_BLOCK, DIR_IN);
	wins(p, &in_eth0, &f, 1);
	set_iface(add(p, BP_PERMIT, DIR_IN), "eth0");
	add(p, BP_COUNT, DIR_IN);
	wins(p, &in_eth0, &f, 2);
	assert_int_equal(eval_frame(p, &in_eth0, &f, &v), 0);
	assert_int_equal(v.n_matched, 3);
	eval_free(&v);
	policy_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directions),
		cmocka_unit_test(test_me_and_interface),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_port_edges),
		cmocka_unit_test(test_type_zero),
		cmocka_unit_test(test_later_fragment),
		cmocka_unit_test(test_exempt),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_cut_order),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_hidden_order),
		cmocka_unit_test(test_hidden_deadline),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
