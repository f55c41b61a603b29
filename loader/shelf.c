// SPDX-License-Identifier: GPL-2.0-only
#include "shelf.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clocks.h"
#include "dirs.h"
#include "policies.h"

static const char ending[] = ".policy";

int shelf_has(const struct store *store, const char *name, struct diag *diag)
{
	char *path = policies_path(name);
	int has = store_is_gone(store, name) ? 0 : path ? path_is_there(path) : -ENOMEM;

	if (has < 0 && path)
		diag_errno(diag, -has, "cannot look at %s", path);
	free(path);
	return has;
}

int shelf_must_have(const struct store *store, const char *name, struct diag *diag)
{
	int has = shelf_has(store, name, diag);

	return has > 0 ? 0 : has ? has : policies_unknown(name, diag);
}

/* The name of the policy that is in the file; NULL: it is none. -errno. */
static int name_of_file(int dir, const char *file, char **name)
{
	size_t len = strlen(file);
	struct stat st;

	*name = NULL;
	if (len < sizeof(ending) || strcmp(file + len - (sizeof(ending) - 1), ending))
		return 0;
	if (fstatat(dir, file, &st, 0))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	*name = strndup(file, len - (sizeof(ending) - 1));
	if (!*name)
		return -ENOMEM;
	if (policy_name_flaw(*name)) {
		free(*name);
		*name = NULL;
	}
	return 0;
}

static size_t count_timed(const struct policy *policy)
{
	uint64_t now = wall_clock();
	size_t n = 0;

	for (size_t i = 0; i < policy->n; i++) {
		const struct rule *rule = policy->rules[i];

		n += !policy_has_line(rule) && !rule_is_replaced(rule) && rule->deadline > now;
	}
	return n;
}

/* One that has a line in the file by now is a rule of that. A file with flaws is not asked. */
static size_t count_beside_file(
	const struct store *store, const char *name, const struct policy *known)
{
	struct diag ignored = {};
	struct policy *all = NULL;
	size_t n = count_timed(known);

	if (n && !policies_load_words(store, name, &all, &ignored))
		n = count_timed(all);
	policy_free(&all);
	diag_free(&ignored);
	return n;
}

/* Which are timed is known of the assigned one by the state, of others beside their files. */
static void add_timed(struct shelf_entry *entry, const struct store *store, struct diag *diag)
{
	struct policy *known = NULL;

	if (entry->assigned)
		entry->timed = count_beside_file(store, entry->name, store->policy);
	else if (store_known(store, entry->name, &known, diag))
		diag_to_warning(diag, "it is not known which timed rules there are");
	else
		entry->timed = count_beside_file(store, entry->name, known);
	policy_free(&known);
	entry->rules += entry->timed;
}

static int add_entry(struct shelf *shelf, const struct store *store, char *name, struct diag *diag)
{
	struct shelf_entry entry = { .name = name, .assigned = store_is_assigned(store, name) };
	struct shelf_entry *v = reallocarray(shelf->v, shelf->n + 1, sizeof(*v));
	char *text;
	size_t len;
	int rc = v ? 0 : -ENOMEM;

	if (v)
		shelf->v = v;
	if (!rc)
		rc = store_policy_text(store, name, &text, &len, diag);
	if (rc == -ENOENT) {
		free(name);
		return 0;
	}
	if (!rc) {
		rc = policy_text_glance(text, &entry.rules, &entry.description);
		free(text);
	}
	if (!rc)
		add_timed(&entry, store, diag);
	if (rc)
		free(name);
	else
		v[shelf->n++] = entry;
	return rc;
}

