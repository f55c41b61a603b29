/* SPDX-License-Identifier: GPL-2.0-only */
/* The policies on disk, BPFPOL_CONF_DIR/policies/NAME.policy, read with all that they name. */
#ifndef BPFPOL_POLICIES_H
#define BPFPOL_POLICIES_H

#include "policy_text.h"
#include "store.h"

/* Of the policy's file; caller frees; NULL: no memory. */
char *policies_path(const char *name);

/* -EINVAL with a diag when no policy can have that name. */
int policies_check_name(const char *name, struct diag *diag);

/* -ENOENT with DIAG_UNKNOWN. */
int policies_unknown(const char *name, struct diag *diag);

/* Nothing in a directory that others can write to is a policy of ours. -ENOENT without a diag. */
int policies_check_dirs(struct diag *diag);

/*
 * The text of the policy: its file, with the changes that wait for it. store: NULL for the file
 * alone. -ENOENT with DIAG_UNKNOWN: there is no such policy.
 */
int policies_read(
	const struct store *store, const char *name, char **text, size_t *len, struct diag *diag);

/*
 * Reads a text (taken over) that stands in the file `path`. Lists and includes are looked for
 * beside it, includes then in the store (NULL: among its files alone); for names see names_read().
 * What is wrong in it is no failure here: see ->flaws.
 */
int policies_parse(const struct store *store, const char *path, char *text, size_t len,
	const char *name, struct names *names, struct policy_text **out);

/*
 * The policy of that name as it would be assigned now: its file, with lists and includes read, and
 * its timed rules. Rules that the store knows keep their ids, others get those that they would be
 * given; `for` counts from now. The store does not change. -ENOENT with DIAG_UNKNOWN; -EINVAL
 * with all that is wrong in the file.
 */
int policies_load(const struct store *store, const char *name, struct names *names,
	struct policy **policy, struct diag *diag);
/* The same without what its lists hold: their files need not be there. */
int policies_load_words(
	const struct store *store, const char *name, struct policy **policy, struct diag *diag);

/*
 * Looks up what the policy's file names, to be called before the lock is taken: a name server may
 * take its time, and `off` does not wait for it. What is wrong there is said by policies_load().
 */
int policies_ask_ahead(const char *name, struct names *names);

#endif
