/* SPDX-License-Identifier: GPL-2.0-only */
#include "gen_pool.h"

#include <string.h>

/* --- what the frame is to say --- */

struct packet {
	int family, proto;
	uint8_t remote[16], local[16];
	uint16_t rport, lport;
	uint8_t type, code;
};

/* Adds 1 to the address or takes 1 away, around the end of the address space. */
static void step(uint8_t *address, size_t size, bool up)
{
	while (size--) {
		address[size] += up ? 1 : -1;
		if (address[size] != (up ? 0 : 255))
			return;
	}
}

/* First or last address of the prefix, the one beside it outside, or any inside. */
static void near_prefix(struct gen *g, const struct prefix *prefix, uint8_t address[16])
{
	unsigned int bit, bits = prefix->family == 4 ? 32 : 128, draw = gen_below(g, 8);
	bool last = draw & 1;

	memcpy(address, prefix->bytes, 16);
	for (bit = prefix->len; bit < bits; bit++) {
		if (draw < 4 ? last : gen_below(g, 2))
			address[bit / 8] |= 0x80 >> bit % 8;
	}
	if (draw < 2)
		step(address, bits / 8, last);
}

static void near_me(struct gen *g, int family, uint8_t address[16])
{
	static const uint8_t groups[2][4] = { { 224, 0, 0, 5 }, { 255, 255, 255, 255 } };

	gen_address(g, family, true, address);
	if (g->dir == BP_OUT || gen_chance(g, 90))
		return;
	memset(address, 0, 16);
	if (family == 4) {
		memcpy(address, PICK(g, groups), 4);
	} else {
		address[0] = 0xff;
		address[1] = 0x02;
		address[15] = 1;
	}
}

static void near_end(struct gen *g, const struct end *end, int family, bool local, uint8_t *address)
{
	const struct prefix *prefix = NULL;

	if (end->kind == END_PREFIX)
		prefix = &end->prefix;
	else if (end->kind == END_FILE && end->list.n)
		prefix = &end->list.v[gen_below(g, end->list.n)];
	if (prefix && prefix->family == family && prefix->len && gen_chance(g, 95))
		near_prefix(g, prefix, address);
	else if (end->kind == END_ME && gen_chance(g, 80))
		near_me(g, family, address);
	else
		gen_address(g, family, local, address);
}

static uint16_t near_port(struct gen *g, const struct ports *ports)
{
	const struct port_range *range;

	if (!ports->n || gen_chance(g, 5))
		return PICK(g, port_pool);
	range = &ports->v[gen_below(g, ports->n)];
	switch (gen_below(g, 6)) {
	case 0:
		return range->lo - 1;
	case 1:
		return range->hi + 1;
	case 2:
	case 3:
		return range->lo;
	default:
		return range->hi;
	}
}

static int near_family(struct gen *g, const struct rule *rule)
{
	if (gen_chance(g, 3))
		return gen_chance(g, 50) ? 4 : 6;
	if (rule->from.kind == END_PREFIX)
		return rule->from.prefix.family;
	if (rule->to.kind == END_PREFIX)
		return rule->to.prefix.family;
	if (gen_proto_family(rule->proto))
		return gen_proto_family(rule->proto);
	return gen_chance(g, 50) ? 4 : 6;
}

/* Another protocol most often has no header that is read; the number beside is one bit away. */
static int near_proto(struct gen *g, const struct rule *rule)
{
	if (rule->proto != PROTO_ANY && gen_chance(g, 90))
		return rule->proto;
	if (rule->proto != PROTO_ANY && gen_chance(g, 30))
		return rule->proto ^ 1 << gen_below(g, 8);
	return gen_chance(g, 75) ? PICK(g, port_protos) : PICK(g, other_protos);
}

static uint8_t near_byte(struct gen *g, int asked, uint8_t otherwise)
{
	if (asked < 0 || gen_chance(g, 8))
		return otherwise;
	return gen_chance(g, 85) ? asked : asked + (gen_chance(g, 50) ? 1 : -1);
}

static struct packet some_packet(struct gen *g, const struct policy *policy)
{
	const struct rule *rule = policy->rules[gen_below(g, policy->n)];
	const struct end *remote = rule_remote(rule, g->dir), *local = rule_local(rule, g->dir);
	struct packet p = { 0 };

