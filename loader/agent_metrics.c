// SPDX-License-Identifier: GPL-2.0-only
#include "agent_metrics.h"

#include <errno.h>
#include <string.h>

#include "gather.h"
#include "held.h"
#include "lock.h"

static int write_all(
	FILE *out, const struct held *held, const struct metric *own, size_t n, struct diag *diag)
{
	struct host host = {};
	struct status status = {};
	int rc = host_open_to_look(&host, diag);

	host.agent = true;
	if (!rc && held) {
		host.held = held->rules;
		host.holder = held->d;
		held_lend(held, host.kernel);
	}
	if (!rc)
		rc = gather(&host, GATHER_COUNTS | GATHER_INTERFACES, &status, diag);
	if (!rc)
		rc = metrics_write(out, &status, own, n);
	gather_free(&status);
	host_close(&host);
	return rc;
}

int agent_metrics(FILE *out, const struct held *held, const struct metric *own, size_t n)
{
	struct diag diag = {};
	int rc = lock_try(&diag);

	if (rc == -EAGAIN)
		return rc;
	if (!rc) {
		rc = write_all(out, held, own, n, &diag);
		lock_release();
	}
	if (rc)
		fprintf(stderr, "bpfpol: warning: no metrics can be made: %s\n",
			diag.kind ? diag.message : strerror(-rc));
	diag_free(&diag);
	return rc == -EAGAIN ? -EIO : rc;
}
