// SPDX-License-Identifier: GPL-2.0-only
#include "metrics_plain.h"

#include <stdbool.h>
#include <string.h>

static bool begins(const char *line, size_t len, const char *with)
{
	return len >= strlen(with) && !memcmp(line, with, strlen(with));
}

static bool ends(const char *line, size_t len, const char *with)
{
	return len >= strlen(with) && !memcmp(line + len - strlen(with), with, strlen(with));
}

/* What the family's samples have behind its name. The types are those of report_metrics.c. */
static const char *suffix_of(const char *line, size_t len)
{
	return ends(line, len, " counter") ? "_total" : ends(line, len, " info") ? "_info" : "";
}

/* "# WORD NAME REST": word_len: with both blanks. */
static void put_line(FILE *out, const char *line, size_t len, size_t word_len, const char *suffix)
{
	const char *name = line + word_len, *rest = memchr(name, ' ', len - word_len);
	size_t head = (rest ? rest : line + len) - line;

	fprintf(out, "%.*s%s", (int)head, line, suffix);
	if (rest && !strcmp(suffix, "_info") && ends(line, len, " info"))
		fputs(" gauge\n", out);
	else
		fprintf(out, "%.*s\n", (int)(len - head), line + head);
}

int metrics_plain(const char *text, size_t len, FILE *out)
{
	const char *end = text + len, *suffix = "";

	while (text < end) {
		const char *stop = memchr(text, '\n', end - text);
		size_t n = (stop ? stop : end) - text;

		if (begins(text, n, "# TYPE ")) {
			suffix = suffix_of(text, n);
			put_line(out, text, n, strlen("# TYPE "), suffix);
		} else if (begins(text, n, "# HELP ")) {
			put_line(out, text, n, strlen("# HELP "), suffix);
		} else if (!begins(text, n, "# UNIT ") && !begins(text, n, "# EOF")) {
			fprintf(out, "%.*s\n", (int)n, text);
		}
		text += n + 1;
	}
	return 0;
}
