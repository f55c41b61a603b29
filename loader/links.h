/* SPDX-License-Identifier: GPL-2.0-only */
/* Attaching several interfaces, all or none, with what was said of each. */
#ifndef BPFPOL_LINKS_H
#define BPFPOL_LINKS_H

#include "attach.h"
#include "host.h"

struct link_choice {
	const struct nl_link *link;
	enum attach_mode mode; /* asked for */
	enum attach_mode how;  /* came to; ATTACH_NONE before */
	enum tc_way in;	       /* the same, of TC */
	enum tc_way out;       /* of what was there before */
	bool already;	       /* was attached before, both ways */
	bool undo;	       /* nothing was there before: it can be taken off again */
	bool failed;	       /* choices_attach_each() could not, and has taken off its half */
	bool remembered;       /* choices_remember() has added it */
	char why[256];
};

struct link_choices {
	struct link_choice *v;
	size_t n;
};

int choices_add(struct link_choices *c, const struct nl_link *link, enum attach_mode mode);
/* Adds those that the list says are to be filtered, of those that are there. */
int choices_follow(
	struct link_choices *c, const struct nl_links *links, const struct remembered_list *list);
/* Whether all of them can be attached; marks those that are. */
int choices_check(struct link_choices *c, struct diag *diag);
/* Attaches all of them, or on failure none that was not attached before. */
int choices_attach(struct host *host, struct link_choices *c, struct diag *diag);
/*
 * Each for itself: one that cannot be attached must not keep the others open. For each such one
 * failed() is called with a diag, which it clears. dry_run: no more than choices_check().
 */
typedef void (*choice_failed_fn)(const struct link_choice *choice, struct diag *diag);
int choices_attach_each(struct host *host, struct link_choices *c, bool dry_run,
	choice_failed_fn failed, struct diag *diag);
/* Takes off and forgets again what choices_attach() put on and choices_remember() added. */
void choices_undo(struct host *host, const struct link_choices *c);

/* Adds them to what is remembered on disk. */
int choices_remember(struct link_choices *c, struct diag *diag);
void choices_free(struct link_choices *c);

#endif
