/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of the store alone, and by those that keep theirs beside it: remembered.c,
 * tried_file.c. */
#ifndef BPFPOL_STORE_PARTS_H
#define BPFPOL_STORE_PARTS_H

#include "store.h"

char *state_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* record.c */
/*
 * "ID DEADLINE[/LIFETIME] [+]LISTS[+] RULE" of state and journal; LISTS is rule->lists, LIFETIME
 * that of a rule whose `for` stands in its file, + behind LISTS says that it is included, + before
 * it that it has a line of its own beside that: a sign, which older versions read over. A text that
 * would not read back is a fault of ours, found here and not at the next boot: -EBADMSG.
 */
int rule_record(const struct rule *rule, char **record);
/* -EBADMSG: not a record. */
int rule_from_record(const char *record, struct rule **rule);
int store_damaged(const char *name, struct diag *diag);

/*
 * Files that end with "end CRC32" of all before. sum_check() cuts that off; -EINVAL: it does not
 * hold. sum_put() adds it to a stream of open_memstream(), whose buffer and size these are.
 */
int sum_check(char *text, size_t len);
void sum_put(FILE *out, char *const *text, const size_t *len);

/* Notes the id for store->step, which is of this change alone. */
int step_note(struct store *store, uint32_t id);
/* Ids that what cannot be read may have given, and that somebody was told: none is given twice. */
#define ID_SLACK 1000
void skip_ids(struct store *store, size_t n);
/* "assigned NAME" and a line for each rule. */
int policy_put(FILE *out, const struct policy *policy);

/* store.c */
int stat_file(const char *path, uint64_t *inode, uint64_t *mtime);
int stat_state(uint64_t *inode, uint64_t *mtime);
/* Reads state and journal of those names. -ENOENT without a diag: no such state. */
typedef int (*store_load_fn)(
	struct store *store, const char *state, const char *journal, struct diag *diag);
/* The commit of that number, read so. -ENOENT without a diag. */
int store_load_number(uint64_t number, store_load_fn load, struct store **store, struct diag *diag);

/* state.c */
/* What state or previous.N.state says. -ENOENT without a diag. */
int state_load(struct store *store, const char *path, struct diag *diag);
/* The commit that `state` is, from its first bytes. -EBADMSG, or what open(2) and read(2) say. */
int state_commit(uint64_t *commit);
int state_write(const struct store *store, struct diag *diag);

/* Of what is known of a policy that is not assigned its timed rules go. */
int known_forget_timed(const char *name, struct diag *diag);

/* journal.c */
/* Applies a journal to the store; sets store->journal, and of its last change undo and step. */
int journal_load(struct store *store, const char *path, struct diag *diag);
/* Of its first bytes only. */
int journal_load_until(struct store *store, const char *path, uint64_t end, struct diag *diag);
/* An empty journal for the store's commit; none if no policy is assigned. */
int journal_reset(struct store *store, struct diag *diag);

/* fold_file.c */
/* Notes a change of the assigned policy, or of that one, for its file. */
int fold_note(struct store *store, enum change_op op, struct rule *rule);
int fold_note_of(
	struct store *store, const char *policy, enum change_op op, const struct rule *rule);
/* What was thrown away is not, and has its file if that has not gone yet. */
void fold_bring_back(struct store *store, const char *policy);
/* What was noted of the journal's last change goes: it is undone. */
void fold_unnote(struct store *store);
int fold_load(struct store *store, struct diag *diag);
/* For the store's commit, before it is made. Nothing to fold leaves no file. */
int fold_save(const struct store *store, struct diag *diag);
/* Of the commit that stands, what waits of it: changes that the journal holds may yet be undone. */
int fold_save_waiting(const struct store *store, struct diag *diag);

/* policy_file.c */
bool policy_file_is_gone(const char *name);

/* lists.c */
/* Copies below lists/, named by rule and rule->lists. */
int lists_save(const struct rule *rule, struct diag *diag);
/* -EBADMSG: a copy is gone, or damaged. */
int lists_load(struct rule *rule, struct diag *diag);
/* Removes copies that are no rule's any more, of none of the two. */
void lists_sweep(const struct policy *policy, const struct policy *previous);
/* Whether there is a copy that is none of the policy's. */
bool lists_left(const struct policy *policy);

#endif
