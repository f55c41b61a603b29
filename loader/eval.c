/* SPDX-License-Identifier: GPL-2.0-only */
#include "eval.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/*
 * What rules are compared by, in this order; the larger number wins. All filters of a rule that
 * match one packet differ only in the prefixes of the ends and the sizes of the port ranges, each
 * on its own, so the best filter is the one with the best of each.
 */
enum field {
	BY_EMERGENCY,
	BY_REMOTE_PREFIX,
	BY_LOCAL_PREFIX,
	BY_INTERFACE,
	BY_PROTOCOL,
	BY_TYPE,
	BY_CODE,
	BY_LOCAL_PORT,
	BY_REMOTE_PORT,
	BY_LAYER,
	BY_ACTION,
	BY_ID,
	FIELDS
};

#define NO_MATCH (-1)

/* A rule that matches the packet, by its best filter. */
struct candidate {
	const struct rule *rule;
	int64_t by[FIELDS];
};

/* The packet as a rule of env's direction sees it. */
struct sight {
	const struct eval_env *env;
	const struct frame *frame;
	const uint8_t *remote, *local;
	uint16_t rport, lport;
};

static struct sight look(const struct eval_env *env, const struct frame *frame)
{
	bool in = env->dir == BP_IN;

	return (struct sight){
		.env = env,
		.frame = frame,
		.remote = in ? frame->src : frame->dst,
		.local = in ? frame->dst : frame->src,
		.rport = in ? frame->sport : frame->dport,
		.lport = in ? frame->dport : frame->sport,
	};
}

static bool asks_ports(const struct rule *rule)
{
	return rule->from.ports.n || rule->to.ports.n;
}

static bool asks_type(const struct rule *rule)
{
	return rule->type >= 0 || rule->code >= 0;
}

/* Nothing but direction and interface. 0.0.0.0/0 is an address: it asks for a family. */
static bool is_bare(const struct rule *rule)
{
	return rule->from.kind == END_ANY && rule->to.kind == END_ANY && rule->proto == PROTO_ANY &&
	       !asks_ports(rule) && !asks_type(rule);
}

/* The rule exists, and is one for this direction and interface. */
static bool speaks(const struct rule *rule, const struct eval_env *env)
{
	if (rule->deadline && env->now >= rule->deadline)
		return false;
	if (!rule_has_dir(rule, env->dir))
		return false;
	return !rule->ifname || !strcmp(rule->ifname, env->ifname);
}

/* In half bits, so that `me` has a place of its own: below full length, above one bit less. */
static int prefix_place(const struct prefix *prefix, const struct sight *s, const uint8_t *address)
{
	if (!prefix_holds(prefix, s->frame->family, address))
		return NO_MATCH;
	return 2 * prefix->len;
}

static int list_place(const struct prefixes *list, const struct sight *s, const uint8_t *address)
{
	int best = NO_MATCH, place;
	size_t i;

	for (i = 0; i < list->n; i++) {
		place = prefix_place(&list->v[i], s, address);
		if (place > best)
			best = place;
	}
	return best;
}

/* How specific the end's address is, or NO_MATCH. */
static int address_place(const struct end *end, const struct sight *s, const uint8_t *address)
{
	int full = s->frame->family == 4 ? 32 : 128;

	switch (end->kind) {
	case END_ANY:
		return 0;
	case END_ME:
		return s->frame->family && s->env->me ? 2 * full - 1 : NO_MATCH;
	case END_PREFIX:
		return prefix_place(&end->prefix, s, address);
	case END_FILE:
		return list_place(&end->list, s, address);
	}
	return NO_MATCH;
}

/* One port is 65536, a range the less the larger it is, all ports 1, nothing asked 0. */
static int port_place(const struct ports *ports, bool known, uint16_t port)
{
	int best = NO_MATCH, place;
	size_t i;

	if (!ports->n)
		return 0;
	for (i = 0; known && i < ports->n; i++) {
		if (port < ports->v[i].lo || port > ports->v[i].hi)
			continue;
		place = 65536 - (ports->v[i].hi - ports->v[i].lo);
		if (place > best)
			best = place;
	}
	return best;
}

/* Extension headers of IPv6, walked over there, that are protocols in IPv4. */
static bool walked_in_v6(int proto)
{
	switch (proto) {
	case IPPROTO_AH:
	case 135: /* mobility (RFC 6275) */
	case 139: /* HIP (RFC 7401) */
	case 140: /* shim6 (RFC 5533) */
		return true;
	}
	return false;
}

/* Whether the rule's protocol is one of the family's. icmp is IPv4's, icmpv6 IPv6's. */
static bool proto_fits(const struct rule *rule, int family)
{
	if (rule->proto == IPPROTO_ICMP || walked_in_v6(rule->proto))
		return family == 4;
	if (rule->proto == IPPROTO_ICMPV6)
		return family == 6;
	return true;
}

static bool proto_matches(const struct rule *rule, const struct frame *frame)
{
	if (rule->proto == PROTO_ANY)
		return true;
	if (frame->proto == PROTO_UNREAD)
		return false;
	return rule->proto == frame->proto && proto_fits(rule, frame->family);
}

/* An unread protocol could be any of the family's. */
static bool proto_could_match(const struct rule *rule, const struct frame *frame)
{
	if (frame->proto == PROTO_UNREAD)
		return proto_fits(rule, frame->family);
	return proto_matches(rule, frame);
}

