// SPDX-License-Identifier: GPL-2.0-only
#include "tried.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "dirs.h"
#include "late.h"
#include "stream.h"
#include "tried_parts.h"

static char *interfaces_path(void)
{
	return path_join(dirs_get()->state, "interfaces");
}

static bool has(const struct tried *t, const char *kind, const char *name, int match)
{
	size_t len = strlen(kind);

	for (char **line = t->lines + 1; *line; line++) {
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

static int forget(struct diag *diag)
{
	char *path = tried_path();
	int rc = path ? file_remove(path, diag) : -ENOMEM;

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
	return rc ? rc : forget(diag);
}

int tried_tend(struct diag *diag)
{
	struct tried t;
	int rc = tried_load(&t, diag);

	if (rc == -ENOENT)
		return 0;
	if (rc == -EBADMSG)
		forget(diag);
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
	return forget(diag);
}

static int write_text(const char *text, size_t len, struct diag *diag)
{
	struct diag ignored = {};
	char *path = tried_path();
	int rc = path ? file_write(path, text, len, diag) : -ENOMEM;

	if (rc)
		forget(&ignored); /* a failed write may have been one */
	diag_free(&ignored);
	free(path);
	return rc;
}

int tried_begin(uint64_t seconds, char *const *words, int n, const struct link_choices *c,
	const struct attached_list *is, struct diag *diag)
{
	char *path = interfaces_path(), *before = NULL, *text = NULL;
	struct confirm confirm = {};
	struct moment now;
	size_t len;
	int rc = path ? file_read(path, &before, &len, diag) : -ENOMEM;
	FILE *out = !rc || rc == -ENOENT ? stream_open(&text, &len) : NULL;

	moment_now(&now);
	confirm_begin(&confirm, seconds, &now);
	if (out) {
		confirm_print(out, &confirm);
		for (int w = 0; w < n; w++)
			fprintf(out, "word %s\n", words[w]);
		for (size_t i = 0; i < c->n; i++)
			fprintf(out, "%s %s\n",
				attached_find(is, c->v[i].link->ifindex) ? "kept" : "tried",
				c->v[i].link->name);
		fprintf(out, before ? "interfaces\n%s" : "none\n", before);
		rc = stream_close(out) ? -ENOMEM : write_text(text, len, diag);
	} else if (!rc || rc == -ENOENT) {
		rc = -ENOMEM;
	}
	free(text);
	free(before);
	free(path);
	return rc;
}
