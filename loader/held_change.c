// SPDX-License-Identifier: GPL-2.0-only
/* Rules that come to those that the agent holds, and rules that go. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clocks.h"
#include "env.h"
#include "held_parts.h"
#include "kernel.h"
#include "pairs.h"

#define FEW 64 /* rules that are taken out one by one */

/* Going. */

static int copy_list(const struct held *h, size_t more, struct policy *next)
{
	const struct policy *p = h->rules;

	*next = (struct policy){ .name = p->name, .n = p->n, .room = p->n + more + 1 };
	next->rules = calloc(next->room, sizeof(*next->rules));
	if (!next->rules)
		return -ENOMEM;
	memcpy(next->rules, p->rules, p->n * sizeof(*p->rules));
	return 0;
}

/* Those for which gone[] says so, in one step. retired: one of them; or NULL. */
static int take_all_out(
	struct held *h, const bool *gone, struct held_retired *retired, struct diag *diag)
{
	struct policy stay;
	size_t n = 0;
	int rc = copy_list(h, 0, &stay);

	if (rc)
		return rc;
	for (size_t i = 0; i < stay.n; i++)
		if (!gone[i])
			stay.rules[n++] = stay.rules[i];
	stay.n = n;
	return held_replace(h, &stay, retired, diag);
}

static int take_out_anew(struct held *h, size_t at, struct diag *diag)
{
	bool *gone = calloc(h->rules->n, sizeof(*gone));
	int rc = -ENOMEM;

	if (gone) {
		gone[at] = true;
		rc = take_all_out(h, gone, NULL, diag);
	}
	free(gone);
	return rc;
}

/* The list is without the rule while the kernel is told, and has it again if that fails. */
static int take_out(struct held *h, size_t at, struct diag *diag)
{
	struct policy *p = h->rules;
	struct rule *rule = p->rules[at];
	size_t behind = (p->n - at - 1) * sizeof(rule);
	struct compile_env env;
	int rc = held_note(h, rule, true);

	if (rc)
		return rc;
	env_now(&env);
	memmove(&p->rules[at], &p->rules[at + 1], behind);
	p->n--;
	rc = dynamic_remove(h->d, p, rule, &env);
	if (!rc) {
		if (!h->coming)
			rule_free(&rule);
		return 0;
	}
	memmove(&p->rules[at + 1], &p->rules[at], behind);
	p->rules[at] = rule;
	p->n++;
	if (h->coming)
		h->log.n--;
	return take_out_anew(h, at, diag);
}

/* Of these ids, which are found again: others have had their turn. */
static int take_some_out(struct held *h, const uint32_t *ids, size_t n, struct diag *diag)
{
	size_t found = 0;
	ptrdiff_t last = -1;
	bool *gone;
	int rc = held_refresh(h, diag);

	if (rc)
		return rc;
	gone = calloc(h->rules->n + 1, sizeof(*gone));
	if (!gone)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		ptrdiff_t at = held_find_id(h, ids[i]);

		if (at < 0 || gone[at])
			continue;
		gone[last = at] = true;
		found++;
	}
	if (found == 1)
		rc = take_out(h, last, diag);
	else if (found)
		rc = take_all_out(h, gone, NULL, diag);
	free(gone);
	return rc;
}

/* They judge no more: in what order they go is nothing to any packet. */
static int sweep(struct held *h, uint64_t now, uint32_t *ids, bool *gone, struct diag *diag)
{
	size_t n = 0;
	int rc = 0;

	h->ends_at = 0;
	for (size_t i = 0; i < h->rules->n; i++) {
		gone[i] = rule_is_over(h->rules->rules[i], now);
		if (gone[i])
			ids[n++] = h->rules->rules[i]->id;
		else
			held_note_end(h, h->rules->rules[i]->deadline);
	}
	if (n > FEW)
		rc = take_all_out(h, gone, NULL, diag);
	for (size_t i = 0; i < n && n <= FEW && !rc; i++) {
		ptrdiff_t at = held_find_id(h, ids[i]);

		rc = at < 0 ? 0 : take_out(h, at, diag);
	}
	if (rc)
		h->ends_at = now; /* again, the next time */
	return rc;
}

