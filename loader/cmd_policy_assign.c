// SPDX-License-Identifier: GPL-2.0-only
/* policy assign, unassign, diff. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "assign.h"
#include "await.h"
#include "command.h"
#include "first.h"
#include "json.h"
#include "links.h"
#include "pairs.h"
#include "policies.h"
#include "spec.h"

/* assign, unassign */

static void json_assigned(const char *outcome, const char *name, const struct assigned *a,
	bool in_force, uint64_t confirm, const struct link_choices *first,
	const struct names *names)
{
	struct jw j;

	jw_begin(&j, stdout);
	jw_object(&j, NULL);
	jw_str(&j, "outcome", outcome);
	jw_str(&j, "policy", name);
	jw_str(&j, "unassigned", a->before);
	jw_u64(&j, "rules", a->rules);
	jw_u64(&j, "filters", a->filters);
	jw_bool(&j, "in_force", in_force);
	json_attached(&j, first);
	if (confirm)
		jw_u64(&j, "confirm_in", confirm);
	names_json(names, &j);
	jw_object_end(&j);
}

static void say_assigned(const struct args *args, const char *name, const struct assigned *a,
	const struct host *host, const struct link_choices *first, const struct names *names)
{
	bool dry_run = args->given & OPT_DRY_RUN;

	if (args->given & OPT_JSON) {
		json_assigned(dry_run ? "dry run" : "assigned", name, a, !dry_run && !host->off,
			host->confirm, first, names);
		return;
	}
	say_attached(first);
	names_print(names);
	if (a->before)
		printf("Policy '%s' %s unassigned; it stays in the store.\n", a->before,
			dry_run ? "would be" : "is");
	if (dry_run)
		printf("Policy '%s' would be assigned: %zu rules.\n", name, a->rules);
	else if (host->off)
		printf("Policy '%s' is assigned: %zu rules; filtering is off, 'bpfpol on' puts "
		       "them in force.\n",
			name, a->rules);
	else
		printf("Policy '%s' is assigned and in force: %zu rules, %" PRIu64 " filters.\n",
			name, a->rules, a->filters);
	if (!dry_run)
		say_confirm(host->confirm);
}

static int assign(struct host *host, const struct args *args, struct policy **policy,
	struct first_links *first, struct assigned *assigned, struct diag *diag)
{
	struct apply_opts opts = { .dry_run = args->given & OPT_DRY_RUN };
	int rc = first_links_begin(host, first, opts.dry_run, diag);

	if (!rc)
		rc = assign_policy(host, policy, &opts, assigned, diag);
	if (rc && !opts.dry_run)
		choices_undo(host, &first->choices);
	if (!rc && !opts.dry_run)
		warn_one_way(host, policy_dirs(host->store->policy), diag);
	return rc;
}

int cmd_policy_assign(const struct args *args, struct diag *diag)
{
	struct first_links first = {};
	struct assigned assigned = {};
	struct policy *policy = NULL;
	struct names names = {};
	struct host host = {};
	uint64_t confirm;
	int rc = args_one(args, "the name of a policy", diag);

	if (!rc)
		rc = args_confirm(args, &confirm, diag);
	if (!rc)
		rc = policies_ask_ahead(args->words[0], &names);
	if (!rc)
		rc = host_open(&host, args->given & OPT_DRY_RUN ? HOST_TRY : HOST_CHANGE, diag);
	host.unguarded = args->given & OPT_FORCE;
	if (!rc)
		rc = await_ask(&host, confirm, diag);
	if (!rc)
		rc = host_store(&host, diag);
	if (!rc)
		rc = policies_load(host.store, args->words[0], &names, &policy, diag);
	if (!rc) {
		host.store->names = &names;
		assign_warn_absent(policy, diag);
		rc = assign(&host, args, &policy, &first, &assigned, diag);
	}
	if (!rc) {
		names_warn(&names, diag);
		say_assigned(args, args->words[0], &assigned, &host, &first.choices, &names);
	}
	names_free(&names);
	free(assigned.before);
	policy_free(&policy);
	first_links_free(&first);
	host_close(&host);
	return rc;
}

