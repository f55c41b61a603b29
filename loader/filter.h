/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A rule expanded into filters, as the kernel side knows them: one family, one direction, one
 * tuple, one key. Pure.
 */
#ifndef BPFPOL_FILTER_H
#define BPFPOL_FILTER_H

#include "policy.h"

/* What a filter asks for. Filters of equal shape share a tuple. */
struct shape {
	uint8_t dir, family; /* enum bp_dir, enum bp_family */
	uint8_t kind;	     /* enum bp_kind */
	uint8_t flags;	     /* enum bp_flags */
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

/* The tuple whose key holds all that a shape asks for, without its bound. */
void shape_tuple(const struct shape *shape, struct bp_tuple *tuple);
/* Whether the tuple was made for that shape. */
bool shape_is(const struct shape *shape, const struct bp_tuple *tuple);
/* Whether filters of that shape can stand in the tuple: its key holds no more than they ask for. */
bool shape_fits(const struct shape *shape, const struct bp_tuple *tuple);

/* The key of a filter in that tuple, of that number. */
struct filter_key {
	uint64_t words[BP_KEY6];
};
void filter_key(const struct filter *filter, const struct bp_tuple *tuple, unsigned int number,
	struct filter_key *key);
/* Its words. */
int filter_key_words(int family);

/* The element that stands for it in that tuple, of that number. */
union filter_elem {
	struct bp_elem e;
	struct bp_elem4 v4;
	struct bp_elem6 v6;
};
size_t filter_elem_size(int family);
struct filter_of_rule {
	const struct rule *rule;
	uint32_t print, ifindex, gate;
};
void filter_elem(const struct filter *filter, const struct bp_tuple *tuple, unsigned int number,
	const struct filter_of_rule *of, union filter_elem *elem);

/* Makes the element of a shadow one that stands for one filter. */
void shadow_begin(union filter_elem *elem);
/* Whether two elements are of the same tuple and ask for the same prefixes, fields and ports. */
bool elem_is(const union filter_elem *a, const union filter_elem *b, int family);

/* The filter that an element stands for, read back; its shape's kind is the tuple's. */
void filter_from_elem(const union filter_elem *elem, const struct bp_tuple *tuple, int family,
	struct filter *filter);

/* Fingerprint of the rule's match: the same for rules that differ in action and options alone. */
int rule_print(const struct rule *rule, uint32_t *print);
/* Whether the rule ends at a time, and so needs a gate. */
bool rule_is_timed(const struct rule *rule);

#endif
