// SPDX-License-Identifier: GPL-2.0-only
/* Rules that come to those that the agent holds, and rules that go. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "held_parts.h"
#include "kernel.h"
#include "pairs.h"

#define FEW 64 /* rules that are taken out one by one */

/* Going. */

/* The list is without the rule while the kernel is told, and has it again if that fails. */
static int take_out(struct held *h, size_t at, struct diag *diag)
{
	struct policy *p = h->rules;
	struct rule *rule = p->rules[at];
	size_t behind = (p->n - at - 1) * sizeof(rule);
	struct compile_env env;
	int rc;

	host_env(&env);
	memmove(&p->rules[at], &p->rules[at + 1], behind);
	p->n--;
	rc = dynamic_remove(h->d, p, rule, &env, diag);
	if (!rc) {
		rule_free(&rule);
		return 0;
	}
	memmove(&p->rules[at + 1], &p->rules[at], behind);
	p->rules[at] = rule;
	p->n++;
	return rc;
}

/* Those for which gone[] says so, in one step. retired: of one of them, if it is to be told. */
static int take_all_out(
	struct held *h, const bool *gone, struct rule_count *retired, struct diag *diag)
{
	struct policy stay = { .name = h->rules->name }, *p = h->rules;
	int rc;

	stay.rules = calloc(p->n + 1, sizeof(*stay.rules));
	if (!stay.rules)
		return -ENOMEM;
	for (size_t i = 0; i < p->n; i++)
		if (!gone[i])
			stay.rules[stay.n++] = p->rules[i];
	rc = held_load_and_retire(h, &stay, retired, diag);
	for (size_t i = 0; i < p->n && !rc; i++)
		if (gone[i])
			rule_free(&p->rules[i]);
	if (!rc) {
		memcpy(p->rules, stay.rules, stay.n * sizeof(*stay.rules));
		p->n = stay.n;
	}
	free(stay.rules);
	return rc;
}

static int take_some_out(struct held *h, const size_t *at, size_t n, struct diag *diag)
{
	bool *gone;
	int rc = held_refresh(h, diag);

	if (rc || !n)
		return rc;
	if (n == 1)
		return take_out(h, *at, diag);
	gone = calloc(h->rules->n, sizeof(*gone));
	if (!gone)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		gone[at[i]] = true;
	rc = take_all_out(h, gone, NULL, diag);
	free(gone);
	return rc;
}

static bool is_over(const struct rule *rule, uint64_t now)
{
	return rule->deadline && rule->deadline <= now;
}

/* They judge no more: in what order they go is nothing to any packet. */
static int sweep(struct held *h, uint64_t now, bool *gone, struct diag *diag)
{
	size_t n = 0;
	int rc = 0;

	h->ends_at = 0;
	for (size_t i = 0; i < h->rules->n; i++) {
		gone[i] = is_over(h->rules->rules[i], now);
		n += gone[i];
		if (!gone[i])
			held_note_end(h, h->rules->rules[i]->deadline);
	}
	if (n > FEW)
		return take_all_out(h, gone, NULL, diag);
	for (size_t i = h->rules->n; n && !rc && i--;)
		if (gone[i])
			rc = take_out(h, i, diag);
	if (rc)
		h->ends_at = now; /* again, the next time */
	return rc;
}

int held_sweep(struct held *h, struct diag *diag)
{
	uint64_t now = time(NULL);
	bool *gone;
	int rc;

	if (!h->ends_at || h->ends_at > now)
		return 0;
	rc = held_refresh(h, diag);
	if (rc)
		return rc;
	gone = calloc(h->rules->n + 1, sizeof(*gone));
	rc = gone ? sweep(h, now, gone, diag) : -ENOMEM;
	free(gone);
	return rc;
}

int held_remove(struct held *h, const struct rule *rule, int action, const struct apply_opts *opts,
	struct apply_removed *removed, struct diag *diag)
{
	size_t at[BP_ACTIONS];
	int rc = held_sweep(h, diag);

	removed->n = 0;
	for (int a = 0; a < BP_ACTIONS && !rc; a++) {
		ptrdiff_t is = action == -1 || action == a ? held_find_same(h, rule, a) : -1;

		if (is < 0)
			continue;
		at[removed->n] = is;
		removed->ids[removed->n++] = h->rules->rules[is]->id;
	}
	if (!rc && !removed->n)
		return apply_unknown_rule(h->rules, rule, diag);
	return rc || opts->dry_run ? rc : take_some_out(h, at, removed->n, diag);
}

