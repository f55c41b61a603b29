/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is pinned in BPFPOL_BPFFS/links: the names say what is attached where.
 *
 *	HOOK-IFINDEX			a BPF link (XDP, TCX)
 *	HOOK-IFINDEX-clsact-ID		a program with that id, in a clsact filter: of a filter
 *itself there is nothing to pin HOOK-IFINDEX-clsact-made-ID	the same, in a qdisc that was not
 *there before us
 *	HOOK-IFINDEX-clsact-changing-ID	the same, and qdisc and filter are being made or taken away
 *
 * A link's pin is what holds it. A filter holds itself, and its pin is how it is known again: it is
 * pinned before it is attached, and until it is gone.
 */
#ifndef BPFPOL_PINS_H
#define BPFPOL_PINS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "abi.h"
#include "diag.h"

/* Attach types; linux/bpf.h has them from 6.6 on. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47

enum pin_kind { PIN_LINK, PIN_FILTER, PIN_FILTER_MADE, PIN_FILTER_CHANGING, PIN_KINDS };

/* A pin, opened. */
struct pin {
	char *path;
	enum bp_hook hook;
	int ifindex; /* in its name */
	enum pin_kind kind;
	int fd;	      /* of the link, or of the filter's program */
	__u32 prog;   /* the program's id */
	int on;	      /* the interface that it is attached to; 0: none */
	bool behind;  /* on TC: another's program is asked first */
	bool hurried; /* a filter, although the kernel has TCX: attach.h */
};

/* It is attached to the interface that it is named after. */
bool pin_is_live(const struct pin *p);
bool pin_is_out(const struct pin *p);
/* *prog: the id of the first program on TCX there, 0: none. false: the kernel has no TCX. */
int tcx_first(int ifindex, bool out, __u32 *prog);

/* Caller frees. NULL: no memory. prog is asked of filters alone. */
char *pin_path(enum bp_hook hook, int ifindex, enum pin_kind kind, __u32 prog);
int pins_make_dir(struct diag *diag);

typedef int (*pin_fn)(const struct pin *p, void *arg, struct diag *diag);

/*
 * Calls fn for each pin (of one interface; 0: of all), until it returns a positive number; one that
 * fails, or that cannot be opened, does not keep it from the others. Returns the first failure, and
 * the diag tells of it. *failed, unless NULL: how many.
 */
int pins_each(int ifindex, pin_fn fn, void *arg, size_t *failed, struct diag *diag);

/* The same of their names alone: of each pin hook, ifindex and kind are set. */
int pins_names(pin_fn fn, void *arg, struct diag *diag);

struct pins {
	struct pin *v;
	size_t n;
};
/* Opens all of an interface beside what is open; on failure all are closed. */
int pins_open(int ifindex, struct pins *pins, struct diag *diag);
void pins_close(struct pins *pins);

#endif
