/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A rule expanded into filters, as the kernel side knows them: one family, one direction, one
 * tuple, one key. Pure.
 */
#ifndef BPFPOL_FILTER_H
#define BPFPOL_FILTER_H

#include "policy.h"

/* The masks of a tuple: filters of equal shape share it. */
struct shape {
	uint8_t dir, family; /* enum bp_dir, enum bp_family */
	uint8_t kind;	     /* enum bp_kind */
	uint8_t flags;	     /* enum bp_tuple_flags */
	uint8_t rlen, llen;
};

/* Addresses in network order, IPv4 in the first 4 bytes; for ICMP lport = type, rport = code. */
struct filter {
	struct shape shape;
	uint8_t proto; /* 0 without BPT_PROTO */
	uint8_t remote[16], local[16];
	struct port_range rport, lport;
	uint64_t rank;
};

/*
 * Calls fn for each filter of the rule, always in the same order: first those of its own action,
 * then the shadows (abi.h) of those that ask for ports or a type. Stops at the first non-zero
 * result and returns it. -ENOMEM.
 */
int filter_each(const struct rule *rule, int (*fn)(const struct filter *, void *), void *arg);

/* Whether filters of that shape are shadows: BP_SHADOW or BP_BLIND. */
bool is_shadow(const struct shape *shape);

/* How many filters the rule has without shadows. -ENOMEM. */
int filter_count(const struct rule *rule, uint64_t *count);

/* The tuple of a shape, without its bound. */
void shape_tuple(const struct shape *shape, struct bp_tuple *tuple);
bool shape_is(const struct shape *shape, const struct bp_tuple *tuple);

/* The key of a filter in the tuple of that number, slot 0. */
union filter_key {
	struct bp_key4 v4;
	struct bp_key6 v6;
};
void filter_key(const struct filter *filter, unsigned int tuple, union filter_key *key);
/* The element that stands for it. */
void filter_elem(const struct filter *filter, const struct rule *rule, uint64_t print,
	uint32_t ifindex, uint32_t gate, struct bp_elem *elem);

/* Fingerprint of the rule's match: the same for rules that differ in action and options alone. */
int rule_print(const struct rule *rule, uint64_t *print);
/* Whether all the rule's filters must begin and end at once by a gate. -ENOMEM. */
int rule_needs_gate(const struct rule *rule, bool *needs);

#endif
