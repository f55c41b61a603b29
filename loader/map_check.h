/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A map that a pin leads to is what the pin is called. All of ours are root's, but root may have
 * moved them about, and what is read from one of another size goes beyond where it is to go.
 */
#ifndef BPFPOL_MAP_CHECK_H
#define BPFPOL_MAP_CHECK_H

#include <linux/bpf.h>

#include "diag.h"

struct map_kind {
	enum bpf_map_type type;
	const char *name;
	__u32 value_size; /* 0: it is not read by calls that fill what they are given */
};

/* One question to the kernel. -EUCLEAN with a diag that says what to do, of that pin. */
int map_check(int fd, const struct map_kind *kind, const char *pin, struct diag *diag);

#endif
