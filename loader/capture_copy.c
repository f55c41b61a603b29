/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Written without libpcap, which has no way to say that a time is one of nanoseconds other than by
 * a capture of its own. The format: a head, then each record's head and bytes, in this machine's
 * byte order.
 */
#include "capture_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dirs.h"

#define MAGIC_MICRO 0xa1b2c3d4
#define MAGIC_NANO 0xa1b23c4d
#define MOST_BYTES 262144 /* of a record, as libpcap's tools have it */

struct capture_copy {
	FILE *file;
	const char *given; /* its path, as it was written */
	char *path, *temporary;
	bool micro;
};

static int cannot_write(const char *given, int err, struct diag *diag)
{
	return diag_errno(diag, err, "cannot write %s", given);
}

/* A link is followed: what it names is replaced, not the link. */
static int check_target(
	const struct capture_head *head, const char *path, char **target, struct diag *diag)
{
	struct stat st;
	bool untrusted;
	int rc = output_check(path, &untrusted, diag);

	if (rc)
		return rc;
	if (stat(path, &st)) {
		if (errno != ENOENT)
			return cannot_write(path, errno, diag);
		*target = strdup(path);
		return *target ? 0 : -ENOMEM;
	}
	if (st.st_dev == head->device && st.st_ino == head->inode)
		return diag_set(diag, DIAG_USAGE, EEXIST,
			"%s is the capture that is read: write to another file", path);
	if (!S_ISREG(st.st_mode))
		return diag_set(diag, DIAG_USAGE, EEXIST,
			"%s is there and no file: write to another one", path);
	*target = untrusted ? strdup(path) : realpath(path, NULL);
	return *target ? 0 : cannot_write(path, errno, diag);
}

static mode_t usual_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

/* Beside the target, by a name that nobody can have laid a trap at. */
static int open_temporary(struct capture_copy *c, struct diag *diag)
{
	int fd;

	if (asprintf(&c->temporary, "%s.XXXXXX", c->path) < 0) {
		c->temporary = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(c->temporary, O_CLOEXEC);
	if (fd < 0) {
		int err = errno;

		free(c->temporary);
		c->temporary = NULL;
		return cannot_write(c->given, err, diag);
	}
	c->file = fdopen(fd, "w");
	if (!c->file) {
		close(fd);
		return -ENOMEM;
	}
	return fchmod(fd, usual_mode()) ? cannot_write(c->given, errno, diag) : 0;
}

static int put_head(struct capture_copy *c, const struct capture_head *head, struct diag *diag)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, longest, link;
	} bytes = { c->micro ? MAGIC_MICRO : MAGIC_NANO, 2, 4, 0, 0, MOST_BYTES, head->link };

	_Static_assert(sizeof(bytes) == 24, "the head of a capture");
	return fwrite(&bytes, sizeof(bytes), 1, c->file) == 1 ? 0
							      : cannot_write(c->given, errno, diag);
}

int capture_copy_begin(
	const struct capture *of, const char *path, struct capture_copy **out, struct diag *diag)
{
	struct capture_copy *c = calloc(1, sizeof(*c));
	struct capture_head head;
	int rc = c ? capture_describe(of, &head) : -ENOMEM;

	if (!rc) {
		c->given = path;
		c->micro = head.micro;
		rc = check_target(&head, path, &c->path, diag);
	}
	if (!rc)
		rc = open_temporary(c, diag);
	if (!rc)
		rc = put_head(c, &head, diag);
	if (rc)
		capture_copy_free(&c);
	else
		*out = c;
	return rc;
}

int capture_copy_add(struct capture_copy *c, const struct capture_record *record, struct diag *diag)
{
	const uint32_t head[] = {
		record->seconds,
		c->micro ? record->nanoseconds / 1000 : record->nanoseconds,
		record->caplen,
		record->len,
	};

	if (fwrite(head, sizeof(head), 1, c->file) != 1 ||
		fwrite(record->data, 1, record->caplen, c->file) != record->caplen)
		return cannot_write(c->given, errno, diag);
	return 0;
}

int capture_copy_end(struct capture_copy *c, struct diag *diag)
{
	if (fflush(c->file) || fsync(fileno(c->file)) || rename(c->temporary, c->path))
		return cannot_write(c->given, errno, diag);
	free(c->temporary);
	c->temporary = NULL;
	return 0;
}

void capture_copy_free(struct capture_copy **out)
{
	struct capture_copy *c = *out;

	if (!c)
		return;
	if (c->file)
		fclose(c->file);
	if (c->temporary)
		unlink(c->temporary);
	free(c->temporary);
	free(c->path);
	free(c);
	*out = NULL;
}
