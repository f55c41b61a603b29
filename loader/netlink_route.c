// SPDX-License-Identifier: GPL-2.0-only
#include "netlink_route.h"

#include <errno.h>
#include <sys/socket.h>

#include <linux/rtnetlink.h>

#include "netlink_parts.h"

struct route {
	int ifindex;
	bool own; /* it ends here */
};

static int route_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[RTA_OIF + 1] = { NULL };
	struct nl_attrs a = { .tb = tb, .max = RTA_OIF };
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct route *route = data;

	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(struct rtmsg), nl_attr_keep, &a);
	route->ifindex = nl_attr_u32(tb[RTA_OIF]);
	route->own = rtm->rtm_type == RTN_LOCAL;
	return MNL_CB_OK;
}

static int route_get(int family, const uint8_t *to, struct route *out)
{
	char buf[MNL_NLMSG_HDRLEN + 128] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	size_t len = family == 4 ? 4 : 16;
	struct route route = {};
	int rc;

	nlh->nlmsg_type = RTM_GETROUTE;
	rtm->rtm_family = family == 4 ? AF_INET : AF_INET6;
	rtm->rtm_dst_len = 8 * len;
	mnl_attr_put(nlh, RTA_DST, len, to);
	rc = nl_ask(nlh, route_cb, &route);
	if (rc == -ENETUNREACH || rc == -EHOSTUNREACH || rc == -EACCES || rc == -EINVAL) {
		route = (struct route){}; /* no route, or one that says no */
		rc = 0;
	}
	if (!rc)
		*out = route;
	return rc;
}

int nl_route_get(int family, const uint8_t *to, int *ifindex)
{
	struct route route;
	int rc = route_get(family, to, &route);

	if (!rc)
		*ifindex = route.ifindex;
	return rc;
}

int nl_is_own(int family, const uint8_t *address, bool *yes)
{
	struct route route;
	int rc = route_get(family, address, &route);

	if (!rc)
		*yes = route.own;
	return rc;
}
