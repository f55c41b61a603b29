/* SPDX-License-Identifier: GPL-2.0-only */
/* What every writer of foreign text must know of it. Pure. */
#ifndef BPFPOL_UTF8_H
#define BPFPOL_UTF8_H

#include <stdint.h>

/* In the place of bytes that are not UTF-8, one each: U+FFFD. */
#define UTF8_BAD "\xef\xbf\xbd"

/*
 * Length of the UTF-8 sequence at s, 0 if it is none: overlong forms, surrogates and what is
 * beyond U+10FFFF included. Reads no byte past the terminating 0.
 */
unsigned int utf8_len(const char *s);
/* The code point of a sequence of that length. */
uint32_t utf8_point(const char *s, unsigned int len);
/*
 * The width in bytes to give printf("%-*s") for s to fill so many columns: bytes that go on with a
 * character take none. A letter counts as one column, however wide a terminal draws it.
 */
int utf8_width(const char *s, int columns);

#endif
