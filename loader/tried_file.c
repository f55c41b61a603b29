// SPDX-License-Identifier: GPL-2.0-only
/* What the file `tried` says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "moment.h"
#include "tried.h"
#include "tried_parts.h"

char *tried_path(void)
{
	return path_join(dirs_get()->state, "tried");
}

void tried_free(struct tried *t)
{
	free(t->lines);
	free(t->text);
	*t = (struct tried){};
}

/* -EBADMSG: it is not one of ours. */
static int parse(struct tried *t)
{
	char *at = t->text, *end;
	size_t n = 0;

	t->lines = calloc(strlen(at) + 1, sizeof(*t->lines));
	if (!t->lines)
		return -ENOMEM;
	for (; (end = strchr(at, '\n')); at = end + 1) {
		*end = '\0';
		if (!strcmp(at, "interfaces"))
			t->before = end + 1;
		if (t->before || !strcmp(at, "none"))
			return confirm_parse(t->lines[0] ? t->lines[0] : "", &t->confirm);
		t->lines[n++] = at;
	}
	return -EBADMSG;
}

int tried_load(struct tried *t, struct diag *diag)
{
	char *path = tried_path();
	size_t len;
	int rc;

	*t = (struct tried){};
	rc = path ? file_read(path, &t->text, &len, diag) : -ENOMEM;
	if (!rc)
		rc = parse(t);
	if (rc == -EBADMSG)
		diag_set(diag, DIAG_SYSTEM, EBADMSG,
			"%s is damaged, so what was attached last stays attached", path);
	if (rc)
		tried_free(t);
	free(path);
	return rc;
}

uint64_t tried_time_left(const struct tried *t)
{
	struct moment now;

	moment_now(&now);
	return confirm_left(&t->confirm, &now);
}

uint64_t tried_left(void)
{
	struct diag ignored = {};
	struct tried t;
	uint64_t ns = tried_load(&t, &ignored) ? 0 : tried_time_left(&t);

	tried_free(&t);
	diag_free(&ignored);
	return ns;
}

int tried_before(char **text)
{
	struct diag ignored = {};
	struct tried t;
	int rc = tried_load(&t, &ignored);

	*text = NULL;
	if (!rc && !tried_time_left(&t)) {
		*text = strdup(t.before ? t.before : "");
		rc = *text ? 0 : -ENOMEM;
	}
	tried_free(&t);
	diag_free(&ignored);
	return rc == -ENOMEM ? rc : 0;
}
