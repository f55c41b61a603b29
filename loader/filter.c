// SPDX-License-Identifier: GPL-2.0-only
#include "filter.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

/* An end taken apart: what it can be, each alone. */
struct parts {
	const struct prefix *prefixes; /* n_prefixes == 0: any address */
	size_t n_prefixes;
	const struct port_range *ports; /* n_ports == 0: any port */
	size_t n_ports;
	bool me;
};

struct walk {
	const struct rule *rule;
	int (*fn)(const struct filter *, void *);
	void *arg;
	enum bp_dir dir;
	enum bp_kind kind; /* of this round: DECIDE stands for the rule's own */
	struct parts remote, local;
};

/*
 * A count rule counts a packet once, so its filters must not overlap: of prefixes inside one
 * another the widest stays, and port ranges that overlap become one. Both keep their order.
 */
static size_t widest_prefixes(struct prefix *v, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) /* sorted: the wider comes first */
		if (!kept || !prefix_holds(&v[kept - 1], v[i].family, v[i].bytes))
			v[kept++] = v[i];
	return kept;
}

static size_t joined_ports(struct port_range *v, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (!kept || v[i].lo > v[kept - 1].hi)
			v[kept++] = v[i];
		else if (v[i].hi > v[kept - 1].hi)
			v[kept - 1].hi = v[i].hi;
	}
	return kept;
}

/* A copy of the end without overlaps; end_free() it. */
static int end_disjoint(const struct end *end, struct end *copy)
{
	*copy = *end;
	copy->list.v = malloc((end->list.n + 1) * sizeof(*end->list.v));
	copy->ports.v = malloc((end->ports.n + 1) * sizeof(*end->ports.v));
	if (!copy->list.v || !copy->ports.v)
		return -ENOMEM;
	if (end->list.n)
		memcpy(copy->list.v, end->list.v, end->list.n * sizeof(*end->list.v));
	if (end->ports.n)
		memcpy(copy->ports.v, end->ports.v, end->ports.n * sizeof(*end->ports.v));
	copy->list.n = widest_prefixes(copy->list.v, end->list.n);
	copy->ports.n = joined_ports(copy->ports.v, end->ports.n);
	return 0;
}

static void end_free(struct end *copy)
{
	free(copy->list.v);
	free(copy->ports.v);
}

static void parts_of(const struct end *end, struct parts *parts)
{
	*parts = (struct parts){
		.ports = end->ports.v,
		.n_ports = end->ports.n,
		.me = end->kind == END_ME,
	};
	if (end->kind == END_PREFIX) {
		parts->prefixes = &end->prefix;
		parts->n_prefixes = 1;
	} else if (end->kind == END_FILE) {
		parts->prefixes = end->list.v;
		parts->n_prefixes = end->list.n;
	}
}

static void set_port(struct filter *f, struct port_range *port, const struct port_range *is,
	uint8_t exact, uint8_t range)
{
	if (!is)
		return;
	*port = *is;
	f->shape.flags |= is->lo == is->hi ? exact : range;
}

static void set_ports(struct filter *f, const struct rule *rule, const struct port_range *rport,
	const struct port_range *lport)
{
	struct port_range type = { (uint16_t)rule->type, (uint16_t)rule->type };
	struct port_range code = { (uint16_t)rule->code, (uint16_t)rule->code };

	f->rport = f->lport = (struct port_range){ 1, 0 };
	if (rule->type >= 0)
		lport = &type;
	if (rule->code >= 0)
		rport = &code;
	set_port(f, &f->rport, rport, BPT_RPORT, BPT_RRANGE);
	set_port(f, &f->lport, lport, BPT_LPORT, BPT_LRANGE);
}

static uint64_t rank_of(const struct filter *f, const struct rule *rule)
{
	unsigned int full = f->shape.family == BP_V4 ? 32 : 128;
	struct bp_rank_of r = {
		.remote = bp_rank_prefix(f->shape.rlen, full, false),
		.local = bp_rank_prefix(f->shape.llen, full, f->shape.flags & BPT_ME),
		.lport = bp_rank_port(f->lport.lo, f->lport.hi),
		.rport = bp_rank_port(f->rport.lo, f->rport.hi),
		.emergency = rule->emergency,
		.iface = rule->ifname != NULL,
		.proto = rule->proto != PROTO_ANY,
		.dynamic = rule->layer == LAYER_DYNAMIC,
		.block = rule->action == BP_BLOCK,
	};

	return bp_rank(&r);
}

