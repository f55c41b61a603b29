/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is on disk. BPFPOL_STATE_DIR/state is the policy in force as of the last commit: rules with
 * their ids and deadlines. Single changes since then are records in BPFPOL_STATE_DIR/journal,
 * each with a checksum; a torn tail is not there. BPFPOL_STATE_DIR/lists holds copies of address
 * lists. BPFPOL_CONF_DIR/policies/NAME.policy is the text that people read and edit: a commit
 * folds the changes since the last one into it and leaves the rest of it as it is.
 */
#ifndef BPFPOL_STORE_H
#define BPFPOL_STORE_H

#include <stdbool.h>
#include <linux/types.h>
#include <stdint.h>

#include "diag.h"
#include "policy.h"

enum change_op { CHANGE_ADD, CHANGE_DEL, CHANGE_SET };

/* A change that NAME.policy has not seen yet: a rule line that is to be there, or not. */
struct change {
	enum change_op op;
	char *text; /* the rule's action and match, canonical */
	char *line; /* the whole rule line, for CHANGE_ADD; NULL: not to be in the file (timed) */
};

struct store {
	struct policy *policy; /* in force; NULL: none assigned */
	uint32_t next_id;
	uint64_t commit;       /* number of the last commit */
	uint64_t inode, mtime; /* of `state`; 0: there is none */
	uint64_t journal;      /* bytes of the journal that are whole */
	struct change *changes;
	size_t n_changes, changes_room;
};

/* The store as it is, journal included. -EINVAL with a diag for a state file that is damaged. */
int store_load(struct store **store, struct diag *diag);
void store_free(struct store **store);

/* Whether `state` and `journal` are still those of that time; no more than two stat(2). */
bool store_unchanged(uint64_t inode, uint64_t mtime, uint64_t journal);

/*
 * Changes in memory. The rule is taken over (*rule becomes NULL), its id given if it has none and
 * its lists copied to disk. A policy is made if there is none.
 */
int store_add(struct store *store, struct rule **rule, struct diag *diag);
int store_del(struct store *store, size_t index, struct diag *diag);
/* The rule's label, log or deadline were changed. */
int store_set(struct store *store, size_t index, struct diag *diag);

/*
 * Writes `state` and an empty journal, and folds the changes into NAME.policy. When it fails
 * nothing has changed. What fails after `state` is written becomes a warning: the next commit
 * makes up for it.
 */
int store_commit(struct store *store, struct diag *diag);

/*
 * One record, durable on return; nothing else is read. *journal: its size before and after. The
 * journal is as it was when this fails.
 */
int journal_add(__u64 *journal, const struct rule *rule, struct diag *diag);
int journal_set(__u64 *journal, const struct rule *rule, struct diag *diag);
int journal_del(__u64 *journal, const uint32_t *ids, size_t n, struct diag *diag);
/* The journal has grown enough that the next change should commit. */
bool journal_is_long(uint64_t journal);

/* Reads the file that the end names, if it names one, from `dir` on (NULL: from where we are), and
 * makes its path absolute. */
int store_read_list(const char *dir, struct end *end, struct diag *diag);
int store_read_lists(struct rule *rule, struct diag *diag);

#endif
