/* SPDX-License-Identifier: GPL-2.0-only */
#include "diag.h"
#include "stream.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int diag_set(struct diag *d, enum diag_kind kind, int err, const char *fmt, ...)
{
	va_list args;

	d->kind = kind;
	d->full = false;
	va_start(args, fmt);
	vsnprintf(d->message, sizeof(d->message), fmt, args);
	va_end(args);
	return -err;
}

int diag_errno(struct diag *d, int err, const char *fmt, ...)
{
	va_list args;
	size_t used;

	d->kind = err == EPERM || err == EACCES ? DIAG_DENIED : DIAG_SYSTEM;
	d->full = false;
	va_start(args, fmt);
	vsnprintf(d->message, sizeof(d->message), fmt, args);
	va_end(args);
	used = strlen(d->message);
	snprintf(d->message + used, sizeof(d->message) - used, ": %s", strerror(err));
	return -err;
}

int diag_unwritten(struct diag *d, int err, const char *what, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t used;

	diag_errno(d, err, "%s %s", what, path);
	d->full = err == ENOSPC || err == EDQUOT;
	used = strlen(d->message);
	if (d->full)
		snprintf(d->message + used, sizeof(d->message) - used, "; free some space in %.*s",
			slash ? (int)(slash - path) : 1, slash ? path : ".");
	return -err;
}

void diag_to_warning(struct diag *d, const char *so)
{
	size_t used = strlen(d->warnings);
	char line[sizeof(d->warnings)];

	snprintf(line, sizeof(line), "%s: %s\n", so,
		d->kind == DIAG_NONE ? "there is too little memory" : d->message);
	/* What is read twice is wrong once. */
	if (!strstr(d->warnings, line))
		snprintf(d->warnings + used, sizeof(d->warnings) - used, "%s", line);
	d->kind = DIAG_NONE;
	d->message[0] = '\0';
	d->full = false;
}

void diag_add_warnings(struct diag *d, const struct diag *other)
{
	size_t used = strlen(d->warnings);

	snprintf(d->warnings + used, sizeof(d->warnings) - used, "%s", other->warnings);
}

void diag_place_in_message(struct diag *d)
{
	char message[sizeof(d->message)];

	if (!d->line)
		return;
	memcpy(message, d->message, sizeof(message));
	snprintf(d->message, sizeof(d->message), "%.500s:%u: %.400s", d->file, d->line, message);
}

void diag_place(struct diag *d, const char *text, size_t column, size_t width)
{
	/* Without memory the message goes out without its caret. */
	char *copy = strdup(text);

	free(d->text);
	d->text = copy;
	d->column = column;
	d->width = width ? width : 1;
}

void diag_place_word(struct diag *d, const char *word)
{
	if (*word)
		diag_place(d, word, 0, strlen(word));
	else
		diag_place(d, DIAG_EMPTY, 0, strlen(DIAG_EMPTY));
}

/*
 * What others wrote is shown on a terminal: nothing in it may steer that terminal, control
 * characters of two bytes in UTF-8 (U+0080 to U+009F) included.
 */
static void put_clean(FILE *out, const char *text, size_t len, char keep)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = text[i], next = i + 1 < len ? text[i + 1] : 0;
		bool two = c == 0xc2 && next >= 0x80 && next <= 0x9f;

		putc(two || (c < ' ' && c != keep) || c == 0x7f ? '?' : c, out);
		i += two;
	}
}

/* Bytes that continue a UTF-8 character take no column of their own. */
static bool starts_char(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

/* Tabs stand in the caret's line as they do in the text, so that both lines align. */
static void put_caret(FILE *out, const char *text, size_t len, size_t column, size_t width)
{
	size_t i;

	for (i = 0; i < column; i++) {
		if (i >= len || starts_char(text[i]))
			putc(i < len && text[i] == '\t' ? '\t' : ' ', out);
	}
	putc('^', out);
	for (i = column + 1; i < column + width && i < len; i++) {
		if (starts_char(text[i]))
			putc('^', out);
	}
	putc('\n', out);
}

#define LINE_MOST 1024 /* bytes of a line that are shown */
#define LINE_BEFORE 64 /* of those before the offence, where not all are */

/* The line and its caret; of a line without end the part that the caret stands in. */
static void put_line(FILE *out, const char *text, size_t column, size_t width)
{
	size_t len = strlen(text), from = 0, to = len;

	if (len > LINE_MOST) {
		from = column > LINE_BEFORE && column < len ? column - LINE_BEFORE : 0;
		to = len - from > LINE_MOST ? from + LINE_MOST : len;
	}
	while (from && from < to && !starts_char(text[from]))
		from++;
	while (to < len && to > from && !starts_char(text[to]))
		to--;
	fprintf(out, "  %s", from ? "..." : "");
	put_clean(out, text + from, to - from, '\t');
	fprintf(out, "%s\n  %s", to < len ? "..." : "", from ? "   " : "");
	put_caret(out, text + from, to - from, column - from, width);
}

static void put_place(FILE *out, const struct diag *d)
{
	if (!d->file[0])
		return;
	put_clean(out, d->file, strlen(d->file), 0);
	if (d->line)
		fprintf(out, ":%u", d->line);
	if (d->line && d->text)
		fprintf(out, ":%u", d->column + 1);
	fputs(": ", out);
}

char *diag_text(const struct diag *d)
{
	char *text = NULL;
	size_t size;
	FILE *out = stream_open(&text, &size);

	if (!out)
		return NULL;
	fputs("bpfpol: ", out);
	put_place(out, d);
	put_clean(out, d->message, strlen(d->message), '\n');
	fputs(d->full ? " and try again; nothing is changed\n" : "\n", out);
	if (d->text && d->text[0])
		put_line(out, d->text, d->column, d->width);
	if (d->more)
		fputs(d->more, out);
	if (stream_close(out)) {
		free(text);
		return NULL;
	}
	return text;
}

void diag_clear(struct diag *d)
{
	diag_free(d);
	d->kind = DIAG_NONE;
	d->message[0] = d->file[0] = '\0';
	d->line = 0;
	d->full = false;
}

void diag_free(struct diag *d)
{
	free(d->text);
	free(d->more);
	d->text = NULL;
	d->more = NULL;
}
