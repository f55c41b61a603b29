// SPDX-License-Identifier: GPL-2.0-only
/* policy list, show, create, delete, import, export. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "assign.h"
#include "clocks.h"
#include "command.h"
#include "dirs.h"
#include "json.h"
#include "policies.h"
#include "policy_import.h"
#include "shelf.h"
#include "shipped.h"
#include "spec.h"
#include "utf8.h"

/* Policies can be read though it is not known which one is assigned. */
static int open_to_read(struct host *host, struct diag *diag)
{
	int rc = host_open(host, HOST_READ, diag);

	if (!rc && host_store_names(host, diag))
		diag_to_warning(diag, "it is not known which policy is assigned");
	return rc;
}

/* list */

static void list_text(const struct shelf *shelf)
{
	bool any = false;

	if (!shelf->n) {
		printf("There are no policies yet; 'bpfpol policy create NAME' makes one, "
		       "'bpfpol policy list --shipped' shows those that can be imported.\n");
		return;
	}
	printf("  %-24s %8s  %s\n", "NAME", "RULES", "DESCRIPTION");
	for (size_t i = 0; i < shelf->n; i++) {
		const struct shelf_entry *e = &shelf->v[i];

		printf("%c %-*s %8zu  %s\n", e->assigned ? '*' : ' ', utf8_width(e->name, 24),
			e->name, e->rules, e->description ? e->description : "");
		any |= e->assigned;
	}
	if (any)
		printf("\n* is assigned.\n");
}

static void list_json(const struct shelf *shelf)
{
	struct jw j;

	jw_begin(&j, stdout);
	jw_object(&j, NULL);
	jw_array(&j, "policies");
	for (size_t i = 0; i < shelf->n; i++) {
		const struct shelf_entry *e = &shelf->v[i];
		char *path = policies_path(e->name);

		jw_object(&j, NULL);
		jw_str(&j, "name", e->name);
		jw_str(&j, "description", e->description);
		jw_bool(&j, "assigned", e->assigned);
		jw_u64(&j, "rules", e->rules);
		jw_u64(&j, "timed", e->timed);
		jw_str(&j, "file", path);
		jw_object_end(&j);
		free(path);
	}
	jw_array_end(&j);
	jw_object_end(&j);
}

static int list_shipped(const struct args *args)
{
	bool json = args->given & OPT_JSON;
	struct jw j;
	int rc = 0;

	if (json) {
		jw_begin(&j, stdout);
		jw_object(&j, NULL);
		jw_array(&j, "shipped");
	}
	for (const struct shipped *s = shipped; s->name && !rc; s++) {
		char *description;
		size_t rules;

		rc = policy_text_glance(s->text, &rules, &description);
		if (rc)
			break;
		if (json) {
			jw_object(&j, NULL);
			jw_str(&j, "name", s->name);
			jw_str(&j, "description", description);
			jw_u64(&j, "rules", rules);
			jw_object_end(&j);
		} else {
			printf("  %-24s %8zu  %s\n", s->name, rules,
				description ? description : "");
		}
		free(description);
	}
	if (json) {
		jw_array_end(&j);
		jw_object_end(&j);
	}
	return rc;
}

/* It is in force all the same, and the files do not show it. */
static bool warn_fileless(const struct store *store, const struct shelf *shelf, struct diag *diag)
{
	char *path;

	if (!store || !store->policy)
		return false;
	for (size_t i = 0; i < shelf->n; i++)
		if (shelf->v[i].assigned)
			return false;
	path = policies_path(store->policy->name);
	diag_set(diag, DIAG_SYSTEM, ENOENT, "%s is gone, or no regular file",
		path ? path : "its file");
	diag_to_warning(diag,
		"the rules of the assigned policy stay in force, and 'bpfpol list' shows them");
	free(path);
	return true;
}

int cmd_policy_list(const struct args *args, struct diag *diag)
{
	struct host host = {};
	struct shelf shelf = {};
	bool fileless;
	int rc = args_none(args, diag);

	if (rc || args->given & OPT_SHIPPED)
		return rc ? rc : list_shipped(args);
	rc = open_to_read(&host, diag);
	if (!rc)
		rc = shelf_list(host.store, &shelf, diag);
	fileless = !rc && warn_fileless(host.store, &shelf, diag);
	if (!rc && args->given & OPT_JSON)
		list_json(&shelf);
	else if (!rc && (!fileless || shelf.n))
		list_text(&shelf);
	shelf_free(&shelf);
	host_close(&host);
	return rc;
}

