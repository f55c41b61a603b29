/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the golden files are, and how they are read; included after cmocka.h. */
#ifndef BPFPOL_GOLDEN_H
#define BPFPOL_GOLDEN_H

#include <stdio.h>
#include <stdlib.h>

static const char *dir = "tests/golden";

/* Caller frees. */
static char *read_whole(const char *name)
{
	char *path, *text = NULL;
	size_t size = 0;
	FILE *file;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	file = fopen(path, "r");
	if (!file)
		fail_msg("cannot read %s", path);
	assert_true(getdelim(&text, &size, '\0', file) > 0);
	fclose(file);
	free(path);
	return text;
}

#endif
