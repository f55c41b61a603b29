// SPDX-License-Identifier: GPL-2.0-only
#include "netlink_ways.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "netlink_parts.h"

/* What routes have in common that lead to the same interface. */
struct exit_by {
	uint32_t table, oif;
};

struct collected {
	struct ways ways;
	struct exit_by *by;
	size_t n_routes; /* rules of routing come behind them */
	uint32_t n_routes_by;
};

static void ways_reset(void *data)
{
	struct collected *c = data;

	c->ways.n = c->n_routes;
	c->ways.n_by = c->n_routes_by;
	if (!c->n_routes)
		c->ways.sources.n = 0;
}

/* One by several interfaces, or by none, is like no other. */
static int find_by(struct collected *c, const struct exit_by *by, uint32_t *out)
{
	struct exit_by *v;

	for (*out = 0; by->oif && *out < c->ways.n_by; ++*out)
		if (c->by[*out].table == by->table && c->by[*out].oif == by->oif)
			return 0;
	v = nl_grow(c->by, c->ways.n_by, sizeof(*v));
	if (!v)
		return -ENOMEM;
	c->by = v;
	*out = c->ways.n_by;
	v[c->ways.n_by++] = *by;
	return 0;
}

static bool leads_to_hosts(const struct rtmsg *rtm)
{
	return rtm->rtm_type != RTN_LOCAL && rtm->rtm_type != RTN_BROADCAST &&
	       rtm->rtm_type != RTN_ANYCAST && rtm->rtm_type != RTN_MULTICAST;
}

static int add_way(struct collected *c, const struct way *way)
{
	struct way *v = nl_grow(c->ways.v, c->ways.n, sizeof(*v));

	if (!v)
		return MNL_CB_ERROR;
	c->ways.v = v;
	v[c->ways.n++] = *way;
	return MNL_CB_OK;
}

static int way_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[RTA_TABLE + 1] = { NULL };
	struct nl_attrs a = { .tb = tb, .max = RTA_TABLE };
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	bool v4 = rtm->rtm_family == AF_INET;
	struct way way = { .to = { .family = v4 ? 4 : 6, .len = rtm->rtm_dst_len },
		.by = UINT32_MAX };
	struct collected *c = data;

	/* An IPv6 one with RTM_F_CLONED is another's copy for one host. */
	if (nlh->nlmsg_type != RTM_NEWROUTE || (!v4 && rtm->rtm_family != AF_INET6) ||
		rtm->rtm_flags & RTM_F_CLONED)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*rtm), nl_attr_keep, &a);
	nl_attr_address(tb[RTA_DST], &way.to);
	if (rtm->rtm_src_len &&
		nl_add_prefix(&c->ways.sources, way.to.family, rtm->rtm_src_len, tb[RTA_SRC]))
		return MNL_CB_ERROR;
	if (leads_to_hosts(rtm)) {
		const struct exit_by by = { .table = tb[RTA_TABLE] ? nl_attr_u32(tb[RTA_TABLE])
								   : rtm->rtm_table,
			.oif = nl_attr_u32(tb[RTA_OIF]) };

		if (find_by(c, &by, &way.by))
			return MNL_CB_ERROR;
	}
	return add_way(c, &way);
}

/* Hosts that a rule of routing names have ways of their own. */
static int rule_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[FRA_DST + 1] = { NULL };
	struct nl_attrs a = { .tb = tb, .max = FRA_DST };
	const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(nlh);
	bool v4 = rule->family == AF_INET;
	struct way way = { .to = { .family = v4 ? 4 : 6, .len = rule->dst_len } };

	if (!rule->dst_len || (!v4 && rule->family != AF_INET6))
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*rule), nl_attr_keep, &a);
	nl_attr_address(tb[FRA_DST], &way.to);
	if (find_by(data, &(struct exit_by){}, &way.by))
		return MNL_CB_ERROR;
	return add_way(data, &way);
}

static int get_rules(struct collected *got)
{
	char buf[MNL_NLMSG_HDRLEN + 64] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	int rc;

	got->n_routes = got->ways.n;
	got->n_routes_by = got->ways.n_by;
	nlh->nlmsg_type = RTM_GETRULE;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct fib_rule_hdr));
	rc = nl_dump(nlh, rule_cb, ways_reset, got);
	return rc == -EOPNOTSUPP || rc == -EAFNOSUPPORT ? 0 : rc; /* a kernel without them */
}

int nl_ways_get(struct ways *ways)
{
	char buf[MNL_NLMSG_HDRLEN + 64] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct collected got = {};
	int rc;

	nlh->nlmsg_type = RTM_GETROUTE;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct rtmsg));
	rc = nl_dump(nlh, way_cb, ways_reset, &got);
	if (!rc)
		rc = get_rules(&got);
	free(got.by);
	if (rc)
		nl_ways_free(&got.ways);
	*ways = got.ways;
	return rc;
}

void nl_ways_free(struct ways *ways)
{
	free(ways->v);
	free(ways->sources.v);
	*ways = (struct ways){};
}