/* show, export */

static uint64_t seconds_left(const struct rule *rule)
{
	uint64_t now = wall_clock();

	return rule_is_over(rule, now) ? 0 : rule_seconds_left(rule, now);
}

/* What no file holds is shown as a comment, so that the text is one of a file all the same. */
static void show_timed(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n; i++) {
		char *text;

		if (policy_has_line(policy->rules[i]))
			continue;
		text = spec_text(policy->rules[i], SPEC_ALL);
		printf("# for %" PRIu64 "s more: %s\n", seconds_left(policy->rules[i]),
			text ? text : "");
		free(text);
	}
}

static int show_text(const struct policy *policy)
{
	char *text = policy_text_print(policy);

	if (!text)
		return -ENOMEM;
	fputs(text, stdout);
	free(text);
	show_timed(policy);
	return 0;
}

static int json_rule(struct jw *j, const struct rule *rule, const struct store *store)
{
	char *filter = spec_text(rule, SPEC_MATCH);

	if (!filter)
		return -ENOMEM;
	jw_object(j, NULL);
	/* The store gives the others theirs when the policy is assigned. */
	if (store && rule->id < store->next_id)
		jw_u64(j, "id", rule->id);
	else
		jw_null(j, "id");
	jw_str(j, "name", rule->label);
	jw_str(j, "action", action_name(rule->action));
	jw_str(j, "direction", dir_name(rule->dir));
	jw_str(j, "filter", filter);
	jw_bool(j, "log", rule->log);
	if (rule->lifetime)
		jw_u64(j, "for", rule->lifetime);
	else
		jw_null(j, "for");
	if (!policy_has_line(rule))
		jw_u64(j, "expires_in", seconds_left(rule));
	else
		jw_null(j, "expires_in");
	jw_object_end(j);
	free(filter);
	return 0;
}

/* text: of the policy's file; NULL: that is not asked for. */
static int show_json(const struct policy *policy, const struct store *store, const char *text)
{
	char *path = text ? policies_path(policy->name) : NULL;
	struct jw j;
	int rc = 0;

	jw_begin(&j, stdout);
	jw_object(&j, NULL);
	jw_str(&j, "name", policy->name);
	jw_str(&j, "description", policy->description);
	jw_bool(&j, "assigned", store_is_assigned(store, policy->name));
	jw_array(&j, "rules");
	for (size_t i = 0; i < policy->n && !rc; i++)
		rc = json_rule(&j, policy->rules[i], store);
	jw_array_end(&j);
	if (text) {
		jw_str(&j, "file", path);
		jw_str(&j, "text", text);
	}
	jw_object_end(&j);
	free(path);
	return rc;
}

int cmd_policy_show(const struct args *args, struct diag *diag)
{
	struct host host = {};
	struct policy *policy = NULL;
	int rc = args_one(args, "the name of a policy", diag);

	if (!rc)
		rc = open_to_read(&host, diag);
	if (!rc)
		rc = policies_load_words(host.store, args->words[0], &policy, diag);
	if (!rc)
		rc = args->given & OPT_JSON ? show_json(policy, host.store, NULL)
					    : show_text(policy);
	policy_free(&policy);
	host_close(&host);
	return rc;
}

int cmd_policy_export(const struct args *args, struct diag *diag)
{
	bool json = args->given & OPT_JSON;
	struct policy *policy = NULL;
	struct host host = {};
	char *text = NULL;
	size_t len;
	int rc = args_one(args, "the name of a policy", diag);

	if (!rc)
		rc = policies_check_name(args->words[0], diag);
	if (!rc)
		rc = open_to_read(&host, diag);
	if (!rc)
		rc = policies_read(host.store, args->words[0], &text, &len, diag);
	if (!rc && json)
		rc = policies_load_words(host.store, args->words[0], &policy, diag);
	if (!rc && json)
		rc = show_json(policy, host.store, text);
	else if (!rc)
		fwrite(text, 1, len, stdout);
	policy_free(&policy);
	free(text);
	host_close(&host);
	return rc;
}

/* create, import */

struct put {
	const char *verb, *name;
	size_t rules;
	bool same;
};

