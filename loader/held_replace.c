// SPDX-License-Identifier: GPL-2.0-only
/*
 * All rules that are held anew, beside those in force. To read, compile and load a million takes a
 * second, in which others have their turn (held.h) and may change rules in place: what they do is
 * noted and done again to the rules that are coming, before these are put in force.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "held_parts.h"
#include "pairs.h"

#define TRIES 3 /* to catch up with the others; then they have to wait */

void held_give_turn(const struct held *h)
{
	if (h->turn.give)
		h->turn.give(h->turn.arg);
}

void held_take_turn(const struct held *h)
{
	if (h->turn.take)
		h->turn.take(h->turn.arg);
}

void held_note_end(struct held *h, uint64_t deadline)
{
	if (deadline && (!h->ends_at || deadline < h->ends_at))
		h->ends_at = deadline;
}

/* --- what others change meanwhile --- */

int held_note(struct held *h, struct rule *rule, bool gone)
{
	struct held_log *log = &h->log;
	struct held_noted *v;

	if (!h->coming)
		return 0;
	if (log->n == log->room) {
		size_t room = log->room ? 2 * log->room : 16;

		v = realloc(log->v, room * sizeof(*v));
		if (!v)
			return -ENOMEM;
		log->v = v;
		log->room = room;
	}
	log->v[log->n++] = (struct held_noted){ rule, gone };
	return 0;
}

bool held_is_coming(const struct held *h, const struct rule *rule)
{
	for (int a = 0; a < BP_ACTIONS && h->coming; a++) {
		ptrdiff_t at = policy_find_same(h->coming, rule, a, 0);

		if (at >= 0 && held_find_id(h, h->coming->rules[at]->id) < 0)
			return true;
	}
	return false;
}

/* Those that went were still looked at, or may have been. */
static void forget_noted(struct held *h)
{
	for (size_t i = 0; i < h->log.n; i++)
		if (h->log.v[i].gone)
			rule_free(&h->log.v[i].rule);
	free(h->log.v);
	h->log = (struct held_log){};
	h->coming = NULL;
}