int held_find(const struct held *h, uint32_t id, const struct rule **rule, struct diag *diag)
{
	ptrdiff_t at = held_find_id(h, id);

	if (at < 0 || is_over(h->rules->rules[at], time(NULL)))
		return diag_set(diag, DIAG_UNKNOWN, ENOENT,
			"no rule has the id %" PRIu32 "; 'bpfpol list' shows those in force", id);
	*rule = h->rules->rules[at];
	return 0;
}

int held_remove_id(struct held *h, uint32_t id, const struct apply_opts *opts, struct diag *diag)
{
	const struct rule *rule;
	size_t at;
	int rc = held_find(h, id, &rule, diag);

	if (rc || opts->dry_run)
		return rc;
	at = held_find_id(h, id);
	return take_some_out(h, &at, 1, diag);
}

int held_remove_ids(struct held *h, const uint32_t *ids, size_t n, struct diag *diag)
{
	size_t *at = calloc(n + 1, sizeof(*at)), found = 0;
	int rc;

	if (!at)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		ptrdiff_t is = held_find_id(h, ids[i]);

		if (is >= 0)
			at[found++] = is;
	}
	rc = take_some_out(h, at, found, diag);
	free(at);
	return rc;
}

/* The static rule of its number goes on from there. */
static int keep_count(struct held *h, const struct rule_count *count, struct diag *diag)
{
	struct kernel *k = NULL;
	int rc = kernel_open(&k, diag);

	if (!rc) {
		held_lend(h, k);
		rc = kernel_add_count(k, count, diag);
	}
	kernel_free(&k);
	return rc;
}

int held_retire(struct held *h, uint32_t id, bool keep, struct diag *diag)
{
	struct rule_count count = { .rule = id };
	const struct rule *rule;
	bool *gone;
	int rc = held_find(h, id, &rule, diag);

	if (rc)
		return rc;
	gone = calloc(h->rules->n, sizeof(*gone));
	if (!gone)
		return -ENOMEM;
	gone[held_find_id(h, id)] = true;
	rc = take_all_out(h, gone, &count, diag);
	if (!rc && keep && count.packets && keep_count(h, &count, diag))
		diag_to_warning(diag, "its counters begin anew");
	free(gone);
	return rc;
}

int held_drop(struct held *h, const struct apply_opts *opts, size_t *n, struct diag *diag)
{
	struct policy *none;
	int rc = held_sweep(h, diag);

	*n = h->rules->n;
	if (rc || opts->dry_run || !*n)
		return rc;
	none = policy_new("dynamic");
	if (!none)
		return -ENOMEM;
	rc = held_load(h, none, diag);
	if (rc) {
		policy_free(&none);
		return rc;
	}
	policy_free(&h->rules);
	h->rules = none;
	return 0;
}

/* Coming. */

/*
 * A change of several rules: `next` are the rules as they will be, those that stay as they are in
 * the places where they stand, then the new ones.
 */
struct addition {
	struct policy next;
	bool kernel;	/* it has to do with what the kernel knows of them */
	bool prolonged; /* ...and that is one end that is later */
};

static int addition_begin(const struct held *h, size_t more, struct addition *c)
{
	*c = (struct addition){ .next = { .name = h->rules->name, .n = h->rules->n } };
	c->next.rules = calloc(h->rules->n + more + 1, sizeof(*c->next.rules));
	if (!c->next.rules)
		return -ENOMEM;
	memcpy(c->next.rules, h->rules->rules, h->rules->n * sizeof(*c->next.rules));
	c->next.room = h->rules->n + more + 1;
	return 0;
}

/* What is not h->rules' own goes, or with `done` what is h->rules' own and has no place in it. */
static void addition_end(struct held *h, struct addition *c, bool done)
{
	struct policy *p = h->rules;

	for (size_t i = 0; c->next.rules && i < c->next.n; i++) {
		bool own = i < p->n && p->rules[i] == c->next.rules[i];

		if (!own && !done)
			rule_free(&c->next.rules[i]);
		else if (!own && i < p->n)
			rule_free(&p->rules[i]);
	}
	if (!done) {
		free(c->next.rules);
		return;
	}
	free(p->rules);
	p->rules = c->next.rules;
	p->n = c->next.n;
	p->room = c->next.room;
}

static int refuse_permit(const struct held *h, const struct rule *rule,
	const struct apply_opts *opts, struct diag *diag)
{
	ptrdiff_t block;

	if (rule->action != BP_PERMIT || opts->force)
		return 0;
	block = held_find_same(h, rule, BP_BLOCK);
	return block < 0 ? 0 : apply_refuse_permit(h->rules->rules[block]->id, rule, diag);
}

