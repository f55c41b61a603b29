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

static void complain(const char *what, int rc, struct diag *diag)
{
	char *text;

	if (diag->kind == DIAG_NONE)
		diag_errno(diag, -rc, "%s", what);
	text = diag_text(diag);
	fputs(text ? text : "bpfpol: there is too little memory\n", stderr);
	fprintf(stderr, "bpfpol: warning: %s is left out\n", what);
	free(text);
	diag_clear(diag);
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
static int read_one(const char *dir, const char *name, struct policy *all, struct diag *diag)
{
	struct names names = { .offline = true };
	char *path = path_join(dir, "%s", name), *text = NULL;
	struct policy_text *t = NULL;
	size_t len;
	int rc = path ? file_read(path, &text, &len, diag) : -ENOMEM;

	if (!rc)
		rc = policies_parse(path, text, len, name, &names, &t);
	if (!rc)
		rc = policy_text_fail(t, MOST_SHOWN, diag);
	if (!rc)
		rc = take_rules(all, t->policy);
	if (rc && rc != -ENOMEM)
		complain(path, rc, diag);
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
static int read_dir(const char *dir, struct policy *all, struct diag *diag)
{
	struct dirent **entries = NULL;
	int rc = dir_check(dir, diag), n;

	if (rc)
		return rc;
	n = scandir(dir, &entries, select_rules, alphasort);
	if (n < 0)
		return diag_errno(diag, errno, "cannot read %s", dir);
	for (int i = 0; i < n; i++) {
		if (!rc)
			rc = read_one(dir, entries[i]->d_name, all, diag);
		free(entries[i]);
	}
	free(entries);
	return rc ? rc : policy_drop_repeats(all);
}

/* given: bpfpol.conf says which. */
static char *directory(bool *given, struct diag *diag)
{
	struct conf conf = {};
	char *dir;

	if (conf_load(&conf, diag))
		complain("bpfpol.conf", EINVAL, diag);
	*given = conf.dropin;
	dir = conf.dropin ? strdup(conf.dropin) : path_join(dirs_get()->conf, "dynamic.d");
	conf_free(&conf);
	return dir;
}

void dropins_take(struct dropins *d, struct policy *read)
{
	if (!read)
		return;
	policy_free(&d->read);
	d->read = read;
}

void dropins_read(struct dropins *d)
{
	dropins_take(d, dropins_load());
}

struct policy *dropins_load(void)
{
	struct policy *all = policy_new("dynamic");
	struct diag diag = {};
	bool given = false;
	char *dir = directory(&given, &diag);
	int rc = all && dir ? read_dir(dir, all, &diag) : -ENOMEM;

	if (rc == -ENOENT && !given && diag.kind == DIAG_NONE)
		rc = 0;
	if (rc)
		complain(dir ? dir : "the directory of rules", rc, &diag);
	else if (all->n)
		fprintf(stderr, "%s: %zu rules\n", dir, all->n);
	diag_free(&diag);
	free(dir);
	return all;
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
static void note_ids(struct dropins *d, const struct applied *applied, size_t n, uint32_t *ids)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (applied[i].outcome == APPLIED || is_among(d->ids, d->n, applied[i].id))
			ids[kept++] = applied[i].id;
	qsort(ids, kept, sizeof(*ids), by_id);
	free(d->ids);
	d->ids = ids;
	d->n = kept;
}

int dropins_put(struct dropins *d, struct held *h, struct diag *diag)
{
	const struct apply_opts opts = { .force = true };
	size_t n = d->read ? d->read->n : 0, n_before = d->n, gone = 0;
	struct applied *applied = calloc(n + 1, sizeof(*applied));
	uint32_t *ids = calloc(n + 1, sizeof(*ids));
	uint32_t *before = calloc(n_before + 1, sizeof(*before));
	int rc = applied && ids && before ? 0 : -ENOMEM;

	if (!rc)
		rc = held_add(h, d->read, &opts, applied, diag);
	if (!rc) {
		memcpy(before, d->ids ? d->ids : ids, n_before * sizeof(*before));
		note_ids(d, applied, n, ids);
		ids = NULL;
		policy_free(&d->read);
		for (size_t i = 0; i < n_before; i++)
			if (!is_among(d->ids, d->n, before[i]))
				before[gone++] = before[i];
		rc = held_remove_ids(h, before, gone, diag);
	}
	free(before);
	free(ids);
	free(applied);
	return rc;
}

void dropins_free(struct dropins *d)
{
	policy_free(&d->read);
	free(d->ids);
}