int held_sweep(struct held *h, struct diag *diag)
{
	uint64_t now = wall_clock();
	uint32_t *ids;
	bool *gone;
	int rc;

	if (h->busy || !h->ends_at || h->ends_at > now)
		return 0;
	rc = held_refresh(h, diag);
	if (rc)
		return rc;
	gone = calloc(h->rules->n + 1, sizeof(*gone));
	ids = calloc(h->rules->n + 1, sizeof(*ids));
	rc = gone && ids ? sweep(h, now, ids, gone, diag) : -ENOMEM;
	free(gone);
	free(ids);
	return rc;
}

int held_remove(struct held *h, const struct rule *rule, int action, const struct apply_opts *opts,
	struct apply_removed *removed, struct diag *diag)
{
	int rc = held_sweep(h, diag);

	removed->n = 0;
	for (int a = 0; a < BP_ACTIONS && !rc; a++) {
		ptrdiff_t is = action == -1 || action == a ? held_find_same(h, rule, a) : -1;

		if (is >= 0 && !rule_is_over(h->rules->rules[is], wall_clock()))
			removed->ids[removed->n++] = h->rules->rules[is]->id;
	}
	if (!rc && !removed->n)
		return apply_unknown_rule(h->rules, NULL, rule, wall_clock(), diag);
	return rc || opts->dry_run ? rc : take_some_out(h, removed->ids, removed->n, diag);
}

int held_find(const struct held *h, uint32_t id, const struct rule **rule, struct diag *diag)
{
	ptrdiff_t at = held_find_id(h, id);

	if (at < 0 || rule_is_over(h->rules->rules[at], wall_clock()))
		return diag_set(diag, DIAG_UNKNOWN, ENOENT,
			"no rule has the id %" PRIu32 "; 'bpfpol list' shows those in force", id);
	*rule = h->rules->rules[at];
	return 0;
}

int held_remove_id(struct held *h, uint32_t id, const struct apply_opts *opts, struct diag *diag)
{
	const struct rule *rule;
	int rc = held_find(h, id, &rule, diag);

	return rc || opts->dry_run ? rc : take_some_out(h, &id, 1, diag);
}

int held_remove_ids(struct held *h, const uint32_t *ids, size_t n, struct diag *diag)
{
	return take_some_out(h, ids, n, diag);
}

int held_retire(struct held *h, uint32_t id, bool keep, struct diag *diag)
{
	struct held_retired retired = { .count.rule = id };
	const struct rule *rule;
	bool *gone = NULL;
	int rc = held_find(h, id, &rule, diag);

	/* First, as what is taken out has its counts nowhere else. */
	if (!rc && keep)
		rc = kernel_open(&retired.k, diag);
	if (!rc) {
		gone = calloc(h->rules->n, sizeof(*gone));
		rc = gone ? 0 : -ENOMEM;
	}
	if (!rc) {
		gone[held_find_id(h, id)] = true;
		rc = take_all_out(h, gone, &retired, diag);
	}
	kernel_free(&retired.k);
	free(gone);
	return rc;
}

int held_drop(struct held *h, const struct apply_opts *opts, size_t *n, struct diag *diag)
{
	struct policy none = { .name = h->rules->name };
	int rc = held_sweep(h, diag);

	*n = h->rules->n;
	return rc || opts->dry_run || !*n ? rc : held_replace(h, &none, NULL, diag);
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
	*c = (struct addition){};
	return copy_list(h, more, &c->next);
}

/* Nothing comes of it. */
static void addition_drop(const struct held *h, struct addition *c)
{
	for (size_t i = 0; c->next.rules && i < c->next.n; i++)
		if (i >= h->rules->n || h->rules->rules[i] != c->next.rules[i])
			rule_free(&c->next.rules[i]);
	free(c->next.rules);
}

/* What the kernel need not be told, or has been told. */
static void addition_keep(struct held *h, struct addition *c)
{
	for (size_t i = 0; i < h->rules->n; i++)
		if (h->rules->rules[i] != c->next.rules[i])
			rule_free(&h->rules->rules[i]);
	free(h->rules->rules);
	h->rules->rules = c->next.rules;
	h->rules->n = c->next.n;
	h->rules->room = c->next.room;
}

