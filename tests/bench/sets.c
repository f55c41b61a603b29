/* SPDX-License-Identifier: GPL-2.0-only */
#include "sets.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

#define SET_SEED 1

static uint64_t state;

void set_seed(uint64_t seed)
{
	state = seed;
}

/* SplitMix64. */
uint64_t set_random(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint32_t below(uint32_t n)
{
	return (set_random() >> 32) * n >> 32;
}

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static uint32_t random_remote(void)
{
	return 0x10000000 + (set_random() & 0x3fffffff);
}

static struct prefix prefix4(uint32_t address, uint8_t len)
{
	struct prefix p = { .family = 4, .len = len };
	uint32_t word = htonl(len ? address >> (32 - len) << (32 - len) : 0);

	memcpy(p.bytes, &word, 4);
	return p;
}

static struct rule *new_rule(struct policy *policy, enum bp_action action)
{
	struct rule *rule = NULL, *added;

	if (rule_new(&rule))
		abort();
	rule->action = action;
	rule->id = policy->n + 1;
	added = rule;
	if (policy_add(policy, &rule))
		abort();
	return added;
}

static struct policy *new_policy(void)
{
	return must(policy_new("bench"));
}

static void set_end_list(struct end *end, struct prefixes *list)
{
	end->kind = END_FILE;
	end->file = must(strdup("list"));
	prefixes_sort(list);
	end->list = *list;
}

struct policy *set_hosts(size_t n)
{
	struct prefixes list = { must(calloc(n, sizeof(*list.v))), n };
	struct policy *policy = new_policy();

	set_seed(SET_SEED);
	for (size_t i = 0; i < n; i++)
		list.v[i] = prefix4(random_remote(), 32);
	set_end_list(&new_rule(policy, BP_BLOCK)->from, &list);
	return policy;
}

static void set_prefix(struct end *end, struct prefix prefix)
{
	if (!prefix.len)
		return;
	end->kind = END_PREFIX;
	end->prefix = prefix;
}

static void set_port(struct end *end, uint16_t lo, uint16_t hi)
{
	end->ports.v = must(calloc(1, sizeof(*end->ports.v)));
	end->ports.v[0] = (struct port_range){ lo, hi };
	end->ports.n = 1;
}

struct policy *set_shapes(size_t n, unsigned int tuples)
{
	static const uint8_t remote[] = { 32, 24, 28, 16, 30, 20, 27, 22 };
	static const uint8_t local[] = { 0, 32, 24, 0 };
	struct policy *policy = new_policy();

	set_seed(SET_SEED);
	for (size_t i = 0; i < n; i++) {
		unsigned int t = below(tuples);
		struct rule *rule = new_rule(policy, BP_BLOCK);

		set_prefix(&rule->from, prefix4(random_remote(), remote[t % 8]));
		set_prefix(&rule->to, prefix4(0x0a630000 + below(65536), local[t / 16 % 4]));
		if (t / 8 % 2) {
			uint16_t port = 1 + below(65535);

			rule->proto = below(2) ? IPPROTO_TCP : IPPROTO_UDP;
			set_port(&rule->to, port, port);
		}
	}
	return policy;
}

static char *read_all(const char *path, size_t *len)
{
	size_t plen = strlen(path), room = 1 << 20;
	bool xz = plen > 3 && !strcmp(path + plen - 3, ".xz");
	char command[512], *text = must(malloc(room));
	FILE *in = fopen(path, "r");

	if (in && xz) {
		fclose(in);
		snprintf(command, sizeof(command), "xz -dc '%s'", path);
		in = popen(command, "r");
	}
	*len = 0;
	while (in) {
		size_t got = fread(text + *len, 1, room - *len, in);

		if (!got)
			break;
		*len += got;
		if (*len == room)
			text = must(realloc(text, room *= 2));
	}
	if (in && xz)
		pclose(in);
	else if (in)
		fclose(in);
	if (*len)
		return text;
	free(text);
	return NULL;
}

struct policy *set_list(const char *path)
{
	struct prefixes list = { 0 };
	struct diag diag = { 0 };
	struct policy *policy;
	size_t len;
	char *text = read_all(path, &len);

	if (!text)
		return NULL;
	if (spec_parse_list(path, text, len, &list, &diag)) {
		fprintf(stderr, "%s\n", diag.message);
		exit(1);
	}
	free(text);
	policy = new_policy();
	set_end_list(&new_rule(policy, BP_BLOCK)->from, &list);
	return policy;
}

static void set_range(struct end *end, unsigned int lo, unsigned int hi)
{
	if (lo || hi != 65535)
		set_port(end, lo, hi);
}

static struct prefix dotted(const unsigned int *b, unsigned int len)
{
	return prefix4(b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3], len);
}

