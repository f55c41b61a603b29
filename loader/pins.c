// SPDX-License-Identifier: GPL-2.0-only
#include "pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clsact.h"
#include "dirs.h"
#include "fds.h"
#include "pinned.h"

static char *links_dir(void)
{
	return path_join(dirs_get()->bpffs, "links");
}

int pins_make_dir(struct diag *diag)
{
	char *dir = links_dir();
	int rc = dir ? dir_make(dir, diag) : -ENOMEM;

	free(dir);
	return rc;
}

static const char *const hook_names[BP_HOOKS] = {
	[BP_XDP] = "xdp",
	[BP_GENERIC] = "generic",
	[BP_TC_IN] = "tc-in",
	[BP_TC_OUT] = "tc-out",
	[BP_L3_IN] = "l3-in",
	[BP_L3_OUT] = "l3-out",
};

/* A bpffs takes no dots. */
static const char *const kind_names[PIN_KINDS] = {
	[PIN_LINK] = "",
	[PIN_FILTER] = "-clsact",
	[PIN_FILTER_MADE] = "-clsact-made",
	[PIN_FILTER_CHANGING] = "-clsact-changing",
};

char *pin_path(enum bp_hook hook, int ifindex, enum pin_kind kind, __u32 prog)
{
	const char *dir = dirs_get()->bpffs, *held = kind_names[kind];

	return kind == PIN_LINK
		       ? path_join(dir, "links/%s-%d", hook_names[hook], ifindex)
		       : path_join(dir, "links/%s-%d%s-%u", hook_names[hook], ifindex, held, prog);
}

static bool parse_kind(const char *text, enum pin_kind *kind)
{
	for (int k = PIN_LINK + 1; k < PIN_KINDS; k++) {
		size_t len = strlen(kind_names[k]);
		unsigned int prog;
		int end = 0;

		if (strncmp(text, kind_names[k], len) ||
			sscanf(text + len, "-%u%n", &prog, &end) != 1 || text[len + end])
			continue;
		*kind = k;
		return true;
	}
	*kind = PIN_LINK;
	return !*text;
}

/* What pin_path() made. */
static bool parse_name(const char *name, struct pin *pin)
{
	for (int h = 0; h < BP_HOOKS; h++) {
		size_t len = strlen(hook_names[h]);
		int end = 0;

		if (strncmp(name, hook_names[h], len) ||
			sscanf(name + len, "-%d%n", &pin->ifindex, &end) != 1)
			continue;
		pin->hook = h;
		return parse_kind(name + len + end, &pin->kind);
	}
	return false;
}

bool pin_is_live(const struct pin *pin)
{
	return pin->on == pin->ifindex;
}

bool pin_is_out(const struct pin *pin)
{
	return pin->hook == BP_TC_OUT || pin->hook == BP_L3_OUT;
}

int tcx_first(int ifindex, bool out, __u32 *prog)
{
	__u32 ids[64] = { 0 }, n = 64; /* no more fit there */

	if (bpf_prog_query(ifindex, out ? TCX_EGRESS : TCX_INGRESS, 0, NULL, ids, &n))
		return errno == EINVAL || errno == ENODEV ? 0 : -errno;
	*prog = n ? ids[0] : 0;
	return 1;
}

/*
 * A link whose interface is gone is on number 0. A TCX link's number stands at the same place as an
 * XDP link's (struct bpf_link_info).
 */
static int look_at_link(struct pin *pin)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info), first = 0;
	int rc = 0;

	if (bpf_obj_get_info_by_fd(pin->fd, &info, &len))
		return -errno;
	pin->prog = info.prog_id;
	pin->on = info.xdp.ifindex;
	if (!bp_hook_is_xdp(pin->hook) && pin_is_live(pin))
		rc = tcx_first(pin->ifindex, pin_is_out(pin), &first);
	pin->behind = first && first != pin->prog;
	return rc < 0 ? rc : 0;
}

