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
	[ATTACH_TC] = "tc",
	[ATTACH_NONE] = "none",
};
_Static_assert(sizeof(mode_names) / sizeof(mode_names[0]) == ATTACH_NONE + 1, "a name each");

const char *attach_mode_name(enum attach_mode mode)
{
	return mode_names[mode];
}

const char *attach_mode_text(enum attach_mode mode)
{
	static const char *const texts[] = {
		[ATTACH_AUTO] = "automatic",
		[ATTACH_NATIVE] = "native XDP",
		[ATTACH_GENERIC] = "generic XDP",
		[ATTACH_TC] = "TC",
		[ATTACH_NONE] = "nothing",
	};

	return texts[mode];
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

static const char *const hook_names[BP_HOOKS] = {
	[BP_XDP] = "xdp",
	[BP_TC_IN] = "tc-in",
	[BP_TC_OUT] = "tc-out",
	[BP_L3_IN] = "l3-in",
	[BP_L3_OUT] = "l3-out",
};

static char *link_path(enum bp_hook hook, int ifindex)
{
	return path_join(dirs_get()->bpffs, "links/%s-%d", hook_names[hook], ifindex);
}

/* What link_path() made. */
static bool parse_link_name(const char *name, enum bp_hook *hook, int *ifindex)
{
	for (int h = 0; h < BP_HOOKS; h++) {
		size_t len = strlen(hook_names[h]);

		if (strncmp(name, hook_names[h], len) || sscanf(name + len, "-%d", ifindex) != 1)
			continue;
		*hook = h;
		return true;
	}
	return false;
}

/* A pinned link, opened. */
struct pinned {
	const char *path;
	enum bp_hook hook;
	int number; /* the ifindex in its name */
	int fd;
	struct bpf_link_info info;
};

/*
 * On the interface that it is named after. One of an interface that is gone is on number 0. A TCX
 * link's number stands at the same place as an XDP link's (struct bpf_link_info).
 */
static bool is_live(const struct pinned *p)
{
	return p->number == (int)p->info.xdp.ifindex;
}

typedef int (*link_fn)(const struct pinned *p, void *arg, struct diag *diag);

/* What cannot be opened is no link that is gone: the kernel may be out of memory for a moment. */
static int with_link(
	const char *path, enum bp_hook hook, int number, link_fn fn, void *arg, struct diag *diag)
{
	struct pinned p = { .path = path, .hook = hook, .number = number };
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
		enum bp_hook hook;
		int number, bad;
		char *path;

		if (!parse_link_name(entry->d_name, &hook, &number))
			continue;
		path = path_join(dir, "%s", entry->d_name);
		bad = path ? with_link(path, hook, number, fn, arg, rc ? &one : diag) : -ENOMEM;
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

/* The entry of that interface, made if there is none yet. NULL: no memory. */
static struct attached *attached_at(struct attached_list *list, int ifindex)
{
	struct attached *v;

	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].ifindex == ifindex)
			return &list->v[i];
	v = realloc(list->v, (list->n + 1) * sizeof(*v));
	if (!v)
		return NULL;
	list->v = v;
	v[list->n] = (struct attached){ .ifindex = ifindex, .how = ATTACH_NONE };
	return &v[list->n++];
}

