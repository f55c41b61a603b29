// SPDX-License-Identifier: GPL-2.0-only
#include "guard_rules.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#define ENOUGH 4096 /* filters, in the order of the tables, to have all of a rule's ports */

static int by_rule(const void *a, const void *b)
{
	const struct status_filter *x = a, *y = b;

	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

/* All addresses that the filters have at that end, as a list. */
static int widen(struct end *end, const struct status_filter *f, size_t n, bool local)
{
	struct prefix *v;

	if (end->kind != END_PREFIX)
		return 0;
	v = calloc(n, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct filter *of = &f[i].filter;

		v[i].family = of->shape.family == BP_V4 ? 4 : 6;
		v[i].len = local ? of->shape.llen : of->shape.rlen;
		memcpy(v[i].bytes, local ? of->local : of->remote, v[i].family == 4 ? 4 : 16);
	}
	end->kind = END_FILE;
	end->list = (struct prefixes){ .v = v, .n = n };
	prefixes_sort(&end->list);
	return 0;
}

/* The rule of the n filters that begin there. */
static int put_together(struct policy *rules, const struct status_filter *f, size_t n)
{
	char buf[IF_NAMESIZE], *ifname = f->ifindex ? if_indextoname(f->ifindex, buf) : NULL;
	struct rule *rule = NULL;
	bool exact, out;
	int rc = filters_rule(f, n < ENOUGH ? n : ENOUGH, ifname, &rule, &exact);

	if (rc)
		return rc;
	if (f->ends != UINT64_MAX)
		rule->deadline = UINT64_MAX; /* it ends: when, the kernel is asked */
	out = rule->dir == DIR_OUT;
	if (!exact || n > ENOUGH) {
		rule->id = 0;
		rc = widen(out ? &rule->to : &rule->from, f, n, false);
		if (!rc)
			rc = widen(out ? &rule->from : &rule->to, f, n, true);
	}
	if (!rc)
		rc = policy_add(rules, &rule);
	rule_free(&rule);
	return rc;
}

int guard_rules_of(struct filters *filters, struct policy **out)
{
	struct policy *rules = policy_new("");
	int rc = rules ? 0 : -ENOMEM;
	size_t n;

	if (filters->n)
		qsort(filters->v, filters->n, sizeof(*filters->v), by_rule);
	for (size_t i = 0; i < filters->n && !rc; i += n) {
		for (n = 1; i + n < filters->n && filters->v[i + n].rule == filters->v[i].rule; n++)
			;
		rc = put_together(rules, &filters->v[i], n);
	}
	if (rc)
		policy_free(&rules);
	else
		*out = rules;
	return rc;
}
