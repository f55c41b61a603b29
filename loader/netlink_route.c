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

static int ask(struct mnl_socket *nl, struct nlmsghdr *nlh, struct route *route)
{
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	ssize_t n;
	int rc = 1;

	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
		mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	/* The route, and then the acknowledgement. */
	while (rc > 0) {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			return -errno;
		rc = mnl_cb_run(buf, n, nlh->nlmsg_seq, mnl_socket_get_portid(nl), route_cb, route);
	}
	return rc < 0 ? -errno : 0;
}

static int route_get(int family, const uint8_t *to, struct route *out)
{
	char buf[MNL_NLMSG_HDRLEN + 128] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	size_t len = family == 4 ? 4 : 16;
	struct route route = {};
	int rc;

	if (!nl)
		return -errno;
	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	rtm->rtm_family = family == 4 ? AF_INET : AF_INET6;
	rtm->rtm_dst_len = 8 * len;
	mnl_attr_put(nlh, RTA_DST, len, to);
	rc = ask(nl, nlh, &route);
	mnl_socket_close(nl);
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
