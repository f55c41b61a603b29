/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a misspelt word was probably meant to be. Pure.
 */
#ifndef BPFPOL_NEAREST_H
#define BPFPOL_NEAREST_H

#include <stddef.h>

struct nearest {
	const char *word; /* len bytes, without a NUL */
	size_t len;
	size_t best;	   /* less than so many letters apart counts */
	const char *found; /* of the words tried the closest, the first of equals; NULL: none is
			      close */
};

void nearest_begin(struct nearest *n, const char *word, size_t len);
/* known is kept, not copied. Upper and lower case are the same. */
void nearest_try(struct nearest *n, const char *known);

#endif
