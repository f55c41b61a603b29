/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames that others sent: the captures of shared/data, whole and cut. */
#include "twin.h"

#include <errno.h>
#include <ftw.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gen_pool.h"
#include "spec.h"

#define ROUNDS_WHOLE (TWIN_HOOKS * (FIXED + 3))
#define CUTS_SECONDS 10
#define CUTS_ROUND 8192
#define CUTS_STEP 4 /* at each length every fourth frame is cut, at the next one others */
#define HEADERS 160 /* bytes in which cuts are also tried with lengths that agree */

struct frames {
	struct sample *v;
	size_t n, room, files;
};

/* nftw() hands nothing on. */
static struct frames found;

static void add_sample(struct frames *f, const uint8_t *data, size_t len)
{
	if (f->n == f->room) {
		f->room = f->room ? f->room * 2 : 1024;
		f->v = must(realloc(f->v, f->room * sizeof(*f->v)));
	}
	f->v[f->n++] = (struct sample){ .data = data, .len = len };
}

static int read_capture(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char why[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *head;
	const u_char *data;
	pcap_t *pcap;

	(void)st;
	(void)ftw;
	pcap = type == FTW_F ? pcap_open_offline(path, why) : NULL;
	if (!pcap)
		return 0;
	if (pcap_datalink(pcap) == DLT_EN10MB)
		found.files++;
	while (pcap_datalink(pcap) == DLT_EN10MB && pcap_next_ex(pcap, &head, &data) == 1) {
		if (head->caplen >= 14)
			add_sample(&found, memcpy(must(malloc(head->caplen)), data, head->caplen),
				head->caplen);
	}
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
#define FIXED (sizeof(fixed) / sizeof(fixed[0]))

/* The same for the other direction: what is said of one end is said of the other. */
static void add_mirrored(struct policy *policy, const char *text)
{
	struct spec_opts opts = { .action = -1 };
	struct diag diag = { 0 };
	struct rule *rule;
	struct end end;

	if (spec_parse_line(text, &opts, &rule, &diag))
		abort();
	end = rule->from;
	rule->from = rule->to;
	rule->to = end;
	rule->dir = DIR_OUT;
	rule->id = policy->n + 1;
	if (policy_add(policy, &rule))
		abort();
}

static struct policy *fixed_policy(size_t which)
{
	struct policy *policy = must(policy_new("fixed"));
	struct spec_opts opts = { .action = -1 };
	struct diag diag = { 0 };
	struct rule *rule;
	size_t i;

	for (i = 0; i < 6 && fixed[which][i]; i++) {
		if (spec_parse_line(fixed[which][i], &opts, &rule, &diag)) {
			printf("# '%s': %s\n", fixed[which][i], diag.message);
			abort();
		}
		rule->id = policy->n + 1;
		if (policy_add(policy, &rule))
			abort();
		add_mirrored(policy, fixed[which][i]);
	}
	return policy;
}

static void take_address(struct gen *g, struct end *end, int family, const uint8_t *address)
{
	struct prefix *p = &end->prefix;
	unsigned int bit;

	if (end->kind == END_FILE)
		p = &end->list.v[gen_below(g, end->list.n)];
	else if (end->kind != END_PREFIX)
		return;
	if (p->family != family)
		return;
	memcpy(p->bytes, address, family == 4 ? 4 : 16);
	for (bit = p->len; bit < 128; bit++)
		p->bytes[bit / 8] &= ~(0x80 >> bit % 8);
	prefixes_sort(&end->list);
}

/* Only where one port stands alone, so that the list stays sorted. */
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

/* Rules that speak of some frame's addresses, protocol and ports. */
static void adapt(struct gen *g, struct policy *policy)
{
	size_t i;

	for (i = 0; i < policy->n; i++) {
		const struct sample *s = &found.v[gen_below(g, found.n)];
		struct rule *rule = policy->rules[i];
		struct frame f;

		frame_read(s->data, s->len, false, &f);
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

/*
 * The first rounds have the fixed policies, then random ones. The hooks take turns; a fixed policy
 * has a round for each turn.
 */
static int run(struct world *w, struct gen *g, size_t number, struct sample *v, size_t n,
	struct covered *covered)
{
	struct policy *policy;
	struct round round = { .v = v, .n = n };
	size_t i, bad;
	int rc;

	for (i = 0; i < n; i++)
		hook_dress(g, &v[i], (i + number) % TWIN_HOOKS);
	do {
		if (number < TWIN_HOOKS * FIXED) {
			policy = fixed_policy(number / TWIN_HOOKS);
		} else {
			policy = draw_policy(g);
			adapt(g, policy);
		}
		round.policy = policy;
		rc = round_run(w, &round, covered, NULL, &bad);
		if (rc == -E2BIG) {
			covered->redraws++;
			policy_free(&policy);
		}
	} while (rc == -E2BIG);
	if (rc == ROUND_DIFFERS)
		round_report(w, &round, bad);
	policy_free(&policy);
	return rc;
}

static int run_whole(struct world *w, struct gen *g, struct covered *covered)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < ROUNDS_WHOLE && !rc; i++)
		rc = run(w, g, i, found.v, found.n, covered);
	return rc;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Every length of the shortest first, so that all headers are cut before any payload. */
static void all_cuts(struct frames *cuts)
{
	size_t len, i, longest = 0;

	for (i = 0; i < found.n; i++) {
		if (found.v[i].len > longest)
			longest = found.v[i].len;
	}
	for (len = 14; len < longest; len++) {
		for (i = len % CUTS_STEP; i < found.n; i += CUTS_STEP) {
			if (len < found.v[i].len)
				add_sample(cuts, found.v[i].data, len);
		}
	}
}

static void put16(uint8_t *at, size_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* Makes the IP length say what is left, so that it is the headers below that are cut. */
static void mend(uint8_t *data, size_t len)
{
	size_t ip = 14;

	while (ip < len && data[ip - 2] == 0x81 && data[ip - 1] == 0)
		ip += 4;
	if (len >= ip + 20 && data[ip] >> 4 == 4)
		put16(data + ip + 2, len - ip);
	else if (len >= ip + 40 && data[ip] >> 4 == 6)
		put16(data + ip + 4, len - ip - 40);
}

/* Under the same policy as they are and, if they are short, mended. */
static int run_some_cuts(struct world *w, struct gen *g, size_t number, const struct sample *v,
	size_t n, struct covered *covered)
{
	static uint8_t data[CUTS_ROUND][HEADERS];
	static struct sample both[2 * CUTS_ROUND];
	size_t i, m = n;

	memcpy(both, v, n * sizeof(*v));
	for (i = 0; i < n && v[i].len <= HEADERS; i++, m++) {
		memcpy(data[i], v[i].data, v[i].len);
		mend(data[i], v[i].len);
		both[m] = (struct sample){ .data = data[i], .len = v[i].len };
	}
	return run(w, g, number, both, m, covered);
}

/* Round after round until all cuts were tried or the time is over. */
static int run_cuts(struct world *w, struct gen *g, struct covered *covered)
{
	double until = seconds() + CUTS_SECONDS;
	struct frames cuts = { 0 };
	size_t at, n, number = 0;
	int rc = 0;

	all_cuts(&cuts);
	for (at = 0; at < cuts.n && !rc && seconds() < until; at += n) {
		n = cuts.n - at < CUTS_ROUND ? cuts.n - at : CUTS_ROUND;
		rc = run_some_cuts(
			w, g, number++ % (2 * TWIN_HOOKS * FIXED), cuts.v + at, n, covered);
	}
	printf("# %zu of %zu cuts tried, those up to %d bytes also with lengths that agree\n", at,
		cuts.n, HEADERS);
	free(cuts.v);
	return rc;
}

int captures_run(struct world *w, struct gen *g, struct covered *whole, struct covered *cuts)
{
	size_t i;
	int rc;

	if (nftw(CAPTURES, read_capture, 16, FTW_PHYS) || !found.n)
		return -ENOENT;
	printf("# %zu frames of %zu captures\n", found.n, found.files);
	rc = run_whole(w, g, whole);
	if (!rc)
		rc = run_cuts(w, g, cuts);
	for (i = 0; i < found.n; i++)
		free((void *)found.v[i].data);
	free(found.v);
	return rc;
}
