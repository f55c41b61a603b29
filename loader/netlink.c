/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rtnetlink by libmnl. Each question goes over a socket of its own; a dump that the kernel
 * calls inconsistent (something changed meanwhile) is thrown away and asked again.
 */
#include <errno.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>

#include "netlink_parts.h"
#include "policy.h"

/* Not in every C library. */
#ifndef ARPHRD_RAWIP
#define ARPHRD_RAWIP 519
#endif
#ifndef ARPHRD_IP6GRE
#define ARPHRD_IP6GRE 823
#endif

#define TRIES 5
/* Of one part of a dump: usually 32 KB, but one link may have 64 KB of other names alone. */
#define BUFFER_SIZE (1 << 17)

void *nl_grow(void *v, size_t n, size_t size)
{
	return n & (n - 1) ? v : reallocarray(v, n ? 2 * n : 1, size);
}

void nl_attr_address(const struct nlattr *attr, struct prefix *p)
{
	if (attr && mnl_attr_get_payload_len(attr) <= sizeof(p->bytes))
		memcpy(p->bytes, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
}

int nl_add_prefix(struct prefixes *list, int family, unsigned int len, const struct nlattr *attr)
{
	struct prefix *v = nl_grow(list->v, list->n, sizeof(*v));

	if (!v)
		return -ENOMEM;
	list->v = v;
	v[list->n] = (struct prefix){ .family = family, .len = len };
	nl_attr_address(attr, &v[list->n++]);
	return 0;
}

int nl_attr_keep(const struct nlattr *attr, void *data)
{
	struct nl_attrs *a = data;
	int type = mnl_attr_get_type(attr);

	if (type <= a->max)
		a->tb[type] = attr;
	if (type > a->newest)
		a->newest = type;
	return MNL_CB_OK;
}

uint32_t nl_attr_u32(const struct nlattr *attr)
{
	return attr && !mnl_attr_validate(attr, MNL_TYPE_U32) ? mnl_attr_get_u32(attr) : 0;
}

void nl_attr_str(const struct nlattr *attr, char *buf, size_t size)
{
	if (attr && !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
		snprintf(buf, size, "%s", mnl_attr_get_str(attr));
}

/* Not on the stack: where that cannot grow for want of memory the kernel ends the process. */
static int receive(struct mnl_socket *nl, unsigned int seq, mnl_cb_t cb, void *data)
{
	unsigned int port = mnl_socket_get_portid(nl);
	char *buf = malloc(BUFFER_SIZE);
	int rc = buf ? MNL_CB_OK : -ENOMEM;
	ssize_t len;

	while (rc > MNL_CB_STOP) {
		do
			len = mnl_socket_recvfrom(nl, buf, BUFFER_SIZE);
		while (len < 0 && errno == EINTR);
		rc = len < 0 ? MNL_CB_ERROR : mnl_cb_run(buf, len, seq, port, cb, data);
		if (rc < 0)
			rc = -errno;
	}
	free(buf);
	return rc;
}

int nl_talk(int bus, struct nlmsghdr *request, mnl_cb_t cb, void *data)
{
	struct mnl_socket *nl = mnl_socket_open2(bus, SOCK_CLOEXEC);
	int rc;

	if (!nl)
		return -errno;
	request->nlmsg_seq = 1;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
		mnl_socket_sendto(nl, request, request->nlmsg_len) < 0)
		rc = -errno;
	else
		rc = receive(nl, request->nlmsg_seq, cb, data);
	mnl_socket_close(nl);
	return rc;
}

int nl_dump(struct nlmsghdr *request, mnl_cb_t cb, void (*reset)(void *), void *data)
{
	int rc = -EINTR;

	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	for (int try = 0; try < TRIES && rc == -EINTR; try++) {
		reset(data);
		rc = nl_talk(NETLINK_ROUTE, request, cb, data);
	}
	return rc;
}

/* The kernel echoes what was asked for, and then says that it is done. */
int nl_ask(struct nlmsghdr *request, mnl_cb_t cb, void *data)
{
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ECHO | NLM_F_ACK;
	return nl_talk(NETLINK_ROUTE, request, cb, data);
}

struct link_dump {
	struct nl_links *links;
	int newest; /* highest attribute type that this kernel sent */
};

static void links_reset(void *data)
{
	struct link_dump *ld = data;

	ld->links->n = 0;
}

static void link_read_kind(const struct nlattr *info, struct nl_link *link)
{
	const struct nlattr *tb[IFLA_INFO_MAX + 1] = { NULL };
	struct nl_attrs a = { .tb = tb, .max = IFLA_INFO_MAX };
	char port_of[32] = "";

	if (!info)
		return;
	mnl_attr_parse_nested(info, nl_attr_keep, &a);
	nl_attr_str(tb[IFLA_INFO_KIND], link->kind, sizeof(link->kind));
	nl_attr_str(tb[IFLA_INFO_SLAVE_KIND], port_of, sizeof(port_of));
	link->bridge_port = !strcmp(port_of, "bridge");
}

static void link_read_xdp(const struct nlattr *xdp, struct nl_link *link)
{
	const struct nlattr *tb[IFLA_XDP_MAX + 1] = { NULL };
	struct nl_attrs a = { .tb = tb, .max = IFLA_XDP_MAX };
	uint8_t mode;

	if (!xdp)
		return;
	mnl_attr_parse_nested(xdp, nl_attr_keep, &a);
	if (!tb[IFLA_XDP_ATTACHED])
		return;
	mode = mnl_attr_get_u8(tb[IFLA_XDP_ATTACHED]);
	link->xdp_prog = nl_attr_u32(
		tb[mode == XDP_ATTACHED_MULTI ? IFLA_XDP_DRV_PROG_ID : IFLA_XDP_PROG_ID]);
}

/* Without IPv6 in the kernel, or below its MTU, nothing is said of it. */
static bool takes_ipv6(const struct nlattr *families)
{
	const struct nlattr *tb[AF_INET6 + 1] = { NULL }, *conf[IFLA_INET6_CONF + 1] = { NULL };
	struct nl_attrs a = { .tb = tb, .max = AF_INET6 };
	struct nl_attrs of = { .tb = conf, .max = IFLA_INET6_CONF };
	const int32_t *v;

	if (families)
		mnl_attr_parse_nested(families, nl_attr_keep, &a);
	if (tb[AF_INET6])
		mnl_attr_parse_nested(tb[AF_INET6], nl_attr_keep, &of);
	if (!conf[IFLA_INET6_CONF] || mnl_attr_get_payload_len(conf[IFLA_INET6_CONF]) <=
					      DEVCONF_DISABLE_IPV6 * sizeof(*v))
		return false;
	v = mnl_attr_get_payload(conf[IFLA_INET6_CONF]);
	return !v[DEVCONF_DISABLE_IPV6];
}

/* The IFLA_LINK of these is their other end, not something that lies below them. */
static bool is_pair(const struct nl_link *link)
{
	return !strcmp(link->kind, "veth") || !strcmp(link->kind, "netkit") ||
	       !strcmp(link->kind, "vxcan");
}

static bool begins_with_ip(unsigned int type)
{
	static const unsigned int types[] = { ARPHRD_NONE, ARPHRD_RAWIP, ARPHRD_PPP, ARPHRD_TUNNEL,
		ARPHRD_TUNNEL6, ARPHRD_SIT, ARPHRD_IPGRE, ARPHRD_IP6GRE, ARPHRD_SLIP,
		ARPHRD_CSLIP };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (type == types[i])
			return true;
	return false;
}

static void link_read(
	const struct ifinfomsg *ifi, const struct nlattr *const *tb, struct nl_link *link)
{
	*link = (struct nl_link){
		.ifindex = ifi->ifi_index,
		.loopback = ifi->ifi_flags & IFF_LOOPBACK,
		.l3 = begins_with_ip(ifi->ifi_type),
		.up = ifi->ifi_flags & IFF_UP,
		.ipv6 = takes_ipv6(tb[IFLA_AF_SPEC]),
		.hardware = tb[IFLA_PARENT_DEV_NAME],
		.master = nl_attr_u32(tb[IFLA_MASTER]),
		.mtu = nl_attr_u32(tb[IFLA_MTU]),
		.promiscuous = nl_attr_u32(tb[IFLA_PROMISCUITY]),
	};
	link->unreadable = !link->l3 && !link->loopback && ifi->ifi_type != ARPHRD_ETHER;
	nl_attr_str(tb[IFLA_IFNAME], link->name, sizeof(link->name));
	link_read_kind(tb[IFLA_LINKINFO], link);
	link_read_xdp(tb[IFLA_XDP], link);
	if (!tb[IFLA_LINK_NETNSID] && !is_pair(link))
		link->lower = nl_attr_u32(tb[IFLA_LINK]);
	if (link->lower == link->ifindex)
		link->lower = 0;
}

static int link_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[IFLA_PARENT_DEV_NAME + 1] = { NULL };
	struct nl_attrs a = { .tb = tb, .max = IFLA_PARENT_DEV_NAME };
	struct link_dump *ld = data;
	struct nl_links *links = ld->links;
	struct nl_link *v;

	if (nlh->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	v = nl_grow(links->v, links->n, sizeof(*v));
	if (!v)
		return MNL_CB_ERROR;
	links->v = v;
	mnl_attr_parse(nlh, sizeof(struct ifinfomsg), nl_attr_keep, &a);
	link_read(mnl_nlmsg_get_payload(nlh), tb, &v[links->n++]);
	if (a.newest > ld->newest)
		ld->newest = a.newest;
	return MNL_CB_OK;
}

static int link_cmp(const void *a, const void *b)
{
	const struct nl_link *x = a, *y = b;

	return (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

/*
 * Before 5.14 only sysfs tells. It may be the mount of another network namespace, so the name has
 * to stand for the same ifindex there.
 */
static bool sysfs_hardware(const struct nl_link *link)
{
	char path[64 + IF_NAMESIZE];
	int ifindex = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/net/%s/ifindex", link->name);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fscanf(f, "%d", &ifindex) != 1)
		ifindex = 0;
	fclose(f);
	snprintf(path, sizeof(path), "/sys/class/net/%s/device", link->name);
	return ifindex == link->ifindex && !access(path, F_OK);
}

static int links_dump(struct nl_links *links)
{
	char buf[MNL_NLMSG_HDRLEN + 64] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct link_dump ld = { .links = links };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	int rc;

	nlh->nlmsg_type = RTM_GETLINK;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	rc = nl_dump(nlh, link_cb, links_reset, &ld);
	if (rc)
		return rc;
	/* A kernel that sends this attribute or younger ones would have sent it. */
	for (size_t i = 0; ld.newest < IFLA_PARENT_DEV_NAME && i < links->n; i++)
		links->v[i].hardware = sysfs_hardware(&links->v[i]);
	if (links->n)
		qsort(links->v, links->n, sizeof(*links->v), link_cmp);
	return 0;
}

static void mark_default(struct nl_links *links, int ifindex)
{
	struct nl_link *link = (struct nl_link *)nl_by_index(links, ifindex);

	if (link)
		link->default_route = true;
}

static void mark_multipath(struct nl_links *links, const struct nlattr *attr)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(attr);
	int len = mnl_attr_get_payload_len(attr);

	while (RTNH_OK(hop, len)) {
		mark_default(links, hop->rtnh_ifindex);
		len -= RTNH_ALIGN(hop->rtnh_len);
		hop = RTNH_NEXT(hop);
	}
}

static void routes_reset(void *data)
{
	struct nl_links *links = data;

	for (size_t i = 0; i < links->n; i++)
		links->v[i].default_route = false;
}

/* Default routes of every table count: policy routing is how VPNs and second uplinks are set. */
static int route_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[RTA_MULTIPATH + 1] = { NULL };
	struct nl_attrs a = { .tb = tb, .max = RTA_MULTIPATH };
	struct nl_links *links = data;

	if (nlh->nlmsg_type != RTM_NEWROUTE || rtm->rtm_dst_len || rtm->rtm_type != RTN_UNICAST)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*rtm), nl_attr_keep, &a);
	mark_default(links, nl_attr_u32(tb[RTA_OIF]));
	if (tb[RTA_MULTIPATH])
		mark_multipath(links, tb[RTA_MULTIPATH]);
	return MNL_CB_OK;
}

