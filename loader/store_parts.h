/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by store.c, record.c, journal.c, policy_file.c and lists.c alone. */
#ifndef BPFPOL_STORE_PARTS_H
#define BPFPOL_STORE_PARTS_H

#include "store.h"

char *state_path(const char *name);

/*
 * "ID DEADLINE LISTS RULE" of state and journal; LISTS is rule->lists. A text that would not read
 * back is a fault of ours, found here and not at the next boot: -EBADMSG.
 */
int rule_record(const struct rule *rule, char **record);
/* -EBADMSG: not a record. */
int rule_from_record(const char *record, struct rule **rule);
int store_damaged(const char *name, struct diag *diag);

int store_note(struct store *store, enum change_op op, const struct rule *rule);

/* Applies the journal to the store; sets store->journal. */
int journal_load(struct store *store, struct diag *diag);
/* An empty journal for the store's commit. */
int journal_reset(struct store *store, struct diag *diag);

/* NAME.policy with the changes folded in; *text: NULL if it stays as it is. */
int policy_file_text(const struct store *store, char **text, size_t *len, struct diag *diag);
/* That text written down beside the state before the commit, and put in its place after it. */
int policy_file_prepare(const struct store *store, const char *text, size_t len, struct diag *diag);
int policy_file_finish(const struct store *store, const char *text, size_t len, struct diag *diag);

/* Copies below lists/, named by rule and rule->lists. */
int lists_save(const struct rule *rule, struct diag *diag);
int lists_load(struct rule *rule, struct diag *diag);
/* Removes copies that are no rule's any more. */
void lists_sweep(const struct policy *policy);

#endif
