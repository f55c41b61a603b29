// SPDX-License-Identifier: GPL-2.0-only
#include "gather.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "awaited.h"
#include "clocks.h"
#include "dynamic_rules.h"
#include "env.h"
#include "fault.h"
#include "late.h"
#include "notes.h"
#include "protected.h"
#include "seat.h"

/* Of the filters of a rule. */
struct ranks {
	uint64_t best, n;
};

static int add_rank(const struct filter *f, void *arg)
{
	struct ranks *r = arg;

	if (is_shadow(&f->shape))
		return 0;
	r->n++;
	if (f->rank > r->best)
		r->best = f->rank;
	return 0;
}

static int by_rank(const void *a, const void *b)
{
	const struct status_rule *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? 1 : -1;
	return x->rule->id < y->rule->id ? -1 : 1;
}

struct layer_rules {
	const struct policy *policy;
	const struct rule_counts *counts;
	const bool *untold; /* NULL: all are told */
	bool ranks;
};

/* Adds those that exist; *filters: of how many, if they are ranked. There is room for them. */
static int add_rules(
	struct status *st, const struct layer_rules *layer, uint64_t now, uint64_t *filters)
{
	int rc = 0;

	*filters = 0;

	for (size_t i = 0; !rc && i < layer->policy->n; i++) {
		const struct rule *rule = layer->policy->rules[i];
		const struct rule_count *count = counts_find(layer->counts, rule->id);
		struct status_rule *out = &st->rules[st->n_rules];
		struct ranks ranks = {};

		if (rule_is_over(rule, now))
			continue;
		*out = (struct status_rule){ .rule = rule,
			.untold = layer->untold && layer->untold[i] };
		if (layer->ranks)
			rc = filter_each(rule, add_rank, &ranks);
		out->rank = ranks.best;
		*filters += ranks.n;
		if (count) {
			out->packets = count->packets;
			out->bytes = count->bytes;
		}
		out->expires_in = rule->deadline ? rule_seconds_left(rule, now) : 0;
		st->n_rules++;
	}
	return rc;
}

static int gather_static(
	const struct host *host, bool ranks, struct status *st, uint64_t now, struct diag *diag)
{
	struct rule_counts counts = {};
	const struct layer_rules layer = {
		.policy = host->store->policy,
		.counts = &counts,
		.untold = host->untold,
		.ranks = ranks,
	};
	uint64_t filters = 0;
	int rc = host->kernel ? kernel_counts(host->kernel, &counts, diag) : 0;

	if (host->kernel && host->kernel->gen)
		st->behind =
			!host->kernel->gen->table.tables->folded && !kernel_awaits(host->kernel);
	if (!rc && layer.policy)
		rc = add_rules(st, &layer, now, &filters);
	/* While filtering is off, and of rules that are over, the kernel may hold others still. */
	if (!rc && ranks && st->generation && !host->untold)
		st->n_filters = filters;
	free(counts.v);
	return rc;
}

static int gather_dynamic(
	const struct dynamic_rules *d, bool ranks, struct status *st, uint64_t now)
{
	const struct layer_rules layer = {
		.policy = d->rules, .counts = &d->counts, .untold = d->untold, .ranks = ranks
	};
	size_t before = st->n_rules;
	uint64_t filters;
	int rc = add_rules(st, &layer, now, &filters);

	st->n_dynamic = st->n_rules - before;
	st->n_held = d->gen ? d->gen->table.tables->filters : 0;
	return rc;
}

static int gather_rules(const struct host *host, bool ranks, struct status *st, struct diag *diag)
{
	const struct policy *p = host->store->policy;
	struct dynamic_rules dynamic;
	struct compile_env env;
	int rc = host->holder ? dynamic_rules_own(&dynamic, host->holder, host->held, diag)
			      : dynamic_rules_open(&dynamic, host->kernel, host->held, false, diag);

	if (rc)
		return rc;
	env_now(&env);
	st->rules = calloc((p ? p->n : 0) + dynamic.rules->n + 1, sizeof(*st->rules));
	rc = st->rules ? gather_static(host, ranks, st, env.now, diag) : -ENOMEM;
	if (!rc)
		rc = gather_dynamic(&dynamic, ranks, st, env.now);
	if (!rc && st->n_rules)
		qsort(st->rules, st->n_rules, sizeof(*st->rules), by_rank);
	st->held = dynamic.told;
	dynamic.told = NULL;
	dynamic_rules_close(&dynamic);
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
	__u32 xdp = link->xdp_prog;
	const char *why = link->loopback     ? "the loopback is never filtered"
			  : link->unreadable ? "no frames with Ethernet or IP headers: cannot be "
					       "filtered"
			  : !i->remembered   ? "not attached"
			  : off		     ? "off"
			  : xdp && attach_is_foreign(xdp) ? "a foreign XDP program is in place"
			  : xdp ? "bpfpol's XDP program is there without its pin; 'bpfpol attach' "
				  "puts it back"
			  : booted ? "not attached since the last boot; 'bpfpol restore' does it"
				   : "not attached yet, or taken off by someone else; "
				     "'bpfpol attach' does it";

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
		a->in != TC_CLSACT && a->out != TC_CLSACT ? ""
		: a->hurried				  ? "; clsact, as many came at once"
							  : "; clsact, as the kernel has no TCX",
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
			word_is_pattern(remembered->v[i].name))
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
		rc = remembered_look(&remembered, diag);
	if (rc && rc != -ENOMEM && host->fault) {
		diag_clear(diag); /* it was said */
		rc = 0;
	}
	if (!rc)
		rc = nl_links_get(&links);
	if (!rc)
		rc = list_interfaces(st, &links, &attached, &remembered, booted);
	if (!rc)
		rc = notes_take(st, &attached, &links, diag);
	st->unlisted = remembered.why;
	remembered.why = NULL;
	nl_links_free(&links);
	remembered_free(&remembered);
	free(attached.v);
	return rc;
}

