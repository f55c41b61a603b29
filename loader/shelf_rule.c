// SPDX-License-Identifier: GPL-2.0-only
/* Rules of a policy that is not assigned: its file, and what is known of it beside that. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "pairs.h"
#include "policies.h"
#include "shelf.h"
#include "spec.h"

/* A change on its way. */
struct shelf_change {
	struct policy *policy; /* as it would be assigned */
	struct policy *known;  /* what is known of it beside its file */
	struct fold fold;      /* changes of its file */
	bool changed;	       /* of rules that are added, any */
	bool timed;	/* of rules that go, what is known beside the file says more than ids */
	uint32_t given; /* ids from here on are only what rules of the file would be given */
	uint32_t past;	/* the ids of rules that go, which are said; 0: none does */
	const struct store *store;
	struct compile_env env;
};

/* One that is not there yet. */
static int begin_new(struct shelf_change *c, const char *name, struct diag *diag)
{
	int rc = policies_check_name(name, diag);

	if (rc)
		return rc;
	c->policy = policy_new(name);
	c->known = policy_new(name);
	return c->policy && c->known ? 0 : -ENOMEM;
}

static int begin(
	struct shelf_change *c, struct host *host, const char *name, bool make, struct diag *diag)
{
	int rc = host_store_names(host, diag), has = 1;

	*c = (struct shelf_change){ .fold = { .policy = strdup(name) } };
	env_now(&c->env);
	if (!rc && !c->fold.policy)
		rc = -ENOMEM;
	if (!rc) {
		c->store = host->store;
		c->given = host->store->next_id;
	}
	if (!rc && make)
		has = shelf_has(host->store, name, diag);
	if (!rc && has <= 0)
		return has ? has : begin_new(c, name, diag);
	if (!rc)
		rc = policies_load(host->store, name, NULL, &c->policy, diag);
	if (!rc)
		rc = store_known(host->store, name, &c->known, diag);
	return rc;
}

static void end(struct shelf_change *c)
{
	fold_free(&c->fold);
	policy_free(&c->policy);
	policy_free(&c->known);
}

/* The rule as it is known beside the file: a copy, or what is known of it already is renewed. */
static int know(struct shelf_change *c, const struct rule *rule)
{
	ptrdiff_t at = policy_find_same(c->known, rule, rule->action, 0);
	struct rule *copy = NULL;
	int rc = rule_copy(rule, &copy);

	if (!rc && at >= 0)
		policy_remove(c->known, at);
	if (!rc)
		rc = policy_add(c->known, &copy);
	rule_free(&copy);
	return rc;
}

static int write_file(struct shelf_change *c, struct diag *diag)
{
	char *text;
	size_t len;
	int rc = policy_file_fold(&c->fold, NULL, &text, &len, diag);

	if (!rc && text) {
		rc = policy_file_write(c->fold.policy, text, len, diag);
		free(text);
	}
	return rc;
}

/*
 * Timed rules that have a line now are known as such behind the file, as whoever dies in between
 * would have lost them. Until then they are of no effect beside their lines.
 */
static void know_lines(struct shelf_change *c)
{
	struct diag ignored = {};
	bool any = false;

	for (size_t i = c->known->n; i--;) {
		const struct rule *was = c->known->rules[i];
		ptrdiff_t at = policy_find_same(c->policy, was, was->action, 0);

		if (policy_has_line(was) || at < 0 || !policy_has_line(c->policy->rules[at]))
			continue;
		any |= !know(c, c->policy->rules[at]);
	}
	if (any)
		known_save(c->known, &ignored);
	diag_free(&ignored);
}

/*
 * Ids first: whoever dies in between leaves a gap, and no number that is given twice. Then what is
 * known beside the file, of which what stands in no file is of no effect; the file last.
 */
