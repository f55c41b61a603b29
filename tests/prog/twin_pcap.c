/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames that others sent: the captures of shared/data, whole and cut. */
#include "twin.h"

#include <ftw.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "gen_pool.h"
#include "spec.h"

#define ROUND 8192	/* samples */
#define CUTS_FRAMES 32	/* of a job */
#define RANDOM_WHOLE 10 /* policies */
#define HEADERS 160	/* bytes in which cuts are also tried with lengths that agree */

/* A frame as it was captured. ip: where its IP header stands; NOWHERE: there is none. */
struct capture {
	uint8_t *data;
	size_t len, ip;
	size_t headers; /* no header reaches further */
	bool l3;	/* captured without Ethernet header */
};

#define NOWHERE ((size_t)-1)

/* nftw() hands nothing on. */
static struct {
	struct capture *v;
	size_t n, room, files;
} found;

static size_t find_ip(const uint8_t *data, size_t len)
{
	size_t at = 12;

	while (at + 2 <= len &&
		((data[at] == 0x81 && !data[at + 1]) || (data[at] == 0x88 && data[at + 1] == 0xa8)))
		at += 4;
	if (at + 2 <= len &&
		((data[at] == 0x08 && !data[at + 1]) || (data[at] == 0x86 && data[at + 1] == 0xdd)))
		return at + 2;
	return NOWHERE;
}

static bool is_extension(int proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_FRAGMENT ||
	       proto == IPPROTO_AH || proto == IPPROTO_DSTOPTS || proto == PROTO_MOBILITY ||
	       proto == PROTO_HIP || proto == PROTO_SHIM6;
}

/* Behind the IPv6 extension headers that begin at `at` with one of that number. */
static size_t skip_extensions(const uint8_t *data, size_t len, size_t at, int proto)
{
	while (at + 8 <= len && is_extension(proto)) {
		const uint8_t *ext = data + at;

		if (proto == IPPROTO_FRAGMENT)
			at += 8;
		else
			at += proto == IPPROTO_AH ? (ext[1] + 2) * 4 : (ext[1] + 1) * 8;
		proto = ext[0];
	}
	return at;
}

/*
 * Where no header can be any more: behind the longest TCP header after the longest IPv4 header or
 * after all IPv6 extension headers; without IP behind a fifth VLAN tag.
 */
static size_t find_end(const uint8_t *data, size_t len, size_t ip)
{
	if (ip == NOWHERE)
		return 14 + 5 * 4;
	if (ip + 40 <= len && data[ip] >> 4 == 6)
		return skip_extensions(data, len, ip + 40, data[ip + 6]) + 60;
	return ip + 60 + 60;
}

static void add_capture(const uint8_t *data, size_t len, bool l3)
{
	size_t ip = l3 ? 0 : find_ip(data, len);

	if (found.n == found.room) {
		found.room = found.room ? found.room * 2 : 1024;
		found.v = must(realloc(found.v, found.room * sizeof(*found.v)));
	}
	found.v[found.n++] = (struct capture){
		.data = memcpy(must(malloc(len)), data, len),
		.len = len,
		.ip = ip,
		.headers = find_end(data, len, ip),
		.l3 = l3,
	};
}

/* Bytes in front of the IP header; -1: Ethernet; -2: not one that we read. */
static int link_header(int link)
{
	switch (link) {
	case DLT_EN10MB:
		return -1;
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		return 0;
	case DLT_NULL:
	case DLT_PPP:
	case DLT_C_HDLC:
		return 4;
	case DLT_LINUX_SLL2:
		return 20;
	default:
		return -2;
	}
}

static int read_capture(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char why[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *head;
	const u_char *data;
	pcap_t *pcap = type == FTW_F ? pcap_open_offline(path, why) : NULL;
	int header = pcap ? link_header(pcap_datalink(pcap)) : -2;

	found.files += header >= -1;
	while (header >= -1 && pcap_next_ex(pcap, &head, &data) == 1) {
		if (header < 0 && head->caplen >= 14)
			add_capture(data, head->caplen, false);
		else if (header >= 0 && (int)head->caplen > header)
			add_capture(data + header, head->caplen - header, true);
	}
	if (pcap)
		pcap_close(pcap);
	return 0;
}

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
	size_t policy; /* the number of the next one: first the fixed ones, then random ones */
	const struct capture *from; /* what policies are adapted to */
	size_t n_from;
};

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
	struct round round = { .v = b->v, .n = b->n };
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

int captures_whole(struct world *w, struct gen *g, size_t job, struct covered *covered)
{
	struct batch *b = must(calloc(1, sizeof(*b)));
	size_t i;
	int rc = 0;

	b->from = found.v;
	b->n_from = found.n;
	for (i = 0; i < found.n && !rc; i++) {
		b->policy = job;
		add_samples(g, b, &found.v[i], found.v[i].data, found.v[i].len);
		if (b->n + BP_HOOKS > ROUND || i + 1 == found.n)
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

int captures_cuts(struct world *w, struct gen *g, size_t job, struct covered *covered)
{
	struct batch *b = must(calloc(1, sizeof(*b)));
	size_t first = job * CUTS_FRAMES, i, len;
	int rc = 0;

	b->policy = job;
	b->from = found.v + first;
	b->n_from = found.n - first < CUTS_FRAMES ? found.n - first : CUTS_FRAMES;
	for (i = 0; i < b->n_from && !rc; i++) {
		for (len = 14; len < b->from[i].len && !rc; len++) {
			if (b->n + 2 * BP_HOOKS > ROUND)
				rc = flush(w, g, b, covered);
			add_cut(g, b, &b->from[i], len);
		}
	}
	if (!rc && b->n)
		rc = flush(w, g, b, covered);
	free(b);
	return rc;
}

bool captures_find(size_t *whole, size_t *cuts)
{
	if (nftw(CAPTURES, read_capture, 16, FTW_PHYS) || !found.n)
		return false;
	printf("# %zu frames of %zu captures\n", found.n, found.files);
	*whole = COUNT(fixed) + RANDOM_WHOLE;
	*cuts = (found.n + CUTS_FRAMES - 1) / CUTS_FRAMES;
	return true;
}
