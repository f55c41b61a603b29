/* SPDX-License-Identifier: GPL-2.0-only */
/* A frame on its way to the program of one hook, by BPF_PROG_TEST_RUN. */
#include "twin.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <string.h>

#include "gen_pool.h"

#define MOST_SURE 3072 /* bytes of a frame that TEST_RUN takes for TC anywhere */

#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd

const char *const hook_names[BP_HOOKS] = {
	[BP_XDP] = "xdp",
	[BP_GENERIC] = "generic",
	[BP_TC_IN] = "tc-in",
	[BP_TC_OUT] = "tc-out",
	[BP_L3_IN] = "l3-in",
	[BP_L3_OUT] = "l3-out",
};

enum bp_dir hook_dir(enum bp_hook hook)
{
	return hook == BP_TC_OUT || hook == BP_L3_OUT ? BP_OUT : BP_IN;
}

bool hook_is_l3(enum bp_hook hook)
{
	return hook == BP_L3_IN || hook == BP_L3_OUT;
}

size_t hook_most(enum bp_hook hook)
{
	return hook == BP_XDP ? GEN_ROOM : MOST_SURE;
}

static unsigned int be16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

/* An aggregate's packets get lengths of their own: what it says reaches to the frame's end. */
void hook_read(const struct sample *s, struct frame *frame)
{
	if (s->gso_size)
		gso_read(s, frame);
	else if (s->hook == BP_GENERIC)
		frame_read_generic(s->data, s->len, frame);
	else
		frame_read(s->data, s->len, hook_is_l3(s->hook), frame);
}

struct bp_count hook_count(const struct sample *s, const struct frame *frame)
{
	if (s->gso_size)
		return gso_count(s, frame);
	return (struct bp_count){ .packets = 1, .bytes = s->len };
}

/* Among the headers, most often. */
void hook_split(struct gen *g, struct sample *s, size_t least)
{
	size_t most = s->len > least ? s->len - least : 0, first;

	first = least + gen_below(g, gen_chance(g, 80) && most > 150 ? 150 : most + 1);
	s->beyond = first < s->len ? s->len - first : 0;
}

void hook_dress(struct gen *g, struct sample *s, enum bp_hook hook)
{
	s->hook = hook;
	s->forwarded = hook_dir(hook) == BP_OUT && gen_chance(g, 40);
	s->gso_segs = s->gso_size = 0;
	if (!bp_hook_is_xdp(hook) && gen_chance(g, 20))
		gso_dress(g, s);
}

/* --- the kernel --- */

static int run_xdp(const struct world *w, int fd, const struct sample *s, bool *block)
{
	struct xdp_md ctx = {
		.data_end = s->len - s->beyond,
		.ingress_ifindex = w->ifindex[s->iface],
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = s->data, .data_size_in = s->len,
		.ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1);

	if (bpf_prog_test_run_opts(fd, &opts))
		return -errno;
	*block = opts.retval == XDP_DROP;
	return *block || opts.retval == XDP_PASS ? HOOK_RAN : HOOK_ODD;
}

/*
 * Right behind the Ethernet header there is to be a whole IP header, if there is one; and the
 * frame has to fit in a page together with what the kernel puts around it. TEST_RUN takes the first
 * 14 bytes for an Ethernet header also where they are none, and gives them back before the program
 * sees the frame: so it runs bare IP packets.
 */
bool hook_refused(const struct world *w, const struct sample *s)
{
	unsigned int type;

	if (s->len < 14)
		return true;
	if (bp_hook_is_xdp(s->hook))
		return s->beyond && !w->splits;
	type = be16(s->data + 12);
	return (type == TYPE_IPV4 && s->len < 14 + 20) || (type == TYPE_IPV6 && s->len < 14 + 40) ||
	       s->len > MOST_SURE;
}

uint32_t hook_ingress(const struct world *w, const struct sample *s)
{
	if (hook_dir(s->hook) == BP_IN)
		return w->ifindex[s->iface];
	return s->forwarded ? w->ifindex[!s->iface] : 0;
}

static int run_tc(const struct world *w, int fd, const struct sample *s, bool *block)
{
	struct __sk_buff ctx = {
		.ifindex = w->ifindex[s->iface],
		.ingress_ifindex = hook_ingress(w, s),
		.gso_segs = s->gso_segs,
		.gso_size = s->gso_size,
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = s->data, .data_size_in = s->len,
		.ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1);

	if (bpf_prog_test_run_opts(fd, &opts))
		return -errno;
	*block = opts.retval == TC_ACT_SHOT;
	return *block || (int)opts.retval == TC_ACT_UNSPEC ? HOOK_RAN : HOOK_ODD;
}

/* By the root programs, which tail-call the classifier of the generation in force. */
int hook_run(const struct world *w, const struct sample *s, bool *block)
{
	int fd = w->k->root[s->hook];
	int rc = bp_hook_is_xdp(s->hook) ? run_xdp(w, fd, s, block) : run_tc(w, fd, s, block);

	if (rc == -EINVAL && hook_refused(w, s))
		return HOOK_REFUSED;
	if (rc < 0)
		printf("# a frame of %zu bytes could not be run at %s: %s\n", s->len,
			hook_names[s->hook], strerror(-rc));
	return rc;
}

void hook_probe(struct world *w)
{
	static const uint8_t data[60];
	const struct sample s = { .data = data, .len = 60, .beyond = 30, .hook = BP_XDP };
	bool block;

	w->splits = run_xdp(w, w->k->root[BP_XDP], &s, &block) == HOOK_RAN;
}
