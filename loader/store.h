/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is on disk, below BPFPOL_STATE_DIR:
 *
 *	state			which policy is assigned, and its rules as of the last commit, with
 *				ids and deadlines: what a boot puts in force. It is replaced by one
 *				rename, which is the commit.
 *	journal			single changes since that commit, each a record with a checksum; a
 *				torn tail is not there
 *	previous.N.state,	the state and journal of commit N, which the present state names as
 *	previous.N.journal	the one to go back to: as it was before the last change that made a
 *				commit, or with that change the last of the journal. Complete: their
 *				copies of lists are kept with them. While `state` awaits
 *				confirmation they are what it goes back to by itself.
 *	lists/			copies of the address lists of the rules in these files
 *	id			which store it is (tie.h)
 *	names/HOST		addresses of a host when it was last looked up (names.h)
 *	policies/NAME		what is known of a policy that is not assigned, beside its file: the
 *				ids of its rules, and its timed rules, which no file holds
 *	fold.N			changes of commit N that NAME.policy has not seen yet, or that it is
 *				to go, or what is to stand in it
 *
 * BPFPOL_CONF_DIR/policies/NAME.policy is the text that people read and edit. A commit folds the
 * changes of single rules into it and leaves the rest as it is.
 */
#ifndef BPFPOL_STORE_H
#define BPFPOL_STORE_H

#include <stdbool.h>
#include <linux/types.h>
#include <stdint.h>

#include "confirm.h"
#include "diag.h"
#include "fold.h"
#include "names.h"
#include "policy.h"

struct store {
	struct policy *policy;	 /* assigned; NULL: none */
	struct policy *outgoing; /* was assigned until store_assign(); NULL: none */
	uint32_t next_id;
	uint32_t known;		/* rules of this number and above are the command's own */
	uint64_t commit;	/* number of the last commit */
	uint64_t previous;	/* number of the one to go back to; 0: there is none */
	bool cut;		/* to go back, without the last change of its journal */
	struct confirm confirm; /* the last commit awaits confirmation */
	/*
	 * The last commit took back one that awaited confirmation: these are the rules of
	 * `previous`, and there is nothing to go back to. went_back: when it did so by itself, in
	 * seconds since 1970; 0: somebody did.
	 */
	bool back;
	uint64_t went_back;
	uint64_t undo;	/* where the journal's last change begins; 0: it holds none */
	uint32_t *step; /* ids of the single rules that the last change was of */
	size_t n_step;
	uint64_t inode, mtime; /* of `state`; 0: there is none, or nobody is in step with it */
	uint64_t journal;      /* bytes of the journal that are whole; 0: there is none */
	struct fold *folds;
	size_t n_folds;
	struct names *names; /* looked up by this command: a commit keeps them; NULL: none are */
	bool stands;	     /* there is a state, which these rules were, or are */
	bool whole;	     /* the lists were read */
	bool changed;	     /* rules differ from what state and journal say */
	bool assigning;	     /* it was not the policy that is assigned now */
	bool asked;	     /* somebody wants that, and it is not only that a time was over */
	bool taking_back;    /* the change is that what awaited confirmation is taken back */
	bool lost;	     /* changes that the journal held: it is damaged, or gone */
	bool unread;  /* salvaged, where files cannot be read now: nothing may take their place */
	char *moved;  /* where a `state` is that was damaged; NULL: where it was */
	bool untidy;  /* a torn journal, or a fold that was left over: the next commit clears up */
	bool stays;   /* what was on trial, as what was before is lost */
	bool for_now; /* the same until that can be read; nothing is written meanwhile */
	bool behind;  /* the journal is that of the commit before, or none: it was not begun anew */
	bool headless; /* there is none, or one that is of no commit */
};

/*
 * The store as it is, journal included, but not what the lists of its rules hold: that is read by
 * store_read_copies(), which does it once. -EBADMSG with a diag for what is damaged.
 */
int store_load(struct store **store, struct diag *diag);
int store_read_copies(struct store *store, struct diag *diag);
/*
 * Both, as it was before the last change: of a rule in the journal, or else of the last commit that
 * changed rules. -ENOENT with a diag when there was none.
 */
int store_load_previous(const struct store *store, struct store **previous, struct diag *diag);
/*
 * The same of a commit that awaits confirmation, without what its lists hold: what is in force
 * beside it. -ENOENT with a diag: it is lost.
 */
int store_load_before(const struct store *store, struct store **before, struct diag *diag);
/* Inode and time of its state, and its journal's size, as of a store that is read; 0: none. */
void store_stat_before(
	const struct store *store, uint64_t *inode, uint64_t *mtime, uint64_t *journal);
/* `state` is gone, though a commit to go back to is there. */
bool store_is_lost(const struct store *store);
/* There is such a commit on disk, whatever became of `state`. */
bool store_can_go_back(void);
/* Undoes store_salvage()'s moving a damaged `state` aside, where nothing took its place. */
void store_move_back(const struct store *store);
/*
 * For boot: as much of a store that store_load() cannot read as can be saved. What is lost becomes
 * warnings. The next commit puts the store in order, but for `unread`, which is to have none.
 * `look`: no file is moved aside.
 */
int store_salvage(bool look, struct store **store, struct diag *diag);
/* The same of the lists alone, where others than those of `state` are to be in force. */
int store_salvage_copies(struct store *store, struct diag *diag);
/* Whether such an error says that files are damaged; else they could not be read now. */
bool store_is_damage(int rc);
void store_free(struct store **store);

