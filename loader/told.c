// SPDX-License-Identifier: GPL-2.0-only
#include "told.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>

static int by_rule(const void *a, const void *b)
{
	const struct status_filter *x = a, *y = b;

	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	return x->filter.rank < y->filter.rank ? 1 : x->filter.rank > y->filter.rank ? -1 : 0;
}

/* Gates close at whole seconds (compile_gate()), but for what lies between two readings of clocks.
 */
static uint64_t deadline_of(const struct status_filter *f, const struct compile_env *env)
{
	const uint64_t second = 1000000000, slack = second / 1000;

	return f->ends == UINT64_MAX
		       ? 0
		       : env->now + (f->ends - env->boot_now + env->past + second - slack) / second;
}

/* The rule of the n filters that begin there. */
static int put_together(
	struct told *t, const struct status_filter *f, size_t n, const struct compile_env *env)
{
	char buf[IF_NAMESIZE], *ifname = f->ifindex ? if_indextoname(f->ifindex, buf) : NULL;
	struct rule *rule = NULL;
	bool exact;
	int rc = filters_rule(f, n, ifname, &rule, &exact);

	if (rc)
		return rc;
	rule->deadline = deadline_of(f, env);
	t->untold[t->rules->n] = !exact;
	t->n_untold += !exact;
	rc = policy_add(t->rules, &rule);
	rule_free(&rule);
	return rc;
}

int told_make(
	struct filters *filters, const char *name, const struct compile_env *env, struct told *out)
{
	struct told t = {
		.rules = policy_new(name),
		.untold = calloc(filters->n + 1, sizeof(*t.untold)),
	};
	int rc = t.rules && t.untold ? 0 : -ENOMEM;
	size_t n;

	if (filters->n)
		qsort(filters->v, filters->n, sizeof(*filters->v), by_rule);
	for (size_t i = 0; i < filters->n && !rc; i += n) {
		for (n = 1; i + n < filters->n && filters->v[i + n].rule == filters->v[i].rule; n++)
			;
		rc = put_together(&t, &filters->v[i], n, env);
	}
	if (rc)
		told_free(&t);
	else
		*out = t;
	return rc;
}

void told_free(struct told *t)
{
	policy_free(&t->rules);
	free(t->untold);
	*t = (struct told){};
}
