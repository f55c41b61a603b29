/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a packet's query stands while its programs jump to each other. */
#ifndef BPFPOL_SCRATCH_H
#define BPFPOL_SCRATCH_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "query.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct query);
} scratch SEC(".maps");

#endif
