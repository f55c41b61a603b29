/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `off` as a state: of the control word, which every packet's program asks, and of the file `off`
 * in BPFPOL_STATE_DIR, for boots. The file says "off" or, on trial, until when (confirm.h). On
 * trial the programs stay where they are, and filter again by themselves.
 */
#ifndef BPFPOL_OFF_H
#define BPFPOL_OFF_H

#include "kernel.h"

struct off {
	bool is;
	uint64_t left; /* ns until filtering is back by itself; 0: it is not on trial */
	bool ended;    /* it was back by itself, which is not noted yet (late.h) */
	bool unsure;   /* the file does not say until when, and nothing else does */
};

/*
 * For a command that changes nothing. k may be NULL: nothing is pinned. Where the file cannot be
 * read the control word says it, and without one nothing does: an error.
 */
int off_look(struct kernel *k, struct off *off, struct diag *diag);
/* By the control word alone, where the file is not this filter's. */
void off_look_at_word(const struct kernel *k, struct off *off);
/*
 * off_look(), and what a command that was killed, or the end of the time, has left undone is done.
 * A file that cannot be removed is a warning: its time is over whatever it says. ending: who comes
 * ends `off`, so that nothing of it is written any more.
 */
int off_tend(struct kernel *k, bool ending, struct off *off, struct diag *diag);
/* What a new control word begins with. A file that is there and cannot be read says that it is off.
 */
int off_word(uint64_t *word, struct diag *diag);

/* Whoever dies in these leaves the old or the new, as the file says. An error has changed nothing.
 */
int off_begin(struct kernel *k, uint64_t seconds, struct diag *diag);
/* It stays off: the kernel's word is it, which the file follows. -ETIME with DIAG_UNKNOWN:
 * filtering is back. */
int off_keep(struct kernel *k, struct diag *diag);
/* Filtering is back. */
int off_end(struct kernel *k, struct diag *diag);

/* Off for good, on disk. */
int off_write(struct diag *diag);
/* That stands there, whoever wrote it. */
bool off_is_written(void);

#endif
