// SPDX-License-Identifier: GPL-2.0-only
#include "hooks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TCX_FIRST (1U << 3) /* BPF_F_BEFORE (6.6), before nobody in particular */

/* -EEXIST: ours is there by a link whose pin has just gone, and goes a moment later. */
static int create(
	int prog, int ifindex, enum bpf_attach_type type, struct bpf_link_create_opts *opts)
{
	const struct timespec moment = { .tv_nsec = 5000000 };
	int fd = bpf_link_create(prog, ifindex, type, opts);

	for (int i = 0; i < 20 && fd == -EEXIST; i++) {
		nanosleep(&moment, NULL);
		fd = bpf_link_create(prog, ifindex, type, opts);
	}
	return fd;
}

int hook_link(int prog, enum bp_hook hook, int ifindex)
{
	static const int types[BP_HOOKS] = { [BP_XDP] = BPF_XDP,
		[BP_GENERIC] = BPF_XDP,
		[BP_TC_IN] = TCX_INGRESS,
		[BP_TC_OUT] = TCX_EGRESS,
		[BP_L3_IN] = TCX_INGRESS,
		[BP_L3_OUT] = TCX_EGRESS };
	/* On TC, behind others it would not be asked about what they accept. */
	static const __u32 flags[BP_HOOKS] = { [BP_XDP] = XDP_FLAGS_DRV_MODE,
		[BP_GENERIC] = XDP_FLAGS_SKB_MODE,
		[BP_TC_IN] = TCX_FIRST,
		[BP_TC_OUT] = TCX_FIRST,
		[BP_L3_IN] = TCX_FIRST,
		[BP_L3_OUT] = TCX_FIRST };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags[hook]);
	char *path = pin_path(hook, ifindex, PIN_LINK, 0);
	int fd = path ? create(prog, ifindex, types[hook], &opts) : -ENOMEM;
	int rc = fd < 0 ? fd : 0;

	if (!rc) {
		unlink(path); /* of an interface that had this number before */
		rc = bpf_obj_pin(fd, path) ? -errno : 0;
		close(fd);
	}
	free(path);
	return rc;
}

static const char *name_of(int ifindex, char name[IF_NAMESIZE])
{
	return if_indextoname(ifindex, name) ? name : "an interface that is gone";
}

static int id_of(int prog, __u32 *id, struct diag *diag)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog, &info, &len))
		return diag_errno(diag, errno, "cannot tell which program is ours");
	*id = info.id;
	return 0;
}

static int note_made(const struct pin *pin, void *arg, struct diag *diag)
{
	(void)diag;
	if (pin->kind == PIN_FILTER_MADE || pin->kind == PIN_FILTER_CHANGING)
		*(bool *)arg |= pin_is_live(pin);
	return 0;
}

int hook_look(int prog, enum bp_hook hook, int ifindex, struct hook_site *site, struct diag *diag)
{
	bool out = hook == BP_TC_OUT || hook == BP_L3_OUT;
	struct hook_site got = {};
	char name[IF_NAMESIZE] = "";
	__u32 id = 0;
	int rc = id_of(prog, &id, diag);

	if (rc)
		return rc;
	rc = clsact_qdisc_get(ifindex, &got.qdisc);
	if (!rc && got.qdisc != CLSACT_NONE)
		rc = clsact_look(ifindex, out, &got.place);
	if (rc)
		return diag_errno(
			diag, -rc, "cannot tell what is on TC of %s", name_of(ifindex, name));
	if (got.qdisc != CLSACT_NONE)
		rc = pins_each(ifindex, note_made, &got.made, NULL, diag);
	got.ours = got.place.prog == id;
	if (!rc)
		*site = got;
	return rc;
}

bool hook_is_free(const struct hook_site *site)
{
	return (site->qdisc == CLSACT_NONE || site->made) && !site->place.taken &&
	       !site->place.behind;
}