	p.family = near_family(g, rule);
	p.proto = near_proto(g, rule);
	near_end(g, remote, p.family, false, p.remote);
	near_end(g, local, p.family, true, p.local);
	p.rport = near_port(g, &remote->ports);
	p.lport = near_port(g, &local->ports);
	p.type = near_byte(g, rule->type, PICK(g, type_pool));
	p.code = near_byte(g, rule->code, PICK(g, code_pool));
	/* What IPv6 walks over comes from put_extension(), but for a few. */
	if (p.family == 6 && p.proto != IPPROTO_ICMP && gen_proto_family(p.proto) == 4 &&
		gen_chance(g, 90))
		p.proto = IPPROTO_GRE;
	return p;
}

/* --- how it says it --- */

#define TYPE_IPV4 0x0800
#define TYPE_ARP 0x0806
#define TYPE_TAG 0x8100
#define TYPE_STAG 0x88a8
#define TYPE_IPV6 0x86dd

/* How IPv6 extension headers hide the protocol. */
enum hiding { IN_SIGHT, NINTH_HEADER, CUT_HEADER, LONG_HEADER };
enum fragment { UNFRAGMENTED, ATOMIC, FIRST, LATER, OVERWRITING /* RFC 3128 */ };

/* What there is beside one header after the other. */
struct shape {
	unsigned int tags;    /* VLAN */
	unsigned int options; /* IPv4, in words of 4 bytes */
	unsigned int headers; /* IPv6 extension headers beside a fragment's */
	unsigned int units;   /* none of them is longer, in units of 8 bytes behind the first 8 */
	unsigned int payload; /* no more bytes behind the L4 header */
	enum fragment fragment;
	enum hiding hiding;
	bool cut; /* the packet ends within the L4 header, the IP lengths agree with that */
};

static const struct shape plain_shape = { .units = 3, .payload = 24 };

struct out {
	uint8_t *data; /* GEN_ROOM bytes */
	size_t len;
	size_t ip; /* where the IP header stands */
};

/* Room for n bytes, which are 0. */
static uint8_t *put(struct out *o, size_t n)
{
	uint8_t *at = o->data + o->len;

	memset(at, 0, n);
	o->len += n;
	return at;
}

static uint8_t *put_random(struct gen *g, struct out *o, size_t n)
{
	uint8_t *at = o->data + o->len;
	uint64_t word = 0;
	size_t i;

	for (i = 0; i < n; i++, word >>= 8) {
		if (i % 8 == 0)
			word = gen_u64(g);
		at[i] = word;
	}
	o->len += n;
	return at;
}

static void set16(uint8_t *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static size_t l4_size(int proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return 20;
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		return 12;
	default:
		return 8;
	}
}

static void put_l4(struct gen *g, struct out *o, const struct packet *p, const struct shape *shape)
{
	size_t header = l4_size(p->proto), start = o->len;
	bool in = g->dir == BP_IN;
	uint8_t *l4 = put(o, header);
	unsigned int options = 0; /* TCP's, in words of 4 bytes */

	if (proto_has_ports(p->proto)) {
		set16(l4, in ? p->rport : p->lport);
		set16(l4 + 2, in ? p->lport : p->rport);
	} else {
		l4[0] = p->type;
		l4[1] = p->code;
	}
	if (p->proto == IPPROTO_TCP) {
		options = gen_chance(g, 50) ? 0 : gen_below(g, 11);
		l4[12] = (5 + options) << 4;
	}
	if (shape->cut)
		o->len = start + gen_below(g, header);
	else
		put_random(g, o, 4 * options + gen_below(g, shape->payload));
}

/* In units of 8 bytes; the offset at which RFC 3128 strikes is kept for it. */
static unsigned int some_offset(struct gen *g, const struct packet *p, enum fragment fragment)
{
	static const uint16_t offsets[] = { 1, 2, 3, 185, 8191 };
	unsigned int offset = PICK(g, offsets);

	if (fragment == OVERWRITING)
		return 1;
	if (fragment != LATER)
		return 0;
	return p->proto == IPPROTO_TCP && offset == 1 ? 2 : offset;
}

static bool more_fragments(struct gen *g, enum fragment fragment)
{
	return fragment == FIRST || (fragment >= LATER && gen_chance(g, 50));
}

static void put_v4(struct gen *g, struct out *o, const struct packet *p, const struct shape *shape)
{
	unsigned int offset = some_offset(g, p, shape->fragment);
	uint8_t *ip = put(o, 20);

	ip[0] = 0x45 + shape->options;
	set16(ip + 4, gen_u64(g));
	set16(ip + 6, offset | (more_fragments(g, shape->fragment) ? 0x2000 : 0));
	if (!shape->fragment && gen_chance(g, 50))
		ip[6] = 0x40; /* do not fragment */
	ip[8] = 64;
	ip[9] = p->proto;
	memcpy(ip + 12, g->dir == BP_IN ? p->remote : p->local, 4);
	memcpy(ip + 16, g->dir == BP_IN ? p->local : p->remote, 4);
	put_random(g, o, 4 * shape->options);
	put_l4(g, o, p, shape);
	set16(ip + 2, o->data + o->len - ip);
}