static int gather_one(const struct pinned *p, void *arg, struct diag *diag)
{
	struct gather *g = arg;
	const struct nl_link *link = nl_by_index(g->links, p->number);
	struct attached *is;

	(void)diag;
	if (!is_live(p))
		return 0;
	is = attached_at(g->list, p->number);
	if (!is)
		return -ENOMEM;
	if (p->hook == BP_TC_OUT || p->hook == BP_L3_OUT)
		is->out = true;
	else if (p->hook != BP_XDP)
		is->how = ATTACH_TC;
	else
		is->how = link && link->xdp_generic ? ATTACH_GENERIC : ATTACH_NATIVE;
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
	if (bpf_obj_get_info_by_fd(k->root[p->hook], &root, &len))
		return diag_errno(diag, errno, "cannot tell which program is ours");
	if (p->info.prog_id == root.id || !bpf_link_update(p->fd, k->root[p->hook], NULL) ||
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

/* Whose the XDP program on the interface is: "'name' (id N)". */
static const char *foreign_name(const struct nl_link *link, char *buf, size_t size)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(link->xdp_prog);

	if (fd >= 0) {
		bpf_obj_get_info_by_fd(fd, &info, &len);
		close(fd);
	}
	snprintf(buf, size, "'%s' (id %u)", info.name[0] ? info.name : "without a name",
		link->xdp_prog);
	return buf;
}

static int foreign(const struct nl_link *link, struct diag *diag)
{
	char name[64];

	return diag_set(diag, DIAG_SYSTEM, EBUSY,
		"%s carries a foreign XDP program, %s, which bpfpol never removes; leave --mode "
		"out to "
		"filter by TC behind it, or take it off with the tool that put it there ('bpftool "
		"net' "
		"and 'ip link show dev %s' tell more)",
		link->name, foreign_name(link, name, sizeof(name)), link->name);
}

int attach_check(const struct nl_link *link, enum attach_mode mode, struct diag *diag)
{
	bool xdp = mode == ATTACH_NATIVE || mode == ATTACH_GENERIC;

	if (link->loopback)
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"%s is the loopback, which is never filtered", link->name);
	if (xdp && link->l3)
		return diag_set(diag, DIAG_SYSTEM, EOPNOTSUPP,
			"%s has no Ethernet header, which XDP needs; leave --mode out to filter by "
			"TC",
			link->name);
	return xdp && link->xdp_prog ? foreign(link, diag) : 0;
}

/* linux/bpf.h has these names from 6.6 on. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47

static int create_link(
	const struct kernel *k, const struct nl_link *link, enum bp_hook hook, __u32 flags)
{
	static const int types[BP_HOOKS] = { [BP_XDP] = BPF_XDP,
		[BP_TC_IN] = TCX_INGRESS,
		[BP_TC_OUT] = TCX_EGRESS,
		[BP_L3_IN] = TCX_INGRESS,
		[BP_L3_OUT] = TCX_EGRESS };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
	char *path = link_path(hook, link->ifindex);
	int fd = path ? bpf_link_create(k->root[hook], link->ifindex, types[hook], &opts) : -ENOMEM;
	int rc = fd < 0 ? fd : 0;

	if (!rc) {
		unlink(path); /* of an interface that had this number before */
		rc = bpf_obj_pin(fd, path) ? -errno : 0;
		close(fd);
	}
	free(path);
	return rc;
}

/* By TC. The reason was found by the caller. */
static int attach_tc_in(
	const struct kernel *k, const struct nl_link *link, struct attached *is, struct diag *diag)
{
	int rc = create_link(k, link, link->l3 ? BP_L3_IN : BP_TC_IN, 0);

	is->how = ATTACH_TC;
	return !rc ? 0
		   : diag_errno(diag, -rc, "%s does not take a TC program (TCX, kernel 6.6)",
			     link->name);
}

static int attach_in(const struct kernel *k, const struct nl_link *link, enum attach_mode mode,
	struct attached *is, char *why, size_t size, struct diag *diag)
{
	char name[64];
	int native = 0, rc;