static bool type_matches(const struct rule *rule, const struct frame *frame)
{
	if (!asks_type(rule))
		return true;
	if (!frame->has_type)
		return false;
	return (rule->type < 0 || rule->type == frame->type) &&
	       (rule->code < 0 || rule->code == frame->code);
}

/* Sets the fields that depend on the packet; false: the rule does not match it. */
static bool match_packet(const struct rule *rule, const struct sight *s, int64_t *by)
{
	const struct end *remote = rule_remote(rule, s->env->dir);
	const struct end *local = rule_local(rule, s->env->dir);

	by[BY_REMOTE_PREFIX] = address_place(remote, s, s->remote);
	by[BY_LOCAL_PREFIX] = address_place(local, s, s->local);
	by[BY_REMOTE_PORT] = port_place(&remote->ports, s->frame->has_ports, s->rport);
	by[BY_LOCAL_PORT] = port_place(&local->ports, s->frame->has_ports, s->lport);
	return by[BY_REMOTE_PREFIX] != NO_MATCH && by[BY_LOCAL_PREFIX] != NO_MATCH &&
	       by[BY_REMOTE_PORT] != NO_MATCH && by[BY_LOCAL_PORT] != NO_MATCH &&
	       proto_matches(rule, s->frame) && type_matches(rule, s->frame);
}

static bool match(const struct rule *rule, const struct sight *s, struct candidate *c)
{
	if (!speaks(rule, s->env))
		return false;
	if (!s->frame->family && !is_bare(rule)) /* no header was read */
		return false;
	if (!match_packet(rule, s, c->by))
		return false;
	c->rule = rule;
	c->by[BY_EMERGENCY] = rule->emergency;
	c->by[BY_INTERFACE] = rule->ifname != NULL;
	c->by[BY_PROTOCOL] = rule->proto != PROTO_ANY;
	c->by[BY_TYPE] = rule->type >= 0;
	c->by[BY_CODE] = rule->code >= 0;
	c->by[BY_LAYER] = rule->layer == LAYER_DYNAMIC;
	c->by[BY_ACTION] = rule->action == BP_BLOCK;
	c->by[BY_ID] = -(int64_t)rule->id;
	return true;
}

/* For a packet cut short: would the rule have to see what is missing? */
static bool asks_for_missing(const struct rule *rule, const struct sight *s)
{
	const struct end *remote = rule_remote(rule, s->env->dir);
	const struct end *local = rule_local(rule, s->env->dir);

	return rule->action != BP_COUNT && speaks(rule, s->env) &&
	       (asks_ports(rule) || asks_type(rule)) && proto_could_match(rule, s->frame) &&
	       address_place(remote, s, s->remote) != NO_MATCH &&
	       address_place(local, s, s->local) != NO_MATCH;
}

static bool any_asks_for_missing(const struct policy *policy, const struct sight *s)
{
	size_t i;

	for (i = 0; i < policy->n; i++) {
		if (asks_for_missing(policy->rules[i], s))
			return true;
	}
	return false;
}

/* Those that decide, most specific first; then the count rules by id. */
static int order(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;
	bool a_counts = a->rule->action == BP_COUNT, b_counts = b->rule->action == BP_COUNT;
	int i;

	if (a_counts != b_counts)
		return a_counts ? 1 : -1;
	for (i = a_counts ? BY_ID : 0; i < FIELDS; i++) {
		if (a->by[i] != b->by[i])
			return a->by[i] > b->by[i] ? -1 : 1;
	}
	return 0;
}

static void decide(const struct candidate *c, struct eval_verdict *verdict)
{
	size_t i;

	for (i = 0; i < verdict->n_matched; i++) {
		verdict->matched[i] = c[i].rule;
		if (c[i].rule->action != BP_COUNT)
			verdict->n_deciding++;
	}
	verdict->reason = REASON_NO_MATCH;
	if (!verdict->n_deciding)
		return;
	verdict->reason = REASON_RULE;
	verdict->winner = verdict->matched[0];
	verdict->block = verdict->winner->action == BP_BLOCK;
}

static int compare_all(
	const struct policy *policy, const struct sight *s, struct eval_verdict *verdict)
{
	struct candidate *c = calloc(policy->n + 1, sizeof(*c));
	size_t i, n = 0;

	verdict->matched = calloc(policy->n + 1, sizeof(*verdict->matched));
	if (!c || !verdict->matched) {
		free(c);
		eval_free(verdict);
		return -ENOMEM;
	}
	for (i = 0; i < policy->n; i++)
		n += match(policy->rules[i], s, &c[n]);
	qsort(c, n, sizeof(*c), order);
	verdict->n_matched = n;
	decide(c, verdict);
	free(c);
	return 0;
}

int eval_frame(const struct policy *policy, const struct eval_env *env, const struct frame *frame,
	struct eval_verdict *verdict)
{
	struct sight s = look(env, frame);

	memset(verdict, 0, sizeof(*verdict));
	if (frame->class == FRAME_PASS) {
		verdict->reason = REASON_EXEMPT;
		return 0;
	}
	verdict->malformed = frame->class != FRAME_WHOLE;
	if (frame->class == FRAME_CUT && any_asks_for_missing(policy, &s)) {
		verdict->block = true;
		verdict->reason = REASON_MALFORMED;
		return 0;
	}
	return compare_all(policy, &s, verdict);
}

void eval_free(struct eval_verdict *verdict)
{
	free(verdict->matched);
	verdict->matched = NULL;
	verdict->n_matched = 0;
	verdict->n_deciding = 0;
}
