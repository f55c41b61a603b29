/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BPFPOL_COUNT_H
#define BPFPOL_COUNT_H

#include "maps.h"

/* Without branches: the verifier would follow each of them through all that
 * comes after. */
static __always_inline void count_total(__u32 dir, __u64 packets, bool blocked, bool malformed)
{
	struct bp_totals *t = bpf_map_lookup_elem(&totals, &dir);
	__u64 which = blocked;

	if (!t)
		return;
	barrier_var(which); /* so that the compiler does not know what the verifier must see */
	(&t->passed)[which & 1] += packets; /* or blocked, which stands behind it */
	t->malformed += packets * malformed;
}

#endif
