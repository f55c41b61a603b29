// SPDX-License-Identifier: GPL-2.0-only
#include "tried.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "late.h"
#include "moment.h"
#include "tried_parts.h"

/* Words name what they match. */
static bool has_word(const struct tried *t, const char *name)
{
	for (char **line = t->lines; *line; line++)
		if (!strncmp(*line, "word ", 5) && word_holds(*line + 5, name))
			return true;
	return false;
}

/* By its number as long as that means what it did: whoever renames an interface tries no other. */
static bool has(const struct tried *t, const char *kind, const struct nl_link *link, bool same_boot)
{
	for (char **line = t->lines; *line; line++) {
		char is[8], name[64];
		int number = 0;

		if (sscanf(*line, "%7s %63s %d", is, name, &number) < 2 || strcmp(is, kind))
			continue;
		if (number && same_boot ? number == link->ifindex : !strcmp(name, link->name))
			return true;
	}
	return false;
}

/* What came with rules is remembered by its name. */
static bool is_followed(const struct tried *t, const struct nl_link *link)
{
	return t->commit ? has(t, "tried", link, false) : has_word(t, link->name);
}

/* It came with the trial. What came since then under a name that was followed before did not. */
static bool is_tried(const struct tried *t, const struct remembered_list *before,
	const struct nl_link *link, bool same_boot)
{
	if (has(t, "kept", link, same_boot))
		return false;
	if (has(t, "tried", link, same_boot))
		return true;
	return is_followed(t, link) && !remembered_find(before, link->name);
}

/* Goes on after a failure. before: what is remembered without it. *off: how many came off. */
static int detach_tried(
	const struct tried *t, const struct remembered_list *before, size_t *off, struct diag *diag)
{
	struct attached_list is = {};
	struct nl_links links = {};
	struct moment now;
	int rc = attached_get(&is, diag);
	bool same_boot;

	moment_now(&now);
	same_boot = *now.boot_id && !strcmp(now.boot_id, t->confirm.by.boot_id);
	if (!rc)
		rc = nl_links_get(&links);
	if (rc)
		is.n = 0;
	for (size_t i = 0; i < is.n; i++) {
		const struct nl_link *link = nl_by_index(&links, is.v[i].ifindex);
		int bad;

		if (!link || !is_tried(t, before, link, same_boot))
			continue;
		bad = detach_link(link->ifindex, diag);
		*off += !bad;
		rc = rc ? rc : bad;
	}
	nl_links_free(&links);
	free(is.v);
	return rc;
}

/*
 * The time is over, so that what is remembered is what was before. A disk that cannot be written
 * stands in the way of no detaching: whoever comes next writes it down, also that it is over.
 */
static int take_back(const struct tried *t, bool unnoted, size_t *off, struct diag *diag)
{
	struct remembered_list before = {};
	int rc = remembered_load(&before, diag);

	if (!rc)
		rc = detach_tried(t, &before, off, diag);
	remembered_free(&before);
	if (!rc && (remembered_put(t->before, diag) || unnoted || tried_forget(diag)))
		diag_to_warning(diag, "what was attached on trial, or was about to be attached or "
				      "detached, is detached, but that is not yet written down");
	return rc;
}

/* Whoever comes from now on takes it back. */
static void end_time(struct confirm *c)
{
	c->by.real = c->by.boot = 0;
}

/* What could not be settled is over for good: a commit that comes now is of other rules. */
static void stay_over(struct tried *t)
{
	struct diag ignored = {};

	if (!t->commit || !tried_is_there())
		return;
	t->commit = 0;
	end_time(&t->confirm);
	tried_save(t, &ignored);
	diag_free(&ignored);
}

/* Of rules that they came with the store tells; a rollback that died left a time of none. */
static int note_end(const struct tried *t, struct diag *diag)
{
	bool untold = t->commit || !t->confirm.by.real;

	return late_note(untold ? LATE_UNTOLD : LATE_ATTACH, &t->confirm, diag);
}

static int tend(struct diag *diag)
{
	struct diag ignored = {};
	enum tried_fate fate;
	bool unnoted;
	size_t off = 0;
	struct tried t;
	int rc = tried_load(&t, diag);

	if (rc == -ENOENT)
		return 0;
	if (rc == -EBADMSG) {
		late_note(LATE_UNTOLD, NULL, &ignored); /* a rollback was meant for it */
		diag_free(&ignored);
		diag_to_warning(diag, "nobody knows what was attached on trial");
		diag_clear(diag);
		return tried_set_aside(diag);
	}
	fate = rc ? TRIED_WAITS : tried_fate(&t);
	if (fate == TRIED_STAYS && tried_forget(diag))
		diag_to_warning(
			diag, "what was attached on trial stays, which is not yet written down");
	if (fate == TRIED_OVER) {
		unnoted = tried_was_trial(&t) && note_end(&t, diag);
		rc = take_back(&t, unnoted, &off, diag);
		stay_over(&t);
	}
	tried_free(&t);
	return rc;
}

void tried_tend(struct diag *diag)
{
	/* Whether or not it could be detached: what is remembered is without it. */
	if (!tend(diag))
		return;
	diag_to_warning(diag, "what was attached on trial, or was about to be attached or "
			      "detached, is not off as it should be");
	diag_clear(diag);
}

