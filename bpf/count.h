/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BPFPOL_COUNT_H
#define BPFPOL_COUNT_H

#include "maps.h"

static __always_inline void count_total(__u32 dir, int blocked, int malformed)
{
	struct bp_totals *t = bpf_map_lookup_elem(&totals, &dir);

	if (!t)
		return;
	t->passed += !blocked;
	t->blocked += !!blocked;
	t->malformed += !!malformed;
}

/* Elements are shared by all CPUs. */
static __always_inline void count_elem(struct bp_elem *e, __u64 packets, __u64 bytes)
{
	__sync_fetch_and_add(&e->packets, packets);
	__sync_fetch_and_add(&e->bytes, bytes);
}

#endif
