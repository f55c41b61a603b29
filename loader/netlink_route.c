// SPDX-License-Identifier: GPL-2.0-only
#include "netlink_route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "netlink_parts.h"

/* Not in every C library. */
#define RULE_DSCP 25

#define LOOPBACK 1 /* in each network namespace (LOOPBACK_IFINDEX in the kernel) */

struct route {
	struct nl_exits exits;
	bool own;	/* it ends here */
	bool any;	/* it has a way */
	bool elsewhere; /* its next hops are an object's of their own, which was not shown */
};

static int add_exit(struct nl_exits *exits, int ifindex)
{
	int *v;

	for (size_t i = 0; i < exits->n; i++)
		if (exits->v[i] == ifindex)
			return 0;
	v = ifindex ? nl_grow(exits->v, exits->n, sizeof(*v)) : NULL;
	if (!v)
		return ifindex ? -ENOMEM : 0;
	exits->v = v;
	v[exits->n++] = ifindex;
	return 0;
}

/* Also those that are down: they are the way again when they are up. */
static int add_hops(struct nl_exits *exits, const struct nlattr *hops)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(hops);
	int left = mnl_attr_get_payload_len(hops), rc = 0;

	for (; RTNH_OK(hop, left) && !rc; left -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
		rc = add_exit(exits, hop->rtnh_ifindex);
	return rc;
}

static int route_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[RTA_NH_ID + 1] = { NULL };
	struct nl_attrs a = { .tb = tb, .max = RTA_NH_ID };
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct route *route = data;
	int rc;

	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(struct rtmsg), nl_attr_keep, &a);
	route->own = rtm->rtm_type == RTN_LOCAL;
	rc = add_exit(&route->exits, route->own ? LOOPBACK : (int)nl_attr_u32(tb[RTA_OIF]));
	if (!rc && tb[RTA_MULTIPATH])
		rc = add_hops(&route->exits, tb[RTA_MULTIPATH]);
	route->any = route->own || tb[RTA_OIF] || tb[RTA_MULTIPATH];
	route->elsewhere = tb[RTA_NH_ID] && !route->any;
	return rc ? MNL_CB_ERROR : MNL_CB_OK;
}

static int family_of(int family)
{
	return family == 4 ? AF_INET : AF_INET6;
}

/* How much of a flow the kernel is told. */
enum detail { DETAIL_ADDRESS, DETAIL_SOURCE, DETAIL_PORTS };

static void put_ends(struct nlmsghdr *nlh, const struct nl_flow *flow, enum detail detail)
{
	struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	size_t len = flow->family == 4 ? 4 : 16;

	rtm->rtm_dst_len = 8 * len;
	mnl_attr_put(nlh, RTA_DST, len, flow->to);
	if (flow->from && detail >= DETAIL_SOURCE) {
		rtm->rtm_src_len = 8 * len;
		mnl_attr_put(nlh, RTA_SRC, len, flow->from);
	}
	if (!flow->proto || detail < DETAIL_PORTS)
		return;
	mnl_attr_put_u8(nlh, RTA_IP_PROTO, flow->proto);
	if (flow->from_port)
		mnl_attr_put_u16(nlh, RTA_SPORT, htons(flow->from_port));
	if (flow->to_port)
		mnl_attr_put_u16(nlh, RTA_DPORT, htons(flow->to_port));
}

/* flags: RTM_F_FIB_MATCH (4.13): the route as it is listed, with all its next hops. */
static int ask_once(
	const struct nl_flow *flow, enum detail detail, unsigned int flags, struct route *route)
{
	char buf[MNL_NLMSG_HDRLEN + 256] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	nlh->nlmsg_type = RTM_GETROUTE;
	rtm->rtm_family = family_of(flow->family);
	rtm->rtm_tos = flow->tos;
	rtm->rtm_flags = flags;
	put_ends(nlh, flow, detail);
	if (flow->mark)
		mnl_attr_put_u32(nlh, RTA_MARK, flow->mark);
	if (flow->uid)
		mnl_attr_put_u32(nlh, RTA_UID, flow->uid);
	if (flow->bound)
		mnl_attr_put_u32(nlh, RTA_OIF, flow->bound);
	route->own = route->any = route->elsewhere = false;
	return nl_ask(nlh, route_cb, route);
}

/* Of next hops that are not shown (net.ipv4.nexthop_compat_mode=0), that which is taken now. */
static int ask(const struct nl_flow *flow, enum detail detail, struct route *route)
{
	int rc = ask_once(flow, detail, RTM_F_FIB_MATCH, route);

	return rc || !route->elsewhere ? rc : ask_once(flow, detail, 0, route);
}

