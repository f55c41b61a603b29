// SPDX-License-Identifier: GPL-2.0-only
/*
 * A rule can never win if rules of higher rank match all that it matches.
 *
 * Of most rules a single packet shows that they can win: one that the rule matches, and nothing
 * that outranks it. So packets are tried, first a few at random, then at a corner of what is left
 * of the rule's addresses and ports: what wins over a packet is taken out of them (never_cover.c).
 * If nothing is left, the rule can never win. Filters lie in a hash table by the bits that their
 * shape asks for, as in the kernel, so a try costs a lookup for each shape that can outrank the
 * rule.
 *
 * In what is not an address or a port there is a choice that fewest rules match: no interface
 * that a rule names, not this host, no ports to be read, a protocol that no rule names. What wins
 * over the rule there wins over it everywhere, so no other choice is looked at.
 */
#include "never.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "keyset.h"
#include "never_cover.h"
#include "pairs.h"

#define TRIES 8
/* Shapes, elements and pieces looked at in all: half a second. */
#define PATIENCE 20000000L

/* A filter of block or permit. */
struct box {
	struct filter f;
	uint32_t rule, shape, next; /* next: of the same key; 0: none */
};

/* The bits of a packet that a shape asks for. */
struct key {
	uint8_t remote[16], local[16];
	uint16_t rport, lport;
	uint32_t shape;
	uint8_t proto, pad[7];
};

struct kind {
	struct shape shape;
	uint64_t bound; /* no rank in it is higher */
};

struct packet {
	uint8_t dir, family, proto;
	uint8_t remote[16], local[16];
	uint16_t rport, lport;
	bool ports, me;
	const char *ifname;
};

struct search {
	const struct policy *policy;
	struct never *never;
	struct box *boxes;
	struct key *keys;
	size_t n, room;
	struct kind *kinds;
	size_t n_kinds;
	uint32_t *order; /* kinds by falling bound */
	struct keyset index;
	bool named[256]; /* protocols that a rule names */
	uint64_t random;
	long patience;
	/* The rule whose filters are being gathered or judged. */
	uint32_t rule;
	struct cover cover;
};

static void mask_prefix(uint8_t *to, const uint8_t *from, unsigned int len)
{
	memset(to, 0, 16);
	memcpy(to, from, len / 8);
	if (len % 8)
		to[len / 8] = from[len / 8] & (0xff00 >> len % 8);
}

static void make_key(const struct search *s, uint32_t kind, const struct packet *p, struct key *key)
{
	const struct shape *shape = &s->kinds[kind].shape;

	*key = (struct key){ .shape = kind };
	mask_prefix(key->remote, p->remote, shape->rlen);
	mask_prefix(key->local, p->local, shape->llen);
	key->proto = shape->flags & BPT_PROTO ? p->proto : 0;
	key->rport = shape->flags & BPT_RPORT ? p->rport : 0;
	key->lport = shape->flags & BPT_LPORT ? p->lport : 0;
}

static int kind_of(struct search *s, const struct filter *f, uint32_t *kind)
{
	uint32_t last = s->n ? s->boxes[s->n - 1].shape : 0, i = 0;
	struct kind *v;

	if (s->n_kinds && !memcmp(&s->kinds[last].shape, &f->shape, sizeof(f->shape)))
		i = last;
	while (i < s->n_kinds && memcmp(&s->kinds[i].shape, &f->shape, sizeof(f->shape)))
		i++;
	if (i == s->n_kinds) {
		v = reallocarray(s->kinds, s->n_kinds + 1, sizeof(*v));
		if (!v)
			return -ENOMEM;
		s->kinds = v;
		v[s->n_kinds++] = (struct kind){ .shape = f->shape };
	}
	if (f->rank > s->kinds[i].bound)
		s->kinds[i].bound = f->rank;
	*kind = i;
	return 0;
}