int tried_take_back(struct diag *diag)
{
	struct diag ignored = {};
	struct confirm was;
	struct tried t;
	size_t off = 0;
	int rc = tried_load(&t, diag);

	if (rc)
		return rc;
	was = t.confirm;
	end_time(&t.confirm);
	rc = was.by.real ? tried_save(&t, diag) : 0;
	if (!rc) {
		rc = take_back(&t, false, &off, diag);
		t.confirm = was;
		if (rc && !off)
			tried_save(&t, &ignored); /* on trial, as it was */
		else if (rc)
			diag_to_warning(diag, "not all that was attached on trial is detached; the "
					      "next command goes on with it");
	}
	diag_free(&ignored);
	tried_free(&t);
	return rc;
}

int tried_stand(uint64_t *left, struct diag *diag)
{
	struct moment now;
	struct tried t;
	int rc = tried_load(&t, diag);

	if (rc)
		return rc;
	moment_now(&now);
	confirm_begin(&t.confirm, t.confirm.seconds, &now);
	rc = tried_save(&t, diag);
	moment_now(&now);
	*left = confirm_left(&t.confirm, &now);
	tried_free(&t);
	return rc || *left ? rc
			   : diag_set(diag, DIAG_SYSTEM, ETIME,
				     "the disk took longer than the time to confirm it in; try "
				     "again with more seconds");
}

int tried_keep(struct diag *diag)
{
	return tried_forget(diag);
}

static int list_lines(struct tried *t, char *const *words, int n, const struct link_choices *c,
	const struct attached_list *is)
{
	size_t at = 0;

	t->lines = calloc(n + c->n + 1, sizeof(*t->lines));
	if (!t->lines)
		return -ENOMEM;
	for (int w = 0; w < n; w++, at++)
		if (asprintf(&t->lines[at], "word %s", words[w]) < 0)
			break;
	for (size_t i = 0; i < c->n && at == n + i; i++) {
		const struct nl_link *link = c->v[i].link;
		const char *kind = attached_find(is, link->ifindex) ? "kept" : "tried";

		if (asprintf(&t->lines[at], "%s %s %d", kind, link->name, link->ifindex) >= 0)
			at++;
	}
	if (at == n + c->n)
		return 0;
	t->lines[at] = NULL;
	return -ENOMEM;
}

/*
 * Begun, and over: whoever comes next, when we have died, takes it back. Where it cannot be
 * written, what could not be settled before stays there.
 */
static int begin(uint64_t seconds, struct tried *t, char *const *words, int n,
	const struct link_choices *c, const struct attached_list *is, struct diag *diag)
{
	struct moment now;
	int rc = list_lines(t, words, n, c, is);

	if (!rc) {
		moment_now(&now);
		confirm_begin(&t->confirm, seconds ? seconds : NO_TRIAL, &now);
		end_time(&t->confirm);
		rc = tried_save(t, diag);
	}
	for (char **line = t->lines; line && *line; line++)
		free(*line);
	tried_free(t);
	return rc;
}

static int begin_with(uint64_t commit, uint64_t seconds, char *const *words, int n,
	const struct link_choices *c, const struct attached_list *is, struct diag *diag)
{
	struct tried t = { .commit = commit };
	char *before = NULL;
	int rc = remembered_text(&before, diag);

	t.before = before;
	if (!rc)
		rc = begin(seconds, &t, words, n, c, is, diag);
	free(before);
	return rc;
}

int tried_begin(uint64_t seconds, char *const *words, int n, const struct link_choices *c,
	const struct attached_list *is, struct diag *diag)
{
	return begin_with(0, seconds, words, n, c, is, diag);
}

int tried_begin_with_rules(uint64_t commit, const struct link_choices *c, struct diag *diag)
{
	const struct attached_list nothing = {};

	return begin_with(commit, 0, NULL, 0, c, &nothing, diag);
}

static int detach_choices(const struct link_choices *c, struct diag *diag)
{
	int *ifindexes = calloc(c->n + 1, sizeof(*ifindexes)), rc;

	for (size_t i = 0; ifindexes && i < c->n; i++)
		ifindexes[i] = c->v[i].link->ifindex;
	rc = ifindexes ? detach_links(ifindexes, c->n, diag) : -ENOMEM;
	free(ifindexes);
	return rc;
}

static int told(int rc, const char *state, struct diag *diag)
{
	char why[sizeof(diag->message)];

	snprintf(why, sizeof(why), "%.600s",
		diag->kind == DIAG_NONE ? strerror(-rc) : diag->message);
	return diag_set(diag, DIAG_SYSTEM, -rc, "%s: %s", state, why);
}

/* What is to be remembered is said in `tried` by now, and holds whoever dies. */
static int end_detach(const struct link_choices *c, const char *after, struct diag *diag)
{
	struct diag ignored = {};
	int rc = detach_choices(c, diag);
	bool goes_on = rc > 0 || (rc && tried_forget(&ignored));

	diag_free(&ignored);
	if (rc)
		return told(rc > 0 ? -EIO : rc,
			goes_on ? "not all is detached yet, and the next command goes on"
				: "nothing is detached",
			diag);
	if (remembered_put(after, diag) || tried_forget(diag))
		diag_to_warning(diag, "it is detached, and the next command clears up on disk");
	return 0;
}

int tried_detach(
	const struct remembered_list *after, const struct link_choices *c, struct diag *diag)
{
	const struct attached_list none = {};
	struct tried t = {};
	char *text = NULL;
	int rc = remembered_print(after, &text, diag);

	t.before = text;
	if (!rc)
		rc = begin(0, &t, NULL, 0, c, &none, diag);
	if (!rc)
		rc = end_detach(c, text, diag);
	free(text);
	return rc;
}
