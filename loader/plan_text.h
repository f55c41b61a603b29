/* SPDX-License-Identifier: GPL-2.0-only */
/* What a plan asks of the kernel and of each packet, for `policy check --plan`. Pure. */
#ifndef BPFPOL_PLAN_TEXT_H
#define BPFPOL_PLAN_TEXT_H

#include <stdio.h>

#include "compile.h"
#include "json.h"

void plan_text(FILE *out, const struct plan *plan);
/* The value of the key `plan` of an object that is open. */
void plan_json(struct jw *j, const struct plan *plan);

#endif
