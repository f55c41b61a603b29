// SPDX-License-Identifier: GPL-2.0-only
#include "attach.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dirs.h"

static const char *const mode_names[] = {
	[ATTACH_AUTO] = "auto",
	[ATTACH_NATIVE] = "native",
	[ATTACH_GENERIC] = "generic",
	[ATTACH_NONE] = "none",
};
_Static_assert(sizeof(mode_names) / sizeof(mode_names[0]) == ATTACH_NONE + 1, "a name each");

const char *attach_mode_name(enum attach_mode mode)
{
	return mode_names[mode];
}

int attach_mode_parse(const char *text, enum attach_mode *mode)
{
	for (int m = ATTACH_AUTO; m < ATTACH_NONE; m++) {
		if (!strcmp(text, mode_names[m])) {
			*mode = m;
			return 0;
		}
	}
	return -EINVAL;
}

static char *links_dir(void)
{
	return path_join(dirs_get()->bpffs, "links");
}

static char *link_path(int ifindex)
{
	return path_join(dirs_get()->bpffs, "links/xdp-%d", ifindex);
}

/* The interface that a pinned link is on; 0: it is gone, and the link with it. */
static int link_ifindex(const char *path)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_obj_get(path), rc;

	if (fd < 0)
		return -errno;
	rc = bpf_obj_get_info_by_fd(fd, &info, &len) ? -errno : (int)info.xdp.ifindex;
	close(fd);
	return rc;
}

/* Calls fn for each pinned link until it returns non-zero. */
static int each_link(int (*fn)(const char *path, int ifindex, void *arg), void *arg)
{
	char *dir = links_dir();
	DIR *d = dir ? opendir(dir) : NULL;
	struct dirent *entry;
	int rc = dir ? 0 : -ENOMEM;

	while (d && !rc && (entry = readdir(d))) {
		int ifindex;
		char *path;

		if (sscanf(entry->d_name, "xdp-%d", &ifindex) != 1)
			continue;
		path = path_join(dir, "%s", entry->d_name);
		rc = path ? fn(path, ifindex, arg) : -ENOMEM;
		free(path);
	}
	if (d)
		closedir(d);
	free(dir);
	return rc;
}

static int is_live(const char *path, int ifindex, void *arg)
{
	(void)arg;
	return link_ifindex(path) == ifindex;
}

bool attached_any(void)
{
	return each_link(is_live, NULL) == 1;
}

struct gather {
	struct attached_list *list;
	const struct nl_links *links;
};

static int gather_one(const char *path, int ifindex, void *arg)
{
	struct gather *g = arg;
	const struct nl_link *link;
	struct attached *v;

	if (link_ifindex(path) != ifindex)
		return unlink(path) ? 0 : 0; /* a sweep; what cannot be swept harms nobody */
	link = nl_by_index(g->links, ifindex);
	v = realloc(g->list->v, (g->list->n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	g->list->v = v;
	v[g->list->n++] = (struct attached){ ifindex,
		link && link->xdp_generic ? ATTACH_GENERIC : ATTACH_NATIVE };
	return 0;
}

int attached_get(struct attached_list *list, struct diag *diag)
{
	struct nl_links links = {};
	struct gather g = { list, &links };
	int rc = nl_links_get(&links);

	*list = (struct attached_list){};
	if (!rc)
		rc = each_link(gather_one, &g);
	nl_links_free(&links);
	return rc ? diag_errno(diag, -rc, "cannot tell what is attached") : 0;
}

const struct attached *attached_find(const struct attached_list *list, int ifindex)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].ifindex == ifindex)
			return &list->v[i];
	return NULL;
}

static int foreign(const struct nl_link *link, struct diag *diag)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(link->xdp_prog);

	if (fd >= 0) {
		bpf_obj_get_info_by_fd(fd, &info, &len);
		close(fd);
	}
	return diag_set(diag, DIAG_SYSTEM, EBUSY,
		"%s carries a foreign XDP program, '%s' (id %u), which bpfpol never removes; to "
		"filter here, take it off with the tool that put it there ('bpftool net' and 'ip "
		"link show dev %s' tell more), then run 'bpfpol attach %s' again",
		link->name, info.name[0] ? info.name : "without a name", link->xdp_prog, link->name,
		link->name);
}

static int create_link(const struct kernel *k, const struct nl_link *link, __u32 flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
	char *path = link_path(link->ifindex);
	int fd = path ? bpf_link_create(k->root_xdp, link->ifindex, BPF_XDP, &opts) : -ENOMEM;
	int rc = fd < 0 ? fd : 0;

	if (!rc) {
		unlink(path); /* of an interface that had this number before */
		rc = bpf_obj_pin(fd, path) ? -errno : 0;
		close(fd);
	}
	free(path);
	return rc;
}

int attach_check(const struct nl_link *link, struct diag *diag)
{
	if (link->loopback)
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"%s is the loopback, which is never filtered", link->name);
	if (link->l3)
		return diag_set(diag, DIAG_SYSTEM, EOPNOTSUPP,
			"%s has no Ethernet header, which XDP needs; filter on the interface that "
			"its "
			"packets come in by",
			link->name);
	if (link->xdp_prog)
		return foreign(link, diag);
	return 0;
}

int attach_link(const struct kernel *k, const struct nl_link *link, enum attach_mode mode,
	enum attach_mode *how, char *why, size_t size, struct diag *diag)
{
	char *dir = links_dir();
	int rc = attach_check(link, diag), native = 0;

	if (!rc)
		rc = dir ? dir_make(dir, diag) : -ENOMEM;
	free(dir);
	if (rc)
		return rc;
	*how = ATTACH_NATIVE;
	snprintf(why, size, "the driver runs XDP");
	if (mode != ATTACH_GENERIC) {
		native = rc = create_link(k, link, XDP_FLAGS_DRV_MODE);
		if (!rc)
			return 0;
	}
	if (mode == ATTACH_NATIVE)
		return diag_errno(diag, -rc,
			"%s does not take native XDP (its driver, or its MTU of "
			"%u); without --mode bpfpol falls back to generic XDP",
			link->name, link->mtu);
	*how = ATTACH_GENERIC;
	snprintf(why, size,
		mode == ATTACH_GENERIC ? "asked for" : "the driver does not take native XDP: %s",
		strerror(-native));
	rc = create_link(k, link, XDP_FLAGS_SKB_MODE);
	return rc ? diag_errno(diag, -rc, "%s takes neither native nor generic XDP", link->name)
		  : 0;
}

int detach_link(int ifindex, struct diag *diag)
{
	char *path = link_path(ifindex);
	/* The pin held the link's last reference: the kernel takes the program off. */
	int rc = path ? unlink(path) ? -errno : 0 : -ENOMEM;

	if (rc)
		rc = diag_errno(diag, -rc, "cannot remove %s", path ? path : "a link");
	free(path);
	return rc;
}

static int detach_one(const char *path, int ifindex, void *arg)
{
	(void)ifindex;
	(void)arg;
	unlink(path);
	return 0;
}

void detach_all(void)
{
	each_link(detach_one, NULL);
}
