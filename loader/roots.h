/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Our root programs by what the kernel says is loaded, and no pin, for `off` where the pins are out
 * of sight or can be anybody's. Programs for packets are loaded by root alone, so that nothing
 * planted is among them; whose they are is told by the store that their control word names.
 */
#ifndef BPFPOL_ROOTS_H
#define BPFPOL_ROOTS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "abi.h"
#include "diag.h"

enum root_kind {
	ROOT_OFF,   /* ours, and its control word lets every packet pass now */
	ROOT_OLDER, /* another version's, whose control word says nothing to us */
	ROOT_OTHER, /* of another store */
};

struct root {
	__u32 prog; /* its id */
	enum root_kind kind;
};

struct roots {
	struct root *v;
	size_t n;
	bool everywhere;     /* ours are those of all network namespaces */
	char other[BP_NAME]; /* where a store lies that another's are of; "": there is none */
};

/*
 * Finds them, and has each that is ours let every packet pass; with `here`, of this network
 * namespace alone, as a copy of our store in a container has our number, too. Goes on after a
 * failure.
 */
int roots_switch_off(struct roots *r, bool here, struct diag *diag);
/*
 * 1: one of ours in this network namespace filters by another control word than `word`, a
 * descriptor, or -1. -errno: nobody knows. Changes nothing.
 */
int roots_beside(int word);
/*
 * Takes those that are ours off all interfaces, and another version's off those of this network
 * namespace. *left: how many are still where they were; *others: those of other stores are here.
 * Goes on after a failure.
 */
int roots_detach(const struct roots *r, size_t *left, size_t *others, struct diag *diag);
/* Some of that kind were found. */
bool roots_have(const struct roots *r, enum root_kind kind);
/* 1: some of them are on interfaces of this network namespace; 0: none. -errno: not known. */
int roots_stay(const struct roots *r, enum root_kind kind);
void roots_free(struct roots *r);

#endif
