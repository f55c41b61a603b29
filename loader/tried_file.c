// SPDX-License-Identifier: GPL-2.0-only
/* What the file `tried` says. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "moment.h"
#include "store_parts.h"
#include "stream.h"
#include "tried.h"
#include "tried_parts.h"

static const char head[] = "bpfpol tried 1\n";

void tried_free(struct tried *t)
{
	free(t->lines);
	free(t->text);
	*t = (struct tried){};
}

static bool is_line(const char *line)
{
	static const char *const kinds[] = { "word ", "tried ", "kept " };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strncmp(line, kinds[i], strlen(kinds[i])))
			return line[strlen(kinds[i])];
	return false;
}

static bool is_commit(const char *line, uint64_t *commit)
{
	int n = 0;

	return sscanf(line, "rules %*[0-9]%n", &n) == 0 && n && !line[n] &&
	       sscanf(line, "rules %" SCNu64, commit) == 1;
}

/* Behind the first line and before the checksum. -EBADMSG: it is not one of ours. */
static int parse(struct tried *t, char *at)
{
	char *end = strchr(at, '\n');
	size_t n = 1;
	int rc;

	if (!end)
		return -EBADMSG;
	*end = '\0';
	rc = confirm_parse(at, &t->confirm);
	if (rc)
		return rc;
	for (char *c = end + 1; *c; c++)
		n += *c == '\n';
	t->lines = calloc(n, sizeof(*t->lines));
	if (!t->lines)
		return -ENOMEM;
	n = 0;
	for (at = end + 1; (end = strchr(at, '\n')); at = end + 1) {
		*end = '\0';
		if (!strcmp(at, "interfaces"))
			t->before = end + 1;
		else if (!strcmp(at, "none"))
			return end[1] ? -EBADMSG : 0;
		else if (is_commit(at, &t->commit))
			continue;
		else if (is_line(at))
			t->lines[n++] = at;
		else
			return -EBADMSG;
		if (t->before)
			return 0;
	}
	return -EBADMSG;
}

static int parse_file(struct tried *t, size_t len)
{
	char *at = t->text;

	if (strlen(at) != len)
		return -EBADMSG;
	if (!strncmp(at, head, strlen(head))) {
		if (sum_check(at, len))
			return -EBADMSG;
		at += strlen(head);
	}
	return parse(t, at);
}

int tried_load(struct tried *t, struct diag *diag)
{
	char *path = state_path("tried");
	size_t len;
	int rc;

	*t = (struct tried){};
	rc = path ? kept_read(path, &t->text, &len, diag) : -ENOMEM;
	if (!rc)
		rc = parse_file(t, len);
	if (rc == -EBADMSG)
		diag_set(diag, DIAG_SYSTEM, EBADMSG,
			"%s is damaged or of another version, so what was attached last stays "
			"attached; 'bpfpol detach INTERFACE' detaches it",
			path);
	if (rc)
		tried_free(t);
	free(path);
	return rc;
}

static int print(const struct tried *t, char **text, size_t *len)
{
	FILE *out = stream_open(text, len);

	if (!out)
		return -ENOMEM;
	fputs(head, out);
	confirm_print(out, &t->confirm);
	if (t->commit)
		fprintf(out, "rules %" PRIu64 "\n", t->commit);
	for (char **line = t->lines; *line; line++)
		fprintf(out, "%s\n", *line);
	fprintf(out, t->before ? "interfaces\n%s" : "none\n", t->before);
	sum_put(out, text, len);
	return stream_close(out) ? -ENOMEM : 0;
}

int tried_save(const struct tried *t, struct diag *diag)
{
	char *path = state_path("tried"), *text = NULL;
	size_t len;
	int rc = path ? print(t, &text, &len) : -ENOMEM;

	if (!rc)
		rc = file_write(path, text, len, diag);
	free(text);
	free(path);
	return rc;
}

int tried_forget(struct diag *diag)
{
	char *path = state_path("tried");
	int rc = path ? file_remove(path, diag) : -ENOMEM;

	free(path);
	return rc;
}

int tried_set_aside(struct diag *diag)
{
	char *path = state_path("tried"), *aside = path ? path_aside(path) : NULL;
	int rc = path && aside ? 0 : -ENOMEM;

	if (!rc && rename(path, aside))
		rc = diag_errno(diag, errno, "cannot move %s away", path);
	free(aside);
	free(path);
	return rc;
}

static uint64_t time_left(const struct tried *t)
{
	struct moment now;

	moment_now(&now);
	return confirm_left(&t->confirm, &now);
}

/*
 * What the store says of them. One that cannot be read says nothing. What a later commit took back
 * is that one if what is gone back to is older; else it stood, and a later trial went back to it.
 */
static enum tried_fate fate_of_rules(uint64_t commit)
{
	enum tried_fate fate = TRIED_WAITS;
	struct diag ignored = {};
	struct store *s = NULL;
	struct moment now;

	moment_now(&now);
	if (store_load(&s, &ignored))
		fate = TRIED_WAITS;
	else if (s->commit < commit || (s->back && s->commit > commit && s->previous < commit))
		fate = TRIED_OVER;
	else if (!s->confirm.seconds || s->previous >= commit)
		fate = TRIED_STAYS;
	else if (!confirm_left(&s->confirm, &now))
		fate = TRIED_OVER;
	store_free(&s);
	diag_free(&ignored);
	return fate;
}

enum tried_fate tried_fate(const struct tried *t)
{
	if (t->commit)
		return fate_of_rules(t->commit);
	return time_left(t) ? TRIED_WAITS : TRIED_OVER;
}

bool tried_was_trial(const struct tried *t)
{
	return t->confirm.by.real || t->confirm.seconds != NO_TRIAL;
}

static int load_quietly(struct tried *t)
{
	struct diag ignored = {};
	int rc = tried_load(t, &ignored);

	diag_free(&ignored);
	return rc;
}

int tried_check(void)
{
	struct tried t;
	int rc = load_quietly(&t);

	tried_free(&t);
	return rc == -EBADMSG ? rc : 0;
}

bool tried_is_there(void)
{
	char *path = state_path("tried");
	bool is = !path || path_is_there(path);

	free(path);
	return is;
}

int tried_left(uint64_t *ns)
{
	struct tried t;
	int rc = load_quietly(&t);

	*ns = rc ? 0 : time_left(&t);
	tried_free(&t);
	return rc == -ENOENT || rc == -EBADMSG ? 0 : rc;
}

bool tried_has_ended(void)
{
	struct tried t;
	bool has = !load_quietly(&t) && tried_was_trial(&t) && tried_fate(&t) == TRIED_OVER;

	tried_free(&t);
	return has;
}

bool tried_follows(void)
{
	struct tried t;
	bool does = !load_quietly(&t) && t.commit && tried_fate(&t) == TRIED_WAITS;

	tried_free(&t);
	return does;
}

int tried_before(char **text)
{
	struct tried t;
	int rc = load_quietly(&t);

	*text = NULL;
	if (!rc && tried_fate(&t) == TRIED_OVER) {
		*text = strdup(t.before ? t.before : "");
		rc = *text ? 0 : -ENOMEM;
	}
	tried_free(&t);
	return rc == -ENOMEM ? rc : 0;
}
