/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames that others sent, by BPF_PROG_TEST_RUN and over devices: whole, cut at every byte, and
 * with headers beyond the first buffer.
 */
#include <stdlib.h>
#include <string.h>

#include "gen_pool.h"
#include "spec.h"
#include "twin_pcap.h"
#include "twin_wire.h"

#define ROUND 8192     /* samples */
#define CUTS_FRAMES 32 /* of a job */
#define SHORT_FRAMES 256
#define SHORT_EVERY 4	/* of the frames are cut there */
#define RANDOM_WHOLE 10 /* policies */
#define HEADERS 512	/* bytes in which cuts are also tried with lengths that agree */

/* --- policies that such frames can meet --- */

static const char *const fixed[][6] = {
	{ "block in udp" },
	{ "block in tcp to any port 80" },
	{ "block in icmp", "block in icmpv6 type 128", "count in any" },
	{ "block in any", "permit in tcp", "permit in udp to any port 53", "permit in icmpv6" },
	{ "block in from 0.0.0.0/0", "permit in udp to any port 1024-65535", "count in tcp" },
	{ "permit in any", "block in udp to any port 0-1023", "block in tcp to me port 80,443,8080",
		"block in sctp", "block in 59", "block in esp" },
};

/* The same for the other direction: what is said of one end is said of the other. */
static void mirror(struct rule *rule)
{
	struct end end = rule->from;

	rule->from = rule->to;
	rule->to = end;
	rule->dir = DIR_OUT;
}

static void add_fixed(struct policy *policy, const char *text, bool mirrored)
{
	struct spec_opts opts = { .action = -1 };
	struct diag diag = { 0 };
	struct rule *rule;

	if (spec_parse_line(text, &opts, &rule, &diag)) {
		printf("# '%s': %s\n", text, diag.message);
		abort();
	}
	if (mirrored)
		mirror(rule);
	rule->id = policy->n + 1;
	if (policy_add(policy, &rule))
		abort();
}

static struct policy *fixed_policy(size_t which)
{
	struct policy *policy = must(policy_new("fixed"));
	size_t i;

	for (i = 0; i < 6 && fixed[which][i]; i++) {
		add_fixed(policy, fixed[which][i], false);
		add_fixed(policy, fixed[which][i], true);
	}
	return policy;
}

static void take_address(struct gen *g, struct end *end, int family, const uint8_t *address)
{
	struct prefix *p = &end->prefix;

	if (end->kind == END_FILE)
		p = &end->list.v[gen_below(g, end->list.n)];
	else if (end->kind != END_PREFIX)
		return;
	if (p->family != family)
		return;
	memcpy(p->bytes, address, family == 4 ? 4 : 16);
	gen_clear_host(p);
	prefixes_sort(&end->list);
}

/* Only where one port stands alone. */
static void take_port(struct end *end, uint16_t port)
{
	struct port_range *r = end->ports.v;

	if (end->ports.n != 1)
		return;
	if (r->lo == r->hi)
		r->lo = r->hi = port;
	else if (port < r->lo)
		r->lo = port;
	else
		r->hi = port;
}

/* Rules that speak of these frames' addresses, protocols and ports. */
static void adapt(struct gen *g, struct policy *policy, const struct capture *v, size_t n)
{
	size_t i;

	for (i = 0; i < policy->n; i++) {
		const struct capture *c = &v[gen_below(g, n)];
		struct rule *rule = policy->rules[i];
		struct frame f;

		frame_read(c->data, c->len, c->l3, &f);
		if (!f.family)
			continue;
		if (proto_has_ports(rule->proto) && f.has_ports)
			rule->proto = f.proto;
		if (proto_has_type(rule->proto) && rule->type >= 0 && f.has_type)
			rule->type = f.type;
		take_address(g, &rule->from, f.family, f.src);
		take_address(g, &rule->to, f.family, f.dst);
		take_port(&rule->from, f.sport);
		take_port(&rule->to, f.dport);
	}
}

/* --- rounds --- */

