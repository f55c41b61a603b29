/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libraries that are loaded when they are used, so that the program starts without them. There is
 * one file to copy to a server.
 */
#ifndef BPFPOL_LIBRARY_H
#define BPFPOL_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

/* at: a pointer to the function, to be set. */
struct library_function {
	const char *name;
	void *at;
};

/*
 * names: of its file, ended by NULL; the first one that is there is taken. False: there is none
 * (*old false), or it lacks a function (*old true).
 */
bool library_load(
	const char *const *names, const struct library_function *functions, size_t n, bool *old);

#endif
