// SPDX-License-Identifier: GPL-2.0-only
#include "canvas.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "utf8.h"

/* Bytes of a line: four for each column, and as many again for marks that take no column. */
#define BYTES(width) ((size_t)(width)*8 + 1)

int canvas_new(struct canvas *c, int width, int height, bool utf8)
{
	*c = (struct canvas){ .width = width, .height = height, .utf8 = utf8 };
	c->lines = calloc(height + 1, sizeof(*c->lines));
	if (!c->lines)
		return -ENOMEM;
	for (int i = 0; i < height; i++) {
		c->lines[i].text = calloc(1, BYTES(width));
		if (!c->lines[i].text) {
			canvas_free(c);
			return -ENOMEM;
		}
	}
	return 0;
}

void canvas_free(struct canvas *c)
{
	for (int i = 0; c->lines && i < c->height; i++)
		free(c->lines[i].text);
	free(c->lines);
	c->lines = NULL;
}

int canvas_left(const struct canvas *c, int line)
{
	return line < c->height ? c->width - c->lines[line].cells : 0;
}

/* A letter as it is to be shown. */
struct glyph {
	const char *text;
	unsigned int len, used; /* bytes shown, and bytes of the text that they stand for */
	int cells;
};

/* Marks that turn or hide what stands beside them. */
static bool is_format(uint32_t c)
{
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0x061c || c == 0xfeff;
}

static struct glyph glyph_at(const struct canvas *c, const char *s)
{
	unsigned int len = utf8_len(s);
	struct glyph g = { .text = s, .len = len, .used = len ? len : 1, .cells = 1 };
	uint32_t point = len ? utf8_point(s, len) : 0;
	bool shown = point >= 0x20 && point != 0x7f;

	if (shown && point >= 0x80) {
		g.cells = c->utf8 && !is_format(point) ? wcwidth(point) : -1;
		shown = g.cells >= 0;
	}
	if (!shown)
		g = (struct glyph){ .text = "?", .len = 1, .used = g.used, .cells = 1 };
	return g;
}

static void add(struct canvas *c, struct canvas_line *l, const struct glyph *g)
{
	if (l->len + g->len >= BYTES(c->width))
		return;
	memcpy(l->text + l->len, g->text, g->len);
	l->len += g->len;
	l->cells += g->cells;
}

static int cells_of(const struct canvas *c, const char *text)
{
	int cells = 0;

	while (*text) {
		struct glyph g = glyph_at(c, text);

		cells += g.cells;
		text += g.used;
	}
	return cells;
}

static void begin_run(struct canvas_line *l, enum style style)
{
	if ((l->n_runs && l->runs[l->n_runs - 1].style == style) || l->n_runs == CANVAS_RUNS)
		return;
	l->runs[l->n_runs++] = (struct canvas_run){ .style = style, .at = l->len };
}

void canvas_put(struct canvas *c, int line, enum style style, int cells, const char *text)
{
	const struct glyph blank = { .text = " ", .len = 1, .cells = 1 };
	const struct glyph more = c->utf8 ? (struct glyph){ "\xe2\x80\xa6", 3, 3, 1 }
					  : (struct glyph){ "~", 1, 1, 1 };
	int left = canvas_left(c, line), wide = cells_of(c, text), end;
	struct canvas_line *l;
	bool cut;

	if (!cells)
		cells = wide;
	if (cells > left)
		cells = left;
	if (cells <= 0)
		return;
	l = &c->lines[line];
	begin_run(l, style);
	cut = wide > cells;
	end = l->cells + cells;
	while (*text) {
		struct glyph g = glyph_at(c, text);

		if (l->cells + g.cells > end - cut)
			break;
		add(c, l, &g);
		text += g.used;
	}
	if (cut)
		add(c, l, &more);
	while (l->cells < end)
		add(c, l, &blank);
}

void canvas_printf(struct canvas *c, int line, enum style style, int cells, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	canvas_put(c, line, style, cells, text);
}
