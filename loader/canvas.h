/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A picture of so many columns and lines of text, which is written from left to right, line by
 * line. What does not fit is cut. Pure: terminal.c draws it.
 */
#ifndef BPFPOL_CANVAS_H
#define BPFPOL_CANVAS_H

#include <stdbool.h>
#include <stddef.h>

enum style {
	STYLE_PLAIN,
	STYLE_TITLE,
	STYLE_HEAD,	/* of a table */
	STYLE_SELECTED, /* a row */
	STYLE_ALERT,
	STYLE_BLOCK,
	STYLE_PERMIT,
	STYLE_COUNT,
	STYLES,
};

#define CANVAS_RUNS 32

/* Bytes of one style, up to where the next run begins. */
struct canvas_run {
	enum style style;
	size_t at;
};

struct canvas_line {
	char *text;
	size_t len;
	int cells; /* columns that are written */
	struct canvas_run runs[CANVAS_RUNS];
	size_t n_runs;
};

struct canvas {
	int width, height;
	bool utf8; /* else all but ASCII is shown as a question mark */
	struct canvas_line *lines;
};

/* -ENOMEM. In a UTF-8 picture wcwidth(3) says how wide a letter is, so the locale must be set. */
int canvas_new(struct canvas *canvas, int width, int height, bool utf8);
void canvas_free(struct canvas *canvas);

/*
 * Goes on with that line: text in `cells` columns, cut or padded with blanks; 0: as many as it has.
 * Control characters and what turns the direction of writing are shown as question marks. Lines
 * below the picture are dropped.
 */
void canvas_put(struct canvas *canvas, int line, enum style style, int cells, const char *text);
void canvas_printf(struct canvas *canvas, int line, enum style style, int cells, const char *fmt,
	...) __attribute__((format(printf, 5, 6)));
/* Columns that are left of the line. */
int canvas_left(const struct canvas *canvas, int line);

#endif
