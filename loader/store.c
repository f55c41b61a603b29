// SPDX-License-Identifier: GPL-2.0-only
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dirs.h"
#include "late.h"
#include "store_parts.h"

int stat_file(const char *path, uint64_t *inode, uint64_t *mtime)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	*inode = st.st_ino;
	*mtime = st.st_mtim.tv_sec * 1000000000ULL + st.st_mtim.tv_nsec;
	return 0;
}

int stat_state(uint64_t *inode, uint64_t *mtime)
{
	char *path = state_path("state");
	int rc = path ? stat_file(path, inode, mtime) : -ENOMEM;

	free(path);
	return rc;
}

/* State and journal of those names. -ENOENT without a diag: there is no such state. */
static int load_pair(struct store *s, const char *state, const char *journal, struct diag *diag)
{
	int rc = state && journal ? state_load(s, state, diag) : -ENOMEM;

	if (!rc)
		rc = fold_load(s, diag);
	return rc ? rc : journal_load(s, journal, diag);
}

int store_read_copies(struct store *s, struct diag *diag)
{
	int rc = 0;

	for (size_t i = 0; !rc && !s->whole && s->policy && i < s->policy->n; i++)
		rc = lists_load(s->policy->rules[i], diag);
	s->whole |= !rc;
	return rc;
}

int store_load(struct store **out, struct diag *diag)
{
	struct store *s = calloc(1, sizeof(*s));
	char *state = state_path("state"), *journal = state_path("journal");
	int rc = -ENOMEM;

	if (s) {
		s->next_id = 1;
		rc = load_pair(s, state, journal, diag);
	}
	if (!rc)
		rc = stat_state(&s->inode, &s->mtime);
	else if (rc == -ENOENT)
		rc = 0;
	if (!rc)
		s->stands = s->inode;
	free(state);
	free(journal);
	if (rc)
		store_free(&s);
	else
		*out = s;
	return rc;
}

static void forget_folds(struct store *s)
{
	for (size_t i = 0; i < s->n_folds; i++)
		fold_free(&s->folds[i]);
	s->n_folds = 0;
}

void store_free(struct store **store)
{
	struct store *s = *store;

	if (!s)
		return;
	forget_folds(s);
	free(s->folds);
	free(s->step);
	free(s->moved);
	policy_free(&s->policy);
	policy_free(&s->outgoing);
	free(s);
	*store = NULL;
}

int store_load_number(uint64_t number, store_load_fn load, struct store **out, struct diag *diag)
{
	struct store *s = calloc(1, sizeof(*s));
	char *state = state_path("previous.%" PRIu64 ".state", number);
	char *journal = state_path("previous.%" PRIu64 ".journal", number);
	int rc = s && state && journal ? load(s, state, journal, diag) : -ENOMEM;

	free(state);
	free(journal);
	if (rc)
		store_free(&s);
	else
		*out = s;
	return rc;
}

/* 0: there is none. 0 or -errno: the disk does not say. */
static int stat_now(uint64_t *inode, uint64_t *mtime, uint64_t *journal)
{
	char *path = state_path("journal");
	struct stat st;
	int rc;

	*inode = *mtime = *journal = 0;
	rc = stat_state(inode, mtime);
	if (!path)
		return -ENOMEM;
	if (!stat(path, &st))
		*journal = st.st_size;
	else if (errno != ENOENT)
		rc = -errno;
	free(path);
	return rc == -ENOENT ? 0 : rc;
}

int store_compare(uint64_t inode, uint64_t mtime, uint64_t journal)
{
	uint64_t inode_now, mtime_now, journal_now;
	int rc = stat_now(&inode_now, &mtime_now, &journal_now);

	return rc ? rc
		  : inode_now && inode_now == inode && mtime_now == mtime && journal_now == journal;
}

bool store_unchanged(uint64_t inode, uint64_t mtime, uint64_t journal)
{
	return store_compare(inode, mtime, journal) > 0;
}

bool store_is_assigned(const struct store *s, const char *name)
{
	return s && s->policy && !strcmp(s->policy->name, name);
}

const char *store_assigning(const struct store *s)
{
	return s->assigning && s->policy ? s->policy->name : NULL;
}

static void take_id(struct store *s, struct rule *rule)
{
	if (!rule->id)
		rule->id = s->next_id;
	if (rule->id >= s->next_id)
		s->next_id = rule->id + 1;
}

/* The first change forgets what the one before it was of. */
static void begin_step(struct store *s)
{
	if (!s->changed)
		s->n_step = 0;
	s->changed = s->asked = true;
}

static int note_change(struct store *s, enum change_op op, struct rule *rule)
{
	int rc;

	begin_step(s);
	rc = step_note(s, rule->id);
	return rc ? rc : fold_note(s, op, rule);
}

