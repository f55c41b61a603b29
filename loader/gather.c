// SPDX-License-Identifier: GPL-2.0-only
#include "gather.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "notes.h"
#include "protected.h"
#include "seat.h"

static int best_rank(const struct filter *f, void *arg)
{
	uint64_t *best = arg;

	if (!is_shadow(&f->shape) && f->rank > *best)
		*best = f->rank;
	return 0;
}

static int by_rank(const void *a, const void *b)
{
	const struct status_rule *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? 1 : -1;
	return x->rule->id < y->rule->id ? -1 : 1;
}

static int gather_rules(struct host *host, bool ranks, struct status *st, struct diag *diag)
{
	const struct policy *p = host->store->policy;
	struct rule_counts counts = {};
	struct compile_env env;
	int rc = host->kernel ? kernel_counts(host->kernel, &counts, diag) : 0;

	host_env(&env);
	if (host->kernel && host->kernel->gen)
		st->behind = !host->kernel->gen->table.tables->folded;
	if (!rc && p) {
		st->rules = calloc(p->n + 1, sizeof(*st->rules));
		rc = st->rules ? 0 : -ENOMEM;
	}
	for (size_t i = 0; !rc && p && i < p->n; i++) {
		const struct rule *rule = p->rules[i];
		const struct rule_count *count = counts_find(&counts, rule->id);
		struct status_rule *out = &st->rules[st->n_rules];

		if (rule->deadline && rule->deadline <= env.now)
			continue;
		*out = (struct status_rule){ .rule = rule };
		if (ranks)
			rc = filter_each(rule, best_rank, &out->rank);
		if (count) {
			out->packets = count->packets;
			out->bytes = count->bytes;
		}
		out->expires_in = rule->deadline ? rule->deadline - env.now : 0;
		st->n_rules++;
	}
	if (!rc && st->n_rules)
		qsort(st->rules, st->n_rules, sizeof(*st->rules), by_rank);
	free(counts.v);
	return rc;
}

