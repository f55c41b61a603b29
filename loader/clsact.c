// SPDX-License-Identifier: GPL-2.0-only
#include "clsact.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "netlink_tc.h"

int clsact_qdisc_get(int ifindex, enum clsact_qdisc *qdisc)
{
	struct nl_qdisc got;
	int rc = nl_clsact_get(ifindex, &got);

	if (!rc)
		*qdisc = !got.kind[0]		       ? CLSACT_NONE
			 : !strcmp(got.kind, "clsact") ? CLSACT_THERE
						       : CLSACT_INGRESS;
	return rc;
}

int clsact_qdisc_make(int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	return bpf_tc_hook_create(&hook);
}

int clsact_qdisc_unmake(int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	enum clsact_qdisc qdisc;
	int rc = clsact_qdisc_get(ifindex, &qdisc);

	for (int out = 0; out < 2 && !rc && qdisc == CLSACT_THERE; out++) {
		struct nl_filters filters;

		rc = nl_filters_get(ifindex, out, &filters);
		if (rc)
			break;
		if (filters.n)
			qdisc = CLSACT_NONE;
		free(filters.v);
	}
	return !rc && qdisc == CLSACT_THERE ? bpf_tc_hook_destroy(&hook) : rc;
}

int clsact_look(int ifindex, bool out, struct clsact_place *place)
{
	struct nl_filters filters;
	int rc = nl_filters_get(ifindex, out, &filters);

	if (rc)
		return rc;
	*place = (struct clsact_place){};
	for (size_t i = 0; i < filters.n; i++) {
		const struct nl_filter *f = &filters.v[i];

		if (f->chain)
			continue; /* asked only by a filter of chain 0 */
		place->behind |= f->priority < CLSACT_PRIORITY;
		if (f->priority != CLSACT_PRIORITY)
			continue;
		place->taken |= !f->bpf || f->protocol != ETH_P_ALL || f->handle == CLSACT_HANDLE;
		if (f->handle == CLSACT_HANDLE)
			place->prog = f->prog;
	}
	free(filters.v);
	return 0;
}

static int put(int ifindex, bool out, int prog_fd, uint32_t flags)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		.attach_point = out ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .flags = flags, .handle = CLSACT_HANDLE,
		.priority = CLSACT_PRIORITY);

	return bpf_tc_attach(&hook, &opts);
}

int clsact_add(int ifindex, bool out, int prog_fd)
{
	return put(ifindex, out, prog_fd, 0);
}

int clsact_replace(int ifindex, bool out, int prog_fd)
{
	return put(ifindex, out, prog_fd, BPF_TC_F_REPLACE);
}

int clsact_remove(int ifindex, bool out)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		.attach_point = out ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = CLSACT_HANDLE, .priority = CLSACT_PRIORITY);

	return bpf_tc_detach(&hook, &opts);
}
