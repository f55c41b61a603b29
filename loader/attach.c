// SPDX-License-Identifier: GPL-2.0-only
#include "attach.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
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

/* A pinned link, opened. */
struct pinned {
	const char *path;
	int number; /* the ifindex in its name */
	int fd;
	struct bpf_link_info info;
};

/* On the interface that it is named after. One of an interface that is gone is on number 0. */
static bool is_live(const struct pinned *p)
{
	return p->number == (int)p->info.xdp.ifindex;
}

typedef int (*link_fn)(const struct pinned *p, void *arg, struct diag *diag);

/* What cannot be opened is no link that is gone: the kernel may be out of memory for a moment. */
static int with_link(const char *path, int number, link_fn fn, void *arg, struct diag *diag)
{
	struct pinned p = { .path = path, .number = number };
	__u32 len = sizeof(p.info);
	int rc = 0;

	p.fd = bpf_obj_get(path);
	if (p.fd < 0)
		return errno == ENOENT ? 0 /* `off` was here */
				       : diag_errno(diag, errno, "cannot open %s", path);
	if (bpf_obj_get_info_by_fd(p.fd, &p.info, &len))
		rc = diag_errno(diag, errno, "cannot tell where %s is attached", path);
	else
		rc = fn(&p, arg, diag);
	close(p.fd);
	return rc;
}

static int open_links(char **dir, DIR **d, struct diag *diag)
{
	int rc = dir_check(dirs_get()->bpffs, diag);

	*dir = rc ? NULL : links_dir();
	if (!rc)
		rc = *dir ? dir_check(*dir, diag) : -ENOMEM;
	*d = rc ? NULL : opendir(*dir);
	if (!rc && !*d)
		rc = diag_errno(diag, errno, "cannot list %s", *dir);
	return rc == -ENOENT ? 0 : rc;
}

/*
 * Calls fn for each pinned link, until it returns a positive number; one that fails, or that cannot
 * be opened, does not keep it from the others. Returns the first failure, and the diag tells of it.
 * *failed, unless NULL: how many.
 */
static int each_link(link_fn fn, void *arg, size_t *failed, struct diag *diag)
{
	struct dirent *entry;
	char *dir;
	DIR *d;
	int rc = open_links(&dir, &d, diag);

	while (d && rc <= 0 && (entry = readdir(d))) {
		struct diag one = {};
		int number, bad;
		char *path;

		if (sscanf(entry->d_name, "xdp-%d", &number) != 1)
			continue;
		path = path_join(dir, "%s", entry->d_name);
		bad = path ? with_link(path, number, fn, arg, rc ? &one : diag) : -ENOMEM;
		if (bad < 0 && failed)
			++*failed;
		rc = rc ? rc : bad;
		diag_free(&one);
		free(path);
	}
	if (d)
		closedir(d);
	free(dir);
	return rc;
}

static int note_live(const struct pinned *p, void *arg, struct diag *diag)
{
	(void)diag;
	*(bool *)arg = is_live(p);
	return is_live(p);
}

bool attached_any(void)
{
	struct diag ignored = {};
	bool any = false;

	each_link(note_live, &any, NULL, &ignored);
	diag_free(&ignored);
	return any;
}

struct gather {
	struct attached_list *list;
	const struct nl_links *links;
};

static int gather_one(const struct pinned *p, void *arg, struct diag *diag)
{
	struct gather *g = arg;
	const struct nl_link *link = nl_by_index(g->links, p->number);
	struct attached *v;

	(void)diag;
	if (!is_live(p))
		return 0;
	v = realloc(g->list->v, (g->list->n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	g->list->v = v;
	v[g->list->n++] = (struct attached){ p->number,
		link && link->xdp_generic ? ATTACH_GENERIC : ATTACH_NATIVE };
	return 0;
}

int attached_get(struct attached_list *list, struct diag *diag)
{
	struct nl_links links = {};
	struct gather g = { list, &links };
	int rc = nl_links_get(&links);

	*list = (struct attached_list){};
	if (rc)
		return diag_errno(diag, -rc, "cannot list the interfaces");
	rc = each_link(gather_one, &g, NULL, diag);
	nl_links_free(&links);
	return rc;
}

static int adopt_one(const struct pinned *p, void *arg, struct diag *diag)
{
	const struct kernel *k = arg;
	struct bpf_prog_info root = {};
	__u32 len = sizeof(root);
	char name[IF_NAMESIZE];

	if (!p->info.xdp.ifindex) {
		unlink(p->path); /* what cannot be swept harms nobody */
		return 0;
	}
	if (bpf_obj_get_info_by_fd(k->root_xdp, &root, &len))
		return diag_errno(diag, errno, "cannot tell which program is ours");
	if (p->info.prog_id == root.id || !bpf_link_update(p->fd, k->root_xdp, NULL) ||
		errno == ENOLINK) /* the interface has just gone */
		return 0;
	return diag_errno(diag, errno,
		"cannot put the program of this version on %s, where that of an earlier one "
		"filters; 'bpfpol detach' and 'bpfpol attach' would",
		if_indextoname(p->number, name) ? name : p->path);
}

int attach_adopt(const struct kernel *k, struct diag *diag)
{
	return each_link(adopt_one, (void *)k, NULL, diag);
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

/*
 * The program is off when this returns; letting go of the pin alone would do it some time later.
 * A pin that stays behind holds a link to nothing, which a later attach sweeps.
 */
static int take_off(const struct pinned *p, void *arg, struct diag *diag)
{
	(void)arg;
	if (bpf_link_detach(p->fd))
		return diag_errno(diag, errno, "cannot detach %s", p->path);
	unlink(p->path);
	return 0;
}

int detach_link(int ifindex, struct diag *diag)
{
	char *path = link_path(ifindex);
	int rc = path ? with_link(path, ifindex, take_off, NULL, diag) : -ENOMEM;

	free(path);
	return rc;
}

int detach_all(size_t *left, struct diag *diag)
{
	*left = 0;
	return each_link(take_off, NULL, left, diag);
}