static int routes_dump(struct nl_links *links)
{
	char buf[MNL_NLMSG_HDRLEN + 64] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = RTM_GETROUTE;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct rtmsg));
	return nl_dump(nlh, route_cb, routes_reset, links);
}

static int links_get(struct nl_links *links, bool routes)
{
	struct nl_links got = { 0 };
	int rc;

	rc = links_dump(&got);
	if (!rc && routes)
		rc = routes_dump(&got);
	if (rc)
		nl_links_free(&got);
	else
		*links = got;
	return rc;
}

int nl_links_get(struct nl_links *links)
{
	return links_get(links, true);
}

int nl_links_list(struct nl_links *links)
{
	return links_get(links, false);
}

static void forwarding_reset(void *data)
{
	(void)data; /* what is read twice is the same */
}

static int forwarding_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct netconfmsg *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[NETCONFA_FORWARDING + 1] = { NULL };
	struct nl_attrs a = { .tb = tb, .max = NETCONFA_FORWARDING };
	struct nl_link *link;

	if (nlh->nlmsg_type != RTM_NEWNETCONF)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*msg), nl_attr_keep, &a);
	link = (struct nl_link *)nl_by_index(data, nl_attr_u32(tb[NETCONFA_IFINDEX]));
	if (link && msg->ncm_family == AF_INET)
		link->forwards4 = nl_attr_u32(tb[NETCONFA_FORWARDING]);
	else if (link && msg->ncm_family == AF_INET6)
		link->forwards6 = nl_attr_u32(tb[NETCONFA_FORWARDING]);
	return MNL_CB_OK;
}

