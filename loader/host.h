/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a command works on: the lock, the kernel's side, the store; each opened when needed. What
 * puts rules in force stands above it (enforce.h).
 */
#ifndef BPFPOL_HOST_H
#define BPFPOL_HOST_H

#include "compile.h"
#include "kernel.h"
#include "store.h"

struct dynamic;
struct link_choices;

struct host {
	struct kernel *kernel; /* NULL: nothing is pinned */
	struct store *store;   /* NULL: not read yet, see host_store() */
	bool off;	       /* `bpfpol off` is in force */
	uint64_t tried_left;   /* ns until what was attached on trial is detached; 0: none is */
	int tried_rc;	       /* the disk does not say whether any is: -errno */
	uint64_t off_left;     /* ns until it ends by itself; 0: it stays, or is not */
	bool off_unsure;       /* it may be over: the disk does not say until when it was */
	bool ended;	  /* one of these was over by itself, which is not noted yet (late.h) */
	bool agent;	  /* this is the agent, which needs not be told what it does */
	bool aside;	  /* the store is not what is to be on disk: nothing is written */
	uint64_t confirm; /* seconds that the change has to be confirmed in; 0: for good */
	bool unguarded;	  /* what would cut the operator's way in goes ahead (guard.h) */
	/* The dynamic rules that stay, where one of them goes when the change is made; NULL: all
	 * do. */
	const struct policy *staying;
	/* The dynamic rules of a process that holds them, which need not ask for them; NULL: no
	 * such. */
	const struct policy *held;
	/* Beside these: the layer as that process has it open; NULL: it is read back. */
	const struct dynamic *holder;
	/* Interfaces that the command attaches; NULL: none. Read while rules are put in force. */
	const struct link_choices *adding;
	bool astray;	 /* the journal is not what the generation stands for, though as long */
	bool ending_off; /* this is what ends `off` */
	bool take;	 /* what is in force is another store's, and is to be replaced */
	/*
	 * Why the store cannot be used, where a command looks all the same (fault.h); NULL: it can.
	 * untold: the store is what the kernel has in force, and these of its rules are not all
	 * known; NULL: it is what is on disk.
	 */
	char *fault;
	int fault_rc;
	bool *untold;
	size_t n_untold;
	/* Of these, those that are attached with the first rules, before these are; NULL: none. */
	struct link_choices *first;
};

enum host_use {
	HOST_READ,   /* makes nothing that is not there yet */
	HOST_TEND,   /* ends what others began, and changes nothing else */
	HOST_TRY,    /* a dry run of a change: as HOST_READ, but refused where that is */
	HOST_CHANGE, /* refused (-EBUSY) while a change awaits confirmation */
	/* Beside one of these: */
	HOST_SALVAGE = 8, /* not refused where `state` is lost, and what was before it is there */
	HOST_TAKE = 16,	  /* nor where what is in force is another store's (tie.h) */
	HOST_ON = 32,	  /* to end `off`, of which nothing is written any more */
};

int host_open(struct host *host, enum host_use use, struct diag *diag);
/*
 * For reports, which show what is in force whatever became of the store: see fault.h. A command
 * that was killed may have left the kernel behind the store: what it began is ended first. If that
 * fails it is a warning.
 */
int host_open_to_read(struct host *host, struct diag *diag);
/* The same, and nothing is ended: a store that cannot be used is noted as a fault. */
int host_open_to_look(struct host *host, struct diag *diag);
void host_close(struct host *host);

int host_store(struct host *host, struct diag *diag);
/* The same, but without what the lists of its rules hold. */
int host_store_names(struct host *host, struct diag *diag);
/* Loads and pins the shared programs if that was not done yet. */
int host_kernel(struct host *host, struct diag *diag);
/*
 * The same in two steps: what was attached by another root goes on judging by it after the first,
 * which pins nothing, and obeys this one after the second. If that fails there is no kernel.
 */
int host_kernel_load(struct host *host, struct diag *diag);
int host_kernel_hang(struct host *host, struct diag *diag);
/*
 * What judges packets cannot be asked here: it is another version's, or has lost its pins. Not
 * while filtering is off.
 */
bool host_is_foreign(const struct host *host);
/*
 * The generation in force is what the store says, so that it may be changed in place: 1, 0, or
 * -errno: the interfaces that its rules name cannot be asked for. diag: NULL, or is told.
 */
int host_steps(const struct host *host, struct diag *diag);
/* The same; what cannot be asked for may have changed. */
bool host_in_step(const struct host *host);
/* It stands for what is on disk now, which the store is. */
void host_stamp(struct generation *gen, const struct store *store);
/* Commits the store, whose rules are what is in force already. */
int host_commit(struct host *host, struct diag *diag);
/* Makes sure that ids below that one are never given again. */
int host_give_ids(struct host *host, uint32_t next_id, struct diag *diag);

/* The same for the next n: *first. Durable in one record where the rules may be changed in place.
 */
int host_reserve_ids(struct host *host, uint32_t n, uint32_t *first, struct diag *diag);

#endif
