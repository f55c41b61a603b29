/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps of one element whose address stands in the programs themselves, so that no packet looks it
 * up: sets and present. libbpf does that for variables alone, whose sizes are those of the source;
 * these are as large as a policy asks. So the classifiers name the map where they mean the element
 * (value_of() in rules.h), and what libbpf has made of that is changed before the kernel sees it.
 */
#ifndef BPFPOL_DIRECT_H
#define BPFPOL_DIRECT_H

#include <bpf/libbpf.h>

/* To be called before the object of a classifier is opened. -errno. */
int direct_begin(void);
/* Loads it. -errno. */
int direct_load(struct bpf_object *object);

#endif
