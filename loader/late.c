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

	moment_now(&now);
	len = snprintf(text, sizeof(text), "late %s %" PRIu64 "\n", names[what],
		what == LATE_UNTOLD ? 0 : confirm_over(over, &now));
	rc = path ? file_write(path, text, len, diag) : -ENOMEM;
	free(path);
	return rc;
}

/* Whether one is noted. What an older version noted says neither what that was, nor when. */
static bool read_note(const char *path, char what[8], uint64_t *at)
{
	struct diag ignored = {};
	char *text = NULL;
	bool is = false;
	size_t len;

	what[0] = '\0';
	*at = 0;
	if (path && !file_read(path, &text, &len, &ignored))
		is = sscanf(text, "late %7s %" SCNu64, what, at) == 2;
	diag_free(&ignored);
	free(text);
	return is;
}

uint64_t late_when(enum late what)
{
	char *path = late_path(), is[8];
	uint64_t at;
	bool told = read_note(path, is, &at) && !strcmp(is, names[what]);

	free(path);
	return told ? at : 0;
}

void late_forget(void)
{
	struct diag ignored = {};
	char *path = late_path();

	if (path)
		file_remove(path, &ignored);
	diag_free(&ignored);
	free(path);
}

int late_refuse(bool unnoted, bool dry_run, struct diag *diag)
{
	char *path = late_path(), what[8];
	uint64_t at;
	bool late = read_note(path, what, &at);

	free(path);
	/* One that cannot be removed makes the next rollback too late, too. */
	if (!dry_run)
		late_forget();
	if (!late && !unnoted)
		return 0;
	return diag_set(diag, DIAG_UNKNOWN, ETIME,
		"it is too late: what was on trial has ended, and nothing was changed; "
		"to undo the last change of the policy, run 'bpfpol policy rollback' again");
}
