/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stream into memory, like open_memstream(), of which a write for which there is no memory is an
 * error of the stream. That of glibc drops what does not fit and says so neither to ferror() nor at
 * fclose(): the text ends in the middle, and nobody knows. Pure.
 */
#ifndef BPFPOL_STREAM_H
#define BPFPOL_STREAM_H

#include <stdio.h>

/* *text and *len are right after fflush() and stream_close(); the caller frees *text. NULL: no
 * memory. */
FILE *stream_open(char **text, size_t *len);
/* Not 0: what was written is not all there. */
int stream_close(FILE *stream);

#endif