/*
 * Not every kernel knows ports, nor those of every protocol, and IPv4's source must be an address
 * of this host: what it does not take (which is also how it says that there is a route that says
 * no) is left out.
 */
static int route_get(const struct nl_flow *flow, struct route *route)
{
	int rc = -EINVAL;

	for (int detail = DETAIL_PORTS; detail >= 0 && (rc == -EINVAL || rc == -EOPNOTSUPP);
		detail--)
		rc = ask(flow, detail, route);
	if (rc == -ENETUNREACH || rc == -EHOSTUNREACH || rc == -EACCES || rc == -EINVAL ||
		rc == -ENODEV)
		rc = 0;
	return rc;
}

int nl_route_get(const struct nl_flow *flow, struct nl_exits *exits, bool *any)
{
	struct route route = { .exits = *exits };
	int rc = route_get(flow, &route);

	*exits = route.exits;
	*any = !rc && route.any;
	return rc;
}

int nl_is_own(const struct nl_flow *flow, bool *yes)
{
	struct route route = {};
	int rc = route_get(flow, &route);

	*yes = !rc && route.own;
	free(route.exits.v);
	return rc;
}

static uint16_t first_port(const struct nlattr *range)
{
	if (!range || mnl_attr_get_payload_len(range) < sizeof(struct fib_rule_port_range))
		return 0;
	return ((const struct fib_rule_port_range *)mnl_attr_get_payload(range))->start;
}

static uint32_t first_user(const struct nlattr *range)
{
	if (!range || mnl_attr_get_payload_len(range) < sizeof(struct fib_rule_uid_range))
		return 0;
	return ((const struct fib_rule_uid_range *)mnl_attr_get_payload(range))->start;
}

static struct nl_hint hint_of(const struct fib_rule_hdr *rule, const struct nlattr *const *tb)
{
	struct nl_hint hint = {
		.mark = nl_attr_u32(tb[FRA_FWMARK]),
		.uid = first_user(tb[FRA_UID_RANGE]),
		.tos = rule->tos,
		.from_port = first_port(tb[FRA_SPORT_RANGE]),
		.to_port = first_port(tb[FRA_DPORT_RANGE]),
	};

	if (tb[RULE_DSCP] && !mnl_attr_validate(tb[RULE_DSCP], MNL_TYPE_U8))
		hint.tos = mnl_attr_get_u8(tb[RULE_DSCP]) << 2;
	if (tb[FRA_IP_PROTO] && !mnl_attr_validate(tb[FRA_IP_PROTO], MNL_TYPE_U8))
		hint.proto = mnl_attr_get_u8(tb[FRA_IP_PROTO]);
	else if (hint.from_port || hint.to_port)
		hint.proto = IPPROTO_TCP; /* that of any protocol */
	return hint;
}

static int hint_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[RULE_DSCP + 1] = { NULL };
	struct nl_attrs a = { .tb = tb, .max = RULE_DSCP };
	const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(nlh);
	struct nl_hints *hints = data;
	struct nl_hint hint, *v;

	mnl_attr_parse(nlh, sizeof(*rule), nl_attr_keep, &a);
	hint = hint_of(rule, tb);
	if (rule->src_len && nl_add_prefix(&hints->sources, rule->family == AF_INET ? 4 : 6,
				     rule->src_len, tb[FRA_SRC]))
		return MNL_CB_ERROR;
	if (!hint.mark && !hint.uid && !hint.tos && !hint.proto)
		return MNL_CB_OK;
	v = nl_grow(hints->v, hints->n, sizeof(*v));
	if (!v)
		return MNL_CB_ERROR;
	hints->v = v;
	v[hints->n++] = hint;
	return MNL_CB_OK;
}

void nl_flow_follow(struct nl_flow *flow, const struct nl_hint *hint)
{
	flow->mark = hint->mark;
	flow->uid = hint->uid;
	flow->tos = hint->tos;
	flow->proto = hint->proto;
	flow->from_port = hint->from_port;
	flow->to_port = hint->to_port;
}

static void reset(void *data)
{
	struct nl_hints *hints = data;

	hints->n = 0;
	hints->sources.n = 0;
}

int nl_hints_get(int family, struct nl_hints *hints)
{
	char buf[MNL_NLMSG_HDRLEN + 128] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(nlh, sizeof(*rule));
	int rc;

	nlh->nlmsg_type = RTM_GETRULE;
	rule->family = family_of(family);
	rc = nl_dump(nlh, hint_cb, reset, hints);
	return rc == -EOPNOTSUPP || rc == -EAFNOSUPPORT ? 0 : rc;
}

void nl_hints_free(struct nl_hints *hints)
{
	free(hints->v);
	free(hints->sources.v);
	*hints = (struct nl_hints){};
}
