/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes JSON to a stream while it goes: nothing is kept, two blanks a level, keys in the order
 * of the calls. key: NULL inside arrays and at the top. Write errors stay in the FILE: ask
 * ferror() at the end. The prefix is jw because jansson, which reads JSON for us, owns json_.
 */
#ifndef BPFPOL_JSON_H
#define BPFPOL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The caller's code fixes how deep its documents go, not their contents: asserted, not grown. */
#define JW_DEPTH 64

struct jw {
	FILE *out;
	unsigned int depth;
	uint64_t filled; /* bit n: level n has an element already */
	bool flat;	 /* to be set by who wants all of it on one line */
};

void jw_begin(struct jw *j, FILE *out);

void jw_object(struct jw *j, const char *key);
void jw_object_end(struct jw *j);
void jw_array(struct jw *j, const char *key);
void jw_array_end(struct jw *j);

/* value NULL: null. Bytes that are not UTF-8 become U+FFFD, one each. */
void jw_str(struct jw *j, const char *key, const char *value);
void jw_u64(struct jw *j, const char *key, uint64_t value);
void jw_i64(struct jw *j, const char *key, int64_t value);
/* With three digits behind the point; finite. */
void jw_real(struct jw *j, const char *key, double value);
void jw_bool(struct jw *j, const char *key, bool value);
void jw_null(struct jw *j, const char *key);

#endif