/* Whether a filter can be there at all. */
static int check_site(int ifindex, bool out, const struct hook_site *site, struct diag *diag)
{
	char name[IF_NAMESIZE] = "";

	if (site->qdisc == CLSACT_INGRESS && out)
		return diag_set(diag, DIAG_SYSTEM, EOPNOTSUPP,
			"%s has an ingress qdisc, which stays, where the clsact qdisc would stand "
			"that filters what leaves",
			name_of(ifindex, name));
	if (site->place.taken && !site->ours)
		return diag_set(diag, DIAG_SYSTEM, EOPNOTSUPP,
			"%s has a foreign filter at priority %d, which is bpfpol's ('tc filter "
			"show dev %s %s' shows it)",
			name_of(ifindex, name), CLSACT_PRIORITY, name, out ? "egress" : "ingress");
	return 0;
}

static int pin_program(int prog, const char *path, struct diag *diag)
{
	unlink(path);
	return bpf_obj_pin(prog, path) ? diag_errno(diag, errno, "cannot pin %s", path) : 0;
}

static int make_qdisc(int ifindex, struct diag *diag)
{
	int rc = clsact_qdisc_make(ifindex);
	char name[IF_NAMESIZE] = "";

	if (rc == -ENOENT)
		return diag_set(diag, DIAG_SYSTEM, EOPNOTSUPP,
			"this kernel has neither TCX (6.6) nor the clsact qdisc "
			"(CONFIG_NET_SCH_INGRESS)");
	return !rc ? 0
		   : diag_errno(
			     diag, -rc, "cannot make a clsact qdisc on %s", name_of(ifindex, name));
}

static int add_filter(int ifindex, bool out, int prog, struct diag *diag)
{
	int rc = clsact_add(ifindex, out, prog);
	char name[IF_NAMESIZE] = "";

	return !rc ? 0
		   : diag_errno(diag, -rc, "%s takes no filter into its clsact qdisc",
			     name_of(ifindex, name));
}

/* Between the two it is pinned as `begun`; with a qdisc that is there already, that is `done`. */
static int put_filter(int prog, enum bp_hook hook, int ifindex, const char *begun, const char *done,
	struct diag *diag)
{
	bool out = hook == BP_TC_OUT || hook == BP_L3_OUT, make = begun != done;
	int rc = pin_program(prog, begun, diag);

	if (!rc && make)
		rc = make_qdisc(ifindex, diag);
	if (rc) {
		unlink(begun);
		return rc;
	}
	rc = add_filter(ifindex, out, prog, diag);
	if (!rc) {
		if (make)
			rename(begun, done);
		/* `off` asks for no lock, and may have taken the pin of what was not there yet. */
		if (access(done, F_OK))
			rc = pin_program(prog, done, diag);
		if (rc)
			clsact_remove(ifindex, out);
	}
	if (rc && make)
		clsact_qdisc_unmake(ifindex);
	if (rc)
		unlink(begun);
	return rc;
}

int hook_filter(
	int prog, enum bp_hook hook, int ifindex, const struct hook_site *site, struct diag *diag)
{
	bool out = hook == BP_TC_OUT || hook == BP_L3_OUT, make = site->qdisc == CLSACT_NONE;
	char *begun = NULL, *done = NULL;
	__u32 id = 0;
	int rc = id_of(prog, &id, diag);

	if (!rc)
		rc = check_site(ifindex, out, site, diag);
	if (rc)
		return rc;
	done = pin_path(hook, ifindex, make || site->made ? PIN_FILTER_MADE : PIN_FILTER, id);
	begun = make ? pin_path(hook, ifindex, PIN_FILTER_CHANGING, id) : done;
	if (!done || !begun)
		rc = -ENOMEM;
	else if (site->ours) /* somebody took its pin away */
		rc = pin_program(prog, done, diag);
	else
		rc = put_filter(prog, hook, ifindex, begun, done, diag);
	if (begun != done)
		free(begun);
	free(done);
	return rc;
}

