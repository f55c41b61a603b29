/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The words of a rule: cutting a line or arguments into them, pointing at them in errors.
 *
 * On a line, words end at blanks, a word that begins with # ends the line, and "..." is one word
 * in which \" and \\ stand for " and \. A quote may follow an @, for names of files.
 */
#include "spec_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int spec_fail(const struct words *words, struct span at, const char *fmt, ...)
{
	char message[sizeof(words->diag->message)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	if (at.width)
		diag_place(words->diag, words->text, at.at, at.width);
	return diag_set(words->diag, DIAG_USAGE, EINVAL, "%s", message);
}

bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool span_is(struct span span, const char *word)
{
	return span.len == strlen(word) && !memcmp(span.s, word, span.len);
}

bool span_is_nocase(struct span span, const char *word)
{
	return span.len == strlen(word) && !strncasecmp(span.s, word, span.len);
}

bool span_has(struct span span, char c)
{
	return span.len && memchr(span.s, c, span.len);
}

struct span span_part(struct span span, size_t from, size_t len)
{
	return (struct span){ .s = span.s + from, .len = len, .at = span.at + from, .width = len };
}

bool span_number(struct span span, uint32_t *value)
{
	uint64_t number = 0;
	size_t i;

	for (i = 0; i < span.len; i++) {
		if (!is_digit(span.s[i]))
			return false;
		number = number * 10 + (span.s[i] - '0');
		if (number > UINT32_MAX)
			number = UINT32_MAX;
	}
	*value = number;
	return span.len > 0;
}

/* Bytes of the character that begins so; 0: none does. */
static size_t lead_len(unsigned char c)
{
	return c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 0;
}

/* Bytes of the character at s; 0: not UTF-8, or a control character. */
static size_t printable_len(const unsigned char *s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = lead_len(s[0]);
	uint32_t c = len == 1 ? s[0] : s[0] & (0x7f >> len);
	size_t i;

	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0xd800 && c < 0xe000))
		return 0;
	return c < least[len] || c > 0x10ffff ? 0 : len;
}

bool text_is_printable(const char *text)
{
	size_t len;

	for (; *text; text += len) {
		len = printable_len((const unsigned char *)text);
		if (!len)
			return false;
	}
	return true;
}

#define HOST_MOST 253 /* bytes: DNS has no longer names, and few file systems */
#define LABEL_MOST 63

bool host_is_too_long(struct span span)
{
	size_t label = 0;

	for (size_t i = 0; i < span.len; i++) {
		label = span.s[i] == '.' ? 0 : label + 1;
		if (label > LABEL_MOST)
			return true;
	}
	return span.len > HOST_MOST;
}

bool span_is_host(struct span span)
{
	bool letter = false;

	for (size_t i = 0; i < span.len; i++) {
		char c = span.s[i] | 0x20;

		if (c >= 'a' && c <= 'z')
			letter = true;
		else if (!is_digit(span.s[i]) && !strchr("-_.", span.s[i]))
			return false;
	}
	return letter && span.s[0] != '.' && span.s[0] != '-' && !host_is_too_long(span);
}

bool text_is_word(const char *text)
{
	return text[0] && text[0] != '#' && !strpbrk(text, " \"");
}

/* The array has room for every word there can be. */
static struct span *add_word(struct words *words, const char *s, size_t at)
{
	struct span *word = &words->v[words->n++];

	*word = (struct span){ .s = s, .at = at };
	return word;
}

/* Reads "..." at *in into *out. */
static int unquote(struct words *words, const char **in, char **out)
{
	struct span quote = { .at = *in - words->text, .width = 1 };
	const char *s = *in + 1;

	for (; *s && *s != '"'; s++) {
		if (*s == '\\') {
			quote.at = s - words->text;
			s++;
			if (*s != '"' && *s != '\\') {
				return spec_fail(words, quote,
					"in quotes, a backslash stands only before \" and \\");
			}
		}
		*(*out)++ = *s;
	}
	quote.at = *in - words->text;
	if (!*s)
		return spec_fail(words, quote, "this quote is not closed: put a \" at its end");
	*in = s + 1;
	return 0;
}

/* Reads the word at *in into *out. */
static int cut_word(struct words *words, const char **in, char **out)
{
	struct span *word = add_word(words, *out, *in - words->text);
	int err;

	if (**in == '@')
		*(*out)++ = *(*in)++;
	if (**in == '"') {
		word->quoted = true;
		err = unquote(words, in, out);
		if (err)
			return err;
	} else {
		while (**in && !is_blank(**in) && **in != '"')
			*(*out)++ = *(*in)++;
	}
	word->len = *out - word->s;
	word->width = *in - words->text - word->at;
	*(*out)++ = '\0';
	if (**in && !is_blank(**in)) {
		struct span here = { .at = *in - words->text, .width = 1 };

		return spec_fail(words, here, "put a blank here: quotes hold a whole word");
	}
	return 0;
}

/* A second line would be read as more of the rule, or hide in a comment. */
static int refuse_lines(const struct words *words)
{
	size_t at = strcspn(words->text, "\r\n");

	if (!words->text[at])
		return 0;
	return spec_fail(words, (struct span){ .at = at, .width = 1 },
		"a rule is one line: take the line break out");
}

int words_of_line(struct words *words, const char *line, struct diag *diag)
{
	size_t len = strlen(line);
	const char *in;
	char *out;
	int err;

	while (len && is_blank(line[len - 1]))
		len--;
	*words = (struct words){
		.text = strndup(line, len),
		.plain = malloc(len + 1),
		.v = calloc(len / 2 + 1, sizeof(struct span)),
		.diag = diag,
	};
	if (!words->text || !words->plain || !words->v)
		return -ENOMEM;
	in = words->text;
	out = words->plain;
	err = refuse_lines(words);
	while (!err) {
		while (is_blank(*in))
			in++;
		if (!*in || *in == '#')
			return 0;
		err = cut_word(words, &in, &out);
	}
	return err;
}

int words_of_args(struct words *words, int argc, char *const *argv, struct diag *diag)
{
	size_t room = 1, at = 0;
	int i;

	for (i = 0; i < argc; i++)
		room += strlen(argv[i]) + sizeof(DIAG_EMPTY);
	*words = (struct words){
		.text = calloc(room, 1),
		.v = calloc(argc + 1, sizeof(struct span)),
		.args = true,
		.diag = diag,
	};
	if (!words->text || !words->v)
		return -ENOMEM;
	for (i = 0; i < argc; i++) {
		struct span *word = add_word(words, argv[i], at);
		const char *shown = *argv[i] ? argv[i] : DIAG_EMPTY;

		word->len = strlen(argv[i]);
		word->width = strlen(shown);
		if (i)
			words->text[at - 1] = ' ';
		memcpy(words->text + at, shown, word->width);
		at += word->width + 1;
	}
	return 0;
}

static bool has_blank(const char *text)
{
	while (*text && !is_blank(*text))
		text++;
	return *text;
}

int words_of_command(struct words *words, int argc, char *const *argv, struct diag *diag)
{
	if (argc == 1 && has_blank(argv[0]))
		return words_of_line(words, argv[0], diag);
	return words_of_args(words, argc, argv, diag);
}

void words_free(struct words *words)
{
	free(words->text);
	free(words->plain);
	free(words->v);
}