static void say_put(const struct args *args, const struct put *put, const struct store *store)
{
	bool dry_run = args->given & OPT_DRY_RUN, assigned = store_is_assigned(store, put->name);
	char *path = policies_path(put->name), typed[POLICY_NAME_TYPED];
	struct jw j;

	if (args->given & OPT_JSON) {
		jw_begin(&j, stdout);
		jw_object(&j, NULL);
		jw_str(&j, "outcome",
			dry_run	    ? "dry run"
			: put->same ? "already there"
				    : put->verb);
		jw_str(&j, "policy", put->name);
		jw_str(&j, "file", path);
		jw_u64(&j, "rules", put->rules);
		jw_object_end(&j);
	} else if (put->same) {
		printf("Policy '%s' is already there, just so.\n", put->name);
	} else if (dry_run) {
		printf("Would store policy '%s' with %zu rules in %s.\n", put->name, put->rules,
			path ? path : "");
	} else {
		printf("Policy '%s' is %s, with %zu rules: %s\n", put->name, put->verb, put->rules,
			path ? path : "");
		printf("'bpfpol policy assign %s' puts it in force%s.\n",
			policy_name_typed(put->name, typed),
			assigned ? "; until then the rules before it are" : "");
	}
	free(path);
}

static int put_text(
	const struct args *args, struct put *put, const char *text, size_t len, struct diag *diag)
{
	struct apply_opts opts = {
		.dry_run = args->given & OPT_DRY_RUN,
		.force = args->given & OPT_FORCE,
	};
	struct host host = {};
	int rc = host_open(&host, opts.dry_run ? HOST_TRY : HOST_CHANGE, diag);

	if (!rc)
		rc = host_store_names(&host, diag);
	if (!rc)
		rc = shelf_put(&host, put->name, text, len, &opts, &put->same, diag);
	if (!rc)
		say_put(args, put, host.store);
	host_close(&host);
	return rc;
}

int cmd_policy_create(const struct args *args, struct diag *diag)
{
	struct put put = { .verb = "created" };
	struct policy *policy = NULL;
	char *text = NULL;
	int rc = args_one(args, "a name for the policy", diag);

	if (!rc)
		rc = policies_check_name(args->words[0], diag);
	if (rc)
		return rc;
	put.name = args->words[0];
	policy = policy_new(put.name);
	if (args->description && (!*args->description || !text_is_printable(args->description))) {
		diag_place_word(diag, args->description);
		rc = diag_set(diag, DIAG_USAGE, EINVAL,
			"a description is UTF-8 text on one line, not empty and without control "
			"characters");
	}
	if (!rc && policy && args->description)
		policy->description = strdup(args->description);
	if (!rc) {
		text = policy ? policy_text_print(policy) : NULL;
		rc = text ? put_text(args, &put, text, strlen(text), diag) : -ENOMEM;
	}
	free(text);
	policy_free(&policy);
	return rc;
}

/* What is imported. */
struct source {
	const char *path; /* shown in messages */
	char *text;
	size_t len;
	char *name; /* of the policy, unless the text or --name says otherwise */
};

static int unknown_shipped(const char *name, struct diag *diag)
{
	diag_place_word(diag, name);
	return diag_set(diag, DIAG_UNKNOWN, ENOENT,
		"no policy '%s' is shipped with this program; 'bpfpol policy list --shipped' shows "
		"those that are",
		name);
}

static int read_source(const struct args *args, struct source *s, struct diag *diag)
{
	const char *word = args->words[0];
	const struct shipped *ship = shipped;
	int rc;

	*s = (struct source){ .path = word };
	if (args->given & OPT_SHIPPED) {
		while (ship->name && strcmp(ship->name, word))
			ship++;
		if (!ship->name)
			return unknown_shipped(word, diag);
		s->text = strdup(ship->text);
		s->len = strlen(ship->text);
		s->name = strdup(word);
		return s->text && s->name ? 0 : -ENOMEM;
	}
	rc = policy_word_read(word, &s->text, &s->len, diag);
	if (!rc) {
		s->name = policy_word_name(word);
		rc = s->name ? 0 : -ENOMEM;
	}
	return rc;
}

