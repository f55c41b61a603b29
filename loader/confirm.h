/* SPDX-License-Identifier: GPL-2.0-only */
/* The time that a change has to be confirmed in, as it is written down. Pure. */
#ifndef BPFPOL_CONFIRM_H
#define BPFPOL_CONFIRM_H

#include <stdint.h>
#include <stdio.h>

#define CONFIRM_MOST 604800 /* seconds: a week */

#define BOOT_ID 37 /* with its zero */

/* By both clocks. boot: CLOCK_BOOTTIME, of the boot of that id; "": it is not known. */
struct moment {
	uint64_t real, boot; /* ns */
	char boot_id[BOOT_ID];
};

/*
 * Until `by`. Within its boot CLOCK_BOOTTIME alone says how much is left: it is what the kernel
 * side looks at, and nobody can set it.
 */
struct confirm {
	uint64_t seconds; /* that were given; 0: nothing awaits confirmation */
	struct moment by;
};

void confirm_begin(struct confirm *c, uint64_t seconds, const struct moment *now);

/*
 * ns; 0: the time is over. After another boot there is only the clock of the calendar: if that
 * stands before the time began it was set back, or has not been set yet, and the time is over, so
 * that no clock prolongs it.
 */
uint64_t confirm_left(const struct confirm *c, const struct moment *now);
/* Seconds since 1970 when it was over, which it is: by the clock that confirm_left() goes by. */
uint64_t confirm_over(const struct confirm *c, const struct moment *now);

/* One line, and back. -EBADMSG: it is none. */
void confirm_print(FILE *out, const struct confirm *c);
int confirm_parse(const char *text, struct confirm *c);

#endif