	snprintf(why, size, "asked for");
	if (mode == ATTACH_TC)
		return attach_tc_in(k, link, is, diag);
	if (link->l3) {
		snprintf(why, size, "it has no Ethernet header, which XDP needs");
		return attach_tc_in(k, link, is, diag);
	}
	if (link->xdp_prog) {
		snprintf(why, size, "XDP is taken by a foreign program, %s, which stays",
			foreign_name(link, name, sizeof(name)));
		return attach_tc_in(k, link, is, diag);
	}
	is->how = ATTACH_NATIVE;
	if (mode != ATTACH_GENERIC) {
		snprintf(why, size, "the driver runs XDP");
		native = rc = create_link(k, link, BP_XDP, XDP_FLAGS_DRV_MODE);
		if (!rc)
			return 0;
	}
	if (mode == ATTACH_NATIVE)
		return diag_errno(diag, -rc,
			"%s does not take native XDP (its driver, or its MTU of %u); without "
			"--mode "
			"bpfpol falls back to generic XDP",
			link->name, link->mtu);
	if (native)
		snprintf(why, size, "the driver does not take native XDP: %s", strerror(-native));
	is->how = ATTACH_GENERIC;
	rc = create_link(k, link, BP_XDP, XDP_FLAGS_SKB_MODE);
	if (!rc || mode == ATTACH_GENERIC)
		return !rc ? 0 : diag_errno(diag, -rc, "%s does not take generic XDP", link->name);
	snprintf(why, size, "it takes no XDP: %s", strerror(-rc));
	return attach_tc_in(k, link, is, diag);
}

/* Before 6.6 there is no TCX: the interface is filtered one way, and says so. */
static int attach_out(const struct kernel *k, const struct nl_link *link, struct attached *is,
	char *why, size_t size, struct diag *diag)
{
	int rc = create_link(k, link, link->l3 ? BP_L3_OUT : BP_TC_OUT, 0);
	size_t used = strlen(why);

	is->out = !rc;
	if (rc != -EINVAL)
		return rc ? diag_errno(
				    diag, -rc, "%s takes no TC program for what leaves", link->name)
			  : 0;
	snprintf(why + used, size - used, "; what leaves is not filtered: that needs kernel 6.6");
	return 0;
}

int attach_link(const struct kernel *k, const struct nl_link *link, enum attach_mode mode,
	struct attached *is, char *why, size_t size, struct diag *diag)
{
	const struct attached was = *is;
	struct diag ignored = {};
	char *dir = links_dir();
	int rc = attach_check(link, mode, diag);

	snprintf(why, size, "what leaves is filtered again");
	if (!rc)
		rc = dir ? dir_make(dir, diag) : -ENOMEM;
	free(dir);
	if (!rc && was.how == ATTACH_NONE)
		rc = attach_in(k, link, mode, is, why, size, diag);
	if (!rc && !was.out) {
		rc = attach_out(k, link, is, why, size, diag);
		if (rc && was.how == ATTACH_NONE)
			detach_link(link->ifindex, &ignored);
	}
	diag_free(&ignored);
	if (rc)
		*is = was;
	return rc;
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

/* The interface's links, opened; -1: it has none at that hook. On failure none is open. */
static int open_hooks(int ifindex, int fds[BP_HOOKS], struct diag *diag)
{
	int rc = 0;

	for (int hook = 0; hook < BP_HOOKS; hook++)
		fds[hook] = -1;
	for (int hook = 0; hook < BP_HOOKS && !rc; hook++) {
		char *path = link_path(hook, ifindex);

		if (!path)
			rc = -ENOMEM;
		else if (!access(path, F_OK) && (fds[hook] = bpf_obj_get(path)) < 0)
			rc = diag_errno(diag, errno, "cannot open %s", path);
		free(path);
	}
	for (int hook = 0; hook < BP_HOOKS && rc; hook++)
		if (fds[hook] >= 0)
			close(fds[hook]);
	return rc;
}

/*
 * Both ways or neither: all that can fail comes first. A link that does not let itself be detached
 * goes with its last reference, some time later.
 */
int detach_link(int ifindex, struct diag *diag)
{
	int fds[BP_HOOKS];
	int rc = open_hooks(ifindex, fds, diag);

	for (int hook = 0; hook < BP_HOOKS && !rc; hook++) {
		char *path = fds[hook] < 0 ? NULL : link_path(hook, ifindex);

		if (fds[hook] < 0)
			continue;
		bpf_link_detach(fds[hook]);
		if (path)
			unlink(path);
		close(fds[hook]);
		free(path);
	}
	return rc;
}

int detach_all(size_t *left, struct diag *diag)
{
	*left = 0;
	return each_link(take_off, NULL, left, diag);
}