static int by_name(const void *a, const void *b)
{
	const struct shelf_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Each name is each()'s to free. No directory is one without policies. */
static int each_name(int (*each)(char *name, void *arg), void *arg, struct diag *diag)
{
	char *path = path_join(dirs_get()->conf, "policies");
	int rc = path ? policies_check_dirs(diag) : -ENOMEM;
	DIR *d = rc ? NULL : opendir(path);
	struct dirent *entry;
	int err = 0;

	if (!rc && !d)
		rc = diag_errno(diag, errno, "cannot read %s", path);
	while (!rc && (entry = dir_next(d, &err))) {
		char *name;

		rc = name_of_file(dirfd(d), entry->d_name, &name);
		if (rc)
			diag_errno(diag, -rc, "cannot look at %s/%s", path, entry->d_name);
		else if (name)
			rc = each(name, arg);
	}
	if (err)
		rc = diag_errno(diag, -err, "cannot read %s", path);
	if (d)
		closedir(d);
	free(path);
	return rc == -ENOENT && diag->kind == DIAG_NONE ? 0 : rc;
}

struct putter {
	void (*put)(const char *name, void *arg);
	void *arg;
};

static int put_name(char *name, void *arg)
{
	const struct putter *to = arg;

	to->put(name, to->arg);
	free(name);
	return 0;
}

int shelf_names(void (*put)(const char *name, void *arg), void *arg, struct diag *diag)
{
	struct putter to = { put, arg };

	return each_name(put_name, &to, diag);
}

struct listing {
	struct shelf *shelf;
	const struct store *store;
	struct diag *diag;
};

static int list_name(char *name, void *arg)
{
	const struct listing *to = arg;

	return add_entry(to->shelf, to->store, name, to->diag);
}

/* Those whose file is yet to be made: what is to stand in it waits as a fold. */
static int list_folds(const struct store *store, struct shelf *shelf, struct diag *diag)
{
	int rc = 0;

	for (size_t i = 0; store && i < store->n_folds && !rc; i++) {
		int has = shelf_has(store, store->folds[i].policy, diag);
		char *name;

		if (has < 0)
			return has;
		if (has)
			continue;
		name = strdup(store->folds[i].policy);
		rc = name ? add_entry(shelf, store, name, diag) : -ENOMEM;
	}
	return rc;
}

int shelf_list(const struct store *store, struct shelf *shelf, struct diag *diag)
{
	struct listing to = { shelf, store, diag };
	int rc;

	*shelf = (struct shelf){};
	rc = each_name(list_name, &to, diag);
	if (!rc)
		rc = list_folds(store, shelf, diag);
	if (rc)
		shelf_free(shelf);
	else if (shelf->n)
		qsort(shelf->v, shelf->n, sizeof(*shelf->v), by_name);
	return rc;
}

void shelf_free(struct shelf *shelf)
{
	for (size_t i = 0; i < shelf->n; i++) {
		free(shelf->v[i].name);
		free(shelf->v[i].description);
	}
	free(shelf->v);
	*shelf = (struct shelf){};
}

static bool has_fold(const struct store *store, const char *name)
{
	for (size_t i = 0; i < store->n_folds; i++)
		if (!strcmp(store->folds[i].policy, name) &&
			(store->folds[i].n || store->folds[i].gone || store->folds[i].text))
			return true;
	return false;
}

/* Where no directory is that it could lie in there is nothing to remove, or it is made. */
static int check_writable(struct diag *diag)
{
	char *dir = path_join(dirs_get()->conf, "policies");
	int rc = dir ? 0 : -ENOMEM;

	if (dir && access(dir, W_OK) && errno != ENOENT)
		rc = diag_errno(diag, errno, "cannot change anything in %s", dir);
	free(dir);
	return rc;
}

/* Whether rules would outlive the policy's text. */
static int has_timed(const struct store *store, const char *name, bool *timed, struct diag *diag)
{
	bool assigned = store_is_assigned(store, name);
	struct policy *known = NULL;
	int rc = assigned ? 0 : store_known(store, name, &known, diag);

	*timed = !rc && count_timed(assigned ? store->policy : known);
	policy_free(&known);
	return rc;
}

/* Timed rules stand elsewhere: only a commit takes them out in one step with the file. */
static int put_over(struct host *host, const char *name, const char *text, struct diag *diag)
{
	int rc = check_writable(diag);

	if (!rc)
		rc = store_replace(host->store, name, text);
	return rc ? rc : host_commit(host, diag);
}

int shelf_put(struct host *host, const char *name, const char *text, size_t len,
	const struct apply_opts *opts, bool *same, struct diag *diag)
{
	char *is = NULL, typed[POLICY_NAME_TYPED];
	size_t is_len;
	bool is_new, timed = false;
	int rc = store_policy_text(host->store, name, &is, &is_len, diag);

	is_new = rc == -ENOENT;
	if ((!rc && opts->force) || (is_new && store_is_assigned(host->store, name)))
		rc = has_timed(host->store, name, &timed, diag);
	*same = is && !rc && is_len == len && !memcmp(is, text, len) && !(timed && opts->force);
	free(is);
	if (rc && rc != -ENOENT)
		return rc;
	if (!is_new && !*same && !opts->force) {
		diag_place_word(diag, name);
		return diag_set(diag, DIAG_REFUSED, EEXIST,
			"there is a policy '%s' already; 'bpfpol policy show %s' prints it; choose "
			"another name, or --force replaces it",
			name, policy_name_typed(name, typed));
	}
	if (opts->dry_run || *same)
		return 0;
	/* What waits for the old text must not be folded into the new one. */
	rc = has_fold(host->store, name) ? host_commit(host, diag) : 0;
	if (!rc)
		rc = store_settle(host->store, name, diag);
	/* Of one that was thrown away, by a command that died before it had forgotten all. */
	if (!rc && is_new)
		rc = known_remove(name, diag);
	if (rc)
		return rc;
	return timed ? put_over(host, name, text, diag) : policy_file_write(name, text, len, diag);
}

/* Whether the text has a line `include "NAME"`. */
static bool includes(char *text, const char *name)
{
	char quoted[POLICY_NAME_MOST + 3], *save;

	snprintf(quoted, sizeof(quoted), "\"%s\"", name);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *word = line + strspn(line, " \t");

		if (!strncmp(word, "include", 7) &&
			!strncmp(word + 7 + strspn(word + 7, " \t"), quoted, strlen(quoted)))
			return true;
	}
	return false;
}

