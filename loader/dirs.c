// SPDX-License-Identifier: GPL-2.0-only
#include "dirs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fds.h"

static const char *place(const char *variable, const char *otherwise)
{
	const char *value = getenv(variable);

	return value && *value ? value : otherwise;
}

const struct dirs *dirs_get(void)
{
	static struct dirs dirs;

	if (!dirs.conf) {
		dirs.conf = place("BPFPOL_CONF_DIR", "/etc/bpfpol");
		dirs.state = place("BPFPOL_STATE_DIR", "/var/lib/bpfpol");
		dirs.bpffs = place("BPFPOL_BPFFS", "/sys/fs/bpf/bpfpol");
		dirs.run = place("BPFPOL_RUN_DIR", "/run/bpfpol");
	}
	return &dirs;
}

char *path_join(const char *dir, const char *fmt, ...)
{
	va_list args;
	char *name, *path = NULL;

	va_start(args, fmt);
	if (vasprintf(&name, fmt, args) < 0)
		name = NULL;
	va_end(args);
	if (name && asprintf(&path, "%s/%s", dir, name) < 0)
		path = NULL;
	free(name);
	return path;
}

static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return rc;
}

int dir_sync(const char *path, struct diag *diag)
{
	int rc = sync_dir(path);

	return rc ? diag_unwritten(diag, -rc, "cannot fsync", path) : 0;
}

static int sync_dir_of(const char *path)
{
	char *copy = strdup(path);
	int rc = copy ? sync_dir(dirname(copy)) : -ENOMEM;

	free(copy);
	return rc;
}

/* Its name is durable before anything in it is. A place without a disk knows no fsync: EINVAL. */
static int make_one(const char *path, mode_t mode)
{
	int rc;

	if (mkdir(path, mode))
		return errno == EEXIST ? 0 : -errno;
	rc = sync_dir_of(path);
	return rc == -EINVAL ? 0 : rc;
}

/* mkdir -p of what is above the last name. */
static int make_parents(const char *path)
{
	char *copy = strdup(path);
	int rc = copy ? 0 : -ENOMEM;

	for (char *at = copy ? strchr(copy + 1, '/') : NULL; at && !rc; at = strchr(at + 1, '/')) {
		*at = '\0';
		rc = make_one(copy, 0755);
		*at = '/';
	}
	free(copy);
	return rc;
}

static const char usual_bpffs[] = "/sys/fs/bpf";

/* -errno: not known, so that nothing may be mounted over what may be there. */
static int is_bpffs(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs))
		return errno == ENOENT ? 0 : -errno;
	return fs.f_type == BPF_FS_MAGIC;
}

static bool below_usual_bpffs(const char *path)
{
	size_t len = strlen(usual_bpffs);

	return !strncmp(path, usual_bpffs, len) && path[len] == '/';
}

/* Whether our mounts are other ones than those of the host's first process. */
static bool private_mounts(void)
{
	char own[64], first[64];
	ssize_t n = readlink("/proc/self/ns/mnt", own, sizeof(own));
	ssize_t m = readlink("/proc/1/ns/mnt", first, sizeof(first));

	/* What cannot be read is no reason to refuse. */
	return n > 0 && m > 0 && (n != m || memcmp(own, first, n));
}

/*
 * `ip netns exec` hides the host's bpffs behind a /sys of its own. What lies there cannot be seen,
 * and what would be put there goes when the command ends. Who names a place means that place.
 */
static int check_in_sight(const char *path, struct diag *diag)
{
	const char *given = getenv("BPFPOL_BPFFS");

	if ((given && *given) || !below_usual_bpffs(path) || is_bpffs(usual_bpffs) ||
		!private_mounts())
		return 0;
	return diag_set(diag, DIAG_SYSTEM, ENXIO,
		"the host's bpffs, %s, is hidden here: this process has mounts of its own, as "
		"under 'ip netns exec', and a filter put there would end with it; for the network "
		"namespace NAME run: nsenter --net=/run/netns/NAME bpfpol ...",
		usual_bpffs);
}

