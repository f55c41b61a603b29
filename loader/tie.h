/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which store the rules in BPFPOL_BPFFS are of. A store has a random number, its file `id`, and the
 * control word says the number, and the place, of the one whose rules were put in force last. With
 * another store, or without any, nothing may follow: what it holds would take the place of what
 * filters.
 *
 * The number goes with the directory: one that was moved, or put back from a backup, is the same
 * store. A boot leaves no control word, and no tie. Where the file cannot be written (a boot has to
 * work on a full disk) nothing is tied, which is no failure.
 */
#ifndef BPFPOL_TIE_H
#define BPFPOL_TIE_H

#include <stdbool.h>

#include "diag.h"
#include "kernel.h"

/*
 * 0: this store may be read and changed. -EXDEV with a diag: the rules in force are of another one,
 * or of one that is lost. salvages: where only `state` is lost, and what was before it is there,
 * that is no error. Errors of reading as well. Looks at no more than two stat(2) where the store is
 * what is in force.
 */
int tie_check(const struct kernel *k, bool salvages, struct diag *diag);

/*
 * For `off`, which asks for nothing else: whether the directory holds another store than the one
 * that this control word is tied to. Then -EXDEV with a diag.
 */
int tie_check_word(const struct bp_ctl *ctl, struct diag *diag);

/*
 * Whether a control word that no pin of ours led to is that of the directory's store; where nothing
 * says which one that is, by its place and by the network namespace.
 */
bool tie_is_ours(const struct bp_ctl *ctl);

/*
 * The store's rules are about to be in force. take: they were another store's, on purpose. Whoever
 * dies in between has left what tie_check() lets this store mend.
 */
void tie_keep(struct kernel *k, bool take);

/*
 * The store has moved since, could not be tied then, or has lost its `id`, which it gets back. For
 * a store that tie_check() has passed.
 */
void tie_follow(struct kernel *k);

#endif
