/* SPDX-License-Identifier: GPL-2.0-only */
/* What root programs and classifiers share; the loader hands the first one's to the others. */
#ifndef BPFPOL_MAPS_H
#define BPFPOL_MAPS_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"

/* Packets of each direction. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BP_DIRS);
	__type(key, __u32);
	__type(value, struct bp_totals);
} totals SEC(".maps");

#endif