static int save_added(struct host *host, struct shelf_change *c, struct names *names,
	uint32_t next_id, struct diag *diag)
{
	int rc = names_save(names, diag);

	if (rc || !c->changed)
		return rc;
	rc = store_settle(host->store, c->fold.policy, diag);
	if (!rc)
		rc = host_give_ids(host, next_id, diag);
	if (!rc)
		rc = known_save(c->known, diag);
	if (!rc)
		rc = write_file(c, diag);
	if (rc)
		names_undo(names);
	else
		know_lines(c);
	return rc;
}

/* An equal rule is there: what changes of its time, label and log. */
static int add_again(struct shelf_change *c, struct rule *is, struct rule *again, uint32_t *next_id,
	struct applied *applied)
{
	bool had_line = policy_has_line(is);
	uint64_t deadline = is->deadline;
	bool is_new = is->id >= c->given; /* it is said from here on, and so is its own */
	int rc;

	if (is_new)
		is->id = (*next_id)++;
	applied->id = is->id;
	applied->outcome = APPLIED_ALREADY;
	c->changed |= is_new;
	if (!rule_merge(is, again))
		return is_new ? know(c, is) : 0;
	c->changed = true;
	applied->outcome = deadline == is->deadline ? APPLIED_REPLACED : APPLIED_PROLONGED;
	rc = had_line || !policy_has_line(is) ? know(c, is) : 0;
	if (!rc && policy_has_line(is))
		rc = fold_add(&c->fold, CHANGE_PUT, is);
	return rc;
}

static int add_new(struct shelf_change *c, struct rule *rule, uint32_t id, struct applied *applied)
{
	int rc;

	rule->id = applied->id = id;
	applied->outcome = APPLIED;
	c->changed = true;
	rc = know(c, rule);
	if (!rc && policy_has_line(rule))
		rc = fold_add(&c->fold, CHANGE_PUT, rule);
	return rc;
}

/* *next_id: the id that the rule gets if it is a new one. */
static int add_one(struct shelf_change *c, struct rule *rule, const struct apply_opts *opts,
	uint32_t *next_id, struct applied *applied, struct diag *diag)
{
	ptrdiff_t at = policy_find_same(c->policy, rule, rule->action, c->env.now);

	*applied = (struct applied){};
	if (at >= 0)
		return add_again(c, c->policy->rules[at], rule, next_id, applied);
	if (rule->action == BP_PERMIT && !opts->force)
		at = policy_find_same(c->policy, rule, BP_BLOCK, c->env.now);
	if (at >= 0)
		return apply_refuse_permit(0, c->fold.policy, rule, diag);
	return add_new(c, rule, (*next_id)++, applied);
}

int shelf_add(struct host *host, const char *name, const struct policy *rules, bool make,
	const struct apply_opts *opts, struct applied *applied, struct diag *diag)
{
	struct shelf_change c;
	int rc = begin(&c, host, name, make, diag);
	uint32_t next_id = c.given;

	for (size_t i = 0; i < rules->n && !rc; i++)
		rc = add_one(&c, rules->rules[i], opts, &next_id, &applied[i], diag);
	if (!rc && !opts->dry_run)
		rc = save_added(host, &c, opts->names, next_id, diag);
	end(&c);
	return rc;
}

/* The source in which a rule of that text stands once the changes are made, or NULL. */
static int left_in(
	struct shelf_change *c, const struct rule *rule, char **source, struct diag *diag)
{
	struct policy_text *t = NULL;
	char *text, *path = policies_path(c->fold.policy);
	ptrdiff_t at;
	size_t len;
	int rc = path ? policy_file_fold(&c->fold, NULL, &text, &len, diag) : -ENOMEM;

	*source = NULL;
	if (!rc && !text)
		rc = store_policy_text(NULL, c->fold.policy, &text, &len, diag);
	if (!rc)
		rc = policies_parse(c->store, path, text, len, c->fold.policy, NULL, &t);
	if (!rc) {
		at = policy_find_same(t->policy, rule, rule->action, 0);
		*source = at < 0 ? NULL : strdup(t->sources[t->place[at].source].path);
		rc = at >= 0 && !*source ? -ENOMEM : 0;
	}
	policy_text_free(&t);
	free(path);
	return rc;
}