/* What a shadow keeps of its filter: all but ports and type, and to the blind the protocol. */
static void make_shadow(struct filter *f, enum bp_kind kind)
{
	f->shape.kind = kind;
	f->shape.flags &= ~(BPT_L4 | BPT_PORTS);
	if (kind == BP_BLIND) {
		f->shape.flags &= ~BPT_PROTO;
		f->proto = 0;
	}
	f->rport = f->lport = (struct port_range){ 1, 0 };
}

static int emit(const struct walk *w, int family, const struct prefix *remote,
	const struct prefix *local, const struct port_range *rport, const struct port_range *lport)
{
	const struct rule *rule = w->rule;
	struct filter f = {
		.shape = { .dir = w->dir, .family = family == 4 ? BP_V4 : BP_V6 },
	};

	f.shape.kind = rule->action == BP_COUNT ? BP_TALLY : BP_DECIDE;
	if (remote) {
		f.shape.rlen = remote->len;
		memcpy(f.remote, remote->bytes, 16);
	}
	if (local) {
		f.shape.llen = local->len;
		memcpy(f.local, local->bytes, 16);
	}
	if (w->local.me)
		f.shape.flags |= BPT_ME;
	if (rule->proto != PROTO_ANY) {
		f.shape.flags |= BPT_PROTO;
		f.proto = rule->proto;
	}
	set_ports(&f, rule, rport, lport);
	if (f.shape.flags || remote || local)
		f.shape.flags |= BPT_FIELDS;
	if (f.shape.flags & BPT_L4 && !(f.shape.flags & BPT_PROTO))
		f.shape.flags |= BPT_PORTS;
	f.rank = rank_of(&f, rule);
	if (w->kind != BP_DECIDE)
		make_shadow(&f, w->kind);
	return w->fn(&f, w->arg);
}

static bool family_fits(const struct rule *rule, int family)
{
	switch (rule->proto) {
	case IPPROTO_ICMP:
	case IPPROTO_AH: /* these are extension headers in IPv6, and walked over */
	case IPPROTO_MH:
	case 139: /* HIP */
	case 140: /* Shim6 */
		return family == 4;
	case IPPROTO_ICMPV6:
		return family == 6;
	}
	return true;
}

/* All pairs of ports; one round for the shadow, which has none. */
static int walk_ports(
	const struct walk *w, int family, const struct prefix *remote, const struct prefix *local)
{
	size_t nr = w->remote.n_ports && w->kind == BP_DECIDE ? w->remote.n_ports : 1;
	size_t nl = w->local.n_ports && w->kind == BP_DECIDE ? w->local.n_ports : 1;

	for (size_t r = 0; r < nr; r++) {
		for (size_t l = 0; l < nl; l++) {
			int rc = emit(w, family, remote, local,
				w->remote.n_ports ? &w->remote.ports[r] : NULL,
				w->local.n_ports ? &w->local.ports[l] : NULL);

			if (rc)
				return rc;
		}
	}
	return 0;
}

static bool has_family(const struct parts *parts, int family)
{
	size_t i = 0;

	while (i < parts->n_prefixes && parts->prefixes[i].family != family)
		i++;
	return !parts->n_prefixes || i < parts->n_prefixes;
}

/* All pairs of addresses of one family. Two long lists that have none are not paired to see it. */
static int walk_family(const struct walk *w, int family)
{
	size_t nr = w->remote.n_prefixes, nl = w->local.n_prefixes;

	if (!has_family(&w->local, family))
		return 0;
	for (size_t r = 0; r < (nr ? nr : 1); r++) {
		const struct prefix *remote = nr ? &w->remote.prefixes[r] : NULL;

		if (remote && remote->family != family)
			continue;
		for (size_t l = 0; l < (nl ? nl : 1); l++) {
			const struct prefix *local = nl ? &w->local.prefixes[l] : NULL;
			int rc;

			if (local && local->family != family)
				continue;
			rc = walk_ports(w, family, remote, local);
			if (rc)
				return rc;
		}
	}
	return 0;
}

/* A list that was named but is empty matches nothing. */
static bool matches_nothing(const struct end *end)
{
	return end->kind == END_FILE && !end->list.n;
}

static int walk_rule(struct walk *w)
{
	const struct rule *rule = w->rule;

	for (int dir = BP_IN; dir < BP_DIRS; dir++) {
		const struct end *remote = rule_remote(rule, dir);
		const struct end *local = rule_local(rule, dir);

		if (!rule_has_dir(rule, dir) || matches_nothing(remote) || matches_nothing(local))
			continue;
		w->dir = dir;
		parts_of(remote, &w->remote);
		parts_of(local, &w->local);
		for (int family = 4; family <= 6; family += 2) {
			bool fits =
				family_fits(rule, family) && (family == 6 || w->kind != BP_BLIND);
			int rc = fits ? walk_family(w, family) : 0;

			if (rc)
				return rc;
		}
	}
	return 0;
}

