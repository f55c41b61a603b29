// SPDX-License-Identifier: GPL-2.0-only
/*
 * NAME.policy: the text that people read and edit. Changes of single rules are folded into it, and
 * no other line is touched.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "policy_text.h"
#include "spec.h"
#include "store_parts.h"

static char *policies_dir(void)
{
	return path_join(dirs_get()->conf, "policies");
}

static char *policy_path(const char *name)
{
	return path_join(dirs_get()->conf, "policies/%s.policy", name);
}

/* A list that the text names from its directory on. What is gone has the path that it had. */
static char *absolute(const char *file, void *arg)
{
	char *beside = path_join(arg, "%s", file);
	char *path = beside ? realpath(beside, NULL) : NULL;

	if (!path)
		return beside;
	free(beside);
	return path;
}

#define NEW_HEAD                                                                                   \
	"# Commands add rules to this file and take them out; the rest of it is yours. After an\n" \
	"# edit 'bpfpol policy assign NAME' puts it in force.\n"

/* A file that is not there: all rules, so that what the changes speak of does not stand alone. */
static int new_text(
	const struct fold *fold, const struct policy *policy, char **text, struct diag *diag)
{
	bool is_it = policy && !strcmp(policy->name, fold->policy);
	struct policy *known = NULL;
	int rc = is_it ? 0 : known_load(fold->policy, &known, diag);
	char *rules = rc ? NULL : policy_text_print(is_it ? policy : known);

	if (!rc && (!rules || asprintf(text, NEW_HEAD "%s", rules) < 0))
		rc = -ENOMEM;
	free(rules);
	policy_free(&known);
	return rc;
}

static int fold_into(const struct fold *fold, const struct policy *policy, const char *old,
	char **text, size_t *len, struct diag *diag)
{
	char *dir = policies_dir(), *new = NULL;
	int rc = !dir ? -ENOMEM : old ? 0 : new_text(fold, policy, &new, diag);

	if (!rc)
		rc = fold_text(fold, old ? old : new, absolute, dir, text, len);
	free(new);
	free(dir);
	return rc;
}

static bool is_empty(const struct fold *fold)
{
	struct change *v = NULL;
	size_t n = 1;

	if (fold->text || !fold->n)
		return !fold->text;
	if (!fold_net(fold, &v, &n))
		free(v);
	return !n;
}

bool policy_file_is_gone(const char *name)
{
	char *path = policy_path(name);
	bool gone = path && !path_is_there(path);

	free(path);
	return gone;
}

/*
 * A policy that is made by a timed rule, which has no line, has a file all the same. A fold without
 * any change was left by one who died before writing that.
 */
static bool lacks_file(const struct fold *fold, const struct policy *policy)
{
	bool known = policy && !strcmp(policy->name, fold->policy);

	return (known || !fold->n) && policy_file_is_gone(fold->policy);
}

/* What the changes come into. */
static int read_old(
	const struct fold *fold, const char *path, char **old, size_t *len, struct diag *diag)
{
	if (!fold->text)
		return file_read(path, old, len, diag);
	*old = strdup(fold->text);
	*len = strlen(fold->text);
	return *old ? 0 : -ENOMEM;
}

int policy_file_fold(const struct fold *fold, const struct policy *policy, char **text, size_t *len,
	struct diag *diag)
{
	char *path, *old = NULL;
	size_t old_len;
	int rc;

	*text = NULL;
	if (is_empty(fold) && !lacks_file(fold, policy))
		return 0;
	path = policy_path(fold->policy);
	rc = path ? read_old(fold, path, &old, &old_len, diag) : -ENOMEM;
	if (!rc && strlen(old) != old_len)
		rc = diag_set(
			diag, DIAG_USAGE, EINVAL, "%s holds a zero byte: a policy is text", path);
	if (!rc && fold->text && !fold->n) { /* to the byte */
		*text = old;
		*len = old_len;
		old = NULL;
	} else if (!rc || rc == -ENOENT) {
		rc = fold_into(fold, policy, old, text, len, diag);
	}
	free(old);
	free(path);
	return rc;
}

static int make_dirs(struct diag *diag)
{
	char *dir = policies_dir();
	int rc = dir ? dir_make(dirs_get()->conf, diag) : -ENOMEM;

	if (!rc)
		rc = dir_make(dir, diag);
	free(dir);
	return rc;
}

int policy_file_write(const char *name, const char *text, size_t len, struct diag *diag)
{
	char *path = policy_path(name), *old = NULL;
	size_t old_len;
	int rc = path ? make_dirs(diag) : -ENOMEM;

	if (!rc)
		rc = file_read(path, &old, &old_len, diag);
	if (rc == -ENOENT || (!rc && (old_len != len || memcmp(old, text, len))))
		rc = file_write(path, text, len, diag);
	free(old);
	free(path);
	return rc;
}