/* The name of a policy that includes that one, or NULL. */
static int find_includer(
	const struct store *store, const char *name, char **includer, struct diag *diag)
{
	struct shelf shelf;
	int rc = shelf_list(store, &shelf, diag);

	*includer = NULL;
	for (size_t i = 0; i < shelf.n && !rc && !*includer; i++) {
		char *text;
		size_t len;

		rc = store_policy_text(store, shelf.v[i].name, &text, &len, diag);
		if (rc)
			break;
		if (strcmp(shelf.v[i].name, name) && includes(text, name)) {
			*includer = strdup(shelf.v[i].name);
			rc = *includer ? 0 : -ENOMEM;
		}
		free(text);
	}
	shelf_free(&shelf);
	return rc;
}

int shelf_check_delete(const struct store *store, const char *name, bool force, struct diag *diag)
{
	char *includer = NULL;
	int rc = policies_check_name(name, diag);

	if (!rc)
		rc = shelf_must_have(store, name, diag);
	if (!rc && !force)
		rc = find_includer(store, name, &includer, diag);
	if (!rc && includer) {
		diag_place_word(diag, name);
		rc = diag_set(diag, DIAG_REFUSED, EBUSY,
			"policy '%s' includes '%s' and could not be assigned without it; take the "
			"include out first, or --force deletes it all the same",
			includer, name);
	}
	free(includer);
	return rc;
}

int shelf_delete_with(struct store *store, const char *name, struct diag *diag)
{
	int rc = check_writable(diag);

	return rc ? rc : store_throw_away(store, name);
}

/*
 * What waits for the file goes with it, in one commit; where nothing does the file is all: without
 * it what is known beside it is of no effect.
 */
int shelf_delete(struct host *host, const char *name, struct diag *diag)
{
	char *path;
	int rc;

	if (has_fold(host->store, name)) {
		rc = shelf_delete_with(host->store, name, diag);
		return rc ? rc : host_commit(host, diag);
	}
	path = policies_path(name);
	rc = path ? file_remove(path, diag) : -ENOMEM;
	if (!rc && known_remove(name, diag))
		diag_to_warning(diag, "the policy is gone, but not all that was known of it");
	if (!rc)
		names_sweep();
	free(path);
	return rc;
}
