// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which interfaces are to be filtered, kept on disk: a head, "NAME MODE" lines, and a checksum. An
 * older version takes head and checksum for lines that it does not understand, and leaves them out.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "conf.h"
#include "dirs.h"
#include "store_parts.h"
#include "stream.h"
#include "tried.h"

static int parse_mode(const char *word, enum attach_mode *mode)
{
	*mode = ATTACH_NONE;
	return strcmp(word, attach_mode_name(ATTACH_NONE)) ? attach_mode_parse(word, mode) : 0;
}

static const char head[] = "bpfpol interfaces 1";

/* -EINVAL: damaged, or of another version. */
static int take_line(struct remembered_list *list, char *line, size_t len)
{
	char *blank = strrchr(line, ' ');
	enum attach_mode mode;

	if (strlen(line) != len || !blank || blank == line || parse_mode(blank + 1, &mode))
		return -EINVAL;
	*blank = '\0';
	return remembered_add(list, line, mode);
}

static bool is_end(const char *line)
{
	return !strncmp(line, "end ", 4) && strspn(line + 4, "0123456789abcdef") == 8 &&
	       (!line[12] || line[12] == '\n');
}

/*
 * Cuts head and checksum off. What an older version wrote has neither. False: it is not as it was
 * written.
 */
static bool check(char *text, size_t *len)
{
	bool summed = !strncmp(text, head, strlen(head));

	for (char *at = text; !summed && (at = strstr(at, "\nend ")); at++)
		summed = is_end(at + 1);
	if (!summed)
		return *len;
	if (sum_check(text, *len))
		return false;
	*len = strlen(text);
	return true;
}

/*
 * What can be read counts: what is not filtered any more would be missed later than a warning.
 * bad: the number of the first line that cannot; 0: there is none. -EBADMSG: damaged, and read.
 */
static int parse(struct remembered_list *list, char *text, size_t len, unsigned int *bad)
{
	bool whole = check(text, &len);
	unsigned int n = 1;
	int rc = 0;

	*bad = 0;
	for (char *line = text, *end; line < text + len && !rc; line = end + 1, n++) {
		end = memchr(line, '\n', text + len - line);
		end = end ? end : text + len;
		*end = '\0';
		if ((n == 1 && !strcmp(line, head)) || is_end(line))
			continue;
		rc = take_line(list, line, end - line);
		if (rc == -EINVAL) {
			*bad = *bad ? *bad : n;
			rc = 0;
		}
	}
	return rc ? rc : whole && !*bad ? 0 : -EBADMSG;
}

static void warn_damaged(const char *path, unsigned int bad, struct diag *diag)
{
	char where[32] = "";

	if (bad)
		snprintf(where, sizeof(where), " in line %u", bad);
	diag_set(diag, DIAG_SYSTEM, EBADMSG,
		"%s is damaged%s; 'bpfpol interfaces' shows what is filtered, 'bpfpol attach "
		"IFACE' adds what is missing and writes it anew",
		path, where);
	diag_to_warning(diag, "interfaces that were to be filtered may be forgotten");
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

static int load_own(struct remembered_list *list, struct diag *diag)
{
	char *path = remembered_path(), *text = NULL;
	int rc = path ? tried_before(&text) : -ENOMEM;
	bool on_trial = text != NULL;
	unsigned int bad = 0;
	size_t len = 0;

	if (on_trial)
		len = strlen(text); /* 0: there was no file */
	else if (!rc)
		rc = file_read(path, &text, &len, diag);
	if (!rc && (len || !on_trial))
		rc = parse(list, text, len, &bad);
	if (rc == -EBADMSG && diag->kind == DIAG_NONE) {
		warn_damaged(path, bad, diag);
		rc = 0;
	}
	free(text);
	free(path);
	return rc == -ENOENT && diag->kind == DIAG_NONE ? 0 : rc;
}

int remembered_load(struct remembered_list *list, struct diag *diag)
{
	int rc = dir_check(dirs_get()->state, diag);

	*list = (struct remembered_list){};
	if (!rc)
		rc = load_own(list, diag);
	if (!rc || (rc == -ENOENT && diag->kind == DIAG_NONE))
		rc = add_configured(list, diag);
	return rc;
}

/* False: there is none of ours. */
static bool put_lines(FILE *out, const struct remembered_list *list)
{
	bool any = false;

	fprintf(out, "%s\n", head);
	for (size_t i = 0; i < list->n; i++) {
		if (list->v[i].configured)
			continue;
		fprintf(out, "%s %s\n", list->v[i].name, attach_mode_name(list->v[i].mode));
		any = true;
	}
	return any;
}

int remembered_save(const struct remembered_list *list, struct diag *diag)
{
	char *path = remembered_path(), *text = NULL;
	size_t len;
	FILE *out = path ? stream_open(&text, &len) : NULL;
	int rc = -ENOMEM;

	if (out) {
		bool any = put_lines(out, list);

		sum_put(out, &text, &len);
		if (!stream_close(out))
			rc = any ? file_write(path, text, len, diag) : file_remove(path, diag);
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
