// SPDX-License-Identifier: GPL-2.0-only
#include "policies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "pairs.h"

#define MOST_SHOWN 20 /* errors of one file, where they are not what was asked for */

char *policies_path(const char *name)
{
	return path_join(dirs_get()->conf, "policies/%s.policy", name);
}

int policies_check_name(const char *name, struct diag *diag)
{
	const char *why = policy_name_flaw(name);

	if (!why)
		return 0;
	diag_place(diag, name, 0, strlen(name));
	return diag_set(diag, DIAG_USAGE, EINVAL, "%s", why);
}

/* Nothing in a directory that others can write to is a policy of ours. */
static int check_dirs(struct diag *diag)
{
	char *dir = path_join(dirs_get()->conf, "policies");
	int rc = dir ? dir_check(dirs_get()->conf, diag) : -ENOMEM;

	if (!rc)
		rc = dir_check(dir, diag);
	free(dir);
	return rc;
}

int policies_read(const char *name, char **text, size_t *len, struct diag *diag)
{
	char *path = policies_path(name);
	int rc = path ? check_dirs(diag) : -ENOMEM;

	if (!rc)
		rc = file_read(path, text, len, diag);
	free(path);
	if (rc != -ENOENT)
		return rc;
	return diag_set(diag, DIAG_UNKNOWN, ENOENT,
		"there is no policy '%s'; 'bpfpol policy list' shows those there are", name);
}

/* Bytes of the path up to its last name, the slash too. */
static int dir_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 - path : 0;
}

static int include(const char *from, const char *name, char **path, char **text, size_t *len,
	struct diag *diag, void *arg)
{
	int rc = asprintf(path, "%.*s%s.policy", dir_len(from), from, name);

	(void)arg;
	if (rc < 0)
		return -ENOMEM;
	rc = file_read(*path, text, len, diag);
	if (rc == -ENOENT) {
		free(*path);
		*path = policies_path(name);
		rc = *path ? policies_read(name, text, len, diag) : -ENOMEM;
	}
	if (rc)
		free(*path);
	return rc;
}

static int read_list(const char *from, struct end *end, struct diag *diag, void *arg)
{
	int len = dir_len(from), rc;
	char *dir = len ? strndup(from, len - 1) : NULL;

	(void)arg;
	rc = len && !dir ? -ENOMEM : store_read_list(dir, end, diag);
	free(dir);
	return rc;
}

int policies_parse(
	const char *path, char *text, size_t len, const char *name, struct policy_text **out)
{
	static const struct policy_reader reader = { .include = include, .list = read_list };

	return policy_text_parse(path, text, len, name, &reader, out);
}

/* Rules that stood before keep their ids; others go on from `next`. */
static int give_ids(struct policy *policy, const struct policy *before, uint32_t next)
{
	struct rule_pairs pairs;
	int rc = rule_pairs(before, policy, &pairs);

	if (rc)
		return rc;
	for (size_t i = 0; i < pairs.n; i++)
		if (pairs.v[i].b)
			pairs.v[i].b->id = pairs.v[i].a ? pairs.v[i].a->id : next++;
	rule_pairs_free(&pairs);
	return 0;
}

static bool is_assigned(const struct store *store, const char *name)
{
	return store->policy && !strcmp(store->policy->name, name);
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

int policies_load(
	const struct store *store, const char *name, struct policy **policy, struct diag *diag)
{
	struct policy_text *t = NULL;
	char *path = NULL, *text;
	size_t len;
	int rc = policies_check_name(name, diag);

	if (!rc)
		rc = policies_read(name, &text, &len, diag);
	if (rc)
		return rc;
	path = policies_path(name);
	rc = policies_parse(path ? path : name, text, len, name, &t);
	if (!rc)
		rc = policy_text_fail(t, MOST_SHOWN, diag);
	if (!rc)
		rc = call_it(t->policy, name);
	if (!rc)
		rc = policy_drop_repeats(t->policy);
	if (!rc)
		rc = give_ids(
			t->policy, is_assigned(store, name) ? store->policy : NULL, store->next_id);
	if (!rc) {
		*policy = t->policy;
		t->policy = NULL;
	}
	policy_text_free(&t);
	free(path);
	return rc;
}