struct policy *set_classbench(const char *path, size_t n)
{
	FILE *in = fopen(path, "r");
	struct policy *policy;
	unsigned int s[5], d[5], sp[2], dp[2], proto, mask;

	if (!in)
		return NULL;
	policy = new_policy();
	while (policy->n < n &&
		fscanf(in, "@%u.%u.%u.%u/%u %u.%u.%u.%u/%u %u : %u %u : %u %x/%x %*s", &s[0], &s[1],
			&s[2], &s[3], &s[4], &d[0], &d[1], &d[2], &d[3], &d[4], &sp[0], &sp[1],
			&dp[0], &dp[1], &proto, &mask) == 16) {
		struct rule *rule = new_rule(policy, policy->n % 2 ? BP_PERMIT : BP_BLOCK);

		set_prefix(&rule->from, dotted(s, s[4]));
		set_prefix(&rule->to, dotted(d, d[4]));
		if (mask == 0xff)
			rule->proto = proto;
		if (mask != 0xff || proto_has_ports(proto)) {
			set_range(&rule->from, sp[0], sp[1]);
			set_range(&rule->to, dp[0], dp[1]);
		}
		while (fgetc(in) != '\n' && !feof(in))
			;
	}
	fclose(in);
	return policy;
}

/* --- packets --- */

void packet_random(int family, struct driver_packet *p)
{
	uint16_t ports[2] = { htons(1024 + below(64512)), htons(below(65536)) };

	memset(p, 0, sizeof(*p));
	p->proto = below(3) ? IPPROTO_TCP : IPPROTO_UDP;
	memcpy(&p->ports, ports, 4);
	if (family == 4) {
		p->remote[0] = htonl(random_remote());
		p->local[0] = htonl(0x0a630002);
		return;
	}
	for (int i = 0; i < 4; i++)
		p->remote[i] = p->local[i] = set_random();
	p->remote[0] = htonl(0x20000000 | (set_random() & 0x1fffffff));
}

static void fill(const struct prefix *prefix, __u32 *address)
{
	uint8_t bytes[16];

	for (int i = 0; i < 16; i++) {
		int keep = prefix->len - 8 * i;
		uint8_t mask = keep >= 8 ? 0xff : keep <= 0 ? 0 : 0xff00 >> keep;

		bytes[i] = (prefix->bytes[i] & mask) | (set_random() & ~mask);
	}
	memcpy(address, bytes, prefix->family == 4 ? 4 : 16);
}

static const struct prefix *some_prefix(const struct end *end)
{
	if (end->kind == END_PREFIX)
		return &end->prefix;
	return end->kind == END_FILE ? &end->list.v[below(end->list.n)] : NULL;
}

static uint16_t some_port(const struct ports *ports, uint16_t other)
{
	const struct port_range *r;

	if (!ports->n)
		return other;
	r = &ports->v[below(ports->n)];
	return r->lo + below(r->hi - r->lo + 1);
}

void packet_of(const struct policy *policy, struct driver_packet *p)
{
	const struct rule *rule = policy->rules[below(policy->n)];
	const struct prefix *from = some_prefix(&rule->from), *to = some_prefix(&rule->to);
	uint16_t ports[2];

	packet_random(from ? from->family : to ? to->family : 4, p);
	memcpy(ports, &p->ports, 4);
	if (from)
		fill(from, p->remote);
	if (to)
		fill(to, p->local);
	if (rule->proto != PROTO_ANY)
		p->proto = rule->proto;
	ports[0] = htons(some_port(&rule->from.ports, ntohs(ports[0])));
	ports[1] = htons(some_port(&rule->to.ports, ntohs(ports[1])));
	memcpy(&p->ports, ports, 4);
}
