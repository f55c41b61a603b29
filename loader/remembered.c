// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which interfaces are to be filtered, kept on disk: a head, "NAME MODE" lines, and a checksum. An
 * older version takes head and checksum for lines that it does not understand, and leaves them out.
 *
 * It stands there twice, as rules filter nowhere without it: in `interfaces`, which counts as long
 * as it is whole, and in `interfaces.copy`, which is written after it and removed before it: a copy
 * alone says that the other was lost.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* One of the two files. */
struct found {
	struct remembered_list list;
	char *text; /* NULL: it could not be read */
	size_t len;
	unsigned int bad; /* see parse() */
	int rc;		  /* -ENOENT: it is not there; -EBADMSG: damaged, and read */
	struct diag diag; /* why it could not be read */
};

struct both {
	struct found own, copy;
	struct found *best; /* the one that counts */
};

static void take_text(struct found *f)
{
	char *words = malloc(f->len + 1);

	f->rc = -ENOMEM;
	if (words) {
		memcpy(words, f->text, f->len + 1);
		f->rc = parse(&f->list, words, f->len, &f->bad);
	}
	free(words);
}

static void find(struct found *f, const char *name)
{
	char *path = state_path("%s", name);

	f->rc = path ? file_read(path, &f->text, &f->len, &f->diag) : -ENOMEM;
	if (!f->rc)
		take_text(f);
	free(path);
}

/* What a trial that is over says was before it counts for both: it is to be written. */
static int find_both(struct both *b)
{
	struct found *own = &b->own, *copy = &b->copy;
	int rc = tried_before(&own->text);

	if (rc)
		return rc;
	if (own->text) {
		own->len = strlen(own->text);
		if (own->len)
			take_text(own); /* 0: there was no file */
		copy->rc = -ENOENT;
	} else {
		find(own, "interfaces");
		find(copy, "interfaces.copy");
	}
	b->best = !own->rc || (copy->rc && own->text) ? own : copy;
	return own->rc == -ENOMEM || copy->rc == -ENOMEM ? -ENOMEM : 0;
}

static void both_free(struct both *b)
{
	struct found *v[] = { &b->own, &b->copy };

	for (size_t i = 0; i < 2; i++) {
		remembered_free(&v[i]->list);
		diag_free(&v[i]->diag);
		free(v[i]->text);
	}
}

/* Nothing on disk tells which of the two it was; to filter on can be undone by one command. */
static const char gone[] =
	"gone: it was lost, or an older version of bpfpol, which knows no copy, detached the last "
	"interface ('bpfpol detach IFACE' does so again)";

/* What is wrong with the list, and what to do; *why, which is the caller's: NULL: nothing is. */
static int say_why(const struct both *b, char **why)
{
	const struct found *own = &b->own;
	char *path = state_path("interfaces"), where[32] = "", what[1024];

	*why = NULL;
	if (!own->rc || (own->rc == -ENOENT && b->copy.rc == -ENOENT)) {
		free(path);
		return 0;
	}
	if (own->bad)
		snprintf(where, sizeof(where), " in line %u", own->bad);
	if (own->rc == -ENOENT || own->text)
		snprintf(what, sizeof(what), "%s is %s%s", path ? path : "",
			own->text    ? "damaged"
			: b->copy.rc ? "gone"
				     : gone,
			where);
	else
		snprintf(what, sizeof(what), "%s", own->diag.message);
	if (asprintf(why,
		    !b->copy.rc
			    ? "%s; its copy, %s.copy, counts until 'bpfpol restore' writes it anew"
		    : b->best->text
			    ? "%s, and interfaces may be forgotten; 'bpfpol interfaces' shows "
			      "what is filtered, 'bpfpol attach IFACE' adds what is missing and "
			      "writes it anew"
			    : "%s; %s.copy says nothing either: put one of them back from a "
			      "backup, or move both away, and then 'bpfpol attach IFACE' says "
			      "where to filter",
		    what, path ? path : "") < 0)
		*why = NULL;
	free(path);
	return *why ? 0 : -ENOMEM;
}

bool word_is_pattern(const char *word)
{
	return strpbrk(word, "*?[");
}

