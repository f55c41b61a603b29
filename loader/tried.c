// SPDX-License-Identifier: GPL-2.0-only
#include "tried.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "late.h"
#include "moment.h"
#include "tried_parts.h"

static char *interfaces_path(void)
{
	return path_join(dirs_get()->state, "interfaces");
}

static bool has(const struct tried *t, const char *kind, const char *name, int match)
{
	size_t len = strlen(kind);

	for (char **line = t->lines; *line; line++) {
		const char *word = *line + len;

		if (!strncmp(*line, kind, len) &&
			(match ? !fnmatch(word, name, 0) : !strcmp(word, name)))
			return true;
	}
	return false;
}

/* It came with the trial. What came since then under a name that was followed before did not. */
static bool is_tried(const struct tried *t, const struct remembered_list *before, const char *name)
{
	if (has(t, "tried ", name, false))
		return true;
	return has(t, "word ", name, true) && !has(t, "kept ", name, false) &&
	       !remembered_find(before, name);
}

/* Goes on after a failure. before: what is remembered without it. */
static int detach_tried(
	const struct tried *t, const struct remembered_list *before, struct diag *diag)
{
	struct attached_list is = {};
	struct nl_links links = {};
	int rc = attached_get(&is, diag);

	if (!rc)
		rc = nl_links_get(&links);
	if (rc)
		is.n = 0;
	for (size_t i = 0; i < is.n; i++) {
		const struct nl_link *link = nl_by_index(&links, is.v[i].ifindex);
		int bad = link && is_tried(t, before, link->name) ? detach_link(link->ifindex, diag)
								  : 0;

		rc = rc ? rc : bad;
	}
	nl_links_free(&links);
	free(is.v);
	return rc;
}

static int write_before(const struct tried *t, struct diag *diag)
{
	char *path = interfaces_path();
	int rc = !path	     ? -ENOMEM
		 : t->before ? file_write(path, t->before, strlen(t->before), diag)
			     : file_remove(path, diag);

	free(path);
	return rc;
}

/*
 * Forgotten first, as restore and the agent would attach them again. When the time is over a disk
 * that cannot be written stands in the way of no detaching.
 */
static int take_back(const struct tried *t, struct diag *diag)
{
	struct remembered_list before = {};
	int rc = write_before(t, diag), bad;

	if (rc && tried_time_left(t))
		return rc;
	bad = remembered_load(&before, diag);
	if (!bad)
		bad = detach_tried(t, &before, diag);
	remembered_free(&before);
	rc = rc ? rc : bad;
	return rc ? rc : tried_forget(diag);
}

int tried_tend(struct diag *diag)
{
	struct tried t;
	int rc = tried_load(&t, diag);

	if (rc == -ENOENT)
		return 0;
	if (rc == -EBADMSG) {
		late_note(); /* a rollback was meant for it */
		diag_to_warning(diag, "nobody knows what was attached on trial");
		diag_clear(diag);
		return tried_set_aside(diag);
	}
	if (!rc && !tried_time_left(&t)) {
		late_note();
		rc = take_back(&t, diag);
	}
	tried_free(&t);
	return rc;
}

int tried_take_back(struct diag *diag)
{
	struct tried t;
	int rc = tried_load(&t, diag);

	if (!rc)
		rc = take_back(&t, diag);
	tried_free(&t);
	return rc;
}

int tried_keep(struct diag *diag)
{
	return tried_forget(diag);
}

/* "KIND NAME"; NULL: no memory. */
static char *line_of(const char *kind, const char *name)
{
	char *line;

	return asprintf(&line, "%s %s", kind, name) < 0 ? NULL : line;
}

static int list_lines(struct tried *t, char *const *words, int n, const struct link_choices *c,
	const struct attached_list *is)
{
	size_t at = 0;

	t->lines = calloc(n + c->n + 1, sizeof(*t->lines));
	if (!t->lines)
		return -ENOMEM;
	for (int w = 0; w < n; w++, at++)
		if (!(t->lines[at] = line_of("word", words[w])))
			return -ENOMEM;
	for (size_t i = 0; i < c->n; i++, at++) {
		const struct nl_link *link = c->v[i].link;
		const char *kind = attached_find(is, link->ifindex) ? "kept" : "tried";

		if (!(t->lines[at] = line_of(kind, link->name)))
			return -ENOMEM;
	}
	return 0;
}

int tried_begin(uint64_t seconds, char *const *words, int n, const struct link_choices *c,
	const struct attached_list *is, struct diag *diag)
{
	char *path = interfaces_path(), *before = NULL;
	struct tried t = {};
	struct moment now;
	size_t len;
	int rc = path ? file_read(path, &before, &len, diag) : -ENOMEM;

	if (rc == -ENOENT)
		rc = 0;
	if (!rc)
		rc = list_lines(&t, words, n, c, is);
	if (!rc) {
		moment_now(&now);
		confirm_begin(&t.confirm, seconds, &now);
		t.before = before;
		rc = tried_save(&t, diag);
	}
	for (char **line = t.lines; line && *line; line++)
		free(*line);
	tried_free(&t);
	free(before);
	free(path);
	return rc;
}
