// SPDX-License-Identifier: GPL-2.0-only
#include "filters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_FILTERS 4096 /* of a rule that is put together again; more are those of a list */
#define RANK_EMERGENCY 55 /* see bp_rank() */

/* --- from the tables --- */

struct reading {
	struct filters *filters;
	const struct table *table;
	enum rule_layer layer;
	uint64_t boot_now;
};

/* UINT64_MAX: for good; 0: it is over. The kernel asks the same of an element. */
static uint64_t ends_of(const struct reading *r, const struct bp_elem *e)
{
	uint64_t gate;

	if (!e->gate)
		return UINT64_MAX;
	gate = e->gate < r->table->tables->sizes.gates ? r->table->gates[e->gate] : 0;
	return gate > r->boot_now ? gate : 0;
}

static struct status_filter *add(struct filters *f)
{
	if (f->n == f->room) {
		size_t room = f->room ? f->room * 2 : 64;
		struct status_filter *v = realloc(f->v, room * sizeof(*v));

		if (!v)
			return NULL;
		f->v = v;
		f->room = room;
	}
	return &f->v[f->n++];
}

static int read_elem(const union filter_elem *elem, int family, void *arg)
{
	const struct reading *r = arg;
	const struct bp_tables *t = r->table->tables;
	uint8_t bits = elem->e.tuple;
	uint8_t dir = bits >> 6 & 1, space = bits >> 7;
	uint64_t ends = ends_of(r, &elem->e);
	struct status_filter *out;

	if (space == BP_SPACE_CUT || !ends || elem->e.rule == t->withheld)
		return 0;
	out = add(r->filters);
	if (!out)
		return -ENOMEM;
	*out = (struct status_filter){
		.packets = elem->e.packets,
		.bytes = elem->e.bytes,
		.rule = elem->e.rule,
		.print = elem->e.print,
		.ifindex = elem->e.ifindex,
		.action = elem->e.action,
		.layer = r->layer,
		.ends = ends,
	};
	filter_from_elem(
		elem, &t->tuple[dir][family][space][bits & (BP_TUPLES - 1)], family, &out->filter);
	return 0;
}

int filters_read(struct filters *filters, const struct table *table, enum rule_layer layer,
	uint64_t boot_now)
{
	struct reading r = {
		.filters = filters, .table = table, .layer = layer, .boot_now = boot_now
	};

	return table_walk(table, read_elem, &r);
}

static int by_rank(const void *a, const void *b)
{
	const struct status_filter *x = a, *y = b;

	if (x->filter.rank != y->filter.rank)
		return x->filter.rank < y->filter.rank ? 1 : -1;
	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	return memcmp(&x->filter, &y->filter, sizeof(x->filter));
}

void filters_sort(struct filters *f)
{
	if (f->n)
		qsort(f->v, f->n, sizeof(*f->v), by_rank);
}

/* --- and back to a rule --- */

static int add_port(struct ports *ports, struct port_range range)
{
	size_t at = 0;
	struct port_range *v;

	if (range.hi < range.lo)
		return 0;
	while (at < ports->n && (ports->v[at].lo < range.lo || (ports->v[at].lo == range.lo &&
								       ports->v[at].hi < range.hi)))
		at++;
	if (at < ports->n && ports->v[at].lo == range.lo && ports->v[at].hi == range.hi)
		return 0;
	v = realloc(ports->v, (ports->n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	memmove(v + at + 1, v + at, (ports->n - at) * sizeof(*v));
	v[at] = range;
	*ports = (struct ports){ .v = v, .n = ports->n + 1 };
	return 0;
}

static int add_ports(struct end *remote, struct end *local, const struct status_filter *f, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		rc = add_port(&remote->ports, f[i].filter.rport);
		if (!rc)
			rc = add_port(&local->ports, f[i].filter.lport);
	}
	return rc;
}

static void set_address(struct end *end, const struct filter *f, const uint8_t *bytes, uint8_t len)
{
	if (!len)
		return;
	end->kind = END_PREFIX;
	end->prefix = (struct prefix){ .family = f->shape.family == BP_V4 ? 4 : 6, .len = len };
	memcpy(end->prefix.bytes, bytes, end->prefix.family == 4 ? 4 : 16);
}

static enum rule_dir dir_of(const struct status_filter *f, size_t n)
{
	bool seen[BP_DIRS] = {};

	for (size_t i = 0; i < n; i++)
		seen[f[i].filter.shape.dir] = true;
	return seen[BP_IN] && seen[BP_OUT] ? DIR_INOUT : seen[BP_OUT] ? DIR_OUT : DIR_IN;
}

/* A rule of the first filter's ends and all filters' directions and ports. */
static int guess(const struct status_filter *f, size_t n, struct rule *rule)
{
	const struct filter *first = &f->filter;
	struct end *remote, *local;

	rule->id = f->rule;
	rule->action = f->action;
	rule->layer = f->layer;
	rule->emergency = first->rank >> RANK_EMERGENCY & 1;
	rule->dir = dir_of(f, n);
	if (first->shape.flags & BPT_PROTO)
		rule->proto = first->proto;
	remote = rule->dir == DIR_OUT ? &rule->to : &rule->from;
	local = rule->dir == DIR_OUT ? &rule->from : &rule->to;
	set_address(remote, first, first->remote, first->shape.rlen);
	set_address(local, first, first->local, first->shape.llen);
	if (first->shape.flags & BPT_ME)
		local->kind = END_ME;
	if (!proto_has_type(rule->proto))
		return add_ports(remote, local, f, n);
	if (first->lport.lo <= first->lport.hi)
		rule->type = first->lport.lo;
	if (first->rport.lo <= first->rport.hi)
		rule->code = first->rport.lo;
	return 0;
}

static int is_exact(const struct rule *rule, const struct status_filter *f, size_t n, bool *exact)
{
	uint64_t count = 0;
	uint32_t print;
	int rc = filter_count(rule, &count);

	if (!rc)
		rc = rule_print(rule, &print);
	if (!rc)
		*exact = count == n && print == f->print;
	return rc;
}

/* `any` and 0.0.0.0/0 make the same filters where all are of one family. */
static int try_any(struct rule *rule, const struct status_filter *f, size_t n, bool *exact)
{
	const struct prefix none = { .family = f->filter.shape.family == BP_V4 ? 4 : 6 };
	struct end *ends[] = { &rule->from, &rule->to };
	bool any[] = { rule->from.kind == END_ANY, rule->to.kind == END_ANY };
	int rc = is_exact(rule, f, n, exact);

	for (unsigned int which = 1; which < 4 && !rc && !*exact; which++) {
		for (int i = 0; i < 2; i++) {
			if (!any[i])
				continue;
			ends[i]->kind = which >> i & 1 ? END_PREFIX : END_ANY;
			ends[i]->prefix = none;
		}
		rc = is_exact(rule, f, n, exact);
	}
	for (int i = 0; i < 2 && !*exact; i++)
		if (any[i])
			ends[i]->kind = END_ANY;
	return rc;
}

int filters_rule(
	const struct status_filter *f, size_t n, const char *ifname, struct rule **out, bool *exact)
{
	struct rule *rule = NULL;
	int rc = rule_new(&rule);

	*exact = false;
	if (!rc)
		rc = guess(f, n > MOST_FILTERS ? 1 : n, rule);
	if (!rc && ifname) {
		rule->ifname = strdup(ifname);
		rc = rule->ifname ? 0 : -ENOMEM;
	}
	if (!rc && n <= MOST_FILTERS)
		rc = try_any(rule, f, n, exact);
	if (rc)
		rule_free(&rule);
	else
		*out = rule;
	return rc;
}
