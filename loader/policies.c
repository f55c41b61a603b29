// SPDX-License-Identifier: GPL-2.0-only
#include "policies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clocks.h"
#include "dirs.h"
#include "pairs.h"

#define MOST_SHOWN 20 /* errors of one file, where they are not what was asked for */

/* How a policy is loaded. store: NULL: by files alone. */
struct reading {
	const struct store *store;
	struct names *names;
	bool words; /* without what its lists hold */
};

char *policies_path(const char *name)
{
	return path_join(dirs_get()->conf, "policies/%s.policy", name);
}

int policies_check_name(const char *name, struct diag *diag)
{
	const char *why = policy_name_flaw(name);

	if (!why)
		return 0;
	diag_place_word(diag, name);
	return diag_set(diag, DIAG_USAGE, EINVAL, "%s", why);
}

int policies_check_dirs(struct diag *diag)
{
	char *dir = path_join(dirs_get()->conf, "policies");
	int rc = dir ? dir_check(dirs_get()->conf, diag) : -ENOMEM;

	if (!rc)
		rc = dir_check(dir, diag);
	free(dir);
	return rc;
}

int policies_unknown(const char *name, struct diag *diag)
{
	diag_place_word(diag, name);
	return diag_set(diag, DIAG_UNKNOWN, ENOENT,
		"there is no policy '%s'; 'bpfpol policy list' shows those there are", name);
}

int policies_read(
	const struct store *store, const char *name, char **text, size_t *len, struct diag *diag)
{
	int rc = policies_check_dirs(diag);

	/* Where there is no directory yet, it may be about to be made. */
	if (!rc || (rc == -ENOENT && diag->kind == DIAG_NONE))
		rc = store_policy_text(store, name, text, len, diag);
	return rc == -ENOENT ? policies_unknown(name, diag) : rc;
}

/* Bytes of the path up to its last name, the slash too. */
static int dir_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 - path : 0;
}

/* Beside the file that says so; in the store with what waits for it, as for any other. */
static int include(const char *from, const char *name, char **path, char **text, size_t *len,
	struct diag *diag, void *arg)
{
	const struct reading *how = arg;
	char *stored = policies_path(name);
	int rc = asprintf(path, "%.*s%s.policy", dir_len(from), from, name);

	if (rc < 0 || !stored) {
		free(rc < 0 ? NULL : *path);
		free(stored);
		return -ENOMEM;
	}
	rc = strcmp(*path, stored) ? file_read(*path, text, len, diag) : -ENOENT;
	if (rc == -ENOENT) {
		free(*path);
		*path = stored;
		stored = NULL;
		rc = policies_read(how->store, name, text, len, diag);
	}
	free(stored);
	if (rc)
		free(*path);
	return rc;
}

static int read_list(const char *from, struct end *end, struct diag *diag, void *arg)
{
	const struct reading *how = arg;
	int len = dir_len(from), rc;
	char *dir = len ? strndup(from, len - 1) : NULL;

	rc = len && !dir ? -ENOMEM : store_read_list(dir, end, how->names, diag);
	free(dir);
	return rc;
}

int policies_parse(const struct store *store, const char *path, char *text, size_t len,
	const char *name, struct names *names, struct policy_text **out)
{
	struct reading how = { .store = store, .names = names };
	const struct policy_reader reader = { .include = include, .list = read_list, .arg = &how };

	return policy_text_parse(path, text, len, name, &reader, out);
}

static int ask_for_host(const char *from, struct end *end, struct diag *diag, void *arg)
{
	const struct reading *how = arg;
	const char *host = list_host(end->file);
	const struct host_name *found;

	(void)from;
	(void)diag;
	return host ? names_find(how->names, host, &found) : 0;
}

/* Only which list it is, from the root on as far as that is known. */
static int name_list(const char *from, struct end *end, struct diag *diag, void *arg)
{
	char *beside, *path;

	(void)diag;
	(void)arg;
	if (list_host(end->file))
		return 0;
	if (end->file[0] == '/')
		beside = strdup(end->file);
	else if (asprintf(&beside, "%.*s%s", dir_len(from), from, end->file) < 0)
		beside = NULL;
	if (!beside)
		return -ENOMEM;
	path = realpath(beside, NULL);
	free(end->file);
	end->file = path ? path : beside;
	if (path)
		free(beside);
	return 0;
}

int policies_ask_ahead(const char *name, struct names *names)
{
	struct reading how = { .names = names };
	const struct policy_reader reader = {
		.include = include, .list = ask_for_host, .arg = &how
	};
	char *path = policies_path(name), *text = NULL;
	struct policy_text *t = NULL;
	struct diag ignored = {};
	size_t len;
	int rc = path ? 0 : -ENOMEM;

	if (!rc && !policy_name_flaw(name) && !policies_read(NULL, name, &text, &len, &ignored) &&
		(strcasestr(text, "dns:") || strstr(text, "include"))) {
		rc = policy_text_parse(path, text, len, name, &reader, &t);
		text = NULL; /* is taken over */
	}
	policy_text_free(&t);
	diag_free(&ignored);
	free(text);
	free(path);
	return rc;
}

/* What a rule takes over from the one that stood before it. */
static void take_over(struct rule *new, const struct rule *old)
{
	new->id = old->id;
	/* A longer time that a command gave stands. */
	if (new->deadline && !rule_is_replaced(old) && old->deadline > new->deadline)
		new->deadline = old->deadline;
	if (old->lists && rule_same_lists(old, new))
		new->lists = old->lists;
}

