/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a command that brings rules finds nothing attached: the interfaces that it begins with. */
#ifndef BPFPOL_FIRST_H
#define BPFPOL_FIRST_H

#include "links.h"

/* They come with the command's rules; with the list that they stand in. {} before. */
struct first_links {
	struct nl_links links;
	struct link_choices choices;
};

/*
 * What is remembered, as behind a boot before `restore`, is attached at once, with the rules on
 * disk in force, as `restore` would do. Where nothing is, those of bpfpol.conf, or the usual ones,
 * are to be remembered and attached when the command's rules are put in force (host->first).
 * Neither if something is attached already or filtering is off. With a dry run nothing more than a
 * check. After a failure choices_undo() is called for.
 */
int first_links_begin(
	struct host *host, struct first_links *first, bool dry_run, struct diag *diag);
void first_links_free(struct first_links *first);

#endif
