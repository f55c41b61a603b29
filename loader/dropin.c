// SPDX-License-Identifier: GPL-2.0-only
#include "dropin.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clocks.h"
#include "conf_file.h"
#include "dirs.h"
#include "names.h"
#include "pairs.h"
#include "policies.h"

#define MOST_SHOWN 20 /* errors of one file */

/* What is read, and whether that is all that is to be. */
struct reading {
	struct policy *all;
	bool whole;
	struct diag diag;
};

static void complain(struct reading *r, const char *what, int rc)
{
	struct diag *diag = &r->diag;
	char *text;

	if (diag->kind == DIAG_NONE)
		diag_errno(diag, -rc, "%s", what);
	text = diag_text(diag);
	fputs(text ? text : "bpfpol: there is too little memory\n", stderr);
	fprintf(stderr, "bpfpol: warning: %s is left out\n", what);
	free(text);
	diag_clear(diag);
	r->whole = false;
}

static bool is_rules(const char *name)
{
	const char *end = strrchr(name, '.');

	return name[0] != '.' && end && (!strcmp(end, ".policy") || !strcmp(end, ".rules"));
}

/* They take effect now, as dynamic ones: what a file says of time counts from here on. */
static int take_rules(struct policy *all, struct policy *from)
{
	int rc = 0;

	for (size_t i = 0; i < from->n && !rc; i++) {
		struct rule *rule = from->rules[i];

		rule->layer = LAYER_DYNAMIC;
		rule->included = false;
		rule->deadline = rule->lifetime ? wall_deadline(rule->lifetime) : 0;
		rule->lifetime = 0;
		rc = policy_add(all, &from->rules[i]);
	}
	return rc;
}

/* All of a file or nothing of it. */
static int read_one(struct reading *r, const char *dir, const char *name)
{
	struct names names = { .offline = true };
	struct diag *diag = &r->diag;
	char *path = path_join(dir, "%s", name), *text = NULL;
	struct policy_text *t = NULL;
	size_t len;
	int rc = path ? file_read(path, &text, &len, diag) : -ENOMEM;

	if (!rc)
		rc = policies_parse(NULL, path, text, len, name, &names, &t);
	if (!rc)
		rc = policy_text_fail(t, MOST_SHOWN, diag);
	if (!rc)
		rc = take_rules(r->all, t->policy);
	if (rc && rc != -ENOMEM)
		complain(r, path, rc);
	policy_text_free(&t);
	names_free(&names);
	free(path);
	return rc == -ENOMEM ? rc : 0;
}

static int select_rules(const struct dirent *entry)
{
	return is_rules(entry->d_name);
}

/* In the order of their names. */
static int read_dir(struct reading *r, const char *dir)
{
	struct dirent **entries = NULL;
	int rc = dir_check(dir, &r->diag), n;

	if (rc)
		return rc;
	n = scandir(dir, &entries, select_rules, alphasort);
	if (n < 0)
		return diag_errno(&r->diag, errno, "cannot read %s", dir);
	for (int i = 0; i < n; i++) {
		if (!rc)
			rc = read_one(r, dir, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return rc ? rc : policy_drop_repeats(r->all);
}

/* given: bpfpol.conf says which. */
static char *directory(struct reading *r, bool *given)
{
	struct conf conf = {};
	char *dir;

	if (conf_load(&conf, &r->diag))
		complain(r, "bpfpol.conf", EINVAL);
	*given = conf.dropin;
	dir = conf.dropin ? strdup(conf.dropin) : path_join(dirs_get()->conf, "dynamic.d");
	conf_free(&conf);
	return dir;
}

void dropins_take(struct dropins *d, struct policy *read, bool whole)
{
	if (!read)
		return;
	policy_free(&d->read);
	d->read = read;
	d->whole = whole;
}

struct policy *dropins_load(bool *whole)
{
	struct reading r = { .all = policy_new("dynamic"), .whole = true };
	bool given = false;
	char *dir = directory(&r, &given);
	int rc = r.all && dir ? read_dir(&r, dir) : -ENOMEM;

	if (rc == -ENOENT && !given && r.diag.kind == DIAG_NONE)
		rc = 0;
	if (rc)
		complain(&r, dir ? dir : "the directory of rules", rc);
	else if (r.all->n)
		fprintf(stderr, "%s: %zu rules\n", dir, r.all->n);
	if (rc == -ENOMEM)
		policy_free(&r.all);
	diag_free(&r.diag);
	free(dir);
	*whole = r.whole;
	return r.all;
}

static int by_id(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool is_among(const uint32_t *ids, size_t n, uint32_t id)
{
	return n && bsearch(&id, ids, n, sizeof(*ids), by_id);
}

/* A rule that stood there already is a command's, unless it came from here before. */
static size_t note_ids(
	const struct dropins *d, const struct applied *applied, size_t n, uint32_t *ids)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (applied[i].outcome == APPLIED || is_among(d->ids, d->n, applied[i].id))
			ids[kept++] = applied[i].id;
	qsort(ids, kept, sizeof(*ids), by_id);
	return kept;
}

/* Those that came before and are not among these go, or stay among those that came from here. */
static int let_go(struct dropins *d, struct held *h, uint32_t *ids, size_t n, struct diag *diag)
{
	uint32_t *gone = ids + n;
	size_t n_gone = 0;
	int rc = 0;

	for (size_t i = 0; i < d->n; i++)
		if (!is_among(ids, n, d->ids[i]))
			gone[n_gone++] = d->ids[i];
	if (d->whole)
		rc = held_remove_ids(h, gone, n_gone, diag);
	if (rc || !d->whole) {
		n += n_gone;
		qsort(ids, n, sizeof(*ids), by_id);
	}
	free(d->ids);
	d->ids = ids;
	d->n = n;
	return rc;
}

int dropins_put(struct dropins *d, struct held *h, struct diag *diag)
{
	const struct apply_opts opts = { .force = true };
	size_t n = d->read ? d->read->n : 0;
	struct applied *applied = calloc(n + 1, sizeof(*applied));
	uint32_t *ids = calloc(n + d->n + 1, sizeof(*ids));
	int rc = applied && ids ? held_add(h, d->read, &opts, applied, diag) : -ENOMEM;

	if (!rc) {
		policy_free(&d->read);
		rc = let_go(d, h, ids, note_ids(d, applied, n, ids), diag);
		ids = NULL;
	}
	free(ids);
	free(applied);
	return rc;
}

void dropins_free(struct dropins *d)
{
	policy_free(&d->read);
	free(d->ids);
}
