// SPDX-License-Identifier: GPL-2.0-only
/* attach.h: a look at all interfaces that opens no pin, as each change has it. */
#include <bpf/bpf.h>
#include <stdlib.h>

#include "attach.h"
#include "netlink.h"
#include "pins.h"

struct look {
	const struct nl_links *links;
	unsigned int dirs;
	__u32 root[BP_HOOKS];  /* the programs' ids */
	unsigned char *pinned; /* of each link: something is */
	unsigned char *live;   /* ...and the directions in which it is known to be there */
};

static bool is_on_tcx(int ifindex, bool out, __u32 prog)
{
	__u32 ids[64] = {}, n = 64; /* no more fit there */

	if (bpf_prog_query(ifindex, out ? TCX_EGRESS : TCX_INGRESS, 0, NULL, ids, &n))
		return false;
	for (__u32 i = 0; i < n; i++)
		if (ids[i] == prog)
			return true;
	return false;
}

static int look_at(const struct pin *pin, void *arg, struct diag *diag)
{
	struct look *l = arg;
	const struct nl_link *link = nl_by_index(l->links, pin->ifindex);
	bool out = pin_is_out(pin), live;
	unsigned int dir = 1U << (out ? BP_OUT : BP_IN);

	(void)diag;
	if (!link)
		return 0;
	l->pinned[link - l->links->v] = true;
	if (!(l->dirs & dir) || pin->kind != PIN_LINK)
		return 0;
	live = bp_hook_is_xdp(pin->hook) ? link->xdp_prog == l->root[pin->hook]
					 : is_on_tcx(pin->ifindex, out, l->root[pin->hook]);
	if (live)
		l->live[link - l->links->v] |= dir;
	return 0;
}

static bool find_roots(const struct kernel *k, struct look *l)
{
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);

		if (bpf_obj_get_info_by_fd(k->root[hook], &info, &len))
			return false;
		l->root[hook] = info.id;
	}
	return true;
}

static bool is_whole(struct look *l)
{
	struct diag ignored = {};
	bool whole = !pins_names(look_at, l, &ignored);

	for (size_t i = 0; i < l->links->n && whole; i++)
		whole = !l->pinned[i] || l->live[i] == l->dirs;
	diag_free(&ignored);
	return whole;
}

bool attach_is_whole(const struct kernel *k, unsigned int dirs)
{
	struct nl_links links = {};
	struct look l = { .links = &links, .dirs = dirs };
	bool whole = false;

	if (!find_roots(k, &l) || nl_links_list(&links))
		return false;
	l.pinned = calloc(links.n + 1, 1);
	l.live = calloc(links.n + 1, 1);
	if (l.pinned && l.live)
		whole = is_whole(&l);
	free(l.pinned);
	free(l.live);
	nl_links_free(&links);
	return whole;
}
