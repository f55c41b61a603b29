/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by tried.c and tried_file.c alone. */
#ifndef BPFPOL_TRIED_PARTS_H
#define BPFPOL_TRIED_PARTS_H

#include "confirm.h"
#include "diag.h"

/*
 * Behind the line of confirm.h a line each: "word WORD", "tried NAME" of what was not attached,
 * "kept NAME" of what was; then "interfaces", or "none" where there was no such file, and what it
 * held.
 */
struct tried {
	struct confirm confirm;
	char *text;
	char **lines; /* into it; ends with NULL */
	char *before; /* into it; NULL: there was no file */
};

char *tried_path(void);
/* -ENOENT without a diag: nothing is on trial. -EBADMSG: the file is not one of ours. */
int tried_load(struct tried *t, struct diag *diag);
uint64_t tried_time_left(const struct tried *t);
void tried_free(struct tried *t);

#endif