/* Returns where its own next header stands; *next is where its number goes. */
static uint8_t *put_extension(
	struct gen *g, struct out *o, const struct shape *shape, uint8_t *next)
{
	static const uint8_t kinds[] = { IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_AH,
		IPPROTO_DSTOPTS, PROTO_MOBILITY, PROTO_HIP, PROTO_SHIM6 };
	unsigned int units = gen_below(g, shape->units + 1);
	uint8_t *ext;

	*next = PICK(g, kinds);
	ext = put_random(g, o, *next == IPPROTO_AH ? 4 * (units + 2) : 8 * (units + 1));
	ext[1] = units;
	if (gen_chance(g, 2))
		ext[1] = gen_u64(g);
	return ext;
}

static uint8_t *put_fragment(
	struct gen *g, struct out *o, const struct packet *p, enum fragment kind, uint8_t *next)
{
	unsigned int offset = some_offset(g, p, kind), reserved = gen_below(g, 4);
	uint8_t *ext = put_random(g, o, 8);

	*next = IPPROTO_FRAGMENT;
	set16(ext + 2, offset << 3 | reserved << 1 | more_fragments(g, kind));
	return ext;
}

/* The extension headers; a fragment header stands anywhere among them, a later one last. Returns
 * the last one; without any, the fixed header's next header. */
static uint8_t *put_headers(
	struct gen *g, struct out *o, const struct packet *p, const struct shape *s, uint8_t *next)
{
	unsigned int i, place = gen_below(g, s->headers + 1);

	for (i = 0; i <= s->headers; i++) {
		if (i == place && s->fragment)
			next = put_fragment(g, o, p, s->fragment, next);
		if (i == place && s->fragment >= LATER)
			break;
		if (i < s->headers)
			next = put_extension(g, o, s, next);
	}
	*next = p->proto;
	if (s->fragment == LATER && gen_chance(g, 10))
		*next = IPPROTO_DSTOPTS;
	return next;
}

/* What the last extension header announces. A fragment header's second byte is no length. */
static void put_v6_rest(struct gen *g, struct out *o, const struct packet *p,
	const struct shape *shape, uint8_t *last)
{
	size_t start = last - o->data;

	if (shape->hiding == CUT_HEADER) {
		o->len = start + gen_below(g, o->len - start);
		return;
	}
	if (shape->hiding == LONG_HEADER)
		last[1] = 24 + gen_below(g, 256 - 24);
	put_l4(g, o, p, shape);
}

static void put_v6(struct gen *g, struct out *o, const struct packet *p, const struct shape *shape)
{
	uint8_t *ip = put(o, 40);

	ip[0] = 0x60;
	ip[7] = 64;
	memcpy(ip + 8, g->dir == BP_IN ? p->remote : p->local, 16);
	memcpy(ip + 24, g->dir == BP_IN ? p->local : p->remote, 16);
	put_v6_rest(g, o, p, shape, put_headers(g, o, p, shape, ip + 6));
	set16(ip + 4, o->data + o->len - ip - 40);
}

static void put_ethernet(struct gen *g, struct out *o, unsigned int tags, unsigned int type)
{
	uint8_t *macs = put_random(g, o, 12);

	macs[0] = macs[6] = 0x02; /* unicast, locally administered */
	while (tags--) {
		set16(put(o, 2), gen_chance(g, 50) ? TYPE_TAG : TYPE_STAG);
		put_random(g, o, 2);
	}
	set16(put(o, 2), type);
}

static void put_packet(
	struct gen *g, struct out *o, const struct packet *p, const struct shape *shape)
{
	if (!g->l3)
		put_ethernet(g, o, shape->tags, p->family == 4 ? TYPE_IPV4 : TYPE_IPV6);
	o->ip = o->len;
	if (p->family == 4)
		put_v4(g, o, p, shape);
	else
		put_v6(g, o, p, shape);
}

static unsigned int some_tags(struct gen *g)
{
	return gen_chance(g, 60) ? 0 : 1 + gen_below(g, 5);
}

static enum fragment some_fragment(struct gen *g)
{
	return gen_chance(g, 55) ? UNFRAGMENTED : ATOMIC + gen_below(g, 4);
}

