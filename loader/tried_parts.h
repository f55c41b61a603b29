/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by tried.c and tried_file.c alone. */
#ifndef BPFPOL_TRIED_PARTS_H
#define BPFPOL_TRIED_PARTS_H

#include "confirm.h"
#include "diag.h"

/*
 * "bpfpol tried 1", the line of confirm.h, then a line each: "word WORD" as it was given, "tried
 * NAME NUMBER" of what was not attached, "kept NAME NUMBER" of what was, by which the kernel knows
 * it until the next boot, "rules COMMIT"; "interfaces", or "none" where there was
 * no such file, and what it held; a checksum. The first versions wrote neither the first line nor
 * the checksum nor the numbers.
 */
struct tried {
	struct confirm confirm;
	uint64_t commit; /* of the store, that brings the rules it came with; 0: it came alone */
	char *text;
	char **lines; /* words, tried and kept; into text; ends with NULL */
	char *before; /* into text; NULL: there was no file */
};

/* -ENOENT without a diag: nothing is on trial. -EBADMSG: the file is not one of ours. */
int tried_load(struct tried *t, struct diag *diag);
/* Of t all but its text. A failure may have written it all the same. */
int tried_save(const struct tried *t, struct diag *diag);
int tried_forget(struct diag *diag);
/* One that cannot be read is kept, see path_aside(). */
int tried_set_aside(struct diag *diag);
/* Seconds of what was never to be on trial: a line of none would be no line of ours. */
#define NO_TRIAL 1

bool tried_was_trial(const struct tried *t);

enum tried_fate {
	TRIED_WAITS,
	TRIED_OVER,  /* it is to be taken back */
	TRIED_STAYS, /* the rules that it came with do */
};

enum tried_fate tried_fate(const struct tried *t);
void tried_free(struct tried *t);

#endif