/*
 * Whether `state` and `journal` are still those of that time: 1, 0 or -errno; no more than two
 * stat(2). journal 0: there was none, as no policy was assigned.
 */
int store_compare(uint64_t inode, uint64_t mtime, uint64_t journal);
/* The same; what the disk does not say is not known to be so. */
bool store_unchanged(uint64_t inode, uint64_t mtime, uint64_t journal);
bool store_is_assigned(const struct store *store, const char *name);
/* The name of the policy, if it is this command that assigns it; else NULL. */
const char *store_assigning(const struct store *store);

/*
 * Changes in memory. The rule is taken over (*rule becomes NULL), its id given if it has none. A
 * policy must be assigned. -ENOMEM.
 */
int store_add(struct store *store, struct rule **rule);
int store_del(struct store *store, size_t index);
/* The rule's label, log or deadline were changed. */
int store_set(struct store *store, size_t index);
/*
 * Assigns a policy in place of the one that is; NULL: none. It is taken over, ids and all. Its
 * file is not touched.
 */
void store_assign(struct store *store, struct policy **policy);
/* The same, but of the policy that is assigned, as it is, no change: the one before can be undone.
 */
void store_assign_again(struct store *store, struct policy **policy);
/*
 * Assigns what store_load_previous() gave. A change of single rules is taken back in the policy's
 * file, too; what was edited there stays. It is a change like any other: the next one undoes it.
 */
int store_go_back(struct store *store, struct store *previous);
/*
 * Takes back, in memory, the commit that awaits confirmation, as if it had never been. at: when it
 * went back by itself, in seconds since 1970; 0: it did not. Errors as store_load_before().
 */
int store_take_back(struct store *store, uint64_t at, struct diag *diag);

/*
 * Copies the lists that have no copy yet, writes `state` and an empty journal, and folds the
 * changes into the policies' files. When it fails nothing has changed. What fails after `state` is
 * written becomes a warning: the next commit makes up for it.
 */
int store_commit(struct store *store, struct diag *diag);
/* What is left of a commit that died, or had no room: its journal is begun. 0 where nothing is. */
int store_end_commit(struct store *store, struct diag *diag);

/*
 * Has the next commit throw the policy away, its file and what is known beside it; from that commit
 * on it is gone, whatever becomes of the file. -ENOMEM.
 */
int store_throw_away(struct store *store, const char *policy);
/* It is, though its file may still be there. store may be NULL. */
bool store_is_gone(const struct store *store, const char *policy);
/*
 * Has the next commit put that text in the place of the policy, whose timed rules go with it: those
 * in force stay until it is assigned. Nothing may wait for its file (store_settle()). -ENOMEM.
 */
int store_replace(struct store *store, const char *policy, const char *text);
/*
 * Does with that policy's file what waits for it; for whoever is about to write the file, as that
 * would come on top. An error: it still waits.
 */
int store_settle(struct store *store, const char *policy, struct diag *diag);

/* Has the next commit write the file of the store's policy, which is gone, anew. -ENOMEM. */
int store_want_file(struct store *store);

/*
 * The text of NAME.policy with the changes that wait for it. -ENOENT without a diag: there is no
 * such file, or it is to go. store may be NULL.
 */
int store_policy_text(
	const struct store *store, const char *name, char **text, size_t *len, struct diag *diag);

/*
 * NAME.policy with the fold in it; *text: NULL if it stays as it is. A file that is gone is
 * written anew from `policy`, or if that is another or NULL from the changes alone.
 */
int policy_file_fold(const struct fold *fold, const struct policy *policy, char **text, size_t *len,
	struct diag *diag);
/* Writes nothing where the text is what the file holds. */
int policy_file_write(const char *name, const char *text, size_t len, struct diag *diag);

/* What is known of a policy that is not assigned; an empty one if nothing is. */
int known_load(const char *name, struct policy **policy, struct diag *diag);
/* The same as it will be once what waits for the file is done. store may be NULL. */
int store_known(
	const struct store *store, const char *name, struct policy **policy, struct diag *diag);
int known_save(const struct policy *policy, struct diag *diag);
int known_remove(const char *name, struct diag *diag);

/*
 * One record, durable on return; nothing else is read. *journal: its size before and after. The
 * journal is as it was when this fails.
 */
int journal_add(__u64 *journal, const struct rule *rule, struct diag *diag);
int journal_set(__u64 *journal, const struct rule *rule, struct diag *diag);
int journal_del(__u64 *journal, const uint32_t *ids, size_t n, struct diag *diag);
/*
 * What was written behind that length is gone, as if it had never been there. When this fails it
 * may stand for good.
 */
int journal_cut(__u64 *journal, __u64 length, struct diag *diag);
/* Ids below that one are given. */
int journal_next(__u64 *journal, uint32_t next_id, struct diag *diag);
/*
 * Whether all of it is what it was: of the commit in `state`, of that size, and each record checks.
 * What is appended behind a record that does not would be lost with it.
 */
bool journal_is_sound(uint64_t size);
/* The journal has grown enough that the next change should commit. */
bool journal_is_long(uint64_t journal);

/*
 * Reads the file that the end names, if it names one, from `dir` on (NULL: from where we are), and
 * makes its path absolute; of a host its addresses, see names_read().
 */
int store_read_list(const char *dir, struct end *end, struct names *names, struct diag *diag);
int store_read_lists(struct rule *rule, struct names *names, struct diag *diag);
/* Looks up the hosts of the assigned policy again, in memory. */
int store_look_up(struct store *store, bool *changed, struct diag *diag);

#endif
