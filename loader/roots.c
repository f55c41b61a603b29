// SPDX-License-Identifier: GPL-2.0-only
#include "roots.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clsact.h"
#include "generation.h"
#include "kernel.h"
#include "netlink.h"
#include "pins.h"
#include "tie.h"

#define MOST_MAPS 16 /* a root program has four */

/* Descriptor of the control word that the program asks. -ENOENT: it asks none, or is gone. */
static int open_word(const __u32 *maps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct bpf_map_info info = {};
		__u32 len = sizeof(info);
		int fd = bpf_map_get_fd_by_id(maps[i]), rc = 0;

		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return fd;
		if (bpf_obj_get_info_by_fd(fd, &info, &len))
			rc = -errno;
		else if (info.type == BPF_MAP_TYPE_ARRAY && info.max_entries == 1 &&
			 info.map_flags & BPF_F_MMAPABLE &&
			 !strcmp(info.name, shared_name(SHARED_CTL)))
			return fd;
		close(fd);
		if (rc)
			return rc;
	}
	return -ENOENT;
}

static int use_word(struct roots *r, int fd, bool here, enum root_kind *kind)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	struct bp_ctl *ctl;

	*kind = ROOT_OLDER;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.value_size != sizeof(*ctl))
		return 0;
	ctl = mmap(NULL, sizeof(*ctl), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ctl == MAP_FAILED)
		return -errno;
	if (ctl->abi == BP_ABI && tie_is_ours(ctl) && (!here || ctl->netns == kernel_namespace())) {
		*kind = ROOT_OFF;
		__atomic_store_n(&ctl->off, BP_OFF, __ATOMIC_SEQ_CST);
	} else if (ctl->abi == BP_ABI) {
		*kind = ROOT_OTHER;
		if (ctl->off != BP_OFF && ctl->netns == kernel_namespace())
			snprintf(r->other, sizeof(r->other), "%s", ctl->store_dir);
	}
	munmap(ctl, sizeof(*ctl));
	return 0;
}

static int keep(struct roots *r, __u32 prog, enum root_kind kind)
{
	struct root *v = realloc(r->v, (r->n + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	r->v = v;
	v[r->n++] = (struct root){ prog, kind };
	return 0;
}

/* Descriptor of its control word. -ENOENT: it is no root program, or gone. */
static int open_word_of(__u32 id)
{
	__u32 maps[MOST_MAPS] = {};
	struct bpf_prog_info info = { .nr_map_ids = MOST_MAPS, .map_ids = (uintptr_t)maps };
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id), rc;

	if (fd < 0)
		return fd;
	rc = bpf_obj_get_info_by_fd(fd, &info, &len) ? -errno : 0;
	close(fd);
	if (rc)
		return rc;
	if (!kernel_is_root_name(info.name) ||
		(info.type != BPF_PROG_TYPE_XDP && info.type != BPF_PROG_TYPE_SCHED_CLS))
		return -ENOENT;
	return open_word(maps, info.nr_map_ids < MOST_MAPS ? info.nr_map_ids : MOST_MAPS);
}

static int look_at(struct roots *r, __u32 id, bool here)
{
	enum root_kind kind;
	int fd = open_word_of(id), rc;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	rc = use_word(r, fd, here, &kind);
	close(fd);
	return rc ? rc : keep(r, id, kind);
}

int roots_switch_off(struct roots *r, bool here, struct diag *diag)
{
	__u32 id = 0;
	int rc = 0, next;

	*r = (struct roots){};
	while (!(next = bpf_prog_get_next_id(id, &id))) {
		int one = look_at(r, id, here);

		rc = rc ? rc : one;
	}
	if (!rc && next != -ENOENT)
		rc = next;
	return rc ? diag_errno(diag, -rc, "cannot ask the kernel which programs it has loaded") : 0;
}

/* 1: a control word of ours here, other than `known`, by which packets are filtered. */
static int filters_beside(int fd, __u32 known)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	struct bp_ctl *ctl;
	int is;

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.id == known || info.value_size != sizeof(*ctl))
		return 0;
	ctl = mmap(NULL, sizeof(*ctl), PROT_READ, MAP_SHARED, fd, 0);
	if (ctl == MAP_FAILED)
		return -errno;
	is = ctl->abi == BP_ABI && tie_is_ours(ctl) && ctl->netns == kernel_namespace() &&
	     ctl->off != BP_OFF;
	munmap(ctl, sizeof(*ctl));
	return is;
}

int roots_beside(int word)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info), id = 0;
	int rc = 0, next;

	if (word >= 0 && bpf_obj_get_info_by_fd(word, &info, &len))
		return -errno;
	while (!rc && !(next = bpf_prog_get_next_id(id, &id))) {
		int fd = open_word_of(id);

		if (fd == -ENOENT)
			continue;
		rc = fd < 0 ? fd : filters_beside(fd, info.id);
		if (fd >= 0)
			close(fd);
	}
	return rc || next == -ENOENT ? rc : next;
}

bool roots_are_off(const struct roots *r)
{
	bool any = false;

	for (size_t i = 0; i < r->n; i++) {
		if (r->v[i].kind == ROOT_OLDER)
			return false;
		any |= r->v[i].kind == ROOT_OFF;
	}
	return any;
}

static const struct root *find(const struct roots *r, __u32 prog)
{
	for (size_t i = 0; prog && i < r->n; i++)
		if (r->v[i].prog == prog)
			return &r->v[i];
	return NULL;
}

static bool is_on_tcx(int ifindex, __u32 prog, enum bpf_attach_type type)
{
	__u32 ids[64] = {}, n = 64; /* no more fit there */

	if (bpf_prog_query(ifindex, type, 0, NULL, ids, &n))
		return false;
	for (__u32 i = 0; i < n; i++)
		if (ids[i] == prog)
			return true;
	return false;
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

int roots_detach(const struct roots *r, size_t *left, size_t *others, struct diag *diag)
{
	struct counted counted = {};
	struct nl_links links = {};
	int first = 0, rc = r->n ? nl_links_list(&links) : 0;
	__u32 id = 0;

	note(rc, "interfaces, as they cannot be listed", &counted, &first, diag);
	while (r->n && !bpf_link_get_next_id(id, &id))
		note(take_link(r, &links, id, &counted), "an interface", &counted, &first, diag);
	if (r->n && errno != ENOENT)
		note(-errno, "interfaces, as links cannot be listed", &counted, &first, diag);
	take_filters(r, &links, &counted, &first, diag);
	nl_links_free(&links);
	*left = counted.left;
	*others = counted.others;
	return first;
}

void roots_free(struct roots *r)
{
	free(r->v);
	*r = (struct roots){};
}