static int make_room(struct search *s)
{
	size_t room = s->room ? s->room * 2 : 1024;
	struct box *boxes;
	struct key *keys;

	if (s->n < s->room)
		return 0;
	boxes = reallocarray(s->boxes, room, sizeof(*boxes));
	if (boxes)
		s->boxes = boxes;
	keys = reallocarray(s->keys, room, sizeof(*keys));
	if (keys)
		s->keys = keys;
	if (!boxes || !keys)
		return -ENOMEM;
	s->room = room;
	return 0;
}

/* Box 0 is no filter, so that 0 can end a chain. */
static int add_box(const struct filter *f, void *arg)
{
	struct search *s = arg;
	struct packet p = { .proto = f->proto, .rport = f->rport.lo, .lport = f->lport.lo };
	struct box *box;
	uint32_t first;
	int rc;

	if (is_shadow(&f->shape))
		return 0;
	rc = make_room(s);
	if (rc)
		return rc;
	box = &s->boxes[s->n];
	*box = (struct box){ .f = *f, .rule = s->rule };
	rc = kind_of(s, f, &box->shape);
	if (rc)
		return rc;
	memcpy(p.remote, f->remote, 16);
	memcpy(p.local, f->local, 16);
	make_key(s, box->shape, &p, &s->keys[s->n]);
	first = keyset_find(&s->index, &s->keys[s->n]);
	if (first == KEYSET_NONE) {
		rc = keyset_add(&s->index, s->n);
	} else {
		box->next = s->boxes[first].next;
		s->boxes[first].next = s->n;
	}
	s->named[f->proto] |= f->shape.flags & BPT_PROTO;
	s->n++;
	return rc;
}

/* Whether w is there as long as r is: what ends before it leaves the rest to it. */
static bool outlasts(const struct rule *w, const struct rule *r)
{
	return !w->lifetime || (r->lifetime && r->lifetime <= w->lifetime);
}

static bool in_range(const struct port_range *range, uint16_t port)
{
	return range->hi < range->lo || (range->lo <= port && port <= range->hi);
}

/* What of a filter is neither address nor port. */
static bool matches_kind(const struct search *s, const struct box *w, const struct packet *p)
{
	const char *ifname = s->policy->rules[w->rule]->ifname;
	unsigned int flags = w->f.shape.flags;

	return (!ifname || (p->ifname && !strcmp(ifname, p->ifname))) &&
	       (!(flags & BPT_ME) || p->me) && (!(flags & BPT_L4) || p->ports) &&
	       (!(flags & BPT_PORTS) || proto_has_ports(p->proto)) &&
	       (!(flags & BPT_PROTO) || w->f.proto == p->proto);
}

/* On a tie the lower id wins, and ids are given in the policy's order. */
static bool outranks(const struct search *s, const struct box *w, const struct box *r)
{
	return (w->f.rank > r->f.rank || (w->f.rank == r->f.rank && w->rule < r->rule)) &&
	       outlasts(s->policy->rules[w->rule], s->policy->rules[r->rule]);
}

/* A filter of that kind that outranks r and matches the packet; NULL: none. */
static const struct box *find_in_kind(
	struct search *s, uint32_t kind, const struct box *r, const struct packet *p)
{
	struct key key;
	uint32_t at;

	make_key(s, kind, p, &key);
	at = keyset_find(&s->index, &key);
	for (at = at == KEYSET_NONE ? 0 : at; at; at = s->boxes[at].next) {
		const struct box *w = &s->boxes[at];

		s->patience--;
		if (outranks(s, w, r) && matches_kind(s, w, p) && in_range(&w->f.lport, p->lport) &&
			in_range(&w->f.rport, p->rport))
			return w;
	}
	return NULL;
}

static const struct box *find_winner(struct search *s, const struct box *r, const struct packet *p)
{
	for (size_t i = 0; i < s->n_kinds && s->kinds[s->order[i]].bound >= r->f.rank; i++) {
		const struct shape *shape = &s->kinds[s->order[i]].shape;
		const struct box *w;

		s->patience--;
		if (shape->dir != p->dir || shape->family != p->family)
			continue;
		w = find_in_kind(s, s->order[i], r, p);
		if (w)
			return w;
	}
	return NULL;
}

