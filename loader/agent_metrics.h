/* SPDX-License-Identifier: GPL-2.0-only */
/* What `metrics` shows, as the agent shows it. */
#ifndef BPFPOL_AGENT_METRICS_H
#define BPFPOL_AGENT_METRICS_H

#include <stdio.h>

#include "report.h"

struct held;

/*
 * held: the rules that the agent holds; NULL: not yet. own: series of the agent itself. -EAGAIN:
 * somebody has the lock. Other errors are said on stderr.
 */
int agent_metrics(FILE *out, const struct held *held, const struct metric *own, size_t n);

#endif