/* A timed rule stands in no file, so it is still there though the file does not say so. */
static int keep_timed(struct policy *policy, const struct rule *old, uint64_t now,
	const struct reading *opts, struct diag *diag)
{
	struct rule *rule = NULL;
	int rc = 0;

	if (policy_has_line(old) || rule_is_replaced(old) || old->deadline <= now)
		return 0;
	rc = rule_copy(old, &rule);
	if (!rc && !opts->words && (!old->lists || (opts->names && rule_has_host(rule)))) {
		rc = store_read_lists(rule, opts->names, diag);
		if (!rule_same_lists(rule, old))
			rule->lists = 0;
	}
	if (!rc)
		rc = policy_add(policy, &rule);
	rule_free(&rule);
	return rc;
}

/*
 * Rules that stood before keep their ids; others go on from `next`, in the file's order. Deadlines
 * are counted from now.
 */
static int join(struct policy *policy, const struct policy *before, uint32_t next,
	const struct reading *opts, struct diag *diag)
{
	uint64_t now = wall_clock();
	struct rule_pairs pairs;
	int rc = rule_pairs(before, policy, &pairs);

	if (rc)
		return rc;
	for (size_t i = 0; i < pairs.n && !rc; i++) {
		struct rule *old = pairs.v[i].a, *new = pairs.v[i].b;

		if (new &&new->lifetime)
			new->deadline = wall_deadline(new->lifetime);
		if (new &&old)
			take_over(new, old);
		else if (new)
			new->id = next++;
		else
			rc = keep_timed(policy, old, now, opts, diag);
	}
	rule_pairs_free(&pairs);
	return rc;
}

/* What is known of the policy beside its file. Of one that is not assigned no lists were copied. */
static int load_known(
	const struct store *store, const char *name, struct policy **known, struct diag *diag)
{
	int rc = store_known(store, name, known, diag);

	for (size_t i = 0; !rc && i < (*known)->n; i++)
		(*known)->rules[i]->lists = 0;
	return rc;
}

/* In the store a policy is called what its file is called. */
static int call_it(struct policy *policy, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	free(policy->name);
	policy->name = copy;
	return 0;
}

/* A text without flaws as the policy that it is. */
static int load_text(const char *name, char *text, size_t len, struct reading *opts,
	struct policy **policy, struct diag *diag)
{
	const struct policy_reader reader = {
		.include = include,
		.list = opts->words ? name_list : read_list,
		.arg = opts,
	};
	char *path = policies_path(name);
	struct policy_text *t = NULL;
	int rc = policy_text_parse(path ? path : name, text, len, name, &reader, &t);

	if (!rc)
		rc = policy_text_fail(t, MOST_SHOWN, diag);
	if (!rc)
		rc = call_it(t->policy, name);
	for (size_t i = 0; !rc && i < t->policy->n; i++)
		t->policy->rules[i]->included = t->place[i].source > 0;
	if (!rc)
		rc = policy_drop_repeats(t->policy);
	if (!rc) {
		*policy = t->policy;
		t->policy = NULL;
	}
	policy_text_free(&t);
	free(path);
	return rc;
}

static bool has_new(const struct policy *policy, uint32_t next)
{
	for (size_t i = 0; i < policy->n; i++)
		if (policy->rules[i]->id >= next)
			return true;
	return false;
}

/*
 * The file of the assigned policy may hold rules that got their ids when it was not assigned, and
 * that it has not been assigned with: a rollback brought it as it was. More than ids is not taken,
 * as what is known beside the file is of then.
 */
static int keep_ids(struct policy *policy, uint32_t next, struct diag *diag)
{
	struct policy *known = NULL;
	struct rule_pairs pairs = {};
	int rc;

	if (!has_new(policy, next))
		return 0;
	rc = known_load(policy->name, &known, diag);
	if (rc && diag->kind != DIAG_NONE) {
		diag_to_warning(diag, "rules that are new in the file get new numbers");
		return 0;
	}
	if (!rc)
		rc = rule_pairs(known, policy, &pairs);
	for (size_t i = 0; i < pairs.n; i++) {
		const struct rule *old = pairs.v[i].a;
		struct rule *new = pairs.v[i].b;

		if (old && new &&new->id >= next && old->id < next)
			new->id = old->id;
	}
	rule_pairs_free(&pairs);
	policy_free(&known);
	return rc;
}

static int load(const char *name, struct reading *opts, struct policy **out, struct diag *diag)
{
	const struct store *store = opts->store;
	bool assigned = store_is_assigned(store, name);
	uint32_t next = store ? store->next_id : 1; /* NULL: a store that cannot be read */
	struct policy *policy = NULL, *known = NULL;
	char *text;
	size_t len;
	int rc = policies_check_name(name, diag);

	if (!rc)
		rc = policies_read(store, name, &text, &len, diag);
	if (!rc)
		rc = load_text(name, text, len, opts, &policy, diag);
	if (!rc && !assigned)
		rc = load_known(store, name, &known, diag);
	if (!rc)
		rc = join(policy, assigned ? store->policy : known, next, opts, diag);
	if (!rc && assigned)
		rc = keep_ids(policy, next, diag);
	policy_free(&known);
	if (rc)
		policy_free(&policy);
	else
		*out = policy;
	return rc;
}

int policies_load(const struct store *store, const char *name, struct names *names,
	struct policy **out, struct diag *diag)
{
	return load(name, &(struct reading){ .store = store, .names = names }, out, diag);
}

int policies_load_words(
	const struct store *store, const char *name, struct policy **out, struct diag *diag)
{
	return load(name, &(struct reading){ .store = store, .words = true }, out, diag);
}
