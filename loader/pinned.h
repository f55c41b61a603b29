/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a pin leads to is what the pin is called. All of ours are root's, but root may have moved
 * them about: what is read from a map of another size goes beyond where it is to go, and a program
 * in another's place passes what it does not know.
 */
#ifndef BPFPOL_PINNED_H
#define BPFPOL_PINNED_H

#include <linux/bpf.h>

#include "diag.h"

enum pinned {
	PINNED_MAP,
	PINNED_PROGRAM,
	PINNED_LINK,
};

/*
 * A descriptor of what is of that kind, or -errno with a diag: -EUCLEAN, which says what to do; or
 * -ENOENT without one: there is none.
 */
int pinned_open(const char *path, enum pinned kind, struct diag *diag);

struct map_kind {
	enum bpf_map_type type;
	const char *name;
	__u32 value_size; /* 0: it is not read by calls that fill what they are given */
};

/* One question to the kernel. -EUCLEAN with a diag that says what to do, of that pin. */
int pinned_is_map(int fd, const struct map_kind *kind, const char *path, struct diag *diag);
/* The same of a program. */
int pinned_is_program(int fd, const char *name, const char *path, struct diag *diag);

#endif