/* A ninth header counts only if no later fragment ends the walk before it. */
static void some_hiding(struct gen *g, struct shape *s)
{
	s->hiding = NINTH_HEADER + gen_below(g, 3);
	if (s->hiding == NINTH_HEADER)
		s->headers = 9;
	else if (!s->headers)
		s->headers = 1 + gen_below(g, 3);
	if (s->fragment >= LATER)
		s->fragment = gen_chance(g, 80) ? FIRST : LATER;
}

#define LONG 5000
_Static_assert(GEN_ROOM > 14 + 5 * 4 + 40 + 9 * 8 * 256 + 60 + LONG, "all of it at once");

static bool may_be_long(const struct gen *g)
{
	return !g->most || g->most >= LONG;
}

/* Long ones where they fit: headers that lie behind the first buffer, and several buffers. */
static void some_size(struct gen *g, struct shape *s)
{
	if (may_be_long(g) && gen_chance(g, 20))
		s->payload = 24 + gen_below(g, LONG);
	if (may_be_long(g) && gen_chance(g, 20))
		s->units = gen_below(g, 256);
}

static struct shape some_shape(struct gen *g, struct packet *p)
{
	struct shape s = plain_shape;

	s.tags = some_tags(g);
	s.fragment = some_fragment(g);
	if (gen_chance(g, 50))
		s.options = gen_below(g, 11);
	if (gen_chance(g, 60))
		s.headers = 1 + gen_below(g, gen_chance(g, 50) ? 2 : 9);
	some_size(g, &s);
	s.cut = gen_chance(g, 20);
	if (p->family == 6 && gen_chance(g, 20))
		some_hiding(g, &s);
	if (s.fragment == OVERWRITING)
		p->proto = IPPROTO_TCP;
	return s;
}

/* --- what goes wrong with it --- */

/* A length field that is wrong by a little, or by much, or 0. */
static void wrong_length(struct gen *g, uint8_t *field)
{
	unsigned int length = field[0] << 8 | field[1];

	switch (gen_below(g, 4)) {
	case 0:
		set16(field, length + 1 + gen_below(g, 8));
		break;
	case 1:
		set16(field, length - 1 - gen_below(g, 8));
		break;
	case 2:
		set16(field, 0);
		break;
	default:
		set16(field, gen_u64(g));
	}
}

static void damage(struct gen *g, struct out *o)
{
	size_t least = g->l3 ? 1 : 14;
	uint8_t *ip = o->data + o->ip, *flipped;
	bool v4 = ip[0] >> 4 == 4;

	switch (gen_below(g, 6)) {
	case 0:
	case 1:
		o->len = least + gen_below(g, o->len - least + 1);
		break;
	case 2:
		ip[0] = gen_u64(g);
		break;
	case 3:
		ip[0] = (ip[0] & 0xf0) | gen_below(g, 16);
		break;
	case 4:
		wrong_length(g, ip + (v4 ? 2 : 4));
		break;
	default:
		flipped = o->data + least - 1 + gen_below(g, o->len - least + 1);
		*flipped ^= 1 << gen_below(g, 8);
	}
}

/* Neither IP nor anything else to be read, but perhaps it says it is. */
static void put_odd(struct gen *g, struct out *o)
{
	static const uint16_t types[] = { TYPE_ARP, TYPE_ARP, 0x0026, 0x8847, 0x8864, 0x88cc };
	static const uint16_t claims[] = { TYPE_IPV4, TYPE_IPV6, TYPE_TAG, TYPE_STAG };
	bool garbage = gen_chance(g, 50);
	unsigned int type = garbage ? PICK(g, claims) : PICK(g, types);

	if (!g->l3)
		put_ethernet(g, o, some_tags(g), type);
	put_random(g, o, 1 + gen_below(g, 90));
	if (g->l3 && !garbage) /* no version of IP */
		o->data[0] &= 0x1f;
}

static void put_some(struct gen *g, const struct policy *policy, struct out *o)
{
	struct shape shape = plain_shape;
	bool plain = gen_chance(g, 70);
	struct packet p;

	if (!plain && gen_chance(g, 12)) {
		put_odd(g, o);
		return;
	}
	p = some_packet(g, policy);
	if (!plain)
		shape = some_shape(g, &p);
	put_packet(g, o, &p, &shape);
	if (!g->l3 && o->len < 60 && gen_chance(g, 50))
		put_random(g, o, 60 - o->len); /* Ethernet's padding */
	if (!plain && gen_chance(g, 25))
		damage(g, o);
}

size_t gen_frame(struct gen *g, const struct policy *policy, uint8_t buf[GEN_ROOM])
{
	struct out o = { .data = buf };

	put_some(g, policy, &o);
	return g->most && o.len > g->most ? g->most : o.len;
}