bool word_holds(const char *word, const char *name)
{
	return !strcmp(word, name) || (word_is_pattern(word) && !fnmatch(word, name, 0));
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

static int load_own(struct remembered_list *list)
{
	struct both b = {};
	int rc = find_both(&b);

	if (!rc)
		rc = say_why(&b, &list->why);
	if (!rc) {
		list->v = b.best->list.v;
		list->n = b.best->list.n;
		list->unread = list->why && !b.best->text;
		b.best->list = (struct remembered_list){};
	}
	both_free(&b);
	return rc;
}

int remembered_look(struct remembered_list *list, struct diag *diag)
{
	int rc = dir_check(dirs_get()->state, diag);

	*list = (struct remembered_list){};
	if (!rc)
		rc = load_own(list);
	if (!rc || (rc == -ENOENT && diag->kind == DIAG_NONE))
		rc = add_configured(list, diag);
	return rc;
}

int remembered_load(struct remembered_list *list, struct diag *diag)
{
	int rc = remembered_look(list, diag);

	if (!rc && list->why) {
		diag_set(diag, DIAG_SYSTEM, EBADMSG, "%s", list->why);
		diag_to_warning(diag, "the list of interfaces is not as it was written");
	}
	return rc;
}

int remembered_text(char **text, struct diag *diag)
{
	struct both b = {};
	char *why = NULL;
	int rc = find_both(&b);

	if (!rc)
		rc = say_why(&b, &why);
	if (!rc && why && !b.best->text)
		rc = diag_set(diag, DIAG_SYSTEM, EIO, "%s", why);
	if (!rc && b.best->len) {
		*text = b.best->text;
		b.best->text = NULL;
	}
	free(why);
	both_free(&b);
	return rc;
}

static int put_copy(const char *path, const char *text, struct diag *diag)
{
	if (!file_write(path, text, strlen(text), diag))
		return 0;
	unlink(path); /* one that says what was before would count some day */
	diag_to_warning(diag, "the change is made, but the list of interfaces has no copy");
	return 0;
}

int remembered_put(const char *text, struct diag *diag)
{
	char *path = state_path("interfaces"), *copy = state_path("interfaces.copy");
	int rc = path && copy ? file_make_way(path, diag) : -ENOMEM;

	if (!rc)
		rc = file_make_way(copy, diag);
	if (!rc && !text)
		rc = file_remove(copy, diag);
	if (!rc)
		rc = text ? file_write(path, text, strlen(text), diag) : file_remove(path, diag);
	if (!rc && text)
		rc = put_copy(copy, text, diag);
	free(copy);
	free(path);
	return rc;
}

int remembered_mend(struct diag *diag)
{
	struct both b = {};
	const struct found *own = &b.own, *copy = &b.copy;
	int rc = find_both(&b);
	bool same = !own->rc && !copy->rc && own->len == copy->len &&
		    !memcmp(own->text, copy->text, own->len);

	if (!rc && !b.best->rc && !same)
		rc = remembered_put(*b.best->text ? b.best->text : NULL, diag);
	both_free(&b);
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

int remembered_print(const struct remembered_list *list, char **out, struct diag *diag)
{
	char *text = NULL;
	size_t len;
	FILE *stream;
	bool any;

	if (list->unread)
		return diag_set(diag, DIAG_SYSTEM, EIO, "nothing is changed: %s", list->why);
	stream = stream_open(&text, &len);
	if (!stream)
		return -ENOMEM;
	any = put_lines(stream, list);
	sum_put(stream, &text, &len);
	if (stream_close(stream)) {
		free(text);
		return -ENOMEM;
	}
	if (!any) {
		free(text);
		text = NULL;
	}
	*out = text;
	return 0;
}

int remembered_save(const struct remembered_list *list, struct diag *diag)
{
	char *text = NULL;
	int rc = remembered_print(list, &text, diag);

	if (!rc)
		rc = remembered_put(text, diag);
	free(text);
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

		/* What was taken out is a name, whatever it looks like. */
		if (!strcmp(r->name, name))
			return r->mode != ATTACH_NONE ? r : NULL;
		if (r->mode == ATTACH_NONE || !word_holds(r->name, name))
			continue;
		if (!found || r->mode != ATTACH_AUTO)
			found = r;
	}
	return found;
}

void remembered_free(struct remembered_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i].name);
	free(list->v);
	free(list->why);
	*list = (struct remembered_list){};
}
