// SPDX-License-Identifier: GPL-2.0-only
/* list, status, interfaces. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "command.h"
#include "dirs.h"
#include "gather.h"

/* Where nothing is pinned, reading makes nothing. */
static enum host_use use_of_host(void)
{
	char *path = path_join(dirs_get()->bpffs, "ctl");
	enum host_use use = path && !access(path, F_OK) ? HOST_CHANGE : HOST_READ;

	free(path);
	return use;
}

/* A command that was killed may have left the kernel behind the store. What cannot be helped now
 * is said, and the rest shown. */
static void catch_up(struct host *host)
{
	struct diag diag = {};

	if (host->kernel && !host->off && !host_in_step(host) && host_rebuild(host, &diag))
		fprintf(stderr,
			"bpfpol: warning: the rules on disk could not be put in force: %s\n",
			diag.message);
	diag_free(&diag);
}

static int show(const struct args *args, unsigned int parts,
	int (*print)(FILE *, const struct status *), struct diag *diag)
{
	enum host_use use = use_of_host();
	struct host host = {};
	struct status status = {};
	int rc = args_none(args, diag);

	if (!rc)
		rc = host_open(&host, use, diag);
	if (!rc && use == HOST_CHANGE)
		catch_up(&host);
	if (!rc)
		rc = gather(&host, parts, &status, diag);
	if (!rc)
		rc = print(stdout, &status);
	gather_free(&status);
	host_close(&host);
	return rc;
}

int cmd_list(const struct args *args, struct diag *diag)
{
	return show(args, GATHER_RULES, args_report(args)->rules, diag);
}

int cmd_status(const struct args *args, struct diag *diag)
{
	unsigned int parts = GATHER_RULES | GATHER_INTERFACES;

	if (args->given & OPT_DEBUG)
		parts |= GATHER_FILTERS;
	return show(args, parts, args_report(args)->status, diag);
}

int cmd_interfaces(const struct args *args, struct diag *diag)
{
	return show(args, GATHER_INTERFACES, args_report(args)->interfaces, diag);
}
