// SPDX-License-Identifier: GPL-2.0-only
#include "held_ask.h"

#include <errno.h>
#include <stdlib.h>

#include "held_text.h"
#include "seat.h"

#define PATIENCE 2 /* seconds */

int held_ask(bool lists, struct policy **rules, struct diag *diag)
{
	char *const words[] = { "rules", "lists" };
	struct wire_reply reply;
	uint8_t *bytes = NULL;
	int rc = seat_ask_within(PATIENCE, words, 1 + lists, &bytes, &reply, diag);

	if (rc)
		return rc;
	rc = reply.exit ? -EPROTO : held_read(reply.out, reply.out_len, rules);
	free(bytes);
	if (rc == -EPROTO || rc == -EBADMSG)
		return diag_set(diag, DIAG_SYSTEM, -rc,
			"the agent that runs is of another version; 'systemctl restart "
			"bpfpol-agent' starts this one, and ends its dynamic rules");
	return rc;
}