/* xorshift (Marsaglia 2003) */
static uint64_t draw(struct search *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

static cover_number pick(struct search *s, cover_number lo, cover_number hi)
{
	cover_number size = hi - lo + 1, any = (cover_number)draw(s) << 64 | draw(s);

	return lo + (size ? any % size : any);
}

static void put_address(uint8_t to[16], cover_number address)
{
	for (int i = 16; i--; address >>= 8)
		to[i] = address;
}

/* A packet of the region: at its lower corner, or anywhere. */
static void choose_packet(
	struct search *s, const struct cover_region *r, bool anywhere, struct packet *p)
{
	cover_number at[COVER_DIMS];

	for (int d = 0; d < COVER_DIMS; d++)
		at[d] = anywhere ? pick(s, r->lo[d], r->hi[d]) : r->lo[d];
	put_address(p->remote, at[COVER_REMOTE]);
	put_address(p->local, at[COVER_LOCAL]);
	p->rport = at[COVER_RPORT];
	p->lport = at[COVER_LPORT];
}

/* What is chosen once for all packets of a filter. */
static void choose_kind(const struct search *s, const struct box *r, struct packet *p)
{
	p->dir = r->f.shape.dir;
	p->family = r->f.shape.family;
	p->ports = r->f.shape.flags & BPT_L4;
	p->me = r->f.shape.flags & BPT_ME;
	p->ifname = s->policy->rules[r->rule]->ifname;
}

/* Whether others win over all packets of that protocol that the filter matches. */
static int protocol_lost(struct search *s, const struct box *r, uint8_t proto, bool *lost)
{
	const struct cover_region whole = cover_region_of(&r->f);
	struct packet p = { .proto = proto };
	int rc = cover_begin(&s->cover, &whole);

	*lost = false;
	choose_kind(s, r, &p);
	for (unsigned int round = 0; s->cover.n && !rc; round++) {
		bool first = round < TRIES;
		struct cover_region taken;
		const struct box *w;

		choose_packet(s, first ? &whole : &s->cover.left[s->cover.n - 1], first, &p);
		w = find_winner(s, r, &p);
		s->patience -= s->cover.n;
		if (!w || s->patience < 0)
			return 0;
		taken = cover_region_of(&w->f);
		rc = cover_take(&s->cover, &taken, w->rule);
	}
	*lost = !rc;
	return rc;
}

/* The protocols to look at for a filter: p[0..n). */
static unsigned int protocols(const struct search *s, const struct filter *f, uint8_t p[256])
{
	unsigned int n = 0;

	if (f->shape.flags & BPT_PROTO) {
		p[0] = f->proto;
		return 1;
	}
	for (unsigned int i = 0; i < 256; i++) {
		if (f->shape.flags & BPT_PORTS ? !proto_has_ports(i) : s->named[i])
			continue;
		p[n++] = i;
		if (!(f->shape.flags & BPT_PORTS))
			return n; /* nobody names it */
	}
	for (unsigned int i = 0; !n && i < 256; i++)
		p[i] = i;
	return n ? n : 256;
}

/*
 * A frame whose IP header cannot be read (a fifth tag, a cut header) meets only what asks for
 * nothing but direction and interface.
 */
static bool wins_unread(const struct search *s, const struct box *r)
{
	const struct packet p = { .ifname = s->policy->rules[r->rule]->ifname };

	if (r->f.shape.flags & BPT_FIELDS)
		return false;
	for (size_t i = 1; i < s->n; i++) {
		const struct box *w = &s->boxes[i];

		if (!(w->f.shape.flags & BPT_FIELDS) && w->f.shape.dir == r->f.shape.dir &&
			outranks(s, w, r) && matches_kind(s, w, &p))
			return false;
	}
	return true;
}

static int filter_lost(struct search *s, const struct box *r, bool *lost)
{
	uint8_t proto[256];
	unsigned int n = protocols(s, &r->f, proto);
	int rc = 0;

	*lost = !wins_unread(s, r);
	for (unsigned int i = 0; i < n && *lost && !rc; i++)
		rc = protocol_lost(s, r, proto[i], lost);
	return rc;
}

/* The filters of one rule lie side by side, from box `at` on; returns where they end. */
static int judge_rule(struct search *s, size_t *at)
{
	struct never *never = &s->never[s->boxes[*at].rule];
	bool lost = true;
	int rc = 0;

	s->rule = s->boxes[*at].rule;
	cover_forget(&s->cover);
	for (; *at < s->n && s->boxes[*at].rule == s->rule; ++*at)
		if (lost && !rc)
			rc = filter_lost(s, &s->boxes[*at], &lost);
	if (rc || !lost)
		return rc;
	never->why = NEVER_COVERED;
	never->n_by = s->cover.n_named;
	never->more = s->cover.more;
	memcpy(never->by, s->cover.named, sizeof(never->by));
	return 0;
}

static bool is_exempt(const struct rule *rule)
{
	return rule->proto == IPPROTO_ICMPV6 && rule->type >= 133 && rule->type <= 136;
}

static bool is_empty(const struct rule *rule)
{
	return (rule->from.kind == END_FILE && !rule->from.list.n) ||
	       (rule->to.kind == END_FILE && !rule->to.list.n);
}

static int stop(const struct filter *f, void *arg)
{
	(void)f;
	(void)arg;
	return 1;
}

/* Whether addresses and protocol are of no family together. -ENOMEM. */
static int of_no_family(const struct rule *rule, enum never_why *why)
{
	struct rule any = *rule;
	int rc = filter_each(rule, stop, NULL);

	if (rc)
		return rc < 0 ? rc : 0;
	any.proto = PROTO_ANY;
	rc = filter_each(&any, stop, NULL);
	*why = rc ? NEVER_PROTO : NEVER_ENDS;
	return rc < 0 ? rc : 0;
}

/* What can be said of a rule alone, and the filters of those that are left. */
static int gather(struct search *s)
{
	size_t *first = policy_firsts(s->policy);
	int rc = first ? 0 : -ENOMEM;

	for (size_t i = 0; i < s->policy->n && !rc; i++) {
		const struct rule *rule = s->policy->rules[i];
		struct never *never = &s->never[i];

		s->rule = i;
		if (first[i] != i)
			*never = (struct never){ NEVER_REPEATS, { first[i] }, 1, false };
		else if (is_exempt(rule))
			never->why = NEVER_EXEMPT;
		else if (is_empty(rule))
			never->why = NEVER_EMPTY;
		else
			rc = of_no_family(rule, &never->why);
		if (!rc && never->why == NEVER_NOT && rule->action != BP_COUNT)
			rc = filter_each(rule, add_box, s);
	}
	free(first);
	return rc;
}

static int by_bound(const void *a, const void *b, void *arg)
{
	const struct kind *kinds = arg;
	uint64_t x = kinds[*(const uint32_t *)a].bound, y = kinds[*(const uint32_t *)b].bound;

	return x < y ? 1 : x > y ? -1 : 0;
}

static int order_kinds(struct search *s)
{
	s->order = calloc(s->n_kinds + 1, sizeof(*s->order));
	if (!s->order)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n_kinds; i++)
		s->order[i] = i;
	qsort_r(s->order, s->n_kinds, sizeof(*s->order), by_bound, s->kinds);
	return 0;
}

int never_find(const struct policy *policy, struct never **out, bool *cut_short)
{
	struct search s = { .policy = policy, .n = 1, .random = 42, .patience = PATIENCE };
	size_t at = 1;
	int rc = keyset_init(&s.index, (const uint8_t *const *)&s.keys, sizeof(*s.keys));

	s.never = calloc(policy->n + 1, sizeof(*s.never));
	if (!rc)
		rc = s.never ? make_room(&s) : -ENOMEM;
	if (!rc)
		rc = gather(&s);
	if (!rc)
		rc = order_kinds(&s);
	while (!rc && at < s.n && s.patience >= 0)
		rc = judge_rule(&s, &at);
	*cut_short = s.patience < 0;
	keyset_free(&s.index);
	cover_free(&s.cover);
	free(s.order);
	free(s.kinds);
	free(s.keys);
	free(s.boxes);
	if (rc)
		free(s.never);
	else
		*out = s.never;
	return rc;
}