static int gather_filters(const struct host *host, struct status *st, struct diag *diag)
{
	const struct kernel *k = host->kernel;
	struct filters filters = { .v = calloc(1, sizeof(*filters.v)), .room = 1 };
	struct generation *dynamic = NULL;
	struct compile_env env;
	int rc = filters.v ? 0 : -ENOMEM;

	env_now(&env);
	if (!rc && k && k->gen)
		rc = filters_read(&filters, &k->gen->table, LAYER_STATIC, env.boot_now);
	if (!rc && k && k->ctl->dynamic) {
		rc = dynamic_read(k, &dynamic, diag);
		if (!rc)
			rc = dynamic_filters(&filters, k, dynamic, env.boot_now);
		generation_free(&dynamic);
		rc = rc == -ENOENT ? 0 : rc;
	}
	filters_sort(&filters);
	st->filters = filters.v; /* not NULL: they were asked for */
	st->n_listed = filters.n;
	return rc;
}

/* No table of ours leads to that: whoever sees it is to know, and to have a way out. */
static void warn_unfinished(const struct status *st, struct diag *diag)
{
	uint64_t n = st->totals[BP_IN].unfinished + st->totals[BP_OUT].unfinished;

	if (!n)
		return;
	diag_set(diag, DIAG_SYSTEM, EUCLEAN,
		"%" PRIu64
		" packets were judged by a part of the rules, as the kernel's tables are "
		"damaged; 'bpfpol policy assign NAME' makes them anew, a reboot this count",
		n);
	diag_to_warning(diag, "rules did not hold");
}

/* A part of a second is one. at: 0: it never was. */
static uint64_t since(uint64_t at)
{
	uint64_t now = wall_clock();

	return !at ? 0 : now > at ? now - at : 1;
}

/* A change of single rules may have come since, in the journal. */
static void gather_trial(const struct host *host, struct status *st)
{
	const struct store *s = host->store;

	st->confirm_in = in_seconds(awaited_left(host->kernel, host->store));
	st->tried_in = in_seconds(host->tried_left);
	st->off_in = in_seconds(host->off_left);
	if (s->back && !s->undo)
		st->went_back = since(s->went_back);
	if (!host->tried_left)
		st->tried_back = since(late_when(LATE_ATTACH));
	if (!host->off)
		st->off_back = since(late_when(LATE_OFF));
}

/* What is wrong with bpfpol.conf was said when it was read for its interfaces. */
static void not_known_protected(struct diag *diag)
{
	if (diag->kind != DIAG_NONE && strstr(diag->warnings, diag->message))
		diag_clear(diag);
	else
		diag_to_warning(diag, "it is not known what is protected");
}

int gather(struct host *host, unsigned int parts, struct status *st, struct diag *diag)
{
	int agent, rc = fault_store(host, !(parts & GATHER_COUNTS), diag);

	*st = (struct status){ .version = VERSION, .off = host->off, .fault = host->fault };
	uname(&st->kernel);
	agent = seat_is_taken(&st->agent);
	if (agent < 0) {
		diag_errno(diag, -agent, "cannot look at its lock");
		diag_to_warning(diag, "it is not known whether the agent runs");
	} else if (agent && !st->agent) {
		st->agent = -1;
	}
	if (rc)
		return rc;
	if (host->store->policy && *host->store->policy->name)
		st->policy = host->store->policy->name;
	gather_trial(host, st);
	st->foreign = host_is_foreign(host);
	if (host->kernel && host->kernel->gen) {
		st->generation = host->kernel->gen->number;
		st->n_filters = host->kernel->gen->table.tables->filters;
	}
	if (host->kernel)
		rc = kernel_totals(host->kernel, st->totals, diag);
	if (!rc && parts & GATHER_RULES)
		warn_unfinished(st, diag);
	if (!rc && parts & (GATHER_RULES | GATHER_COUNTS))
		rc = gather_rules(host, parts & GATHER_RULES, st, diag);
	if (!rc && parts & GATHER_INTERFACES)
		rc = gather_interfaces(host, st, diag);
	if (!rc && parts & GATHER_PROTECTED &&
		protected_texts(&st->protected, &st->n_protected, diag))
		not_known_protected(diag);
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
	free(st->unlisted);
	free(st->rules);
	free(st->interfaces);
	free(st->filters);
	policy_free(&st->held);
	st->protected = NULL;
	st->unlisted = NULL;
	st->n_protected = 0;
	st->rules = NULL;
	st->interfaces = NULL;
	st->filters = NULL;
}
