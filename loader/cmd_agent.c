// SPDX-License-Identifier: GPL-2.0-only
/* agent: runs it, or asks the one that runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "command.h"
#include "seat.h"

/* What the agent has to say, as if it had been done here. */
static int pass_on(const struct wire_reply *reply, struct diag *diag)
{
	fwrite(reply->out, 1, reply->out_len, stdout);
	if (!reply->exit)
		return 0;
	return diag_set(diag, reply->exit, EREMOTEIO, "%.*s", (int)reply->err_len, reply->err);
}

static int ask(char *const *words, int n, struct diag *diag)
{
	struct wire_reply reply;
	uint8_t *bytes;
	int rc = seat_ask(words, n, &bytes, &reply, diag);

	if (rc)
		return rc;
	rc = pass_on(&reply, diag);
	free(bytes);
	return rc;
}

int cmd_agent(const struct args *args, struct diag *diag)
{
	char *words[] = { "status", "--json" };

	if (!args->n && args->given & OPT_JSON) {
		diag_place_word(diag, "--json");
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"--json goes with 'bpfpol agent status': the agent itself prints no facts");
	}
	if (!args->n)
		return agent_run(diag);
	if (args->n > 1 || strcmp(args->words[0], "status")) {
		args_place(args, args->n > 1 && !strcmp(args->words[0], "status"), diag);
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"'bpfpol agent' runs the agent, 'bpfpol agent status' asks the one that "
			"runs");
	}
	if (geteuid())
		return diag_set(
			diag, DIAG_DENIED, EPERM, "this needs root: run it again with sudo");
	return ask(words, args->given & OPT_JSON ? 2 : 1, diag);
}
