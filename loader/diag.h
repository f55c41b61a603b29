/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one error language. A function that can fail returns 0 or a negative errno; where the user
 * must be told, it also fills a struct diag: what is wrong, where, and what to do. Only main.c
 * prints it and turns its kind into an exit code.
 */
#ifndef BPFPOL_DIAG_H
#define BPFPOL_DIAG_H

#include <stdbool.h>
#include <stddef.h>

/* The exit codes of the contract. */
enum diag_kind {
	DIAG_NONE,
	DIAG_SYSTEM = 1,  /* the kernel or the system refused, or no agent */
	DIAG_USAGE = 2,	  /* bad usage, bad rule, unreadable input */
	DIAG_UNKNOWN = 3, /* no such policy, rule or interface */
	DIAG_DENIED = 4,  /* not permitted */
	DIAG_REFUSED = 5, /* refused for safety */
};

struct diag {
	enum diag_kind kind;
	char message[1024];  /* what is wrong and what to do; may hold line breaks */
	char file[4096];     /* "" when the text is the command line */
	unsigned int line;   /* from 1; 0: no place known */
	char *text;	     /* the line the caret points into; owned; NULL: no caret */
	unsigned int column; /* of the offence in text, in bytes, from 0 */
	unsigned int width;  /* of the offence, in bytes, at least 1 */
	char *more;	     /* whole messages that follow this one; owned; NULL: none */
	bool full;	     /* a file could not be written, as its disk is full */
	bool changes;	     /* what is run is no question, and no dry run of a change */
	char warnings[2048]; /* a line each: what is worth knowing though all went well */
};

/* Fills kind and message (printf-style), leaves the place as it is. Returns -err. */
int diag_set(struct diag *d, enum diag_kind kind, int err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Like diag_set() with DIAG_SYSTEM, or DIAG_DENIED for EPERM and EACCES; adds strerror(err). */
int diag_errno(struct diag *d, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * diag_errno() of what cannot be written, "WHAT PATH". On a disk that is full it says where to free
 * space, and as an error that nothing is changed, which holds of every command (CONTRACT 3).
 */
int diag_unwritten(struct diag *d, int err, const char *what, const char *path);

/* What the diag says becomes a warning, after `so` and a colon; the diag itself is empty then. */
void diag_to_warning(struct diag *d, const char *so);

/* The other's warnings behind its own, which stays what it is. */
void diag_add_warnings(struct diag *d, const struct diag *other);

/* A warning has no place of its own: FILE:LINE, if there is one, comes into the message. */
void diag_place_in_message(struct diag *d);

/* Where: `width` bytes at `column` of `text`, which is copied. */
void diag_place(struct diag *d, const char *text, size_t column, size_t width);
/* All of a word that stands alone; an empty one is shown as the shell would take it. */
#define DIAG_EMPTY "''"
void diag_place_word(struct diag *d, const char *word);

/*
 * The whole message as it is printed, ending in a newline, and what follows it; caller frees.
 * NULL: no memory.
 *	bpfpol: FILE:LINE:COLUMN: message        (or without a file)
 *	  text
 *	     ^^^^
 */
char *diag_text(const struct diag *d);

/* Forgets what the diag says; its warnings stay. */
void diag_clear(struct diag *d);

void diag_free(struct diag *d);

#endif