static int forwarding_dump(struct nl_links *links, int family)
{
	char buf[MNL_NLMSG_HDRLEN + 64] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct netconfmsg *msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	int rc;

	nlh->nlmsg_type = RTM_GETNETCONF;
	msg->ncm_family = family;
	rc = nl_dump(nlh, forwarding_cb, forwarding_reset, links);
	return rc == -EOPNOTSUPP ? 0 : rc; /* a kernel without that family */
}

int nl_forwarding_get(struct nl_links *links)
{
	int rc = forwarding_dump(links, AF_INET);

	return rc ? rc : forwarding_dump(links, AF_INET6);
}

void nl_links_free(struct nl_links *links)
{
	free(links->v);
	*links = (struct nl_links){ 0 };
}

bool nl_can_filter(const struct nl_link *link)
{
	return !link->loopback && !link->unreadable;
}

static uint64_t fnv1a(uint64_t hash, const void *data, size_t size)
{
	for (const uint8_t *c = data; size--; c++)
		hash = (hash ^ *c) * 0x100000001b3ULL;
	return hash;
}

/* In their order and each with its end, so that numbers which change places are told apart. */
uint64_t nl_links_print(const struct nl_links *links)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < links->n; i++) {
		const struct nl_link *link = &links->v[i];

		hash = fnv1a(hash, &link->ifindex, sizeof(link->ifindex));
		hash = fnv1a(hash, link->name, strlen(link->name) + 1);
	}
	return hash ? hash : 1;
}

