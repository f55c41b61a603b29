/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where things lie, and files written so that a reader finds the old or the new one whole. The
 * BPFPOL_* variables replace each place (CONTRACT 4).
 */
#ifndef BPFPOL_DIRS_H
#define BPFPOL_DIRS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "diag.h"

struct dirs {
	const char *conf, *state, *bpffs, *run;
};

const struct dirs *dirs_get(void);

/* "dir/printf"; caller frees. NULL: no memory. */
char *path_join(const char *dir, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Makes the directory (and its parents) with mode 0700, or makes sure that the one there is
 * ours: a real directory, owned by us, written by nobody else.
 */
int dir_make(const char *path, struct diag *diag);

/*
 * Makes sure that the directory is ours, as above; to be asked before anything in it is opened.
 * -ENOENT without a diag when it is not there. Hidden from this process is not the same: -ENXIO.
 */
int dir_check(const char *path, struct diag *diag);

/* The names in the directory, as they are now, outlive a power loss. */
int dir_sync(const char *path, struct diag *diag);

/* 1: something is there; 0: nothing; -errno: nobody knows, which is no reason to think either. */
int path_is_there(const char *path);

/*
 * For a file that somebody has named as output. In a directory where everybody may write, and which
 * is not sticky (there the kernel looks out), a link may be anybody's: it is an error, and
 * *untrusted says not to follow what comes to be there meanwhile.
 */
int output_check(const char *path, bool *untrusted, struct diag *diag);

/* Makes BPFPOL_BPFFS, mounting a bpffs where none is. */
int dir_make_bpffs(const char *path, struct diag *diag);

/*
 * The whole file, with a 0 behind it; caller frees. -ENOENT without a diag; others with one. Never
 * waits: what is no file is refused. -EFBIG: it is too long, and not read.
 */
int file_read(const char *path, char **text, size_t *len, struct diag *diag);
/* The same of what somebody has named as input, be it a pipe, which may take as long as it likes.
 */
int input_read(const char *path, char **text, size_t *len, struct diag *diag);
/* file_read() of what we have written ourselves. -EBADMSG with a diag: it is no file at all, or too
 * long to be ours. */
int kept_read(const char *path, char **text, size_t *len, struct diag *diag);

/*
 * Where what is damaged is kept: PATH.damaged, or PATH.damaged.2 and so on where that is there from
 * another time. Caller frees. NULL: no memory.
 */
char *path_aside(const char *path);
/* Moves a directory in the file's place, which no file of ours takes the place of, there. */
int file_make_way(const char *path, struct diag *diag);
/* Replaces the file in one step: temporary file, fsync, rename, fsync of the directory. */
int file_write(const char *path, const char *text, size_t len, struct diag *diag);
/* The same for a text that is too long to be in memory: write() writes it. */
int file_write_by(const char *path, void (*write)(FILE *out, const void *arg), const void *arg,
	struct diag *diag);
/* readdir(3), of which the end and a failure look alike. NULL: the end, with *err 0 or -errno. */
struct dirent *dir_next(DIR *d, int *err);
/* What is not there counts as removed. */
int file_remove(const char *path, struct diag *diag);

#endif