int dir_check(const char *path, struct diag *diag)
{
	struct stat st;

	if (lstat(path, &st)) {
		int rc = errno == ENOENT ? check_in_sight(path, diag) : errno;

		if (rc > 0)
			return diag_errno(diag, rc, "cannot look at %s", path);
		return rc ? rc : -ENOENT;
	}
	if (S_ISLNK(st.st_mode))
		return diag_set(diag, DIAG_SYSTEM, ENOTDIR,
			"%s is a symbolic link, so another place may be meant than the one it is "
			"named after; put a directory in its place, or name the place itself by "
			"its BPFPOL_ variable",
			path);
	if (!S_ISDIR(st.st_mode))
		return diag_set(diag, DIAG_SYSTEM, ENOTDIR,
			"%s is not a directory; move it out of the way", path);
	if (geteuid() && !st.st_uid && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return diag_set(diag, DIAG_DENIED, EACCES,
			"%s is root's alone: run this again with sudo", path);
	if (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return diag_set(diag, DIAG_SYSTEM, EPERM,
			"%s belongs to another user or can be written by others, so nothing in it "
			"can be trusted; look at what is in it, then remove it or give it to root "
			"with mode 0700",
			path);
	return 0;
}

int dir_make(const char *path, struct diag *diag)
{
	int rc = make_parents(path);

	if (!rc)
		rc = make_one(path, 0700);
	if (rc)
		return diag_unwritten(diag, -rc, "cannot make the directory", path);
	rc = dir_check(path, diag);
	return rc != -ENOENT ? rc : diag_errno(diag, ENOENT, "cannot find %s again", path);
}

int path_is_there(const char *path)
{
	if (!access(path, F_OK))
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

static bool anybody_writes_beside(const char *path)
{
	char *copy = strdup(path);
	struct stat st;
	bool may = !copy || stat(dirname(copy), &st) || /* or nobody knows */
		   (st.st_mode & S_IWOTH && !(st.st_mode & S_ISVTX));

	free(copy);
	return may;
}

int output_check(const char *path, bool *untrusted, struct diag *diag)
{
	struct stat st;

	*untrusted = anybody_writes_beside(path);
	if (!*untrusted)
		return 0;
	if (lstat(path, &st))
		return errno == ENOENT ? 0 : diag_errno(diag, errno, "cannot look at %s", path);
	if (!S_ISLNK(st.st_mode))
		return 0;
	return diag_set(diag, DIAG_USAGE, ELOOP,
		"%s is a symbolic link where everybody may put one, and could lead anywhere: name "
		"the file itself, or one in a directory of your own",
		path);
}

static int need_bpffs(const char *path, struct diag *diag)
{
	int is = is_bpffs(path);

	if (is < 0)
		return diag_errno(diag, -is, "cannot tell whether a bpffs is mounted at %s", path);
	if (is || !mount("bpf", path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return 0;
	return diag_errno(diag, errno,
		"no bpffs is mounted at %s and mounting one failed; try: mount -t bpf bpf %s", path,
		path);
}

/* The usual place is /sys/fs/bpf, mounted for all; another place gets a bpffs of its own. */
int dir_make_bpffs(const char *path, struct diag *diag)
{
	int rc = check_in_sight(path, diag);

	if (!rc && below_usual_bpffs(path))
		rc = need_bpffs(usual_bpffs, diag);
	if (!rc)
		rc = dir_make(path, diag);
	return rc ? rc : need_bpffs(path, diag);
}

/*
 * A file that has no end, like /dev/zero, must not take all the memory. Sixteen million addresses
 * are less. Nothing longer is written: nobody could read it.
 */
#define MOST_MIB 256
#define MOST_BYTES ((size_t)MOST_MIB << 20)

static int read_all(int fd, char **text, size_t *len)
{
	struct stat st;
	size_t room, n = 0;
	char *buf;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size > (off_t)MOST_BYTES)
		return -EFBIG;
	room = st.st_size > 0 ? st.st_size + 1 : 4096;
	buf = malloc(room);
	while (buf) {
		ssize_t got = read(fd, buf + n, room - n - 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			int rc = got ? -errno : 0;

			if (rc) {
				free(buf);
				return rc;
			}
			buf[n] = '\0';
			*text = buf;
			*len = n;
			return 0;
		}
		n += got;
		if (n > MOST_BYTES) {
			free(buf);
			return -EFBIG;
		}
		if (n + 1 == room) {
			char *more = realloc(buf, room *= 2);

			if (!more)
				free(buf);
			buf = more;
		}
	}
	return -ENOMEM;
}

static int read_from(int fd, const char *path, char **text, size_t *len, struct diag *diag)
{
	int rc = read_all(fd, text, len);

	if (rc == -EFBIG)
		return diag_set(diag, DIAG_USAGE, EFBIG,
			"%s has more than %d MiB, which is the most that is read; put what it is "
			"to say into a smaller file",
			path, MOST_MIB);
	return rc ? diag_errno(diag, -rc, "cannot read %s", path) : 0;
}

int file_read(const char *path, char **text, size_t *len, struct diag *diag)
{
	/* A pipe must not have the process wait for who writes: it may hold the lock, or the
	 * agent's rules. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : diag_errno(diag, errno, "cannot open %s", path);
	if (!fstat(fd, &st) && !S_ISREG(st.st_mode))
		rc = diag_set(diag, DIAG_USAGE, EINVAL,
			"%s is %s: put what it is to say into a file", path,
			S_ISDIR(st.st_mode) ? "a directory" : "a pipe or a device");
	else
		rc = read_from(fd, path, text, len, diag);
	close(fd);
	return rc;
}

int kept_read(const char *path, char **text, size_t *len, struct diag *diag)
{
	int rc = file_read(path, text, len, diag);
	size_t used = strlen(diag->message);

	switch (rc) {
	case -ENXIO: /* a socket */
	case -EINVAL:
	case -ELOOP:
		return diag_set(diag, DIAG_SYSTEM, EBADMSG, "%s is no file", path);
	case -EFBIG:
		return diag_set(diag, DIAG_SYSTEM, EBADMSG,
			"%s has more than %d MiB, which is nothing that was written there", path,
			MOST_MIB);
	case 0:
	case -ENOENT:
		return rc;
	}
	snprintf(diag->message + used, sizeof(diag->message) - used,
		"; if that stays so put it back from a backup, or move it away");
	return rc;
}

int input_read(const char *path, char **text, size_t *len, struct diag *diag)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : diag_errno(diag, errno, "cannot open %s", path);
	rc = read_from(fd, path, text, len, diag);
	close(fd);
	return rc;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t put = write(fd, text, len);

		if (put < 0 && errno != EINTR)
			return -errno;
		if (put > 0) {
			text += put;
			len -= put;
		}
	}
	return 0;
}

static int open_temporary(const char *path)
{
	int fd;

	/* One that a dying process left, or that somebody planted: never written through. */
	if (unlink(path) && errno != ENOENT)
		return -errno;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

struct writer {
	void (*write)(FILE *out, const void *arg);
	const void *arg;
};

static int write_stream(int fd, const struct writer *writer)
{
	int copy = fd_copy(fd), rc = 0;
	FILE *out = copy < 0 ? NULL : fdopen(copy, "w");

	if (!out) {
		rc = -errno;
		if (copy >= 0)
			close(copy);
		return rc;
	}
	errno = 0;
	writer->write(out, writer->arg);
	if (fflush(out) || ferror(out))
		rc = errno ? -errno : -EIO;
	if (fclose(out) && !rc)
		rc = -errno;
	return rc;
}

/* What the writer wrote was not counted before. */
static int check_length(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return st.st_size > (off_t)MOST_BYTES ? -EFBIG : 0;
}

/* Either the text or what the writer writes. */
static int write_temporary(
	const char *path, const char *text, size_t len, const struct writer *writer)
{
	int fd = len > MOST_BYTES ? -EFBIG : open_temporary(path), rc;

	if (fd < 0)
		return fd;
	rc = writer ? write_stream(fd, writer) : write_all(fd, text, len);
	if (!rc && writer)
		rc = check_length(fd);
	if (!rc && fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	return rc;
}

/* What cannot be taken back is no failure: it would be said that nothing has changed. */
static void warn_unsynced(const char *path, int rc, struct diag *diag)
{
	diag_errno(diag, -rc, "cannot fsync the directory of %s", path);
	diag_to_warning(diag, "the change is made, but a power loss may undo it");
}

static int replace(const char *path, const char *text, size_t len, const struct writer *writer,
	struct diag *diag)
{
	bool is_new = !path_is_there(path);
	char *temporary = NULL;
	int rc, unsynced = 0;

	if (asprintf(&temporary, "%s.new", path) < 0)
		temporary = NULL;
	rc = temporary ? write_temporary(temporary, text, len, writer) : -ENOMEM;
	if (!rc && rename(temporary, path))
		rc = -errno;
	if (rc && temporary)
		unlink(temporary);
	if (!rc)
		unsynced = sync_dir_of(path);
	if (unsynced && is_new) {
		unlink(path);
		rc = unsynced;
	} else if (unsynced) {
		warn_unsynced(path, unsynced, diag);
	}
	free(temporary);
	return rc ? diag_unwritten(diag, -rc, "cannot write", path) : 0;
}

char *path_aside(const char *path)
{
	char *aside = NULL;
	int n = 1;

	do {
		free(aside);
		if (asprintf(&aside, n == 1 ? "%s.damaged" : "%s.damaged.%d", path, n) < 0)
			return NULL;
		n++;
	} while (path_is_there(aside) > 0);
	return aside;
}

int file_make_way(const char *path, struct diag *diag)
{
	char *aside;
	struct stat st;
	int rc = 0;

	if (lstat(path, &st) || !S_ISDIR(st.st_mode))
		return 0;
	aside = path_aside(path);
	if (!aside)
		return -ENOMEM;
	if (rename(path, aside))
		rc = diag_errno(diag, errno, "cannot move %s away", path);
	free(aside);
	return rc;
}

int file_write(const char *path, const char *text, size_t len, struct diag *diag)
{
	return replace(path, text, len, NULL, diag);
}

int file_write_by(const char *path, void (*write)(FILE *out, const void *arg), const void *arg,
	struct diag *diag)
{
	const struct writer writer = { write, arg };

	return replace(path, NULL, 0, &writer, diag);
}

struct dirent *dir_next(DIR *d, int *err)
{
	struct dirent *entry;

	errno = 0;
	entry = readdir(d);
	*err = entry ? 0 : -errno;
	return entry;
}

int file_remove(const char *path, struct diag *diag)
{
	int err = unlink(path) ? errno : 0, unsynced;

	if (err == EROFS && !path_is_there(path)) /* it is said before anybody looks */
		err = ENOENT;
	if (err)
		return err == ENOENT ? 0 : diag_errno(diag, err, "cannot remove %s", path);
	unsynced = sync_dir_of(path);
	if (unsynced)
		warn_unsynced(path, unsynced, diag);
	return 0;
}