static void say_unassigned(
	const struct args *args, const struct host *host, const struct assigned *a)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	const struct link_choices nowhere = {};
	const struct names none = {};

	if (args->given & OPT_JSON) {
		json_assigned(
			dry_run ? "dry run" : "unassigned", NULL, a, false, 0, &nowhere, &none);
	} else if (!a->before) {
		printf("No policy was assigned.\n");
	} else {
		printf("Policy '%s' %s unassigned; it stays in the store.", a->before,
			dry_run ? "would be" : "is");
		say_none_assigned(host, dry_run);
	}
}

int cmd_policy_unassign(const struct args *args, struct diag *diag)
{
	struct apply_opts opts = { .dry_run = args->given & OPT_DRY_RUN };
	struct assigned assigned = {};
	struct host host = {};
	int rc = args_none(args, diag);

	if (!rc)
		rc = host_open(&host, opts.dry_run ? HOST_TRY : HOST_CHANGE, diag);
	host.unguarded = args->given & OPT_FORCE;
	if (!rc)
		rc = host_store(&host, diag);
	if (!rc && host.store->policy)
		rc = assign_policy(&host, NULL, &opts, &assigned, diag);
	if (!rc)
		say_unassigned(args, &host, &assigned);
	free(assigned.before);
	host_close(&host);
	return rc;
}

/* diff */

struct diff {
	const char *from, *to; /* names; NULL: what is in force */
	struct rule_pairs pairs;
};

/* Lines, but for what counts from an assignment. */
static char *line_of(const struct rule *rule)
{
	return policy_has_line(rule) ? policy_rule_line(rule) : spec_text(rule, SPEC_ALL);
}

/* How many of a's addresses b has not. Both are sorted. */
static size_t missing(const struct prefixes *a, const struct prefixes *b)
{
	size_t n = 0, k = 0;

	for (size_t i = 0; i < a->n; i++) {
		while (k < b->n && prefix_cmp(&b->v[k], &a->v[i]) < 0)
			k++;
		n += k == b->n || prefix_cmp(&b->v[k], &a->v[i]);
	}
	return n;
}

/* A rule that stands in both: its options, and what its lists hold. */
struct change_of {
	char *before, *after;
	size_t more, fewer; /* addresses of its lists */
};

static int compare(const struct rule *a, const struct rule *b, struct change_of *c)
{
	*c = (struct change_of){
		.before = line_of(a),
		.after = line_of(b),
		.more = missing(&b->from.list, &a->from.list) + missing(&b->to.list, &a->to.list),
		.fewer = missing(&a->from.list, &b->from.list) + missing(&a->to.list, &b->to.list),
	};
	return c->before && c->after ? 0 : -ENOMEM;
}

static bool differs(const struct change_of *c)
{
	return c->more || c->fewer || strcmp(c->before, c->after);
}

static void change_free(struct change_of *c)
{
	free(c->before);
	free(c->after);
}

static int put_line(const struct rule *rule, char sign)
{
	char *line = line_of(rule);

	if (!line)
		return -ENOMEM;
	printf("%c %s\n", sign, line);
	free(line);
	return 0;
}

static int put_pair(const struct rule_pair *p, bool *any)
{
	struct change_of c;
	int rc;

	if (!p->a || !p->b) {
		*any = true;
		return put_line(p->a ? p->a : p->b, p->a ? '-' : '+');
	}
	rc = compare(p->a, p->b, &c);
	if (!rc && strcmp(c.before, c.after))
		printf("- %s\n+ %s\n", c.before, c.after);
	if (!rc && (c.more || c.fewer))
		printf("~ %s: %zu addresses more, %zu fewer\n", c.after, c.more, c.fewer);
	if (!rc)
		*any |= differs(&c);
	change_free(&c);
	return rc;
}