static int walk_count(struct walk w)
{
	struct rule disjoint = *w.rule;
	int rc = end_disjoint(&w.rule->from, &disjoint.from);

	if (!rc) {
		rc = end_disjoint(&w.rule->to, &disjoint.to);
		w.rule = &disjoint;
		if (!rc)
			rc = walk_rule(&w);
		end_free(&disjoint.to);
	}
	end_free(&disjoint.from);
	return rc;
}

static bool has_shadows(const struct rule *rule)
{
	return rule->type >= 0 || rule->from.ports.n || rule->to.ports.n;
}

int filter_each(const struct rule *rule, int (*fn)(const struct filter *, void *), void *arg)
{
	struct walk w = { .rule = rule, .fn = fn, .arg = arg };
	int rc;

	if (rule->action == BP_COUNT)
		return walk_count(w);
	rc = walk_rule(&w);
	if (rc || !has_shadows(rule))
		return rc;
	w.kind = BP_SHADOW;
	rc = walk_rule(&w);
	if (rc)
		return rc;
	w.kind = BP_BLIND;
	return walk_rule(&w);
}

bool is_shadow(const struct shape *shape)
{
	return shape->kind == BP_SHADOW || shape->kind == BP_BLIND;
}

static int count_one(const struct filter *filter, void *arg)
{
	uint64_t *count = arg;

	*count += !is_shadow(&filter->shape);
	return 0;
}

int filter_count(const struct rule *rule, uint64_t *count)
{
	*count = 0;
	return filter_each(rule, count_one, count);
}

static void mask_bits(uint32_t mask[4], unsigned int len)
{
	for (int i = 0; i < 4; i++, len -= len < 32 ? len : 32)
		mask[i] = len >= 32 ? ~0U : htonl(len ? ~0U << (32 - len) : 0);
}

void shape_tuple(const struct shape *shape, struct bp_tuple *tuple)
{
	*tuple = (struct bp_tuple){
		.flags = shape->flags,
		.kind = shape->kind,
		.rlen = shape->rlen,
		.llen = shape->llen,
		.proto_mask = shape->flags & BPT_PROTO ? 0xff : 0,
		.rport_mask = shape->flags & BPT_RPORT ? 0xffff : 0,
		.lport_mask = shape->flags & BPT_LPORT ? 0xffff : 0,
	};
	mask_bits(tuple->rmask, shape->rlen);
	mask_bits(tuple->lmask, shape->llen);
}

bool shape_is(const struct shape *shape, const struct bp_tuple *tuple)
{
	struct bp_tuple own;

	shape_tuple(shape, &own);
	return own.flags == tuple->flags && own.kind == tuple->kind && own.rlen == tuple->rlen &&
	       own.llen == tuple->llen && own.rport_mask == tuple->rport_mask &&
	       own.lport_mask == tuple->lport_mask;
}

bool shape_fits(const struct shape *shape, const struct bp_tuple *tuple)
{
	return shape->kind == tuple->kind && shape->rlen >= tuple->rlen &&
	       shape->llen >= tuple->llen && !(shape->flags & BPT_PROTO) == !tuple->proto_mask &&
	       (shape->flags & BPT_RPORT || !tuple->rport_mask) &&
	       (shape->flags & BPT_LPORT || !tuple->lport_mask);
}

int filter_key_words(int family)
{
	return family == BP_V4 ? BP_KEY4 : BP_KEY6;
}

size_t filter_elem_size(int family)
{
	return family == BP_V4 ? sizeof(struct bp_elem4) : sizeof(struct bp_elem6);
}

static void masked(uint32_t to[4], const uint8_t *address, const uint32_t *mask)
{
	for (int i = 0; i < 4; i++) {
		uint32_t word;

		memcpy(&word, address + i * 4, 4);
		to[i] = word & mask[i];
	}
}

void filter_key(const struct filter *f, const struct bp_tuple *tuple, unsigned int number,
	struct filter_key *key)
{
	uint8_t bits = bp_key_tuple(f->shape.dir, bp_space_of(f->shape.kind), number);
	uint32_t remote[4], local[4];

	masked(remote, f->remote, tuple->rmask);
	masked(local, f->local, tuple->lmask);
	*key = (struct filter_key){ { bp_key_head(bits, f->proto, f->rport.lo & tuple->rport_mask,
		f->lport.lo & tuple->lport_mask) } };
	if (f->shape.family == BP_V4) {
		key->words[1] = bp_key_word(remote[0], local[0]);
		return;
	}
	key->words[1] = bp_key_word(remote[0], remote[1]);
	key->words[2] = bp_key_word(remote[2], remote[3]);
	key->words[3] = bp_key_word(local[0], local[1]);
	key->words[4] = bp_key_word(local[2], local[3]);
}

