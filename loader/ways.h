/* SPDX-License-Identifier: GPL-2.0-only */
/* What this host's routes tell apart. */
#ifndef BPFPOL_WAYS_H
#define BPFPOL_WAYS_H

#include "policy.h"

struct way {
	struct prefix to;
	uint32_t by; /* alike where two go by the same; below ways.n_by, or UINT32_MAX: no host */
};
struct ways {
	struct way *v;
	size_t n;
	uint32_t n_by;
	struct prefixes sources; /* of IPv6 routes that go by this host's address as well */
};

#endif
