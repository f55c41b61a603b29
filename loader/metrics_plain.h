/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * OpenMetrics text as Prometheus' older format (text/plain; version=0.0.4) has it: there counters
 * and infos are families under the full names of their samples, and units and the end are not said.
 * Pure.
 */
#ifndef BPFPOL_METRICS_PLAIN_H
#define BPFPOL_METRICS_PLAIN_H

#include <stddef.h>
#include <stdio.h>

/* 0. Write errors stay in the FILE. */
int metrics_plain(const char *text, size_t len, FILE *out);

#endif