const struct nl_link *nl_by_name(const struct nl_links *links, const char *name)
{
	for (size_t i = 0; i < links->n; i++)
		if (!strcmp(links->v[i].name, name))
			return &links->v[i];
	return NULL;
}

const struct nl_link *nl_by_index(const struct nl_links *links, int ifindex)
{
	struct nl_link key = { .ifindex = ifindex };

	if (!links->n)
		return NULL;
	return bsearch(&key, links->v, links->n, sizeof(key), link_cmp);
}

/*
 * Whether hardware lies below `top`: the link it stands on, the members whose master it is, and
 * what lies below those. seen: one flag per link, so that a loop ends.
 */
static bool hardware_below(const struct nl_links *links, const struct nl_link *top, bool *seen)
{
	seen[top - links->v] = true;
	for (size_t i = 0; i < links->n; i++) {
		const struct nl_link *l = &links->v[i];

		if (seen[i] || (l->ifindex != top->lower && l->master != top->ifindex))
			continue;
		if (l->hardware || hardware_below(links, l, seen))
			return true;
	}
	return false;
}

static bool is_default(const struct nl_links *links, const struct nl_link *link, bool *seen)
{
	if (!nl_can_filter(link))
		return false;
	if (link->hardware)
		return true;
	memset(seen, 0, links->n * sizeof(*seen));
	return link->default_route && !hardware_below(links, link, seen);
}

