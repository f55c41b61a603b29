// SPDX-License-Identifier: GPL-2.0-only
/* Which interfaces are to be filtered, kept on disk. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "conf.h"
#include "dirs.h"
#include "stream.h"
#include "tried.h"

static int parse_mode(const char *word, enum attach_mode *mode)
{
	*mode = ATTACH_NONE;
	return strcmp(word, attach_mode_name(ATTACH_NONE)) ? attach_mode_parse(word, mode) : 0;
}

static int parse(struct remembered_list *list, char *text)
{
	int rc = 0;

	for (char *line = strtok(text, "\n"); line && !rc; line = strtok(NULL, "\n")) {
		char *blank = strrchr(line, ' ');
		enum attach_mode mode;

		if (!blank || parse_mode(blank + 1, &mode))
			continue; /* of another version: not ours to understand */
		*blank = '\0';
		rc = remembered_add(list, line, mode);
	}
	return rc;
}

static char *remembered_path(void)
{
	return path_join(dirs_get()->state, "interfaces");
}

bool word_holds(const char *word, const char *name)
{
	return !strcmp(word, name) || (strpbrk(word, "*?[") && !fnmatch(word, name, 0));
}

static struct remembered *entry(struct remembered_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->v[i].name, name))
			return &list->v[i];
	return NULL;
}

/* What stands in our own file is nearer: a mode, or that it was taken out. */
static int add_configured(struct remembered_list *list, struct diag *diag)
{
	char *path = path_join(dirs_get()->conf, "bpfpol.conf"), *text = NULL;
	struct conf conf = {};
	size_t len;
	int rc = path ? dir_check(dirs_get()->conf, diag) : -ENOMEM;

	if (!rc)
		rc = file_read(path, &text, &len, diag);
	if (!rc)
		rc = conf_parse(path, text, &conf, diag);
	if (rc && rc != -ENOENT && rc != -ENOMEM) {
		diag_place_in_message(diag);
		diag_to_warning(diag, "bpfpol.conf counts for nothing as it is now");
		diag_clear(diag);
	}
	if (conf.unused) {
		diag_set(diag, DIAG_USAGE, EINVAL, "this version does nothing with `%s`",
			conf.unused);
		diag_to_warning(diag, "bpfpol.conf");
	}
	rc = rc == -ENOMEM ? rc : 0;
	for (size_t i = 0; i < conf.n_interfaces && !rc; i++) {
		struct remembered *r = entry(list, conf.interfaces[i]);

		if (!r)
			rc = remembered_add(list, conf.interfaces[i], ATTACH_AUTO);
		if (!rc && !r)
			list->v[list->n - 1].configured = true;
		if (!rc)
			entry(list, conf.interfaces[i])->named = true;
	}
	conf_free(&conf);
	free(text);
	free(path);
	return rc;
}

int remembered_load(struct remembered_list *list, struct diag *diag)
{
	char *path = remembered_path(), *text = NULL;
	size_t len;
	int rc = path ? dir_check(dirs_get()->state, diag) : -ENOMEM;

	*list = (struct remembered_list){};
	if (rc == -ENOENT && diag->kind == DIAG_NONE)
		rc = 0;
	if (!rc)
		rc = tried_before(&text);
	if (!rc && !text)
		rc = file_read(path, &text, &len, diag);
	if (!rc)
		rc = parse(list, text);
	if (!rc || rc == -ENOENT)
		rc = add_configured(list, diag);
	free(text);
	free(path);
	return rc;
}

int remembered_save(const struct remembered_list *list, struct diag *diag)
{
	char *path = remembered_path(), *text = NULL;
	size_t len;
	FILE *out = path ? stream_open(&text, &len) : NULL;
	int rc = -ENOMEM;

	if (out) {
		for (size_t i = 0; i < list->n; i++)
			if (!list->v[i].configured)
				fprintf(out, "%s %s\n", list->v[i].name,
					attach_mode_name(list->v[i].mode));
		if (!stream_close(out))
			rc = len ? file_write(path, text, len, diag) : file_remove(path, diag);
	}
	free(text);
	free(path);
	return rc;
}

int remembered_add(struct remembered_list *list, const char *name, enum attach_mode mode)
{
	struct remembered *v = entry(list, name);
	char *copy;

	if (v) {
		v->mode = mode;
		v->configured = false;
		return 0;
	}
	copy = strdup(name);
	v = copy ? realloc(list->v, (list->n + 1) * sizeof(*v)) : NULL;
	if (!v) {
		free(copy);
		return -ENOMEM;
	}
	list->v = v;
	v[list->n++] = (struct remembered){ .name = copy, .mode = mode };
	return 0;
}

/* What we said of it ourselves is gone; what bpfpol.conf says comes behind all of ours. */
static void drop(struct remembered_list *list, size_t at)
{
	struct remembered gone = list->v[at];

	memmove(list->v + at, list->v + at + 1, (list->n - at - 1) * sizeof(gone));
	if (gone.named)
		list->v[list->n - 1] = (struct remembered){
			.name = gone.name, .mode = ATTACH_AUTO, .configured = true, .named = true
		};
	else
		free(gone.name);
	list->n -= !gone.named;
}

void remembered_remove(struct remembered_list *list, const char *name)
{
	struct remembered *r = entry(list, name);

	if (r)
		drop(list, r - list->v);
}

void remembered_readmit(struct remembered_list *list, const char *word)
{
	for (size_t i = list->n; i-- > 0;)
		if (list->v[i].mode == ATTACH_NONE && word_holds(word, list->v[i].name))
			drop(list, i);
}

const struct remembered *remembered_find(const struct remembered_list *list, const char *name)
{
	const struct remembered *found = NULL;

	for (size_t i = 0; i < list->n; i++) {
		const struct remembered *r = &list->v[i];
		bool equal = !strcmp(r->name, name);

		/* What was taken out is a name, whatever it looks like. */
		if (equal || (!found && r->mode != ATTACH_NONE && word_holds(r->name, name)))
			found = r;
		if (equal)
			break;
	}
	return found && found->mode != ATTACH_NONE ? found : NULL;
}

void remembered_free(struct remembered_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i].name);
	free(list->v);
	*list = (struct remembered_list){};
}
