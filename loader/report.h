/* SPDX-License-Identifier: GPL-2.0-only */
/* The reports: each back-end shows the same structs on a stream. Pure. */
#ifndef BPFPOL_REPORT_H
#define BPFPOL_REPORT_H

#include <stdio.h>

#include "explained.h"
#include "status.h"
#include "top.h"
#include "watched.h"

struct report {
	int (*rules)(FILE *out, const struct status *status);
	int (*status)(FILE *out, const struct status *status);
	int (*interfaces)(FILE *out, const struct status *status);
	int (*rates)(FILE *out, struct top_table *table);
	int (*packet)(FILE *out, const struct explained_packet *packet);
	int (*capture)(FILE *out, const struct explained_capture *capture);
	int (*watched)(FILE *out, const struct watched *watched);
};

extern const struct report report_text, report_json;
/* status alone, as OpenMetrics text; the same families and samples as JSON */
extern const struct report report_metrics, report_metrics_json;

/* The text, and behind it what else is to be told. */
struct metric {
	const char *name, *type; /* "gauge" or "counter" */
	uint64_t value;
	const char *help;
};
int metrics_write(FILE *out, const struct status *status, const struct metric *more, size_t n_more);

#endif