static int look_at_filter(struct pin *pin)
{
	struct bpf_prog_info info = {};
	struct clsact_place place;
	__u32 len = sizeof(info), first = 0;
	int rc;

	if (bpf_obj_get_info_by_fd(pin->fd, &info, &len))
		return -errno;
	rc = clsact_look(pin->ifindex, pin_is_out(pin), &place);
	if (rc)
		return rc;
	pin->prog = info.id;
	pin->on = place.prog == info.id ? pin->ifindex : 0;
	rc = tcx_first(pin->ifindex, pin_is_out(pin), &first);
	pin->hurried = rc > 0;
	pin->behind = place.behind || first;
	return rc < 0 ? rc : 0;
}

/* What cannot be opened is no link that is gone: the kernel may be out of memory for a moment. */
static int open_pin(struct pin *pin, struct diag *diag)
{
	int rc;

	pin->fd =
		pinned_open(pin->path, pin->kind == PIN_LINK ? PINNED_LINK : PINNED_PROGRAM, diag);
	if (pin->fd < 0)
		return pin->fd; /* -ENOENT: `off` was here */
	rc = pin->kind == PIN_LINK ? look_at_link(pin) : look_at_filter(pin);
	if (!rc)
		return 0;
	close(pin->fd);
	pin->fd = -1;
	return diag_errno(diag, -rc, "cannot tell where %s is attached", pin->path);
}

static int with_pin(struct pin *pin, pin_fn fn, void *arg, struct diag *diag)
{
	int rc = pin->path ? open_pin(pin, diag) : -ENOMEM;

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = fn(pin, arg, diag);
	close(pin->fd);
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

int pins_each(int ifindex, pin_fn fn, void *arg, size_t *failed, struct diag *diag)
{
	struct dirent *entry;
	char *dir;
	DIR *d;
	int rc = open_links(&dir, &d, diag), err = 0;

	while (d && rc <= 0 && (entry = dir_next(d, &err))) {
		struct diag one = {};
		struct pin pin = { .fd = -1 };
		int bad;

		if (!parse_name(entry->d_name, &pin) || (ifindex && pin.ifindex != ifindex))
			continue;
		pin.path = path_join(dir, "%s", entry->d_name);
		bad = with_pin(&pin, fn, arg, rc ? &one : diag);
		if (bad < 0 && failed)
			++*failed;
		rc = rc ? rc : bad;
		diag_free(&one);
		free(pin.path);
	}
	if (err && !rc)
		rc = diag_errno(diag, -err, "cannot list %s", dir);
	if (d)
		closedir(d);
	free(dir);
	return rc;
}

int pins_names(pin_fn fn, void *arg, struct diag *diag)
{
	struct dirent *entry;
	char *dir;
	DIR *d;
	int rc = open_links(&dir, &d, diag), err = 0;

	while (d && !rc && (entry = dir_next(d, &err))) {
		struct pin pin = { .fd = -1 };

		if (parse_name(entry->d_name, &pin))
			rc = fn(&pin, arg, diag);
	}
	if (err && !rc)
		rc = diag_errno(diag, -err, "cannot list %s", dir);
	if (d)
		closedir(d);
	free(dir);
	return rc;
}

static int keep(const struct pin *pin, void *arg, struct diag *diag)
{
	struct pins *pins = arg;
	struct pin *v = realloc(pins->v, (pins->n + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	pins->v = v;
	v[pins->n] = *pin;
	v[pins->n].path = strdup(pin->path);
	v[pins->n].fd = fd_copy(pin->fd);
	if (v[pins->n].path && v[pins->n].fd >= 0) {
		pins->n++;
		return 0;
	}
	free(v[pins->n].path);
	if (v[pins->n].fd >= 0)
		close(v[pins->n].fd);
	return diag_errno(diag, errno, "cannot keep %s open", pin->path);
}

int pins_open(int ifindex, struct pins *pins, struct diag *diag)
{
	int rc = pins_each(ifindex, keep, pins, NULL, diag);

	if (rc)
		pins_close(pins);
	return rc;
}

void pins_close(struct pins *pins)
{
	for (size_t i = 0; i < pins->n; i++) {
		free(pins->v[i].path);
		close(pins->v[i].fd);
	}
	free(pins->v);
	*pins = (struct pins){};
}
