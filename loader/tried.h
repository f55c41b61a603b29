/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interfaces that are attached on trial, or about to be attached or detached.
 * BPFPOL_STATE_DIR/tried says until when they stay, which they are, and what `interfaces` is to
 * hold then; it is written before anything is attached or detached, and is gone when that is
 * settled. No kernel side detaches by itself: who waits for the time is due.h, and whoever comes
 * behind it sees to it in any case.
 */
#ifndef BPFPOL_TRIED_H
#define BPFPOL_TRIED_H

#include "attach.h"
#include "links.h"

/* -EBADMSG: something is, but nobody knows what any more. */
int tried_check(void);
/* Something is on trial, or was and is not settled yet; or the disk does not say. */
bool tried_is_there(void);
/* They wait for rules that they came with and that are on trial. */
bool tried_follows(void);
/* *ns until they are detached again; 0: none is on trial, or the time is over. -errno, and 0: the
 * disk does not say. */
int tried_left(uint64_t *ns);
/* What was attached on trial was over by itself, which is not noted yet (late.h). */
bool tried_has_ended(void);
/* The time is over: detaches them. A warning: not all of that could be done. */
void tried_tend(struct diag *diag);

/*
 * Before anything is remembered or attached. seconds: 0: for good. words: as they were given; c:
 * what they name now; is: what was attached before. Until tried_stand() or tried_keep() its time is
 * over: whoever comes takes back what a command that died had begun.
 */
int tried_begin(uint64_t seconds, char *const *words, int n, const struct link_choices *c,
	const struct attached_list *is, struct diag *diag);
/*
 * The same of what rules come with, which that commit of the store is to bring: whoever comes takes
 * it back if there is no such commit, or it went back; on trial it is as they are.
 */
int tried_begin_with_rules(uint64_t commit, const struct link_choices *c, struct diag *diag);
/*
 * All is attached, and has its time from now on: *left ns of it when that is written. An error has
 * changed nothing; -ETIME: the disk took all of it.
 */
int tried_stand(uint64_t *left, struct diag *diag);
/* They stay. */
int tried_keep(struct diag *diag);
/*
 * They are detached, and forgotten, whatever time is left. Who dies in it has it done later. An
 * error has changed nothing, unless a warning says that some are detached.
 */
int tried_take_back(struct diag *diag);

/*
 * Detaches these, all or none, after which that is remembered. Whoever comes next ends what one
 * that died has begun.
 */
int tried_detach(
	const struct remembered_list *after, const struct link_choices *c, struct diag *diag);

/* What `interfaces` is to hold, where the time is over and nobody could write it. *text: NULL: it
 * holds what it is to; else caller frees. */
int tried_before(char **text);

#endif