/* An equal rule stands at that place: a copy of it gets what this one says. */
static int add_again(
	struct held *h, size_t at, struct rule **rule, struct addition *c, struct applied *applied)
{
	struct rule *is = h->rules->rules[at], *copy = NULL;
	bool reload = !rule_same_lists(is, *rule), changed;
	int rc = rule_copy(is, &copy);

	if (rc)
		return rc;
	changed = rule_merge(copy, *rule) || reload;
	*applied = (struct applied){ changed ? APPLIED_REPLACED : APPLIED_ALREADY, is->id, false };
	if (copy->deadline != is->deadline)
		applied->outcome = APPLIED_PROLONGED;
	c->kernel |= reload || copy->deadline != is->deadline || copy->log != is->log;
	c->prolonged = !reload && is->deadline && copy->deadline && copy->log == is->log;
	if (reload) {
		rule_inherit(*rule, copy);
		c->next.rules[at] = *rule;
		*rule = NULL;
	} else if (changed) {
		c->next.rules[at] = copy;
		return 0;
	}
	rule_free(&copy);
	return 0;
}

static int add_to(struct held *h, struct rule **rule, const struct apply_opts *opts,
	struct addition *c, struct applied *applied, struct diag *diag)
{
	ptrdiff_t at = held_find_same(h, *rule, (*rule)->action);
	int rc;

	if (at >= 0)
		return add_again(h, at, rule, c, applied);
	rc = refuse_permit(h, *rule, opts, diag);
	if (rc)
		return rc;
	*applied = (struct applied){ .outcome = APPLIED };
	if (!opts->dry_run)
		applied->id = (*rule)->id = h->next_id++;
	else if (h->end_id - h->next_id > c->next.n - h->rules->n)
		applied->id = h->next_id + (c->next.n - h->rules->n);
	c->kernel = true;
	c->next.rules[c->next.n++] = *rule;
	*rule = NULL;
	return 0;
}

static int put_in_force(struct held *h, const struct addition *c, uint32_t id, struct diag *diag)
{
	struct compile_env env;
	int rc = -ENOENT;

	if (!c->kernel)
		return 0;
	host_env(&env);
	if (c->prolonged)
		rc = dynamic_prolong(h->d, c->next.rules[held_find_id(h, id)], &env);
	return rc ? held_load(h, &c->next, diag) : 0;
}

static int add_some(struct held *h, struct policy *rules, const struct apply_opts *opts,
	struct applied *applied, struct diag *diag)
{
	struct addition c;
	int rc = addition_begin(h, rules->n, &c);

	for (size_t i = 0; i < rules->n && !rc; i++)
		rc = add_to(h, &rules->rules[i], opts, &c, &applied[i], diag);
	c.prolonged &= rules->n == 1;
	if (!rc && !opts->dry_run)
		rc = put_in_force(h, &c, applied[0].id, diag);
	addition_end(h, &c, !rc && !opts->dry_run);
	return rc;
}

/* In place, if it is a new one. */
static int add_new(struct held *h, struct rule **rule, struct applied *applied, struct diag *diag)
{
	const struct rule *added = *rule;
	struct compile_env env;
	uint64_t links = added->ifname && !h->links ? host_links() : h->links;
	int rc;

	host_env(&env);
	(*rule)->id = h->next_id++;
	rc = policy_add(h->rules, rule);
	if (rc)
		return rc;
	rc = dynamic_add(h->d, h->rules, added, &env, diag);
	if (rc) {
		policy_remove(h->rules, h->rules->n - 1);
		return rc;
	}
	*applied = (struct applied){ APPLIED, added->id, false };
	h->links = links;
	held_note_end(h, added->deadline);
	return 0;
}

int held_add(struct held *h, struct policy *rules, const struct apply_opts *opts,
	struct applied *applied, struct diag *diag)
{
	int rc = held_sweep(h, diag);

	if (!rc)
		rc = held_refresh(h, diag);
	if (!rc && !opts->dry_run)
		rc = held_reserve(h, rules->n, diag);
	if (rc || !rules->n)
		return rc;
	if (rules->n > 1 || opts->dry_run ||
		held_find_same(h, rules->rules[0], rules->rules[0]->action) >= 0)
		return add_some(h, rules, opts, applied, diag);
	rc = refuse_permit(h, rules->rules[0], opts, diag);
	return rc ? rc : add_new(h, &rules->rules[0], applied, diag);
}
