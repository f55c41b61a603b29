// SPDX-License-Identifier: GPL-2.0-only
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spec.h"

char *fuzz_text(const void *data, size_t size)
{
	char *text = malloc(size + 1);

	REQUIRE(text, "no memory");
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

int fuzz_split(char *text, char at, char **pieces, int most)
{
	int n = 0;

	while (text && n < most) {
		char *end = strchr(text, at);

		pieces[n++] = text;
		if (end)
			*end++ = '\0';
		text = end;
	}
	return n;
}

void fuzz_told(int rc, struct diag *diag)
{
	char *text = diag_text(diag);

	REQUIRE(rc < 0, "%d", rc);
	REQUIRE(rc == -ENOMEM || diag->kind != DIAG_NONE, "%d", rc);
	REQUIRE(rc == -ENOMEM || *diag->message, "%d", rc);
	if (diag->text) {
		REQUIRE(diag->column <= strlen(diag->text), "%s", text);
		REQUIRE(diag->column + diag->width <= strlen(diag->text) + 1, "%s", text);
	}
	REQUIRE(text[strlen(text) - 1] == '\n', "%s", text);
	free(text);
	diag_free(diag);
}

char *fuzz_reads_back(const struct rule *rule)
{
	const struct spec_opts opts = { .action = -1 };
	struct rule *again = NULL;
	struct diag diag = {};
	char *text = spec_text(rule, SPEC_ALL), *twice;

	REQUIRE(!spec_parse_line(text, &opts, &again, &diag), "%s: %s", text, diag.message);
	twice = spec_text(again, SPEC_ALL);
	REQUIRE(!strcmp(text, twice), "%s: %s", text, twice);
	REQUIRE(rule_same_match(rule, again), "%s is not the same match", text);
	free(twice);
	rule_free(&again);
	diag_free(&diag);
	return text;
}

static char made[64];

static void leave(void)
{
	fuzz_dir_empty(made);
	rmdir(made);
}

const char *fuzz_dir(void)
{
	if (!*made) {
		snprintf(made, sizeof(made), "%s/bpfpol-fuzz.XXXXXX",
			access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
		REQUIRE(mkdtemp(made), "%s: %s", made, strerror(errno));
		atexit(leave);
	}
	return made;
}

void fuzz_dir_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (entry->d_type == DT_DIR) {
			char *below;

			REQUIRE(asprintf(&below, "%s/%s", path, entry->d_name) > 0, "no memory");
			fuzz_dir_empty(below);
			free(below);
		} else {
			unlinkat(dirfd(dir), entry->d_name, 0);
		}
	}
	if (dir)
		closedir(dir);
}

void fuzz_put(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	REQUIRE(fd >= 0, "%s: %s", path, strerror(errno));
	REQUIRE(write(fd, data, size) == (ssize_t)size, "%s", path);
	close(fd);
}
