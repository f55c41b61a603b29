/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzz targets share. Each is a file fuzz_NAME.c with LLVMFuzzerTestOneInput(): it gives
 * the input to one reader and aborts where what holds for every input does not hold.
 */
#ifndef BPFPOL_FUZZ_H
#define BPFPOL_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(holds, ...)                                                                        \
	do {                                                                                       \
		if (!(holds)) {                                                                    \
			fprintf(stderr, "%s:%d: does not hold: %s: ", __FILE__, __LINE__, #holds); \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* A copy with a 0 behind it and nothing more, so that ASan sees who reads on. */
char *fuzz_text(const void *data, size_t size);

/* Cuts the text at each such character, in place; at most `most` pieces. */
int fuzz_split(char *text, char at, char **pieces, int most);

/* A failure is told: a kind, a message, a place that lies in its line. Frees what the diag holds.
 */
void fuzz_told(int rc, struct diag *diag);

/* The rule's canonical text reads back as the rule; caller frees it. */
char *fuzz_reads_back(const struct rule *rule);

/* A directory in memory for this run alone, emptied; "" is never returned. */
const char *fuzz_dir(void);
void fuzz_dir_empty(const char *dir);
void fuzz_put(const char *path, const void *data, size_t size);

#endif
