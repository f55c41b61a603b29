// SPDX-License-Identifier: GPL-2.0-only
#include "pairs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

struct entry {
	char *text; /* action and match */
	size_t at;
};

static int by_text(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	return order ? order : x->at < y->at ? -1 : x->at > y->at;
}

static void index_free(struct entry *v, size_t n)
{
	for (size_t i = 0; v && i < n; i++)
		free(v[i].text);
	free(v);
}

/* Every rule by its text; equal ones in their order. NULL: no memory. */
static struct entry *index_of(const struct policy *policy)
{
	size_t n = policy ? policy->n : 0;
	struct entry *v = calloc(n + 1, sizeof(*v));

	for (size_t i = 0; v && i < n; i++) {
		v[i] = (struct entry){ spec_text(policy->rules[i], SPEC_ACTION | SPEC_MATCH), i };
		if (!v[i].text) {
			index_free(v, n);
			v = NULL;
		}
	}
	if (v && n)
		qsort(v, n, sizeof(*v), by_text);
	return v;
}

size_t *policy_firsts(const struct policy *policy)
{
	struct entry *v = index_of(policy);
	size_t *first = calloc(policy->n + 1, sizeof(*first));

	for (size_t i = 0; v && first && i < policy->n; i++) {
		bool repeats = i && !strcmp(v[i - 1].text, v[i].text);

		first[v[i].at] = repeats ? first[v[i - 1].at] : v[i].at;
	}
	index_free(v, policy->n);
	if (v)
		return first;
	free(first);
	return NULL;
}

/* None, 0, is the latest. */
static uint64_t later(uint64_t a, uint64_t b)
{
	return !a || !b ? 0 : a > b ? a : b;
}

/*
 * Of two that are equal the later end holds, as where a command says a rule again. Label and log
 * are those of the policy's own file before an included one's, and else of the last that gives a
 * label.
 */
static void join(struct rule *first, struct rule *again)
{
	bool own = !first->included || first->own_line, again_own = !again->included;
	char *label = first->label;

	if (first == again)
		return;
	first->lifetime = later(first->lifetime, again->lifetime);
	first->deadline = later(first->deadline, again->deadline);
	if (again_own == own)
		first->log = again->log || (first->log && !again->label);
	else if (again_own)
		first->log = again->log;
	if (again_own > own || (again_own == own && again->label)) {
		first->label = again->label;
		again->label = label;
	}
	first->own_line |= first->included != again->included;
	first->included |= again->included;
}

int policy_drop_repeats(struct policy *policy)
{
	size_t *first = policy_firsts(policy), kept = 0;

	if (!first)
		return -ENOMEM;
	for (size_t i = 0; i < policy->n; i++)
		join(policy->rules[first[i]], policy->rules[i]);
	for (size_t i = 0; i < policy->n; i++) {
		if (first[i] == i)
			policy->rules[kept++] = policy->rules[i];
		else
			rule_free(&policy->rules[i]);
	}
	policy->n = kept;
	free(first);
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct rule_pair *x = a, *y = b;

	if (!x->b != !y->b)
		return x->b ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Both indices are sorted: one walk over the two. */
static void walk(const struct policy *a, const struct entry *x, const struct policy *b,
	const struct entry *y, struct rule_pairs *out)
{
	size_t n = a ? a->n : 0, i = 0, k = 0;

	while (i < n || k < b->n) {
		int order = i == n ? 1 : k == b->n ? -1 : strcmp(x[i].text, y[k].text);
		struct rule_pair *pair = &out->v[out->n++];

		if (order <= 0) {
			pair->at = x[i].at;
			pair->a = a->rules[x[i++].at];
		}
		if (order >= 0) {
			pair->at = y[k].at;
			pair->b = b->rules[y[k++].at];
		}
	}
}

int rule_pairs(const struct policy *a, const struct policy *b, struct rule_pairs *pairs)
{
	size_t n = a ? a->n : 0;
	struct entry *x = index_of(a), *y = index_of(b);
	int rc = 0;

	*pairs = (struct rule_pairs){ .v = calloc(n + b->n + 1, sizeof(*pairs->v)) };
	if (x && y && pairs->v) {
		walk(a, x, b, y, pairs);
		qsort(pairs->v, pairs->n, sizeof(*pairs->v), by_place);
	} else {
		rule_pairs_free(pairs);
		rc = -ENOMEM;
	}
	index_free(x, n);
	index_free(y, b->n);
	return rc;
}

void rule_pairs_free(struct rule_pairs *pairs)
{
	free(pairs->v);
	*pairs = (struct rule_pairs){};
}

ptrdiff_t policy_find_same(
	const struct policy *policy, const struct rule *rule, int action, uint64_t now)
{
	for (size_t i = 0; i < policy->n; i++) {
		const struct rule *is = policy->rules[i];

		if ((int)is->action == action && (!is->deadline || is->deadline > now) &&
			rule_same_match(is, rule))
			return i;
	}
	return -1;
}

bool rule_merge(struct rule *is, struct rule *again)
{
	/* Who gives a label describes the rule anew; the rest leaves what is not mentioned. */
	bool changed = rule_is_replaced(is), log = again->log || (is->log && !again->label);

	if (changed)
		is->lifetime = 0; /* it is the new policy's from here on */
	if (is->deadline && (!again->deadline || again->deadline > is->deadline)) {
		is->deadline = again->deadline;
		if (!is->deadline)
			is->lifetime = 0; /* its line in the file is to lose its `for` as well */
		changed = true;
	}
	if (again->label && (!is->label || strcmp(is->label, again->label))) {
		free(is->label);
		is->label = again->label;
		again->label = NULL;
		changed = true;
	}
	if (is->log != log) {
		is->log = log;
		changed = true;
	}
	return changed;
}

void rule_inherit(struct rule *again, struct rule *is)
{
	rule_merge(is, again);
	again->id = is->id;
	again->deadline = is->deadline;
	again->lifetime = is->lifetime;
	again->log = is->log;
	again->included = is->included;
	again->own_line = is->own_line;
	free(again->label);
	again->label = is->label;
	is->label = NULL;
}