static int append(struct policy *next, struct rule *rule)
{
	if (next->n == next->room) {
		size_t room = 2 * next->room + 16;
		struct rule **v = realloc(next->rules, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		next->rules = v;
		next->room = room;
	}
	next->rules[next->n++] = rule;
	return 0;
}

/* A copy of it may stand there, which says something else and is nobody's any more. */
static int cut_out(struct policy *next, const struct held_noted *noted, struct dynamic_change *c,
	const struct compile_env *env)
{
	ptrdiff_t at = policy_find_id(next, noted->rule->id);
	struct rule *rule;
	int rc;

	if (at < 0)
		return 0;
	rule = next->rules[at];
	memmove(&next->rules[at], &next->rules[at + 1], (next->n - at - 1) * sizeof(rule));
	next->n--;
	rc = dynamic_change_remove(c, rule, env);
	if (rule != noted->rule)
		rule_free(&rule);
	return rc;
}

/*
 * What was noted is in `next` when this returns. Where the rules that were built cannot follow, all
 * are built once more: -ENOSPC.
 */
static int catch_up(struct held *h, struct policy *next, struct dynamic_change *c,
	const struct compile_env *env)
{
	bool follows = true;

	for (; h->log.done < h->log.n; h->log.done++) {
		const struct held_noted *noted = &h->log.v[h->log.done];
		int rc = 0;

		if (noted->gone) {
			rc = cut_out(next, noted, c, env);
		} else if (append(next, noted->rule)) {
			return -ENOMEM;
		} else if (follows) {
			rc = dynamic_change_add(c, noted->rule, env);
		}
		follows &= !rc;
	}
	return follows ? 0 : -ENOSPC;
}

/* --- in place of those that are held --- */

static int build(struct held *h, struct policy *next, const struct compile_env *env, bool alone,
	struct dynamic_change **c, struct diag *diag)
{
	int rc = dynamic_begin(h->d, c, diag);

	if (rc)
		return rc;
	h->coming = next;
	if (!alone)
		held_give_turn(h);
	rc = dynamic_build(h->d, *c, next, env, diag);
	if (!alone)
		held_take_turn(h);
	if (!rc)
		rc = catch_up(h, next, *c, env);
	if (rc)
		dynamic_change_free(c);
	return rc;
}

/* Those of v that are not among others, which are by rising id, too. */
static void free_others(struct rule **v, size_t n, const struct policy *others)
{
	for (size_t i = 0, at = 0; i < n; i++) {
		while (at < others->n && others->rules[at]->id < v[i]->id)
			at++;
		if (at == others->n || others->rules[at] != v[i])
			rule_free(&v[i]);
	}
}

/* They are the rules that are held. */
static void take_over(struct held *h, struct policy *next, uint64_t links)
{
	struct policy was = *h->rules;

	h->rules->rules = next->rules;
	h->rules->n = next->n;
	h->rules->room = next->room;
	free_others(was.rules, was.n, next);
	free(was.rules);
	h->links = policy_names_interface(next) ? links : 0;
	h->ends_at = 0;
	for (size_t i = 0; i < next->n; i++)
		held_note_end(h, next->rules[i]->deadline);
}

/*
 * The last packets are counted, and nothing of that is taken away yet: who dies here leaves either
 * what the static rule goes on from, or what the dynamic one has counted where others can read it.
 */
static void keep_counts(const struct held_retired *r, struct diag *diag)
{
	if (r && r->k && r->count.packets && kernel_add_count(r->k, &r->count, diag))
		diag_to_warning(diag, "its counters begin anew");
}

static int replace(
	struct held *h, struct policy *next, struct held_retired *retired, struct diag *diag)
{
	struct dynamic_change *c = NULL;
	struct compile_env env;
	uint64_t links = 0;
	int rc = env_links(&links, diag);

	env_now(&env);
	rc = rc ? rc : -ENOSPC;
	for (int i = 0; i <= TRIES && rc == -ENOSPC; i++)
		rc = build(h, next, &env, i == TRIES, &c, diag);
	if (!rc)
		rc = dynamic_switch(h->d, c, next, diag);
	if (rc) {
		free_others(next->rules, next->n, h->rules);
		free(next->rules);
	} else {
		take_over(h, next, links);
	}
	forget_noted(h);
	if (!rc) {
		held_give_turn(h);
		dynamic_sum(c, retired ? &retired->count : NULL);
		held_take_turn(h);
		keep_counts(retired, diag);
		dynamic_settle(h->d, c, diag);
	}
	held_give_turn(h);
	dynamic_change_free(&c);
	held_take_turn(h);
	return rc;
}

int held_replace(
	struct held *h, struct policy *next, struct held_retired *retired, struct diag *diag)
{
	int rc = h->busy ? -EAGAIN : h->quick ? -EINPROGRESS : 0;

	if (rc) {
		free_others(next->rules, next->n, h->rules);
		free(next->rules);
		return rc;
	}
	h->busy = true;
	rc = replace(h, next, retired, diag);
	h->busy = false;
	h->loads += !rc;
	return rc;
}

int held_load(struct held *h, struct diag *diag)
{
	struct policy next = { .name = h->rules->name, .n = h->rules->n, .room = h->rules->n + 1 };

	next.rules = calloc(next.room, sizeof(*next.rules));
	if (!next.rules)
		return -ENOMEM;
	memcpy(next.rules, h->rules->rules, next.n * sizeof(*next.rules));
	return held_replace(h, &next, NULL, diag);
}

int held_refresh(struct held *h, struct diag *diag)
{
	uint64_t links;
	int rc = h->links ? env_links(&links, diag) : 0;

	return !rc && h->links && h->links != links ? held_load(h, diag) : rc;
}
