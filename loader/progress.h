/* SPDX-License-Identifier: GPL-2.0-only */
/* How far a long task has come: a line on a terminal, from the second second on. */
#ifndef BPFPOL_PROGRESS_H
#define BPFPOL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* "packets" */
	bool terminal;	  /* there is one to show it on */
	bool shown;
	double began, next; /* seconds */
};

void progress_begin(struct progress *progress, const char *what);
/* done: from 0 to 1; below 0: nobody knows. As often as you like. */
void progress_show(struct progress *progress, double done, uint64_t n);
/* Nothing of it stays on the screen. */
void progress_end(struct progress *progress);

#endif