static int take_link(const struct pin *pin, struct diag *diag)
{
	if (bpf_link_detach(pin->fd))
		return diag_errno(diag, errno, "cannot detach %s", pin->path);
	unlink(pin->path);
	return 0;
}

/*
 * A qdisc that was not there before us goes when nothing is left in it. Only while our filter is in
 * it, or we died over it, is it known to be that one.
 */
static int take_filter(const struct pin *pin, struct diag *diag)
{
	bool made = pin->kind == PIN_FILTER_CHANGING ||
		    (pin->kind == PIN_FILTER_MADE && pin_is_live(pin));
	char *changing = pin_path(pin->hook, pin->ifindex, PIN_FILTER_CHANGING, pin->prog);
	const char *path = pin->path;
	char name[IF_NAMESIZE] = "";
	int rc = changing ? 0 : -ENOMEM;

	if (!rc && made && !rename(pin->path, changing))
		path = changing;
	if (!rc && pin_is_live(pin)) {
		rc = clsact_remove(pin->ifindex, pin_is_out(pin));
		if (rc == -ENOENT || rc == -ENODEV)
			rc = 0; /* somebody was faster */
		if (rc)
			diag_errno(diag, -rc, "cannot take the filter off %s",
				name_of(pin->ifindex, name));
	}
	/* An empty qdisc that stays harms nobody, and its pin lets the next command see to it. */
	if (!rc && (!made || !clsact_qdisc_unmake(pin->ifindex)))
		unlink(path);
	free(changing);
	return rc;
}

int hook_take(const struct pin *pin, struct diag *diag)
{
	return pin->kind == PIN_LINK ? take_link(pin, diag) : take_filter(pin, diag);
}

static int cannot_renew(const struct pin *pin, int err, struct diag *diag)
{
	char name[IF_NAMESIZE] = "";

	return diag_errno(diag, err,
		"cannot put the program of this version on %s, where that of another one "
		"filters; 'bpfpol off' and then 'bpfpol on' would",
		name_of(pin->ifindex, name));
}

static int renew_link(const struct pin *pin, int prog, __u32 id, struct diag *diag)
{
	if (!pin->on) {
		unlink(pin->path); /* what cannot be swept harms nobody */
		return 0;
	}
	if (pin->prog == id)
		return 0;
	if (!bpf_link_update(pin->fd, prog, NULL))
		return 1;
	return errno == ENOLINK ? 0 /* the interface has just gone */
				: cannot_renew(pin, errno, diag);
}

/* While both are pinned, the one that is in the filter is the one that counts. */
static int renew_filter(const struct pin *pin, int prog, __u32 id, struct diag *diag)
{
	enum pin_kind kind = pin->kind == PIN_FILTER ? PIN_FILTER : PIN_FILTER_MADE;
	char *path;
	int rc;

	if (!pin_is_live(pin))
		return hook_take(pin, diag);
	if (pin->prog == id && pin->kind == kind)
		return 0;
	path = pin_path(pin->hook, pin->ifindex, kind, id);
	rc = path ? 0 : -ENOMEM;
	if (!rc && pin->prog == id) {
		rename(pin->path, path);
	} else if (!rc) {
		rc = pin_program(prog, path, diag);
		if (!rc) {
			rc = clsact_replace(pin->ifindex, pin_is_out(pin), prog);
			if (rc)
				cannot_renew(pin, -rc, diag);
			unlink(rc ? path : pin->path);
			rc = rc ? rc : 1;
		}
	}
	free(path);
	return rc;
}

int hook_renew(const struct pin *pin, int prog, struct diag *diag)
{
	__u32 id = 0;
	int rc = id_of(prog, &id, diag);

	if (rc)
		return rc;
	return pin->kind == PIN_LINK ? renew_link(pin, prog, id, diag)
				     : renew_filter(pin, prog, id, diag);
}