static int refuse_included(const struct rule *rule, const char *source, struct diag *diag)
{
	char *text = spec_text(rule, SPEC_ACTION | SPEC_MATCH);
	int rc = diag_set(diag, DIAG_REFUSED, EPERM,
		"'%s' stands in %s, which the policy includes; take it out there", text ? text : "",
		source);

	free(text);
	return rc;
}

/* One rule of c->policy goes. */
static int drop(struct shelf_change *c, size_t at, struct diag *diag)
{
	const struct rule *rule = c->policy->rules[at];
	ptrdiff_t known = policy_find_same(c->known, rule, rule->action, 0);
	char *source = NULL;
	int rc = 0;

	if (rule->id >= c->past)
		c->past = rule->id + 1;
	if (known >= 0) {
		c->timed |= !policy_has_line(c->known->rules[known]);
		policy_remove(c->known, known);
	}
	if (!policy_has_line(rule))
		return 0;
	rc = fold_add(&c->fold, CHANGE_DEL, rule);
	if (!rc)
		rc = left_in(c, rule, &source, diag);
	if (!rc && source)
		rc = refuse_included(rule, source, diag);
	free(source);
	return rc;
}

/*
 * A rule is gone with its line, or if it is timed with what is known of it. The ids of lines that
 * are gone are of no effect: if they cannot be forgotten nothing is amiss.
 */
static int save_removed(struct host *host, struct shelf_change *c, struct diag *diag)
{
	const char *name = c->fold.policy;
	struct policy *was = NULL;
	struct diag ignored = {};
	int rc = store_settle(host->store, name, diag);

	if (!rc)
		rc = host_give_ids(host, c->past, diag); /* no other rule gets one of them */
	if (!rc && c->timed)
		rc = known_load(name, &was, diag);
	if (!rc && c->timed)
		rc = known_save(c->known, diag);
	if (!rc)
		rc = write_file(c, diag);
	if (rc && was)
		known_save(was, &ignored);
	else if (!rc && !c->timed)
		known_save(c->known, &ignored);
	policy_free(&was);
	diag_free(&ignored);
	return rc;
}

int shelf_remove(struct host *host, const char *name, const struct rule *rule, int action,
	const struct apply_opts *opts, struct apply_removed *removed, struct diag *diag)
{
	struct shelf_change c;
	int rc = begin(&c, host, name, false, diag);

	removed->n = 0;
	for (int a = 0; a < BP_ACTIONS && !rc; a++) {
		ptrdiff_t at = action == -1 || action == a
				       ? policy_find_same(c.policy, rule, a, c.env.now)
				       : -1;

		if (at < 0)
			continue;
		removed->ids[removed->n++] = c.policy->rules[at]->id;
		rc = drop(&c, at, diag);
	}
	if (!rc && !removed->n)
		rc = apply_unknown_rule(c.policy, name, rule, c.env.now, diag);
	if (!rc && !opts->dry_run)
		rc = save_removed(host, &c, diag);
	end(&c);
	return rc;
}

int shelf_remove_id(struct host *host, const char *name, uint32_t id, const struct apply_opts *opts,
	struct diag *diag)
{
	char typed[POLICY_NAME_TYPED];
	struct shelf_change c;
	ptrdiff_t at;
	int rc = begin(&c, host, name, false, diag);

	at = rc || id >= c.given ? -1 : policy_find_id(c.policy, id);
	if (!rc && at < 0)
		rc = diag_set(diag, DIAG_UNKNOWN, ENOENT,
			"policy '%s' has no rule with the id %" PRIu32
			"; 'bpfpol policy show %s --json' shows them",
			name, id, policy_name_typed(name, typed));
	if (!rc)
		rc = drop(&c, at, diag);
	if (!rc && !opts->dry_run)
		rc = save_removed(host, &c, diag);
	end(&c);
	return rc;
}
