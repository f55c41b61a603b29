/* SPDX-License-Identifier: GPL-2.0-only */
/* The reports: each back-end shows the same struct status on a stream. Pure. */
#ifndef BPFPOL_REPORT_H
#define BPFPOL_REPORT_H

#include <stdio.h>

#include "status.h"

struct report {
	int (*rules)(FILE *out, const struct status *status);
	int (*status)(FILE *out, const struct status *status);
	int (*interfaces)(FILE *out, const struct status *status);
};

extern const struct report report_text, report_json;

#endif