static int add_interface(
	struct status *st, const char *name, int ifindex, struct status_interface **out)
{
	struct status_interface *v = realloc(st->interfaces, (st->n_interfaces + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	st->interfaces = v;
	*out = &v[st->n_interfaces++];
	**out = (struct status_interface){
		.ifindex = ifindex, .ingress = "none", .egress = "none"
	};
	snprintf((*out)->name, sizeof((*out)->name), "%s", name);
	return 0;
}

static void why_not(struct status_interface *i, const struct nl_link *link, bool off, bool booted)
{
	const char *why = link->loopback     ? "the loopback is never filtered"
			  : link->unreadable ? "no frames with Ethernet or IP headers: cannot be "
					       "filtered"
			  : !i->remembered   ? "not attached"
			  : off		     ? "off"
			  : link->xdp_prog   ? "a foreign XDP program is in place"
			  : booted ? "not attached since the last boot; 'bpfpol restore' does it"
				   : "taken off by someone else; 'bpfpol attach' puts it back";

	snprintf(i->why, sizeof(i->why), "%s", why);
}

static void describe(
	struct status_interface *out, const struct attached *a, const struct nl_link *link)
{
	static const struct {
		const char *word, *why;
	} ingress[] = {
		[ATTACH_NATIVE] = { "xdp-native", "the driver runs XDP" },
		[ATTACH_GENERIC] = { "xdp-generic", "XDP without the driver's help: slower" },
		[ATTACH_TC] = { "tcx", "by TC, behind XDP's place" },
		[ATTACH_NONE] = { "none", "what arrives is not filtered: taken off by someone "
					  "else; 'bpfpol attach' puts it back" },
	};
	const char *why = ingress[a->how].why;

	if (a->how == ATTACH_TC && link->l3)
		why = "no Ethernet header, which XDP needs";
	else if (a->how == ATTACH_TC && link->xdp_prog)
		why = "XDP is taken by a foreign program";
	out->ingress = a->in == TC_CLSACT ? "clsact" : ingress[a->how].word;
	out->egress = a->out == TC_CLSACT ? "clsact" : a->out == TC_TCX ? "tcx" : "none";
	snprintf(out->why, sizeof(out->why), "%s%s%s", why,
		a->in == TC_CLSACT || a->out == TC_CLSACT ? "; clsact, as the kernel has no TCX"
							  : "",
		a->out != TC_NONE ? "" : "; what leaves is not filtered");
}

/*
 * Every interface of the namespace, and the remembered ones that are not there. booted: the kernel
 * knows nothing of us, so nobody took away what is missing.
 */
static int list_interfaces(struct status *st, const struct nl_links *links,
	const struct attached_list *attached, const struct remembered_list *remembered, bool booted)
{
	struct status_interface *out;
	int rc = 0;

	for (size_t i = 0; i < links->n && !rc; i++) {
		const struct nl_link *link = &links->v[i];
		const struct attached *a = attached_find(attached, link->ifindex);

		rc = add_interface(st, link->name, link->ifindex, &out);
		if (rc)
			break;
		out->remembered = remembered_find(remembered, link->name) != NULL;
		if (!a) {
			why_not(out, link, st->off, booted);
			continue;
		}
		describe(out, a, link);
	}
	for (size_t i = 0; i < remembered->n && !rc; i++) {
		if (remembered->v[i].mode == ATTACH_NONE ||
			nl_by_name(links, remembered->v[i].name) ||
			strpbrk(remembered->v[i].name, "*?["))
			continue;
		rc = add_interface(st, remembered->v[i].name, 0, &out);
		if (!rc) {
			out->remembered = true;
			snprintf(out->why, sizeof(out->why), "there is no such interface now");
		}
	}
	return rc;
}

static int gather_interfaces(const struct host *host, struct status *st, struct diag *diag)
{
	bool booted = !host->kernel || (st->policy && !st->generation);
	struct attached_list attached = {};
	struct remembered_list remembered = {};
	struct nl_links links = {};
	int rc = attached_get(&attached, diag);

	if (!rc)
		rc = remembered_load(&remembered, diag);
	if (!rc)
		rc = nl_links_get(&links);
	if (!rc)
		rc = list_interfaces(st, &links, &attached, &remembered, booted);
	if (!rc)
		rc = notes_take(st, host->store->policy, &attached, &links, diag);
	nl_links_free(&links);
	remembered_free(&remembered);
	free(attached.v);
	return rc;
}

struct filters {
	struct status *st;
	const struct generation *gen;
	uint64_t boot_now;
	size_t room;
};

/* The kernel asks the same of an element: one whose gate has shut does not exist. */
static bool is_live(const struct filters *f, const struct bp_elem *e)
{
	return !e->gate || (e->gate < f->gen->table.tables->sizes.gates &&
				   f->gen->table.gates[e->gate] > f->boot_now);
}

static int add_filter(const union filter_elem *elem, int family, void *arg)
{
	struct filters *f = arg;
	uint8_t bits = elem->e.tuple;
	uint8_t dir = bits >> 6 & 1, space = bits >> 7;
	const struct bp_tuple *tuple =
		&f->gen->table.tables->tuple[dir][family][space][bits & (BP_TUPLES - 1)];
	struct status_filter *out;

	if (space == BP_SPACE_CUT || !is_live(f, &elem->e))
		return 0;
	if (f->st->n_listed == f->room) {
		size_t room = f->room ? f->room * 2 : 64;
		struct status_filter *v = realloc(f->st->filters, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		f->st->filters = v;
		f->room = room;
	}
	out = &f->st->filters[f->st->n_listed++];
	*out = (struct status_filter){
		.packets = elem->e.packets,
		.bytes = elem->e.bytes,
		.rule = elem->e.rule,
		.print = elem->e.print,
		.ifindex = elem->e.ifindex,
		.action = elem->e.action,
	};
	filter_from_elem(elem, tuple, family, &out->filter);
	return 0;
}

static int by_elem(const void *a, const void *b)
{
	const struct status_filter *x = a, *y = b;

	if (x->filter.rank != y->filter.rank)
		return x->filter.rank < y->filter.rank ? 1 : -1;
	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	return memcmp(&x->filter, &y->filter, sizeof(x->filter));
}

static int gather_filters(const struct host *host, struct status *st, struct diag *diag)
{
	const struct generation *gen = host->kernel ? host->kernel->gen : NULL;
	struct filters f = { .st = st, .gen = gen };
	struct compile_env env;
	int rc;

	host_env(&env);
	f.boot_now = env.boot_now;
	rc = gen ? table_walk(&gen->table, add_filter, &f) : 0;
	if (!rc && !st->filters) /* asked for, and there is none */
		st->filters = calloc(1, sizeof(*st->filters));
	if (!st->filters)
		rc = rc ? rc : -ENOMEM;

	if (!rc && st->n_listed)
		qsort(st->filters, st->n_listed, sizeof(*st->filters), by_elem);
	return rc;
}

int gather(struct host *host, unsigned int parts, struct status *st, struct diag *diag)
{
	int rc = parts & GATHER_COUNTS ? host_store_names(host, diag) : host_store(host, diag);

	*st = (struct status){ .version = VERSION, .off = host->off };
	uname(&st->kernel);
	if (seat_is_taken(&st->agent) && !st->agent)
		st->agent = -1;
	if (rc)
		return rc;
	st->policy = host->store->policy ? host->store->policy->name : NULL;
	if (host->kernel && host->kernel->gen) {
		st->generation = host->kernel->gen->number;
		st->n_filters = host->kernel->gen->table.tables->filters;
	}
	if (host->kernel)
		rc = kernel_totals(host->kernel, st->totals, diag);
	if (!rc && parts & (GATHER_RULES | GATHER_COUNTS))
		rc = gather_rules(host, parts & GATHER_RULES, st, diag);
	if (!rc && parts & GATHER_INTERFACES)
		rc = gather_interfaces(host, st, diag);
	if (!rc && parts & GATHER_PROTECTED &&
		protected_texts(&st->protected, &st->n_protected, diag))
		diag_to_warning(diag, "it is not known what is protected");
	if (!rc && parts & GATHER_FILTERS)
		rc = gather_filters(host, st, diag);
	if (rc)
		gather_free(st);
	return rc;
}

void gather_free(struct status *st)
{
	for (size_t i = 0; i < st->n_protected; i++)
		free(st->protected[i]);
	free(st->protected);
	free(st->rules);
	free(st->interfaces);
	free(st->filters);
	st->protected = NULL;
	st->n_protected = 0;
	st->rules = NULL;
	st->interfaces = NULL;
	st->filters = NULL;
}