static int diff_text(const struct diff *d)
{
	bool any = false;
	int rc = 0;

	printf("--- %s\n+++ %s\n", d->from ? d->from : "in force", d->to ? d->to : "in force");
	for (size_t i = 0; i < d->pairs.n && !rc; i++)
		rc = put_pair(&d->pairs.v[i], &any);
	if (!rc && !any)
		printf("The rules are the same.\n");
	return rc;
}

static int json_lines(struct jw *j, const char *key, const struct diff *d, bool added)
{
	int rc = 0;

	jw_array(j, key);
	for (size_t i = 0; i < d->pairs.n && !rc; i++) {
		const struct rule_pair *p = &d->pairs.v[i];
		char *line;

		if (added ? !!p->a : !!p->b)
			continue;
		line = line_of(added ? p->b : p->a);
		jw_str(j, NULL, line);
		rc = line ? 0 : -ENOMEM;
		free(line);
	}
	jw_array_end(j);
	return rc;
}

static int json_changed(struct jw *j, const struct diff *d)
{
	int rc = 0;

	jw_array(j, "changed");
	for (size_t i = 0; i < d->pairs.n && !rc; i++) {
		const struct rule_pair *p = &d->pairs.v[i];
		struct change_of c;

		if (!p->a || !p->b)
			continue;
		rc = compare(p->a, p->b, &c);
		if (!rc && differs(&c)) {
			jw_object(j, NULL);
			jw_str(j, "from", c.before);
			jw_str(j, "to", c.after);
			jw_u64(j, "addresses_added", c.more);
			jw_u64(j, "addresses_removed", c.fewer);
			jw_object_end(j);
		}
		change_free(&c);
	}
	jw_array_end(j);
	return rc;
}

static int diff_json(const struct diff *d)
{
	struct jw j;
	int rc;

	jw_begin(&j, stdout);
	jw_object(&j, NULL);
	jw_str(&j, "from", d->from);
	jw_str(&j, "to", d->to);
	rc = json_lines(&j, "added", d, true);
	if (!rc)
		rc = json_lines(&j, "removed", d, false);
	if (!rc)
		rc = json_changed(&j, d);
	jw_object_end(&j);
	return rc;
}

static int want_two(const struct args *args, struct diag *diag)
{
	bool in_force = args->given & OPT_IN_FORCE;

	if (args->n == (in_force ? 1 : 2))
		return 0;
	if (args->n > (in_force ? 1 : 2))
		args_place(args, in_force ? 1 : 2, diag);
	return diag_set(diag, DIAG_USAGE, EINVAL,
		"say which: two policies, or one and --in-force; put quotes around a name with "
		"blanks");
}

int cmd_policy_diff(const struct args *args, struct diag *diag)
{
	bool in_force = args->given & OPT_IN_FORCE;
	struct policy *a = NULL, *b = NULL;
	struct host host = {};
	struct diff d = {};
	int rc = want_two(args, diag);

	if (rc)
		return rc;
	d.from = in_force ? NULL : args->words[0];
	d.to = in_force ? args->words[0] : args->words[1];
	rc = host_open(&host, HOST_READ, diag);
	if (!rc)
		rc = host_store(&host, diag);
	if (!rc && !in_force)
		rc = policies_load(host.store, d.from, NULL, &a, diag);
	if (!rc)
		rc = policies_load(host.store, d.to, NULL, &b, diag);
	if (!rc)
		rc = rule_pairs(in_force ? host.store->policy : a, b, &d.pairs);
	if (!rc)
		rc = args->given & OPT_JSON ? diff_json(&d) : diff_text(&d);
	rule_pairs_free(&d.pairs);
	policy_free(&a);
	policy_free(&b);
	host_close(&host);
	return rc;
}
