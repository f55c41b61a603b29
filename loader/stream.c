// SPDX-License-Identifier: GPL-2.0-only
#include "stream.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

struct sink {
	char **text;
	size_t *len, room;
};

static ssize_t sink_write(void *cookie, const char *buf, size_t size)
{
	struct sink *s = cookie;

	if (*s->len + size + 1 > s->room) {
		size_t room = (*s->len + size + 1) * 2;
		char *text = realloc(*s->text, room);

		if (!text)
			return 0; /* an error, as fopencookie() has it */
		*s->text = text;
		s->room = room;
	}
	memcpy(*s->text + *s->len, buf, size);
	*s->len += size;
	(*s->text)[*s->len] = '\0';
	return size;
}

static int sink_close(void *cookie)
{
	free(cookie);
	return 0;
}

FILE *stream_open(char **text, size_t *len)
{
	const cookie_io_functions_t io = { .write = sink_write, .close = sink_close };
	struct sink *s = malloc(sizeof(*s));
	FILE *stream;

	*len = 0;
	*text = calloc(1, 1);
	if (s)
		*s = (struct sink){ text, len, 1 };
	stream = s && *text ? fopencookie(s, "w", io) : NULL;
	if (!stream) {
		free(s);
		free(*text);
		*text = NULL;
	}
	return stream;
}

int stream_close(FILE *stream)
{
	int failed = ferror(stream);

	return fclose(stream) || failed;
}
