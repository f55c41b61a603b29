// SPDX-License-Identifier: GPL-2.0-only
#include "late.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dirs.h"
#include "store.h"

static char *late_path(void)
{
	return path_join(dirs_get()->state, "late");
}

int late_note(struct diag *diag)
{
	uint64_t inode, mtime, journal;
	char text[80], *path = late_path();
	int len, rc;

	store_stat(&inode, &mtime, &journal);
	len = snprintf(text, sizeof(text), "late %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", inode,
		mtime, journal);
	rc = path ? file_write(path, text, len, diag) : -ENOMEM;
	free(path);
	return rc;
}

int late_refuse(bool unnoted, bool dry_run, struct diag *diag)
{
	char *path = late_path(), *text = NULL;
	uint64_t inode, mtime, journal;
	struct diag ignored = {};
	bool late = false;
	size_t len;

	if (path && !file_read(path, &text, &len, &ignored))
		late = sscanf(text, "late %" SCNu64 " %" SCNu64 " %" SCNu64, &inode, &mtime,
			       &journal) == 3 &&
		       store_unchanged(inode, mtime, journal);
	/* One that cannot be removed makes the next rollback too late, too. */
	if (path && !dry_run)
		file_remove(path, &ignored);
	diag_free(&ignored);
	free(text);
	free(path);
	if (!late && !unnoted)
		return 0;
	return diag_set(diag, DIAG_UNKNOWN, ETIME,
		"it is too late: what was on trial has ended, and nothing was changed; "
		"to undo the last change of the policy, run 'bpfpol policy rollback' again");
}
