// SPDX-License-Identifier: GPL-2.0-only
/* roots.h: taking them off interfaces. */
#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

#include "clsact.h"
#include "netlink.h"
#include "pins.h"
#include "roots.h"

static const struct root *find(const struct roots *r, __u32 prog)
{
	for (size_t i = 0; prog && i < r->n; i++)
		if (r->v[i].prog == prog)
			return &r->v[i];
	return NULL;
}

/* Programs that are ours to tell of, by kind, a bit each. */
static unsigned int kinds_of(const struct roots *r, const __u32 *progs, size_t n)
{
	unsigned int kinds = 0;

	for (size_t i = 0; i < n; i++) {
		const struct root *root = find(r, progs[i]);

		kinds |= root ? 1U << root->kind : 0;
	}
	return kinds;
}

/* 0: the kernel has no TCX. -errno. */
static int tcx_programs(int ifindex, enum bpf_attach_type type, __u32 ids[64])
{
	__u32 n = 64; /* no more fit there */

	if (!bpf_prog_query(ifindex, type, 0, NULL, ids, &n))
		return n;
	return errno == EINVAL || errno == ENODEV ? 0 : -errno;
}

static bool is_on_tcx(int ifindex, __u32 prog, enum bpf_attach_type type)
{
	__u32 ids[64] = {};
	int n = tcx_programs(ifindex, type, ids);

	for (int i = 0; i < n; i++)
		if (ids[i] == prog)
			return true;
	return false;
}

/* What stands on XDP and TCX of interfaces here, by kind. -errno. */
static int kinds_here(const struct roots *r, const struct nl_links *links)
{
	static const enum bpf_attach_type types[] = { TCX_INGRESS, TCX_EGRESS };
	unsigned int kinds = 0;

	for (size_t i = 0; i < links->n; i++) {
		kinds |= kinds_of(r, &links->v[i].xdp_prog, 1);
		for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
			__u32 ids[64] = {};
			int n = tcx_programs(links->v[i].ifindex, types[t], ids);

			if (n < 0)
				return n;
			kinds |= kinds_of(r, ids, n);
		}
	}
	return kinds;
}

/* A link's number is one of the network namespace that it is in, which it does not name. */
static bool is_here(const struct nl_links *links, const struct bpf_link_info *info)
{
	const struct nl_link *link = nl_by_index(links, info->xdp.ifindex);

	return link && (link->xdp_prog == info->prog_id ||
			       is_on_tcx(link->ifindex, info->prog_id, TCX_INGRESS) ||
			       is_on_tcx(link->ifindex, info->prog_id, TCX_EGRESS));
}

struct counted {
	size_t left, others;
};

static int take_link(
	const struct roots *r, const struct nl_links *links, __u32 id, struct counted *counted)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_link_get_fd_by_id(id), rc = 0;
	const struct root *root;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		rc = -errno;
	/* One of an interface that is gone stands on number 0. */
	root = rc || !info.xdp.ifindex ? NULL : find(r, info.prog_id);
	if (root && (root->kind == ROOT_OFF || is_here(links, &info))) {
		if (root->kind == ROOT_OTHER)
			counted->others++;
		else if (bpf_link_detach(fd))
			rc = -errno;
	}
	close(fd);
	return rc;
}

static int take_filter(const struct roots *r, int ifindex, bool out, struct counted *counted)
{
	struct clsact_place place;
	int rc = clsact_look(ifindex, out, &place);
	const struct root *root = rc ? NULL : find(r, place.prog);

	if (root && root->kind == ROOT_OTHER)
		counted->others++;
	else if (root)
		rc = clsact_remove(ifindex, out);
	return rc == -ENOENT || rc == -ENODEV ? 0 : rc; /* somebody was faster */
}

static void note(int rc, const char *what, struct counted *counted, int *first, struct diag *diag)
{
	if (!rc)
		return;
	counted->left++;
	if (!*first)
		*first = diag_errno(diag, -rc, "cannot take the program off %s", what);
}

/* A qdisc stays: whether it came with us only the pin says. */
static void take_filters(const struct roots *r, const struct nl_links *links,
	struct counted *counted, int *first, struct diag *diag)
{
	for (size_t i = 0; i < links->n; i++) {
		const struct nl_link *link = &links->v[i];
		enum clsact_qdisc qdisc;
		int rc = clsact_qdisc_get(link->ifindex, &qdisc);

		if (rc == -ENODEV || (!rc && qdisc == CLSACT_NONE))
			continue;
		if (!rc)
			rc = take_filter(r, link->ifindex, false, counted);
		note(rc, link->name, counted, first, diag);
		note(rc ? 0 : take_filter(r, link->ifindex, true, counted), link->name, counted,
			first, diag);
	}
}

/* Each that is asked for its place waits for a lock of all network namespaces: so only if need be.
 */
static bool want_links(const struct roots *r, const struct nl_links *links)
{
	if (r->everywhere && roots_have(r, ROOT_OFF))
		return true;
	return r->n && kinds_here(r, links); /* or that is not known */
}

static void take_links(const struct roots *r, const struct nl_links *links, struct counted *counted,
	int *first, struct diag *diag)
{
	__u32 id = 0;

	if (!want_links(r, links))
		return;
	while (!bpf_link_get_next_id(id, &id))
		note(take_link(r, links, id, counted), "an interface", counted, first, diag);
	if (errno != ENOENT)
		note(-errno, "interfaces, as links cannot be listed", counted, first, diag);
}

int roots_detach(const struct roots *r, size_t *left, size_t *others, struct diag *diag)
{
	struct counted counted = {};
	struct nl_links links = {};
	int first = 0, rc = r->n ? nl_links_list(&links) : 0;

	note(rc, "interfaces, as they cannot be listed", &counted, &first, diag);
	take_links(r, &links, &counted, &first, diag);
	take_filters(r, &links, &counted, &first, diag);
	nl_links_free(&links);
	*left = counted.left;
	*others = counted.others;
	return first;
}

static int filter_kind(const struct roots *r, int ifindex, bool out)
{
	struct clsact_place place;
	int rc = clsact_look(ifindex, out, &place);

	return rc ? (rc == -ENOENT || rc == -ENODEV ? 0 : rc) : (int)kinds_of(r, &place.prog, 1);
}

/* The same of filters in clsact. */
static int filter_kinds_here(const struct roots *r, const struct nl_links *links)
{
	unsigned int kinds = 0;

	for (size_t i = 0; i < links->n; i++) {
		for (int out = 0; out < 2; out++) {
			int kind = filter_kind(r, links->v[i].ifindex, out);

			if (kind < 0)
				return kind;
			kinds |= kind;
		}
	}
	return kinds;
}

int roots_stay(const struct roots *r, enum root_kind kind)
{
	struct nl_links links = {};
	int rc = roots_have(r, kind) ? nl_links_list(&links) : 0, kinds = 0;

	if (!rc)
		rc = kinds = kinds_here(r, &links);
	if (rc >= 0)
		rc = filter_kinds_here(r, &links);
	nl_links_free(&links);
	return rc < 0 ? rc : (kinds | rc) >> kind & 1;
}