int store_add(struct store *s, struct rule **rule)
{
	int rc;

	take_id(s, *rule);
	(*rule)->lists = 0;
	rc = note_change(s, CHANGE_PUT, *rule);
	return rc ? rc : policy_add(s->policy, rule);
}

int store_del(struct store *s, size_t index)
{
	int rc = note_change(s, CHANGE_DEL, s->policy->rules[index]);

	if (!rc)
		policy_remove(s->policy, index);
	return rc;
}

int store_set(struct store *s, size_t index)
{
	struct rule *rule = s->policy->rules[index];

	/* A rule of the file: it is no change of this step that it is there. */
	return s->assigning ? fold_note(s, CHANGE_PUT, rule) : note_change(s, CHANGE_PUT, rule);
}

void store_assign(struct store *s, struct policy **policy)
{
	struct policy *new = policy ? *policy : NULL;

	begin_step(s);
	for (size_t i = 0; new &&i < new->n; i++)
		take_id(s, new->rules[i]);
	/* What is assigned by the same name goes on, and needs no record of its own. */
	s->assigning = !new || !store_is_assigned(s, new->name);
	if (!s->assigning) {
		policy_free(&s->policy);
	} else if (s->policy) {
		policy_free(&s->outgoing);
		s->outgoing = s->policy;
		policy_drop_lists(s->outgoing); /* known of it are its words alone */
	}
	s->policy = new;
	if (policy)
		*policy = NULL;
}

void store_assign_again(struct store *s, struct policy **policy)
{
	if (!s->policy || !*policy || s->changed || !policy_same(s->policy, *policy)) {
		store_assign(s, policy);
		return;
	}
	policy_free(&s->policy);
	s->policy = *policy;
	*policy = NULL;
	s->asked = s->untidy = true;
}

/* Copies the lists that have no copy yet; named by the commit, they touch none that has. */
static int save_lists(struct store *s, struct diag *diag)
{
	int rc = 0;

	for (size_t i = 0; s->policy && i < s->policy->n && !rc; i++) {
		struct rule *rule = s->policy->rules[i];

		if (!rule_has_list(rule) || rule->lists)
			continue;
		rule->lists = s->commit;
		rc = lists_save(rule, diag);
	}
	return rc;
}

static void unsave_lists(struct store *s)
{
	for (size_t i = 0; s->policy && i < s->policy->n; i++)
		if (s->policy->rules[i]->lists == s->commit)
			s->policy->rules[i]->lists = 0;
}

/* The file's other name; where the file system has none, a copy. */
static int keep_file(const char *from, const char *to, struct diag *diag)
{
	char *text;
	size_t len;
	int rc;

	if (unlink(to) && errno != ENOENT)
		return diag_errno(diag, errno, "cannot remove %s", to);
	if (!link(from, to) || errno == ENOENT)
		return 0;
	rc = file_read(from, &text, &len, diag);
	if (rc)
		return rc;
	rc = file_write(to, text, len, diag);
	free(text);
	return rc;
}

/* What it held is lost, which was said, or it had nothing yet. */
static int keep_empty_journal(const char *to, uint64_t number, struct diag *diag)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "journal %" PRIu64 "\n", number);

	return file_write(to, text, len, diag);
}

/*
 * State and journal of the last commit, under the names that say so. Where nothing changes but
 * that the journal is read into the state, its last change is still the one to undo. These names
 * are durable before the state that speaks of them is: a disk may keep a later one alone.
 */
static int keep_previous(struct store *s, uint64_t number, struct diag *diag)
{
	static const char *const names[] = { "state", "journal" };
	int rc = 0;

	if (!s->stands || s->taking_back || (!s->changed && !s->undo))
		return 0; /* there is none yet, or an older one is still the one */
	for (int i = 0; i < 2 && !rc; i++) {
		char *from = state_path("%s", names[i]);
		char *to = state_path("previous.%" PRIu64 ".%s", number, names[i]);

		if (!from || !to)
			rc = -ENOMEM;
		else if (i && s->headless)
			rc = keep_empty_journal(to, number, diag);
		else
			rc = keep_file(from, to, diag);
		free(from);
		free(to);
	}
	if (!rc)
		rc = dir_sync(dirs_get()->state, diag);
	if (!rc) {
		s->previous = number;
		s->cut = !s->changed;
		s->back = false;
	}
	return rc;
}

/* Files of commits that nothing needs any more. */
static void sweep_files(const struct store *s)
{
	DIR *d = opendir(dirs_get()->state);
	struct dirent *entry;
	uint64_t n;

	while (d && (entry = readdir(d)))
		if ((sscanf(entry->d_name, "previous.%" SCNu64 ".", &n) == 1 && n != s->previous) ||
			(sscanf(entry->d_name, "fold.%" SCNu64, &n) == 1 && n != s->commit))
			unlinkat(dirfd(d), entry->d_name, 0);
	if (d)
		closedir(d);
}

