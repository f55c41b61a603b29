// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "netlink_parts.h"
#include "netlink_tc.h"

static int qdisc_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[TCA_KIND + 1] = { NULL };
	struct nl_attrs a = { .tb = tb, .max = TCA_KIND };
	struct nl_qdisc *qdisc = data;

	if (nlh->nlmsg_type != RTM_NEWQDISC)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(struct tcmsg), nl_attr_keep, &a);
	nl_attr_str(tb[TCA_KIND], qdisc->kind, sizeof(qdisc->kind));
	return MNL_CB_OK;
}

static struct tcmsg *put_header(char *buf, uint16_t type, int ifindex)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));

	nlh->nlmsg_type = type;
	tc->tcm_ifindex = ifindex;
	return tc;
}

/*
 * Asked of the one interface: a dump is of all. -ENOENT: none was ever there; -EINVAL: none is any
 * more; -EOPNOTSUPP: a kernel without qdiscs.
 */
int nl_clsact_get(int ifindex, struct nl_qdisc *qdisc)
{
	char buf[MNL_NLMSG_HDRLEN + 64] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct nl_qdisc got = { 0 };
	int rc;

	put_header(buf, RTM_GETQDISC, ifindex)->tcm_parent = TC_H_CLSACT;
	rc = nl_ask((struct nlmsghdr *)buf, qdisc_cb, &got);
	if (rc == -ENOENT || rc == -EINVAL || rc == -ENODEV || rc == -EOPNOTSUPP)
		rc = 0;
	if (!rc)
		*qdisc = got;
	return rc;
}

static void filters_reset(void *data)
{
	struct nl_filters *list = data;

	list->n = 0;
}

static void filter_read(const struct tcmsg *tc, const struct nlattr *const *tb, struct nl_filter *f)
{
	const struct nlattr *options[TCA_BPF_ID + 1] = { NULL };
	struct nl_attrs a = { .tb = options, .max = TCA_BPF_ID };
	char kind[IF_NAMESIZE] = "";

	nl_attr_str(tb[TCA_KIND], kind, sizeof(kind));
	*f = (struct nl_filter){
		.handle = tc->tcm_handle,
		.chain = nl_attr_u32(tb[TCA_CHAIN]),
		.priority = TC_H_MAJ(tc->tcm_info) >> 16,
		.protocol = ntohs(TC_H_MIN(tc->tcm_info)),
		.bpf = !strcmp(kind, "bpf"),
	};
	if (!f->bpf || !tb[TCA_OPTIONS])
		return;
	mnl_attr_parse_nested(tb[TCA_OPTIONS], nl_attr_keep, &a);
	f->prog = nl_attr_u32(options[TCA_BPF_ID]);
}

static int filter_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[TCA_CHAIN + 1] = { NULL };
	struct nl_attrs a = { .tb = tb, .max = TCA_CHAIN };
	struct nl_filters *list = data;
	struct nl_filter *v;

	if (nlh->nlmsg_type != RTM_NEWTFILTER)
		return MNL_CB_OK;
	v = nl_grow(list->v, list->n, sizeof(*v));
	if (!v)
		return MNL_CB_ERROR;
	list->v = v;
	mnl_attr_parse(nlh, sizeof(struct tcmsg), nl_attr_keep, &a);
	filter_read(mnl_nlmsg_get_payload(nlh), tb, &v[list->n++]);
	return MNL_CB_OK;
}

int nl_filters_get(int ifindex, bool out, struct nl_filters *filters)
{
	char buf[MNL_NLMSG_HDRLEN + 64] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct tcmsg *tc = put_header(buf, RTM_GETTFILTER, ifindex);
	struct nl_filters got = { 0 };
	int rc;

	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, out ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
	rc = nl_dump((struct nlmsghdr *)buf, filter_cb, filters_reset, &got);
	if (rc)
		free(got.v);
	else
		*filters = got;
	return rc;
}
