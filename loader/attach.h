/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The root programs on interfaces: by BPF links, or on TC of kernels before 6.6 by clsact filters,
 * so that they outlive the command and never take a place that is another's (pins.h). What arrives
 * is filtered by XDP, or by TC where XDP cannot be; what leaves by TC. Which interfaces are to be
 * filtered stands in BPFPOL_STATE_DIR/interfaces, a line each: NAME MODE.
 */
#ifndef BPFPOL_ATTACH_H
#define BPFPOL_ATTACH_H

#include "attach_mode.h"
#include "diag.h"
#include "kernel.h"
#include "netlink.h"

/* What holds a program on TC. */
enum tc_way { TC_NONE, TC_TCX, TC_CLSACT };

/*
 * Where more than this many come at once each takes a clsact filter and keeps it: that takes the
 * kernel 0.2 ms, a TCX link 11, and one waits for the other. Only where nobody else is on TC, as
 * others' TCX programs are asked before a filter.
 */
#define ATTACH_CROWD 32

/* An interface that we filter. */
struct attached {
	int ifindex;
	enum attach_mode how; /* what arrives: native, generic, tc; ATTACH_NONE: not filtered */
	enum tc_way in;	      /* if that is by TC */
	enum tc_way out;      /* TC_NONE: what leaves is not filtered */
	bool behind[BP_DIRS]; /* on TC: another's program is asked first */
	bool hurried;	      /* by clsact, although the kernel has TCX */
	bool crowd;	      /* to be attached: it came with more than ATTACH_CROWD */
};
struct attached_list {
	struct attached *v;
	size_t n;
};

/*
 * Each interface that is attached has ours in each of these directions (a bit each): asked cheaply,
 * as each change does. False: not, or only attached_get() tells.
 */
bool attach_is_whole(const struct kernel *k, unsigned int dirs);
/* What is attached now. Changes nothing. A link that cannot be looked at is an error. */
int attached_get(struct attached_list *list, struct diag *diag);
/*
 * The same, and the numbers in the names of pins that are not attached to an interface of that
 * number (any more). Caller frees strays->v.
 */
int attached_see(struct attached_list *list, struct attached_list *strays, struct diag *diag);
const struct attached *attached_find(const struct attached_list *list, int ifindex);
/* Whether anything is: 0 or 1; a negative errno where that cannot be told. */
int attached_look(struct diag *diag);
/* The same, and what cannot be told counts as attached. */
bool attached_any(void);
/* The hooks where anything is; all, if that cannot be told. A set as in generation.h. */
unsigned int attached_hooks(void);

/* Whether the XDP program of that id is no bpfpol's, by its name. False: it is, or is gone. */
bool attach_is_foreign(__u32 id);
/* Whether the mode is possible there: not on the loopback, nor XDP where it cannot be (-EBUSY). */
int attach_check(const struct nl_link *link, enum attach_mode mode, struct diag *diag);

/*
 * Attaches to one interface, if nothing is: what arrives there is filtered then. *is: what it came
 * to; why: a sentence on that choice, of at least 256 bytes. A foreign XDP program is left alone:
 * then TC filters, unless XDP was asked for.
 */
int attach_arriving(struct kernel *k, const struct nl_link *link, enum attach_mode mode,
	struct attached *is, char *why, size_t size, struct diag *diag);
/*
 * The rest: what leaves, and the end of the sentence. Of several interfaces that comes after the
 * first half of each, as it takes the kernel a hundred times as long: a TCX link waits for RCU.
 */
int attach_leaving(struct kernel *k, const struct nl_link *link, struct attached *is, char *why,
	size_t size, struct diag *diag);

/* Lets go of the classifiers that were loaded to attach, where nothing is attached after all. */
void attach_tidy(struct kernel *k);

/*
 * Puts the root program on every link that carries another: one of an earlier load, which obeys a
 * control word of its own. Sweeps the pins of links whose interfaces are gone. Where no rules are
 * in force, that of none (norules.h) is there for their hooks then. *renewed, unless NULL: how many
 * carried another, also where others failed.
 */
int attach_adopt(struct kernel *k, size_t *renewed, struct diag *diag);

/* A link that is not there counts as detached. Both ways or neither. */
int detach_link(int ifindex, struct diag *diag);
/*
 * The same of all of them or none. A positive number with a diag: so many links let themselves
 * neither be detached nor unpinned, when others were off.
 */
int detach_links(const int *ifindexes, size_t n, struct diag *diag);
/* Goes on after a failure; *left: how many links are still where they were. */
int detach_all(size_t *left, struct diag *diag);

/*
 * The remembered interfaces, and behind them those of the line `interfaces` of bpfpol.conf, which
 * are not ours to write or to forget.
 */
struct remembered {
	char *name;	       /* or a pattern, as for fnmatch(3) */
	enum attach_mode mode; /* ATTACH_NONE: detached, although a pattern holds it */
	bool configured;       /* by bpfpol.conf alone */
	bool named;	       /* bpfpol.conf names it as well */
};
struct remembered_list {
	struct remembered *v;
	size_t n;
	/* What is wrong with our own file, and what to do; NULL: nothing. unread: it says nothing.
	 */
	char *why;
	bool unread;
};
/* A name holds itself, also one with brackets or stars in it; a pattern what fnmatch(3) says. */
bool word_holds(const char *word, const char *name);
bool word_is_pattern(const char *word);
/* What is wrong with bpfpol.conf, or with our own file, is a warning; what can be read counts. */
int remembered_load(struct remembered_list *list, struct diag *diag);
/* The same, and `why` is no warning. */
int remembered_look(struct remembered_list *list, struct diag *diag);
/*
 * What the file is to hold, which is the caller's; NULL: there is to be none. One that is unread is
 * refused: what stands there would be lost.
 */
int remembered_print(const struct remembered_list *list, char **text, struct diag *diag);
/* Writes that. */
int remembered_save(const struct remembered_list *list, struct diag *diag);
/* Our own file as text, which is the caller's; NULL: there is none. Such a text put there. */
int remembered_text(char **text, struct diag *diag);
int remembered_put(const char *text, struct diag *diag);
/* For boot: the file from its copy, where that counts, or the copy from the file. */
int remembered_mend(struct diag *diag);
int remembered_add(struct remembered_list *list, const char *name, enum attach_mode mode);
/* What bpfpol.conf names stays, as it says. */
void remembered_remove(struct remembered_list *list, const char *name);
/* Takes back what ATTACH_NONE says of the names that are equal to or match the word. */
void remembered_readmit(struct remembered_list *list, const char *word);
/*
 * The entry that the name is equal to, or else matches: the last one with a mode that was asked
 * for, or the first. NULL: it is not to be filtered.
 */
const struct remembered *remembered_find(const struct remembered_list *list, const char *name);
void remembered_free(struct remembered_list *list);

#endif
