/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the tests of the oracle: rules and frames built field by field, so that neither the parser
 * nor frame.c takes part, and what is expected of them.
 */
#ifndef BPFPOL_EVAL_KIT_H
#define BPFPOL_EVAL_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include "eval.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- rules --- */

static inline struct policy *setup_policy(void)
{
	struct policy *p = policy_new("test");

	assert_non_null(p);
	return p;
}

/* Ids are given in order. */
static inline struct rule *add(struct policy *p, enum bp_action action, enum rule_dir dir)
{
	struct rule *rule, *kept;

	assert_int_equal(rule_new(&rule), 0);
	kept = rule;
	rule->id = p->n + 1;
	rule->action = action;
	rule->dir = dir;
	assert_int_equal(policy_add(p, &rule), 0);
	return kept;
}

static inline struct prefix prefix_of(const char *address, unsigned int len)
{
	struct prefix prefix = { .family = strchr(address, ':') ? 6 : 4, .len = len };
	unsigned int bit;

	inet_pton(prefix.family == 6 ? AF_INET6 : AF_INET, address, prefix.bytes);
	for (bit = len; bit < 128; bit++)
		prefix.bytes[bit / 8] &= ~(0x80 >> bit % 8);
	return prefix;
}

static inline void end_is(struct end *end, const char *address, unsigned int len)
{
	end->kind = END_PREFIX;
	end->prefix = prefix_of(address, len);
}

static inline void end_lists(struct end *end, const struct prefix *v, size_t n)
{
	end->kind = END_FILE;
	end->file = strdup("list");
	end->list.v = calloc(n, sizeof(*v));
	assert_non_null(end->list.v);
	memcpy(end->list.v, v, n * sizeof(*v));
	end->list.n = n;
}

static inline void add_port(struct end *end, unsigned int lo, unsigned int hi)
{
	size_t n = end->ports.n++;

	end->ports.v = reallocarray(end->ports.v, n + 1, sizeof(*end->ports.v));
	assert_non_null(end->ports.v);
	end->ports.v[n] = (struct port_range){ lo, hi };
}

static inline void set_iface(struct rule *rule, const char *name)
{
	rule->ifname = strdup(name);
	assert_non_null(rule->ifname);
}

static inline void set_type(struct rule *rule, int proto, int type, int code)
{
	rule->proto = proto;
	rule->type = type;
	rule->code = code;
}

/* --- packets --- */

#define FAR4 "192.0.2.77"
#define NEAR4 "10.0.0.5"
#define FAR6 "2001:db8::77"
#define NEAR6 "2001:db8:1::5"

static const struct eval_env in_eth0 = { .dir = BP_IN, .ifname = "eth0", .me = true, .now = 1000 };
static const struct eval_env out_eth0 = {
	.dir = BP_OUT, .ifname = "eth0", .me = true, .now = 1000
};
static const struct eval_env forwarded = { .dir = BP_IN, .ifname = "eth0", .now = 1000 };

/* From FAR, port 4000, to NEAR, port 1434. */
static inline struct frame udp_in(int family)
{
	struct frame f = { .class = FRAME_WHOLE, .family = family, .proto = IPPROTO_UDP };

	f.has_ports = true;
	f.sport = 4000;
	f.dport = 1434;
	memcpy(f.src, prefix_of(family == 4 ? FAR4 : FAR6, 128).bytes, 16);
	memcpy(f.dst, prefix_of(family == 4 ? NEAR4 : NEAR6, 128).bytes, 16);
	return f;
}

static inline struct frame udp_out(int family)
{
	struct frame in = udp_in(family), out = in;

	memcpy(out.src, in.dst, 16);
	memcpy(out.dst, in.src, 16);
	out.sport = in.dport;
	out.dport = in.sport;
	return out;
}

static inline struct frame icmp_in(int family, int type, int code)
{
	struct frame f = udp_in(family);

	f.proto = family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	f.has_ports = false;
	f.has_type = true;
	f.type = type;
	f.code = code;
	return f;
}

/* The same without ports or type. */
static inline struct frame headless(struct frame f, enum frame_class class)
{
	f.class = class;
	f.has_ports = false;
	f.has_type = false;
	f.sport = f.dport = f.type = f.code = 0;
	return f;
}

/* Its extension headers hide the protocol. */
static inline struct frame hidden(struct frame f)
{
	f = headless(f, FRAME_CUT);
	f.proto = PROTO_UNREAD;
	return f;
}

static inline struct frame unread(enum frame_class class)
{
	return (struct frame){ .class = class };
}

/* --- what is expected --- */

/* winner: its id; 0: no rule matches. */
static inline void wins(const struct policy *p, const struct eval_env *env, const struct frame *f,
	unsigned int winner)
{
	struct eval_verdict v;

	assert_int_equal(eval_frame(p, env, f, &v), 0);
	assert_int_equal(v.winner ? v.winner->id : 0, winner);
	assert_int_equal(v.reason, winner ? REASON_RULE : REASON_NO_MATCH);
	assert_int_equal(v.block, winner && v.winner->action == BP_BLOCK);
	assert_int_equal(v.malformed, f->class != FRAME_WHOLE);
	assert_true(v.n_deciding <= v.n_matched);
	assert_int_equal(v.n_deciding > 0, winner != 0);
	if (winner)
		assert_ptr_equal(v.matched[0], v.winner);
	eval_free(&v);
}

static inline void is_malformed(
	const struct policy *p, const struct eval_env *env, const struct frame *f, bool blocked)
{
	struct eval_verdict v;

	assert_int_equal(eval_frame(p, env, f, &v), 0);
	assert_true(v.malformed);
	assert_int_equal(v.reason == REASON_MALFORMED, blocked);
	if (blocked) {
		assert_true(v.block);
		assert_null(v.winner);
		assert_int_equal(v.n_matched, 0);
	}
	eval_free(&v);
}

/* One rule with the body that `make` gives it; does it match? */
static inline bool matches(
	enum rule_dir dir, void (*make)(struct rule *), const struct eval_env *env, struct frame f)
{
	struct policy *p = setup_policy();
	struct rule *rule = add(p, BP_BLOCK, dir);
	struct eval_verdict v;
	bool found;

	if (make)
		make(rule);
	assert_int_equal(eval_frame(p, env, &f, &v), 0);
	found = v.winner == rule;
	eval_free(&v);
	policy_free(&p);
	return found;
}

#endif
