/* SPDX-License-Identifier: GPL-2.0-only */
/* A frame on its way to the program of one hook, by BPF_PROG_TEST_RUN. */
#include "twin.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "gen_pool.h"

#define MOST_SURE 3072 /* bytes of a frame that TEST_RUN takes for TC anywhere */

#define TYPE_IPV4 0x0800
#define TYPE_TAG 0x8100
#define TYPE_STAG 0x88a8
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
	return bp_hook_is_xdp(hook) ? 3500 : MOST_SURE;
}

static unsigned int be16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static void set16(uint8_t *at, size_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* --- aggregates --- */

#define NOWHERE ((size_t)-1)

static size_t ip_at(const struct sample *s)
{
	size_t at = 12;

	if (hook_is_l3(s->hook))
		return 0;
	while (at + 2 <= s->len &&
		(be16(s->data + at) == TYPE_TAG || be16(s->data + at) == TYPE_STAG))
		at += 4;
	if (at + 2 + 20 <= s->len && be16(s->data + at) == TYPE_IPV4)
		return at + 2;
	return at + 2 + 40 <= s->len && be16(s->data + at) == TYPE_IPV6 ? at + 2 : NOWHERE;
}

/* Where the TCP or UDP header stands below that IP header. */
static size_t l4_at(const struct sample *s, size_t ip)
{
	uint8_t next = s->data[ip + 6];
	size_t at = ip + 40;

	if (s->data[ip] >> 4 == 4)
		return ip + (s->data[ip] & 15) * 4;
	while (next != IPPROTO_TCP && next != IPPROTO_UDP && at + 8 < s->len) {
		const uint8_t *ext = s->data + at;

		if (next == IPPROTO_FRAGMENT)
			at += 8;
		else
			at += next == IPPROTO_AH ? (ext[1] + 2) * 4 : (ext[1] + 1) * 8;
		next = ext[0];
	}
	return at;
}

/* Where its length field stands: that is 0 if the aggregate is too long for it. */
static size_t length_at(const struct sample *s, size_t ip)
{
	return ip + (s->data[ip] >> 4 == 4 ? 2 : 4);
}

bool hook_is_big(const struct sample *s)
{
	return s->gso_segs && !be16(s->data + length_at(s, ip_at(s)));
}

void hook_make_big(struct sample *s, uint8_t *data)
{
	set16(data + length_at(s, ip_at(s)), 0);
}

/* The length that is not said goes to the end of the frame. */
void hook_read(const struct sample *s, struct frame *frame)
{
	size_t ip;
	uint8_t *said;

	if (!hook_is_big(s)) {
		frame_read(s->data, s->len, hook_is_l3(s->hook), frame);
		return;
	}
	ip = ip_at(s);
	said = memcpy(must(malloc(s->len)), s->data, s->len);
	set16(said + length_at(s, ip), s->len - ip - (said[ip] >> 4 == 4 ? 0 : 40));
	frame_read(said, s->len, hook_is_l3(s->hook), frame);
	free(said);
}

/* Every packet of an aggregate has all headers in front of it. */
struct bp_count hook_count(const struct sample *s, const struct frame *frame)
{
	struct bp_count count = { .packets = 1, .bytes = s->len };
	size_t headers;

	if (!s->gso_segs)
		return count;
	headers = l4_at(s, ip_at(s));
	headers += frame->proto == IPPROTO_TCP ? (s->data[headers + 12] >> 4) * 4 : 8;
	count.packets = s->gso_segs;
	count.bytes += (s->gso_segs - 1) * headers;
	return count;
}

/* Only what has its TCP or UDP header whole becomes an aggregate. */
static bool can_be_many(const struct sample *s)
{
	struct frame frame;

	if (bp_hook_is_xdp(s->hook))
		return false;
	frame_read(s->data, s->len, hook_is_l3(s->hook), &frame);
	return frame.has_ports && (frame.proto == IPPROTO_TCP || frame.proto == IPPROTO_UDP);
}

void hook_dress(struct gen *g, struct sample *s, enum bp_hook hook)
{
	s->hook = hook;
	s->forwarded = hook_dir(hook) == BP_OUT && gen_chance(g, 40);
	s->gso_segs = s->gso_size = 0;
	if (!gen_chance(g, 20) || !can_be_many(s))
		return;
	s->gso_segs = 2 + gen_below(g, 39);
	s->gso_size = 1 + gen_below(g, 1460);
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
	return *block || opts.retval == XDP_PASS ? HOOK_RAN : -ERANGE;
}

/*
 * Right behind the Ethernet header there is to be a whole IP header, if there is one; and the
 * frame has to fit in a page together with what the kernel puts around it. TEST_RUN takes the first
 * 14 bytes for an Ethernet header also where they are none, and gives them back before the program
 * sees the frame: so it runs bare IP packets.
 */
bool hook_refused(const struct sample *s)
{
	unsigned int type;

	if (s->len < 14)
		return true;
	if (bp_hook_is_xdp(s->hook))
		return false;
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
	return *block || (int)opts.retval == TC_ACT_UNSPEC ? HOOK_RAN : -ERANGE;
}

/* By the root programs, which tail-call the classifier of the generation in force. */
int hook_run(const struct world *w, const struct sample *s, bool *block)
{
	int fd = w->k->root[s->hook];
	int rc = bp_hook_is_xdp(s->hook) ? run_xdp(w, fd, s, block) : run_tc(w, fd, s, block);

	if (rc == -EINVAL && hook_refused(s))
		return HOOK_REFUSED;
	if (rc < 0)
		printf("# a frame of %zu bytes could not be run at %s: %s\n", s->len,
			hook_names[s->hook], strerror(-rc));
	return rc;
}