/* Checks the text that stands, or is to stand, in that file, and tells the policy's name. */
static int check_text(const char *path, const char *text, size_t len, const char *name,
	char **named, size_t *rules, struct diag *diag)
{
	struct policy_text *t = NULL;
	char *copy = malloc(len + 1);
	int rc = copy ? 0 : -ENOMEM;

	if (!rc) {
		memcpy(copy, text, len + 1);
		rc = policies_parse(NULL, path, copy, len, name, NULL, &t);
	}
	if (!rc)
		rc = policy_text_fail(t, 20, diag);
	if (!rc) {
		*rules = t->policy->n;
		*named = strdup(t->policy->name);
		rc = *named ? 0 : -ENOMEM;
	}
	policy_text_free(&t);
	return rc;
}

/* Once where the text lies, for its own sake, and once as it will lie in the store. */
static int import(const struct args *args, const struct source *s, struct diag *diag)
{
	struct put put = { .verb = "stored" };
	char *named = NULL, *text = NULL, *path = NULL, *again = NULL;
	size_t len;
	int rc = check_text(s->path, s->text, s->len, s->name, &named, &put.rules, diag);

	if (!rc && !args->name && !strcmp(named, "-")) {
		diag_place(diag, s->path, 0, 1);
		rc = diag_set(diag, DIAG_USAGE, EINVAL,
			"what comes by stdin has no name: say --name NAME, or in the text "
			"policy \"NAME\"");
	}
	if (!rc) {
		put.name = args->name ? args->name : named;
		rc = policies_check_name(put.name, diag);
	}
	if (!rc)
		rc = policy_import_text(s->path, put.name, s->text, &text, &len);
	if (!rc) {
		path = policies_path(put.name);
		rc = path ? check_text(path, text, len, put.name, &again, &put.rules, diag)
			  : -ENOMEM;
	}
	if (!rc)
		rc = put_text(args, &put, text, len, diag);
	free(again);
	free(path);
	free(text);
	free(named);
	return rc;
}

int cmd_policy_import(const struct args *args, struct diag *diag)
{
	struct source source = {};
	int rc = args_one(args,
		args->given & OPT_SHIPPED ? "the name of a policy that is shipped"
					  : "the file of a policy",
		diag);

	if (!rc)
		rc = read_source(args, &source, diag);
	if (!rc)
		rc = import(args, &source, diag);
	free(source.name);
	free(source.text);
	return rc;
}

/* delete */

static int unassign(struct host *host, const struct apply_opts *opts, struct diag *diag)
{
	struct assigned assigned = {};
	int rc = assign_policy(host, NULL, opts, &assigned, diag);

	free(assigned.before);
	return rc;
}

static void say_deleted(
	const struct args *args, const struct host *host, const char *name, bool assigned)
{
	bool dry_run = args->given & OPT_DRY_RUN;
	struct jw j;

	if (args->given & OPT_JSON) {
		jw_begin(&j, stdout);
		jw_object(&j, NULL);
		jw_str(&j, "outcome", dry_run ? "dry run" : "deleted");
		jw_str(&j, "policy", name);
		jw_bool(&j, "unassigned", assigned);
		jw_object_end(&j);
		return;
	}
	if (assigned) {
		printf("Policy '%s' %s unassigned.", name, dry_run ? "would be" : "is");
		say_none_assigned(host, dry_run);
	}
	printf("Policy '%s' %s deleted.\n", name, dry_run ? "would be" : "is");
}

int cmd_policy_delete(const struct args *args, struct diag *diag)
{
	struct apply_opts opts = { .dry_run = args->given & OPT_DRY_RUN };
	struct host host = {};
	bool assigned = false;
	const char *name;
	int rc = args_one(args, "the name of a policy", diag);

	if (rc)
		return rc;
	name = args->words[0];
	rc = host_open(&host, opts.dry_run ? HOST_TRY : HOST_CHANGE, diag);
	host.unguarded = args->given & OPT_FORCE;
	if (!rc)
		rc = host_store_names(&host, diag);
	if (!rc) {
		assigned = store_is_assigned(host.store, name);
		/* One whose file is gone by hand can be taken out of force all the same. */
		rc = assigned ? shelf_has(host.store, name, diag) : 1;
		if (rc > 0)
			rc = shelf_check_delete(host.store, name, args->given & OPT_FORCE, diag);
	}
	if (!rc && assigned)
		rc = shelf_delete_with(host.store, name, diag);
	if (!rc && assigned)
		rc = unassign(&host, &opts, diag);
	else if (!rc && !opts.dry_run)
		rc = shelf_delete(&host, name, diag);
	if (!rc)
		say_deleted(args, &host, name, assigned);
	host_close(&host);
	return rc;
}
