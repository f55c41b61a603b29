// SPDX-License-Identifier: GPL-2.0-only
#include "policy_import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec_parts.h"
#include "stream.h"

/* The list's path from the root on; NULL: it is not to be found, and the word stays. */
static char *absolute(const char *path, const char *file)
{
	const char *slash = strrchr(path, '/');
	char *beside, *real;

	if (file[0] == '/' ||
		asprintf(&beside, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, file) < 0)
		return NULL;
	real = realpath(beside, NULL);
	free(beside);
	return real;
}

/* What the word becomes, or NULL. */
static char *new_word(const char *path, const char *name, const struct words *words, size_t i)
{
	const struct span *word = &words->v[i];
	bool is_name = i == 1 && span_is(words->v[0], "policy");
	bool is_list = i && words->text[word->at] == '@' && word->len > 1;
	char *file = is_list ? absolute(path, word->s + 1) : NULL, *out = NULL;
	size_t size;
	FILE *stream;

	if (!is_name && !file)
		return NULL;
	stream = stream_open(&out, &size);
	if (stream) {
		if (file)
			putc('@', stream);
		put_quoted(stream, file ? file : name);
		if (stream_close(stream)) {
			free(out);
			out = NULL;
		}
	}
	free(file);
	return out;
}

/* A line with what is to change exchanged, and all else as it is, blanks and comments too. */
static void put_line(FILE *out, const char *path, const char *name, const char *line)
{
	struct words words;
	struct diag ignored = {};
	size_t at = 0;

	if (!words_of_line(&words, line, &ignored)) {
		for (size_t i = 0; i < words.n; i++) {
			char *new = new_word(path, name, &words, i);

			if (!new)
				continue;
			fprintf(out, "%.*s%s", (int)(words.v[i].at - at), line + at, new);
			at = words.v[i].at + words.v[i].width;
			free(new);
		}
	}
	fputs(line + at, out);
	words_free(&words);
	diag_free(&ignored);
}

int policy_import_text(
	const char *path, const char *name, const char *text, char **out, size_t *len)
{
	/* Without the byte order mark of a file from Windows: it is no part of the first word. */
	char *copy = strdup(strncmp(text, "\xef\xbb\xbf", 3) ? text : text + 3);
	FILE *stream = copy ? stream_open(out, len) : NULL;

	if (!stream) {
		free(copy);
		return -ENOMEM;
	}
	for (char *line = copy, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (end)
			*end = '\0';
		put_line(stream, path, name, line);
		if (!end)
			break;
		putc('\n', stream);
	}
	free(copy);
	return stream_close(stream) ? -ENOMEM : 0;
}
