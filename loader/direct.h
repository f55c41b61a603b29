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

/*
 * To be called before an object of ours is opened: tells libbpf of our sections, those of XDP with
 * their attach type. For its own ones it asks the kernel once whether it knows these, and where
 * that one question fails it leaves them out. An array of programs takes no others than its first
 * one's, so those pinned then would refuse each that comes later. -errno.
 */
int direct_begin(void);
/*
 * Loads it; maps: the n of its maps that are meant so. They are not found by name: one that the
 * object shares has the name that the kernel knows, none where libbpf's question for names failed
 * once. -errno.
 */
int direct_load(struct bpf_object *object, struct bpf_map *const *maps, size_t n);

#endif
