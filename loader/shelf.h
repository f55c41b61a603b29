/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shelf: policies as files, which are made, listed, changed and thrown away. None of that
 * changes what is in force.
 */
#ifndef BPFPOL_SHELF_H
#define BPFPOL_SHELF_H

#include "apply.h"

struct shelf_entry {
	char *name;
	size_t rules;	   /* lines that are rules, not those that it includes; and the timed */
	size_t timed;	   /* of these, those that no file holds, and that are not over */
	char *description; /* NULL: none */
	bool assigned;
};

struct shelf {
	struct shelf_entry *v; /* sorted by name */
	size_t n;
};

/* store: NULL where it is not known which is assigned. */
int shelf_list(const struct store *store, struct shelf *shelf, struct diag *diag);
void shelf_free(struct shelf *shelf);

/* The names alone, in no order; reads no file. put() owns none of them. */
int shelf_names(void (*put)(const char *name, void *arg), void *arg, struct diag *diag);

/*
 * 1: its file is there; 0: it is not, or is to go; an error with a diag: nobody knows. store: NULL
 * where nothing is known of what is to go.
 */
int shelf_has(const struct store *store, const char *name, struct diag *diag);
/* 0: it is there. Else the diag says what is wrong, or that there is no such policy. */
int shelf_must_have(const struct store *store, const char *name, struct diag *diag);

/*
 * Puts a text on the shelf. One that is there already is left: -EEXIST with DIAG_REFUSED unless
 * forced; *same says that its text is equal.
 */
int shelf_put(struct host *host, const char *name, const char *text, size_t len,
	const struct apply_opts *opts, bool *same, struct diag *diag);

/*
 * Whether the policy may be thrown away. One that another includes is left: -EBUSY with
 * DIAG_REFUSED unless forced. -ENOENT with DIAG_UNKNOWN.
 */
int shelf_check_delete(const struct store *store, const char *name, bool force, struct diag *diag);
/* Throws it away, which must not be assigned. */
int shelf_delete(struct host *host, const char *name, struct diag *diag);
/* Has the commit that unassigns it throw it away. An error: its file could not be removed. */
int shelf_delete_with(struct store *store, const char *name, struct diag *diag);

/*
 * Rules of a policy that is not assigned: like apply_add(), apply_remove() and apply_remove_id(),
 * but nothing of it is in force. A rule that the policy has from another one that it includes is
 * not removed (-EPERM with DIAG_REFUSED).
 */
/*
 * All of the rules or none, each into its applied[i]; no two of them are about the same packets.
 * make: a policy that is not there is made.
 */
int shelf_add(struct host *host, const char *name, const struct policy *rules, bool make,
	const struct apply_opts *opts, struct applied *applied, struct diag *diag);
int shelf_remove(struct host *host, const char *name, const struct rule *rule, int action,
	const struct apply_opts *opts, struct apply_removed *removed, struct diag *diag);
int shelf_remove_id(struct host *host, const char *name, uint32_t id, const struct apply_opts *opts,
	struct diag *diag);

#endif