/* Whether more than its key must be compared, also when other shapes come into the tuple. */
static bool needs_check(
	const struct filter *f, const struct bp_tuple *tuple, const struct filter_of_rule *of)
{
	uint8_t compared = BPT_RRANGE | BPT_LRANGE | BPT_ME;

	if (!tuple->rport_mask)
		compared |= BPT_RPORT;
	if (!tuple->lport_mask)
		compared |= BPT_LPORT;
	if (!tuple->rlen && !tuple->llen && !tuple->proto_mask)
		compared |= BPT_FIELDS;
	return of->ifindex || of->gate || f->shape.flags & compared ||
	       f->shape.rlen != tuple->rlen || f->shape.llen != tuple->llen;
}

void filter_elem(const struct filter *f, const struct bp_tuple *tuple, unsigned int number,
	const struct filter_of_rule *of, union filter_elem *elem)
{
	memset(elem, 0, sizeof(*elem));
	elem->e = (struct bp_elem){
		.rank = f->rank,
		.rule = of->rule->id,
		.ifindex = of->ifindex,
		.print = of->print,
		.flags = f->shape.flags,
		.gate = of->gate,
		.action = of->rule->action,
		.included = of->rule->included,
		.log = of->rule->log,
		.check = needs_check(f, tuple, of),
		.rport_lo = f->rport.lo,
		.rport_hi = f->rport.hi,
		.lport_lo = f->lport.lo,
		.lport_hi = f->lport.hi,
		.tuple = bp_key_tuple(f->shape.dir, bp_space_of(f->shape.kind), number),
		.proto = f->proto,
	};
	if (f->shape.family == BP_V4) {
		memcpy(&elem->v4.remote, f->remote, 4);
		memcpy(&elem->v4.local, f->local, 4);
		return;
	}
	memcpy(elem->v6.remote, f->remote, 16);
	memcpy(elem->v6.local, f->local, 16);
}

void shadow_begin(union filter_elem *elem)
{
	elem->e.print = 1;
}

/* Of a rank the lengths of the prefixes: the rest is of the rule. */
bool elem_is(const union filter_elem *a, const union filter_elem *b, int family)
{
	uint64_t lengths = 0xffffULL << BP_RANK_LOCAL_SHIFT;
	size_t size = filter_elem_size(family) - sizeof(a->e);

	return a->e.tuple == b->e.tuple && a->e.proto == b->e.proto && a->e.flags == b->e.flags &&
	       a->e.rport_lo == b->e.rport_lo && a->e.rport_hi == b->e.rport_hi &&
	       a->e.lport_lo == b->e.lport_lo && a->e.lport_hi == b->e.lport_hi &&
	       (a->e.rank & lengths) == (b->e.rank & lengths) &&
	       !memcmp((const uint8_t *)a + sizeof(a->e), (const uint8_t *)b + sizeof(b->e), size);
}

void filter_from_elem(
	const union filter_elem *elem, const struct bp_tuple *tuple, int family, struct filter *f)
{
	const struct bp_elem *e = &elem->e;
	uint32_t full = family == BP_V4 ? 32 : 128;
	bool v4 = family == BP_V4;

	*f = (struct filter){
		.shape = {
			.dir = e->tuple >> 6 & 1,
			.family = family,
			.kind = tuple->kind,
			.flags = e->flags,
			.rlen = bp_rank_len(e->rank, BP_RANK_REMOTE_SHIFT, full),
			.llen = bp_rank_len(e->rank, BP_RANK_LOCAL_SHIFT, full),
		},
		.proto = e->proto,
		.rport = { e->rport_lo, e->rport_hi },
		.lport = { e->lport_lo, e->lport_hi },
		.rank = e->rank,
	};
	memcpy(f->remote, v4 ? &elem->v4.remote : elem->v6.remote, v4 ? 4 : 16);
	memcpy(f->local, v4 ? &elem->v4.local : elem->v6.local, v4 ? 4 : 16);
}

int rule_print(const struct rule *rule, uint32_t *print)
{
	char *text = spec_text(rule, SPEC_MATCH);
	uint64_t hash = 0xcbf29ce484222325ULL; /* FNV-1a */

	if (!text)
		return -ENOMEM;
	for (const char *c = text; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 0x100000001b3ULL;
	free(text);
	*print = (hash ^ hash >> 24 ^ hash >> 48) & BP_PRINT;
	return 0;
}

bool rule_is_timed(const struct rule *rule)
{
	return rule->deadline || rule->lifetime;
}