int nl_default_links(const struct nl_links *links, const struct nl_link ***out, size_t *n)
{
	const struct nl_link **v = calloc(links->n + 1, sizeof(*v));
	bool *seen = calloc(links->n + 1, sizeof(*seen));
	size_t found = 0;

	if (!v || !seen) {
		free(v);
		free(seen);
		return -ENOMEM;
	}
	for (size_t i = 0; i < links->n; i++)
		if (is_default(links, &links->v[i], seen))
			v[found++] = &links->v[i];
	free(seen);
	*out = v;
	*n = found;
	return 0;
}

struct addresses {
	int ifindex; /* only those of this interface; 0: of all */
	struct prefixes got;
};

static void addresses_reset(void *data)
{
	struct addresses *a = data;

	a->got.n = 0;
}

static int address_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFA_LOCAL + 1] = { NULL };
	struct nl_attrs a = { .tb = tb, .max = IFA_LOCAL };
	bool v4 = ifa->ifa_family == AF_INET;
	struct addresses *of = data;
	struct prefixes *list = &of->got;
	size_t size = v4 ? 4 : 16;
	const struct nlattr *attr;
	struct prefix *v;

	if (nlh->nlmsg_type != RTM_NEWADDR || (!v4 && ifa->ifa_family != AF_INET6))
		return MNL_CB_OK;
	if (of->ifindex && (int)ifa->ifa_index != of->ifindex)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*ifa), nl_attr_keep, &a);
	/* On a point-to-point link IFA_ADDRESS is the peer's. */
	attr = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	if (!attr || mnl_attr_get_payload_len(attr) != size)
		return MNL_CB_OK;
	v = nl_grow(list->v, list->n, sizeof(*v));
	if (!v)
		return MNL_CB_ERROR;
	list->v = v;
	v[list->n] = (struct prefix){ .family = v4 ? 4 : 6, .len = 8 * size };
	memcpy(v[list->n++].bytes, mnl_attr_get_payload(attr), size);
	return MNL_CB_OK;
}

int nl_addresses_of(int ifindex, struct prefixes *list)
{
	char buf[MNL_NLMSG_HDRLEN + 64] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct addresses of = { .ifindex = ifindex };
	int rc;

	nlh->nlmsg_type = RTM_GETADDR;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg));
	rc = nl_dump(nlh, address_cb, addresses_reset, &of);
	if (rc) {
		free(of.got.v);
		return rc;
	}
	prefixes_sort(&of.got); /* a link-local address may stand on several links */
	*list = of.got;
	return 0;
}

int nl_addresses_get(struct prefixes *list)
{
	return nl_addresses_of(0, list);
}
