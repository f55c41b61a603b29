/* SPDX-License-Identifier: GPL-2.0-only */
#include "nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define LONGEST 16 /* letters of a word, misspelt or not, that is compared */

static size_t least_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* How many letters must be changed, added, dropped or exchanged to make one of the other. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t d[LONGEST + 1][LONGEST + 1], i, j;

	for (i = 0; i <= a_len; i++) {
		for (j = 0; j <= b_len; j++) {
			if (!i || !j) {
				d[i][j] = i + j;
				continue;
			}
			d[i][j] = least_of(d[i - 1][j - 1] + !same_letter(a[i - 1], b[j - 1]),
				least_of(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
				same_letter(a[i - 2], b[j - 1]))
				d[i][j] = least_of(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[a_len][b_len];
}

void nearest_begin(struct nearest *n, const char *word, size_t len)
{
	*n = (struct nearest){ .word = word, .len = len, .best = len > 4 ? 3 : 2 };
}

void nearest_try(struct nearest *n, const char *known)
{
	size_t len = strlen(known), far;

	if (n->len < 2 || n->len > LONGEST || len > LONGEST)
		return;
	far = distance(n->word, n->len, known, len);
	if (far < n->best) {
		n->best = far;
		n->found = known;
	}
}
