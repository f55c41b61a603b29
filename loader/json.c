/* SPDX-License-Identifier: GPL-2.0-only */
#include "json.h"

#include <assert.h>
#include <inttypes.h>

#include "utf8.h"

/* The letter of a short escape, 0 if there is none. */
static char short_escape(unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
		return (char)c;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return 0;
	}
}

static void put_string(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	fputc('"', out);
	while (*s) {
		unsigned int len = utf8_len((const char *)s);

		if (short_escape(*s))
			fprintf(out, "\\%c", short_escape(*s));
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(out, "\\u%04x", *s);
		else if (!len)
			fputs(UTF8_BAD, out);
		else
			fwrite(s, 1, len, out);
		s += len ? len : 1;
	}
	fputc('"', out);
}

static void put_line(const struct jw *j)
{
	if (!j->flat)
		fprintf(j->out, "\n%*s", (int)(2 * j->depth), "");
}

/* What stands before every element: the comma, the line's indentation, the key. */
static void put_key(struct jw *j, const char *key)
{
	uint64_t bit = 1ULL << j->depth;

	if (j->filled & bit)
		fputs(j->flat ? ", " : ",", j->out);
	j->filled |= bit;
	if (j->depth)
		put_line(j);
	if (key) {
		put_string(j->out, key);
		fputs(": ", j->out);
	}
}

static void open_level(struct jw *j, const char *key, char bracket)
{
	put_key(j, key);
	fputc(bracket, j->out);
	j->depth++;
	assert(j->depth < JW_DEPTH);
	j->filled &= ~(1ULL << j->depth);
}

static void close_level(struct jw *j, char bracket)
{
	bool filled = j->filled & 1ULL << j->depth;

	assert(j->depth > 0);
	j->depth--;
	if (filled)
		put_line(j);
	fputc(bracket, j->out);
	if (!j->depth)
		fputc('\n', j->out);
}

void jw_begin(struct jw *j, FILE *out)
{
	*j = (struct jw){ .out = out };
}

void jw_object(struct jw *j, const char *key)
{
	open_level(j, key, '{');
}

void jw_object_end(struct jw *j)
{
	close_level(j, '}');
}

void jw_array(struct jw *j, const char *key)
{
	open_level(j, key, '[');
}

void jw_array_end(struct jw *j)
{
	close_level(j, ']');
}

void jw_str(struct jw *j, const char *key, const char *value)
{
	if (!value) {
		jw_null(j, key);
		return;
	}
	put_key(j, key);
	put_string(j->out, value);
}

void jw_u64(struct jw *j, const char *key, uint64_t value)
{
	put_key(j, key);
	fprintf(j->out, "%" PRIu64, value);
}

void jw_i64(struct jw *j, const char *key, int64_t value)
{
	put_key(j, key);
	fprintf(j->out, "%" PRId64, value);
}

void jw_real(struct jw *j, const char *key, double value)
{
	put_key(j, key);
	fprintf(j->out, "%.3f", value);
}

void jw_bool(struct jw *j, const char *key, bool value)
{
	put_key(j, key);
	fputs(value ? "true" : "false", j->out);
}

void jw_null(struct jw *j, const char *key)
{
	put_key(j, key);
	fputs("null", j->out);
}
