// SPDX-License-Identifier: GPL-2.0-only
#include "late.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "moment.h"

static const char *const names[] = {
	[LATE_UNTOLD] = "-",
	[LATE_ATTACH] = "attach",
	[LATE_OFF] = "off",
};

static char *late_path(void)
{
	return path_join(dirs_get()->state, "late");
}

int late_note(enum late what, const struct confirm *over, struct diag *diag)
{
	char text[64], *path = late_path();
	struct moment now;
	int len, rc;

	if (path)
		file_make_way(path, diag);
	moment_now(&now);
	len = snprintf(text, sizeof(text), "late %s %" PRIu64 "\n", names[what],
		what == LATE_UNTOLD ? 0 : confirm_over(over, &now));
	rc = path ? file_write(path, text, len, diag) : -ENOMEM;
	free(path);
	return rc;
}

/*
 * 1: one is noted; 0: none is; -errno with a diag: nobody knows. What an older version noted says
 * neither what that was, nor when.
 */
static int read_note(char what[8], uint64_t *at, struct diag *diag)
{
	char *path = late_path(), *text = NULL;
	size_t len;
	int rc = path ? kept_read(path, &text, &len, diag) : -ENOMEM;

	what[0] = '\0';
	*at = 0;
	if (!rc)
		sscanf(text, "late %7s %" SCNu64, what, at);
	free(text);
	free(path);
	return rc == -ENOENT ? 0 : rc ? rc : 1;
}

uint64_t late_when(enum late what)
{
	struct diag ignored = {};
	char is[8];
	uint64_t at;
	bool told = read_note(is, &at, &ignored) > 0 && !strcmp(is, names[what]);

	diag_free(&ignored);
	return told ? at : 0;
}

void late_forget(void)
{
	struct diag ignored = {};
	char *path = late_path();

	if (path && file_remove(path, &ignored))
		file_make_way(path, &ignored);
	diag_free(&ignored);
	free(path);
}

int late_refuse(bool unnoted, bool dry_run, struct diag *diag)
{
	char what[8];
	uint64_t at;
	int late = read_note(what, &at, diag);

	if (late == -EBADMSG) /* no file, and so no note: it makes way */
		diag_clear(diag);
	else if (late < 0)
		return late;
	late = late > 0;
	/* One that cannot be removed makes the next rollback too late, too. */
	if (!dry_run)
		late_forget();
	if (!late && !unnoted)
		return 0;
	return diag_set(diag, DIAG_UNKNOWN, ETIME,
		"it is too late: what was on trial has ended, and nothing was changed; "
		"to undo the last change of the policy, run 'bpfpol policy rollback' again");
}