static void sweep(const struct store *s)
{
	struct diag ignored = {};
	struct store *previous = NULL;

	sweep_files(s);
	if (!lists_left(s->policy))
		return;
	/* What cannot be read is kept whole: somebody may put it right. */
	if (!s->previous || !store_load_number(s->previous, load_pair, &previous, &ignored))
		lists_sweep(s->policy, previous ? previous->policy : NULL);
	store_free(&previous);
	diag_free(&ignored);
}

static int throw_away(const char *policy, struct diag *diag)
{
	char *path = path_join(dirs_get()->conf, "policies/%s.policy", policy);
	int rc = path ? file_remove(path, diag) : -ENOMEM;

	free(path);
	return rc ? rc : known_remove(policy, diag);
}

static int fold_one(const struct store *s, const struct fold *fold, struct diag *diag)
{
	char *text = NULL;
	size_t len;
	int rc;

	if (fold->gone)
		return throw_away(fold->policy, diag);
	rc = policy_file_fold(fold, s->policy, &text, &len, diag);
	if (!rc && text)
		rc = policy_file_write(fold->policy, text, len, diag);
	if (!rc && fold->text)
		rc = known_forget_timed(fold->policy, diag);
	free(text);
	return rc;
}

int store_settle(struct store *s, const char *policy, struct diag *diag)
{
	size_t i = 0;
	int rc;

	while (i < s->n_folds && strcmp(s->folds[i].policy, policy))
		i++;
	if (i == s->n_folds)
		return 0;
	rc = fold_one(s, &s->folds[i], diag);
	if (rc)
		return rc;
	fold_free(&s->folds[i]);
	s->folds[i] = s->folds[--s->n_folds];
	return fold_save_waiting(s, diag);
}

/* The changes come into the policies' files; then nothing has to be remembered of them. */
static int fold_files(const struct store *s, struct diag *diag)
{
	char *path = state_path("fold.%" PRIu64, s->commit);
	int rc = path ? 0 : -ENOMEM;

	for (size_t i = 0; i < s->n_folds && !rc; i++)
		rc = fold_one(s, &s->folds[i], diag);
	if (!rc)
		rc = file_remove(path, diag);
	free(path);
	return rc;
}

/* The change is made; what is left can be made up for by the next commit. */
static void commit_rest(struct store *s, struct diag *diag)
{
	s->stands = true;
	if (stat_state(&s->inode, &s->mtime))
		s->inode = 0; /* never in step: the next command reads all again */
	if (journal_reset(s, diag)) {
		s->inode = 0; /* the old journal is this commit's no more: nothing may be added to
				 it */
		diag_to_warning(diag, "the change is made, but the journal is not begun anew");
	}
	if (fold_files(s, diag))
		diag_to_warning(diag, "the change is made, but the policy file does not show it");
	else
		forget_folds(s);
	sweep(s);
	names_sweep();
	if (s->changed)
		late_forget();
	s->changed = s->asked = s->untidy = s->taking_back = s->assigning = false;
	s->undo = 0;
	policy_free(&s->outgoing);
}

int store_commit(struct store *s, struct diag *diag)
{
	uint64_t previous = s->previous;
	bool cut = s->cut, back = s->back;
	int rc;

	s->commit++;
	rc = names_save(s->names, diag);
	if (!rc)
		rc = save_lists(s, diag);
	if (!rc && s->outgoing && !store_is_gone(s, s->outgoing->name))
		rc = known_save(s->outgoing, diag);
	if (!rc)
		rc = fold_save(s, diag);
	if (!rc)
		rc = keep_previous(s, s->commit - 1, diag);
	if (!rc)
		rc = state_write(s, diag);
	if (!rc) {
		commit_rest(s, diag);
	} else {
		unsave_lists(s);
		names_undo(s->names);
		s->commit--;
		s->previous = previous;
		s->cut = cut;
		s->back = back;
	}
	return rc;
}

int store_policy_text(
	const struct store *s, const char *name, char **text, size_t *len, struct diag *diag)
{
	char *path;
	int rc;

	if (store_is_gone(s, name))
		return -ENOENT;
	for (size_t i = 0; s && i < s->n_folds; i++) {
		if (strcmp(s->folds[i].policy, name))
			continue;
		rc = policy_file_fold(&s->folds[i], s->policy, text, len, diag);
		if (rc || *text)
			return rc;
	}
	path = path_join(dirs_get()->conf, "policies/%s.policy", name);
	rc = path ? file_read(path, text, len, diag) : -ENOMEM;
	free(path);
	return rc;
}

int store_end_commit(struct store *s, struct diag *diag)
{
	return s->behind ? journal_reset(s, diag) : 0;
}