/* Samples to come, and the mended frames among them. */
struct batch {
	struct sample v[ROUND];
	size_t n;
	uint8_t mended[ROUND][HEADERS];
	const struct lane *lane;
	size_t policy; /* the number of the next one: first the fixed ones, then random ones */
	const struct capture *from; /* what policies are adapted to */
	size_t n_from;
};

/* Of n captured frames. */
static struct batch *new_batch(size_t policy, size_t first, size_t n)
{
	const struct captures *found = captures_find();
	struct batch *b = must(calloc(1, sizeof(*b)));

	b->policy = policy;
	b->from = found->v + first;
	b->n_from = found->n - first < n ? found->n - first : n;
	return b;
}

static struct policy *next_policy(struct gen *g, struct batch *b)
{
	size_t number = b->policy++ % (2 * COUNT(fixed));
	struct policy *policy;

	if (number < COUNT(fixed))
		return fixed_policy(number);
	policy = random_policy(g);
	adapt(g, policy, b->from, b->n_from);
	return policy;
}

static int flush(struct world *w, struct gen *g, struct batch *b, struct covered *covered)
{
	struct round round = {
		.v = b->v, .n = b->n, .lane = b->lane, .layered = gen_chance(g, 50)
	};
	uint64_t redraws;
	int rc = 0;

	world_tick(w);
	g->now = w->now;
	do {
		struct policy *policy = next_policy(g, b);

		redraws = covered->redraws;
		round.policy = policy;
		rc = round_try(w, &round, covered);
		policy_free(&policy);
	} while (!rc && covered->redraws > redraws);
	b->n = 0;
	return rc;
}

