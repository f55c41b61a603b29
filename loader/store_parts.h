/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by store.c, journal.c, policy_file.c and lists.c alone. */
#ifndef BPFPOL_STORE_PARTS_H
#define BPFPOL_STORE_PARTS_H

#include "store.h"

char *state_path(const char *name);

/* "ID DEADLINE RULE" of state and journal. */
char *rule_record(const struct rule *rule);
int rule_from_record(const char *record, struct rule **rule);

int store_note(struct store *store, enum change_op op, const struct rule *rule);

/* Applies the journal to the store; sets store->journal. */
int journal_load(struct store *store, struct diag *diag);
/* An empty journal for the store's commit. */
int journal_reset(struct store *store, struct diag *diag);

int policy_file_fold(const struct store *store, struct diag *diag);

/* Copies below lists/. */
int lists_save(const struct rule *rule, struct diag *diag);
int lists_load(struct rule *rule, struct diag *diag);
/* Removes copies of rules that are no more. */
void lists_sweep(const struct policy *policy);

#endif
