/* SPDX-License-Identifier: GPL-2.0-only */
/* The policies of share/policies, which the program carries inside: made by share/embed. */
#ifndef BPFPOL_SHIPPED_H
#define BPFPOL_SHIPPED_H

struct shipped {
	const char *name, *text;
};

extern const struct shipped shipped[]; /* sorted by name; ends with a name of NULL */

#endif