static void put16(uint8_t *at, size_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* Makes the IP length say what is left, so that it is the headers below that are cut. */
static bool mend(uint8_t *data, size_t len, size_t ip)
{
	if (ip == NOWHERE || ip >= len)
		return false;
	if (len >= ip + 20 && data[ip] >> 4 == 4)
		put16(data + ip + 2, len - ip);
	else if (len >= ip + 40 && data[ip] >> 4 == 6)
		put16(data + ip + 4, len - ip - 40);
	else
		return false;
	return true;
}

/* The first len bytes of the frame at every hook; behind its headers at one after the other. */
static void add_samples(
	struct gen *g, struct batch *b, const struct capture *c, const uint8_t *data, size_t len)
{
	int hook;

	for (hook = 0; hook < BP_HOOKS; hook++) {
		struct sample *s = &b->v[b->n];
		size_t from = hook_is_l3(hook) ? c->ip : 0;

		if (hook_is_l3(hook) ? c->ip >= len : c->l3)
			continue;
		if (len > c->headers && len < c->len && (int)(len % BP_HOOKS) != hook)
			continue;
		*s = (struct sample){ .data = data + from, .len = len - from };
		if (s->len > hook_most(hook))
			continue;
		hook_dress(g, s, hook);
		b->n++;
	}
}

/* Too short for any hook: what has no Ethernet header, or nothing behind it, is none of ours. */
static int check_shortest(const struct captures *found)
{
	struct frame frame;
	size_t i, len;

	for (i = 0; i < found->n; i++) {
		for (len = 0; len <= 14 && len <= found->v[i].len; len++) {
			/* Of its own, so that a sanitizer sees what is read behind it. */
			uint8_t *data = memcpy(must(malloc(len + !len)), found->v[i].data, len);
			bool l3 = found->v[i].l3;

			frame_read(data, l3 ? 0 : len, l3, &frame);
			free(data);
			if (len < 14 && frame.class != FRAME_PASS) {
				printf("# a frame cut to %zu bytes does not pass\n", len);
				return ROUND_DIFFERS;
			}
		}
	}
	return ROUND_SAME;
}

int captures_whole(struct world *w, struct gen *g, size_t job, struct covered *covered)
{
	const struct captures *found = captures_find();
	struct batch *b = new_batch(job, 0, found->n);
	int rc = job ? 0 : check_shortest(found);
	size_t i;

	for (i = 0; i < found->n && !rc; i++) {
		b->policy = job;
		add_samples(g, b, &found->v[i], found->v[i].data, found->v[i].len);
		if (b->n + BP_HOOKS > ROUND || i + 1 == found->n)
			rc = flush(w, g, b, covered);
	}
	free(b);
	return rc;
}

/* The frame cut there, as it is and, within its headers, mended. */
static void add_cut(struct gen *g, struct batch *b, const struct capture *c, size_t len)
{
	uint8_t *data = b->mended[b->n];

	add_samples(g, b, c, c->data, len);
	if (len > HEADERS || len > c->headers)
		return;
	memcpy(data, c->data, len);
	if (mend(data, len, c->ip))
		add_samples(g, b, c, data, len);
}

/* The whole frame at XDP, with the first buffer ending there. */
static void add_split(struct gen *g, struct batch *b, const struct capture *c, size_t first)
{
	struct sample *s = &b->v[b->n];

	if (c->l3 || first >= c->headers)
		return;
	*s = (struct sample){ .data = c->data, .len = c->len };
	hook_dress(g, s, BP_XDP);
	s->beyond = c->len - first;
	b->n++;
}

int captures_cuts(struct world *w, struct gen *g, size_t job, struct covered *covered)
{
	struct batch *b = new_batch(job, job * CUTS_FRAMES, CUTS_FRAMES);
	size_t i, len;
	int rc = 0;

	for (i = 0; i < b->n_from && !rc; i++) {
		for (len = 1; len < b->from[i].len && !rc; len++) {
			if (b->n + 2 * BP_HOOKS + 1 > ROUND)
				rc = flush(w, g, b, covered);
			add_split(g, b, &b->from[i], len);
			if (len >= 14)
				add_cut(g, b, &b->from[i], len);
		}
	}
	if (!rc && b->n)
		rc = flush(w, g, b, covered);
	free(b);
	return rc;
}

/* --- over devices, also what BPF_PROG_TEST_RUN does not take --- */

static void add_wire(struct batch *b, const struct capture *c, size_t len)
{
	bool l3 = hook_is_l3(b->lane->hook);
	struct sample s = {
		.hook = b->lane->hook,
		.forwarded = b->lane->forwarded,
	};

	if (l3 ? c->ip >= len : c->l3)
		return;
	s.data = c->data + (l3 ? c->ip : 0);
	s.len = len - (l3 ? c->ip : 0);
	if (b->lane->way == BY_RING)
		s.beyond = s.len - (s.len < 14 ? 0 : 14);
	if (wire_carries(b->lane, &s))
		b->v[b->n++] = s;
}

/* Each lane has all frames, and of some the first cuts, up to a whole IP header. */
int captures_wire(struct world *w, struct gen *g, size_t job, struct covered *covered)
{
	size_t slice = job / LANES, i, len, ip;
	struct batch *b = new_batch(slice, slice * SHORT_FRAMES, SHORT_FRAMES);
	int rc = 0;

	b->lane = &lanes[job % LANES];
	for (i = 0; i < b->n_from && !rc; i++) {
		ip = b->from[i].ip == NOWHERE ? 14 : b->from[i].ip;
		for (len = 1; i % SHORT_EVERY == 0 && len <= ip + 40 && len < b->from[i].len; len++)
			add_wire(b, &b->from[i], len);
		add_wire(b, &b->from[i], b->from[i].len);
		if (b->n + 128 > ROUND || i + 1 == b->n_from)
			rc = flush(w, g, b, covered);
	}
	free(b);
	return rc;
}

bool captures_jobs(size_t *whole, size_t *cuts, size_t *shorts)
{
	const struct captures *found = captures_find();

	if (!found)
		return false;
	printf("# %zu frames of %zu captures\n", found->n, found->files);
	*whole = COUNT(fixed) + RANDOM_WHOLE;
	*cuts = (found->n + CUTS_FRAMES - 1) / CUTS_FRAMES;
	*shorts = (found->n + SHORT_FRAMES - 1) / SHORT_FRAMES * LANES;
	return true;
}
