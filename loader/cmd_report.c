// SPDX-License-Identifier: GPL-2.0-only
/* list, status, interfaces, metrics. */
#include <errno.h>

#include "command.h"
#include "fault.h"
#include "gather.h"

static int show(const struct args *args, unsigned int parts,
	int (*print)(FILE *, const struct status *), struct diag *diag)
{
	struct host host = {};
	struct status status = {};
	int rc = args_none(args, diag);

	if (!rc)
		rc = host_open_to_read(&host, diag);
	if (!rc)
		rc = gather(&host, parts, &status, diag);
	if (!rc)
		rc = print(stdout, &status);
	if (!rc)
		rc = fault_tell_all(&host, diag);
	if (!rc && status.unlisted)
		rc = diag_set(diag, DIAG_SYSTEM, EBADMSG, "%s", status.unlisted);
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
	unsigned int parts = GATHER_RULES | GATHER_INTERFACES | GATHER_PROTECTED;

	if (args->given & OPT_DEBUG)
		parts |= GATHER_FILTERS;
	return show(args, parts, args_report(args)->status, diag);
}

int cmd_interfaces(const struct args *args, struct diag *diag)
{
	return show(args, GATHER_COUNTS | GATHER_INTERFACES, args_report(args)->interfaces, diag);
}

int cmd_metrics(const struct args *args, struct diag *diag)
{
	const struct report *report =
		args->given & OPT_JSON ? &report_metrics_json : &report_metrics;

	return show(args, GATHER_COUNTS | GATHER_INTERFACES, report->status, diag);
}
