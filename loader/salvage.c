// SPDX-License-Identifier: GPL-2.0-only
/* What can be saved where files of the store are damaged. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dirs.h"
#include "store_parts.h"

bool store_is_damage(int rc)
{
	return rc == -EBADMSG || rc == -EPROTO || rc == -ENOENT || rc == -EUCLEAN;
}

/* What could be read a moment later is not written over. */
static void note_fault(struct store *s, int rc)
{
	s->untidy |= store_is_damage(rc);
	s->unread |= !store_is_damage(rc);
}

/* The highest N below *number of which a previous.N is there: 1; 0: none. -errno. */
static int newest_previous(uint64_t *number)
{
	DIR *d = opendir(dirs_get()->state);
	int err = d || errno == ENOENT ? 0 : -errno;
	uint64_t n, best = 0;
	struct dirent *entry;

	while (d && (entry = dir_next(d, &err)))
		if (sscanf(entry->d_name, "previous.%" SCNu64 ".", &n) == 1 && n > best &&
			n < *number)
			best = n;
	if (d)
		closedir(d);
	*number = best;
	return err ? err : best > 0;
}

/* A rule whose copy of a list is gone: the list itself, or else the rule is lost. */
static int read_anew(struct store *s, size_t at, struct diag *diag)
{
	struct rule *rule = s->policy->rules[at];
	struct names last = { .offline = true };
	int rc;

	diag_to_warning(diag, "a copy of an address list could not be read");
	rule->lists = 0;
	rc = store_read_lists(rule, &last, diag);
	names_free(&last);
	if (!rc || rc == -ENOMEM)
		return rc;
	diag_to_warning(diag, "its rule is LEFT OUT, as the list cannot be read either");
	policy_remove(s->policy, at);
	return 0;
}

static int load_lists(struct store *s, struct diag *diag)
{
	int rc = 0;

	for (size_t i = s->policy ? s->policy->n : 0; i-- && !rc;) {
		rc = lists_load(s->policy->rules[i], diag);
		if (rc && rc != -ENOMEM) {
			note_fault(s, rc);
			rc = read_anew(s, i, diag);
		}
	}
	s->whole = true;
	return rc;
}

int store_salvage_copies(struct store *s, struct diag *diag)
{
	int rc = s->whole ? 0 : load_lists(s, diag);

	if (s->unread)
		s->inode = 0; /* never in step: all is read again */
	return rc;
}

static const char *last_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* One that is damaged costs no more than itself; it is kept, beside the one that comes. */
static int load_journal(struct store *s, const char *journal, bool keep, struct diag *diag)
{
	char *aside = path_aside(journal), so[128];
	int rc = aside ? journal_load(s, journal, diag) : -ENOMEM;
	bool kept;

	if (rc == -EBADMSG)
		diag_set(diag, DIAG_SYSTEM, EBADMSG, "%s is damaged", journal);
	if (rc && rc != -ENOMEM) {
		kept = keep && store_is_damage(rc) && !rename(journal, aside);
		snprintf(so, sizeof(so), "the latest changes of single rules are %s%s",
			!store_is_damage(rc) ? "not in force until it can be read"
			: kept		     ? "LOST, or stand in "
					     : "LOST",
			kept ? last_name(aside) : "");
		diag_to_warning(diag, so);
		note_fault(s, rc);
		skip_ids(s, ID_SLACK);
		rc = 0;
	}
	free(aside);
	return rc;
}

/* Like load_pair() of store.c, but only a state that cannot be read is a failure. */
static int load_leniently(
	struct store *s, const char *state, const char *journal, bool keep, struct diag *diag)
{
	int rc = state_load(s, state, diag);

	if (!rc)
		rc = fold_load(s, diag);
	if (!rc)
		rc = load_journal(s, journal, keep, diag);
	return rc ? rc : load_lists(s, diag);
}

static int load_previous(struct store *s, const char *state, const char *journal, struct diag *diag)
{
	return load_leniently(s, state, journal, false, diag);
}

/* Numbers that the damaged state, or its journal, may have reached: none is given twice. */
static void go_past(struct store *s, const char *state, const char *journal)
{
	struct diag ignored = {};
	char *text = NULL, *line;
	uint64_t commit;
	uint32_t id;
	size_t len;

	if (!file_read(state, &text, &len, &ignored)) {
		line = strstr(text, "\nnext-id ");
		if (line && sscanf(line, "\nnext-id %" SCNu32, &id) == 1 && id > s->next_id)
			s->next_id = id;
		free(text);
	}
	if (!file_read(journal, &text, &len, &ignored)) {
		if (sscanf(text, "journal %" SCNu64, &commit) == 1 && commit > s->commit)
			s->commit = commit;
		free(text);
	}
	skip_ids(s, ID_SLACK);
	diag_free(&ignored);
}

/* The newest commit that is whole, in place of a state that is damaged, or fails with `why`. */
static int go_back(const char *state, const char *journal, int why, bool look, struct store **out,
	struct diag *diag)
{
	char *aside = path_aside(state);
	uint64_t number = UINT64_MAX;
	int rc = aside ? -ENOENT : -ENOMEM, more = 0;

	while (rc && rc != -ENOMEM && (more = newest_previous(&number)) > 0) {
		if (store_is_damage(why))
			diag_set(diag, DIAG_SYSTEM, EBADMSG,
				!path_is_there(state) ? "%s is gone"
				: look		      ? "%s is damaged or of another version"
						      : "%s is damaged or of another version, and "
							"kept as %s",
				state, last_name(aside));
		diag_to_warning(diag, "going back to the rules before the last change");
		rc = store_load_number(number, load_previous, out, diag);
	}
	if (more < 0)
		rc = diag_errno(diag, -more, "cannot list %s", dirs_get()->state);
	if (!rc) {
		go_past(*out, state, journal);
		note_fault(*out, why);
		/* For whoever wants to look into it. */
		if (!look && store_is_damage(why) && !rename(state, aside)) {
			(*out)->moved = aside;
			aside = NULL;
		}
	}
	free(aside);
	return rc;
}

void store_move_back(const struct store *s)
{
	char *state = state_path("state");

	if (s && s->moved && state && !path_is_there(state))
		rename(s->moved, state);
	free(state);
}

bool store_is_lost(const struct store *s)
{
	return !s->inode && store_can_go_back();
}

bool store_can_go_back(void)
{
	uint64_t number = UINT64_MAX;

	return newest_previous(&number) != 0; /* or nobody knows: whoever needs it is told */
}

int store_salvage(bool look, struct store **out, struct diag *diag)
{
	struct store *s = calloc(1, sizeof(*s));
	char *state = state_path("state"), *journal = state_path("journal");
	int rc = s && state && journal ? load_leniently(s, state, journal, !look, diag) : -ENOMEM;

	if (!rc)
		rc = stat_state(&s->inode, &s->mtime);
	if (!rc) {
		s->inode = s->unread ? 0 : s->inode; /* never in step: all is read again */
		s->stands = s->inode;
		*out = s;
		s = NULL;
	} else if (rc != -ENOMEM) {
		rc = go_back(state, journal, rc, look, out, diag);
	}
	store_free(&s);
	free(journal);
	free(state);
	return rc;
}
