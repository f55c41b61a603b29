/* SPDX-License-Identifier: GPL-2.0-only */
/* A terminal that shows a canvas and gives keys. By libncursesw, which is loaded when asked for. */
#ifndef BPFPOL_TERMINAL_H
#define BPFPOL_TERMINAL_H

#include <stdint.h>

#include "canvas.h"
#include "diag.h"

/* Sets the locale's letters (LC_CTYPE) as the environment says. One at a time. */
int terminal_open(struct diag *diag);
void terminal_close(void);

/* A canvas of the terminal's present size. -ENOMEM. */
int terminal_canvas(struct canvas *canvas);
void terminal_draw(const struct canvas *canvas);

enum {
	TERMINAL_NONE = 0x120000, /* the time is over */
	TERMINAL_RESIZED,
	TERMINAL_GONE, /* nobody is at the terminal any more, or a signal asks to end */
};
/* A letter's code point, an enum top_key, or one of the above. */
uint32_t terminal_key(int milliseconds);

#endif