static int refuse_permit(const struct held *h, const struct rule *rule,
	const struct apply_opts *opts, struct diag *diag)
{
	ptrdiff_t block;

	if (rule->action != BP_PERMIT || opts->force)
		return 0;
	block = held_find_same(h, rule, BP_BLOCK);
	return block < 0 ? 0 : apply_refuse_permit(h->rules->rules[block]->id, NULL, rule, diag);
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

static int put_in_force(struct held *h, struct addition *c, uint32_t id, struct diag *diag)
{
	struct compile_env env;
	bool done = !c->kernel;

	if (h->busy) { /* those that stand there may be looked at */
		addition_drop(h, c);
		return -EAGAIN;
	}
	env_now(&env);
	if (c->prolonged)
		done = !dynamic_prolong(h->d, c->next.rules[held_find_id(h, id)], &env);
	if (!done)
		return held_replace(h, &c->next, NULL, diag);
	addition_keep(h, c);
	return 0;
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
		return put_in_force(h, &c, applied[0].id, diag);
	addition_drop(h, &c);
	return rc;
}

static int add_anew(struct held *h, struct rule *rule, struct diag *diag)
{
	struct policy next;
	int rc = copy_list(h, 1, &next);

	if (rc) {
		rule_free(&rule);
		return rc;
	}
	next.rules[next.n++] = rule;
	return held_replace(h, &next, NULL, diag);
}

/* The rule is among h->rules; if it cannot come it is not, and is the caller's. */
static int add_in_place(struct held *h, struct rule *rule, struct diag *diag)
{
	uint64_t links = h->links;
	struct compile_env env;
	int rc = rule->ifname && !links ? env_links(&links, diag) : 0;

	env_now(&env);
	if (!rc)
		rc = held_note(h, rule, false);
	if (!rc) {
		rc = dynamic_add(h->d, h->rules, rule, &env, diag);
		h->log.n -= rc && h->coming;
	}
	if (rc) {
		h->rules->n--;
		return rc;
	}
	h->links = links;
	held_note_end(h, rule->deadline);
	return 0;
}

/* In place, if it is a new one. */
static int add_new(struct held *h, struct rule **rule, struct applied *applied, struct diag *diag)
{
	struct rule *added = *rule;
	int rc;

	added->id = h->next_id++;
	*applied = (struct applied){ APPLIED, added->id, false };
	rc = policy_add(h->rules, rule);
	if (rc)
		return rc;
	rc = add_in_place(h, added, diag);
	if (rc == -ENOSPC)
		return add_anew(h, added, diag);
	if (rc)
		rule_free(&added);
	return rc;
}

/* Nothing is done yet that would have to be undone where this cannot go on. */
static int add(struct held *h, struct policy *rules, const struct apply_opts *opts,
	struct applied *applied, struct diag *diag)
{
	int rc;

	for (size_t i = 0; i < rules->n && h->coming; i++)
		if (held_is_coming(h, rules->rules[i]))
			return -EAGAIN;
	if (rules->n > 1 || opts->dry_run ||
		held_find_same(h, rules->rules[0], rules->rules[0]->action) >= 0)
		return add_some(h, rules, opts, applied, diag);
	rc = refuse_permit(h, rules->rules[0], opts, diag);
	return rc ? rc : add_new(h, &rules->rules[0], applied, diag);
}

int held_add(struct held *h, struct policy *rules, const struct apply_opts *opts,
	struct applied *applied, struct diag *diag)
{
	uint32_t next_id;
	int rc = held_sweep(h, diag);

	if (!rc)
		rc = held_refresh(h, diag);
	if (!rc && !opts->dry_run)
		rc = held_reserve(h, rules->n, diag);
	if (rc || !rules->n)
		return rc;
	next_id = h->next_id;
	rc = add(h, rules, opts, applied, diag);
	if (rc == -EAGAIN || rc == -EINPROGRESS) /* it will be asked for again */
		h->next_id = next_id;
	return rc;
}
