// SPDX-License-Identifier: GPL-2.0-only
/* Going back to what was before the last change. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "policy_text.h"
#include "store_parts.h"

/* State and journal of those names, the journal up to that byte. */
static int load_until(
	const char *state, const char *journal, uint64_t end, struct store **out, struct diag *diag)
{
	struct store *s = calloc(1, sizeof(*s));
	int rc = s && state && journal ? state_load(s, state, diag) : -ENOMEM;

	if (!rc)
		rc = journal_load_until(s, journal, end, diag);
	if (rc)
		store_free(&s);
	else
		*out = s;
	return rc;
}

/* The present state, without the journal's last change. */
static int load_present(const struct store *now, struct store **out, struct diag *diag)
{
	char *state = state_path("state"), *journal = state_path("journal");
	int rc = load_until(state, journal, now->undo, out, diag);

	free(journal);
	free(state);
	return rc;
}

static int load_kept(const struct store *now, struct store **out, struct diag *diag)
{
	char *state = state_path("previous.%" PRIu64 ".state", now->previous);
	char *journal = state_path("previous.%" PRIu64 ".journal", now->previous);
	int rc = load_until(state, journal, UINT64_MAX, out, diag);

	if (!rc && now->cut) {
		uint64_t undo = (*out)->undo;

		store_free(out);
		rc = load_until(state, journal, undo, out, diag);
	}
	free(journal);
	free(state);
	return rc;
}

/* Before the first change of all no policy was assigned. */
static int load_nothing(struct store **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

int store_load_before(const struct store *now, struct store **out, struct diag *diag)
{
	int rc = now->previous ? load_kept(now, out, diag) : load_nothing(out);

	if (rc == -ENOENT && diag->kind == DIAG_NONE)
		diag_set(diag, DIAG_SYSTEM, ENOENT, "previous.%" PRIu64 ".state is gone",
			now->previous);
	return rc;
}

void store_stat_before(const struct store *now, uint64_t *inode, uint64_t *mtime, uint64_t *journal)
{
	char *path = state_path("previous.%" PRIu64 ".journal", now->previous);
	char *state = state_path("previous.%" PRIu64 ".state", now->previous);
	struct stat st;

	*inode = *mtime = *journal = 0;
	if (now->previous && state && !stat_file(state, inode, mtime) && path && !stat(path, &st))
		*journal = st.st_size;
	free(state);
	free(path);
}

int store_load_previous(const struct store *now, struct store **out, struct diag *diag)
{
	int rc = -ENOENT;

	if (now->undo)
		rc = load_present(now, out, diag);
	else if (now->previous && !now->back)
		rc = load_kept(now, out, diag);
	else if (now->policy && !now->back)
		rc = load_nothing(out);
	if (!rc) {
		rc = store_read_copies(*out, diag);
		if (rc)
			store_free(out);
	}
	if (rc != -ENOENT || diag->kind != DIAG_NONE)
		return rc;
	return diag_set(diag, DIAG_UNKNOWN, ENOENT, "there is no earlier policy to go back to");
}

static const struct rule *find(const struct policy *policy, uint32_t id)
{
	ptrdiff_t at = policy ? policy_find_id(policy, id) : -1;

	return at < 0 ? NULL : policy->rules[at];
}

/* Neither a time of its own, nor that only an included file says it. */
static bool has_own_line(const struct rule *rule)
{
	return policy_has_line(rule) && (rule->own_line || !rule->included);
}

/* What a command did to the line of that rule is taken back. */
static int fold_back(struct store *s, uint32_t id, const struct policy *then)
{
	const struct rule *is = find(s->policy, id), *was = find(then, id);

	/* Where it had none in this file, the one that it got since goes. */
	if (is && was && has_own_line(is) && !has_own_line(was))
		return fold_note_of(s, then->name, CHANGE_DEL, was);
	if (was)
		return has_own_line(was) ? fold_note_of(s, then->name, CHANGE_PUT, was) : 0;
	return is ? fold_note_of(s, s->policy->name, CHANGE_DEL, is) : 0;
}

/* No line holds a timed rule: what the step brought leaves what is known of the policy, too. */
static void forget_step(struct store *s)
{
	for (size_t i = 0; s->outgoing && i < s->n_step; i++) {
		ptrdiff_t at = policy_find_id(s->outgoing, s->step[i]);

		if (at >= 0)
			policy_remove(s->outgoing, at);
	}
}

int store_go_back(struct store *s, struct store *previous)
{
	int rc = 0;

	if (previous->policy)
		fold_bring_back(s, previous->policy->name);
	if (s->undo)
		fold_unnote(s); /* the journal alone has it: no file has seen it */
	for (size_t i = 0; !s->undo && i < s->n_step && !rc; i++)
		rc = fold_back(s, s->step[i], previous->policy);
	if (rc)
		return rc;
	s->changed = true; /* before store_assign(), as the step is of the same rules */
	store_assign(s, previous->policy ? &previous->policy : NULL);
	forget_step(s);
	return 0;
}

int store_take_back(struct store *s, uint64_t at, struct diag *diag)
{
	struct store *before = NULL;
	int rc = store_load_before(s, &before, diag);

	if (!rc)
		rc = store_go_back(s, before);
	store_free(&before);
	if (rc)
		return rc;
	s->whole = false;
	s->n_step = 0;
	s->confirm = (struct confirm){};
	s->back = s->taking_back = true;
	s->asked = !at;
	s->went_back = at;
	return 0;
}
