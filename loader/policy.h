/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model: what the user said. Rules and policies as plain structs, made by spec.c, kept by
 * store.c, read by compile.c (for the kernel) and eval.c (the oracle). Pure: no system calls.
 */
#ifndef BPFPOL_POLICY_H
#define BPFPOL_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

enum rule_dir { DIR_IN, DIR_OUT, DIR_INOUT };
enum rule_layer { LAYER_STATIC, LAYER_DYNAMIC, LAYER_DOMAIN };

/* family: 4 or 6. Bits past len are 0. IPv4 uses bytes[0..3]. Network order. */
struct prefix {
	uint8_t family, len;
	uint8_t bytes[16];
};

struct prefixes {
	struct prefix *v;
	size_t n;
};

/* Inclusive, lo <= hi. */
struct port_range {
	uint16_t lo, hi;
};

/* n == 0: any port. Sorted by lo, then hi; no two equal. */
struct ports {
	struct port_range *v;
	size_t n;
};

enum end_kind { END_ANY, END_ME, END_PREFIX, END_FILE };

struct end {
	enum end_kind kind;
	struct prefix prefix; /* END_PREFIX */
	char *file;	      /* END_FILE: as written, without the @; or dns:HOST */
	struct prefixes list; /* END_FILE: its contents, once read; sorted, no two equal */
	struct ports ports;
};

#define PROTO_ANY (-1)

struct rule {
	uint32_t id; /* 0: not given yet */
	enum bp_action action;
	enum rule_dir dir;
	enum rule_layer layer;
	bool emergency;
	bool log;
	bool included;	/* it stands, also, in a policy that the rule's own includes */
	bool own_line;	/* one that is included: it stands in its own policy's file, too */
	char *ifname;	/* NULL: any interface */
	int proto;	/* 0..255, or PROTO_ANY: with ports, every protocol that has ports */
	int type, code; /* icmp and icmpv6; -1: any */
	struct end from, to;
	char *label; /* NULL: none */
	/*
	 * Seconds, as written with `for`; 0: for good. Beside a deadline: in the policy's file, or
	 * LIFETIME_REPLACED.
	 */
	uint64_t lifetime;
	uint64_t deadline; /* CLOCK_REALTIME seconds from which it does not exist; 0: none */
	uint64_t lists; /* the store's: which commit's copies of its lists are its own; 0: none yet
			 */
};

/* Of a timed rule in force: its policy was replaced since, and the next assignment ends it. */
#define LIFETIME_REPLACED UINT64_MAX

static inline bool rule_is_replaced(const struct rule *rule)
{
	return rule->deadline && rule->lifetime == LIFETIME_REPLACED;
}

/* Whether it does not exist any more at that second of CLOCK_REALTIME. */
static inline bool rule_is_over(const struct rule *rule, uint64_t now)
{
	return rule->deadline && rule->deadline <= now;
}

/*
 * Whole seconds that it has left, of one that ends and is not over: 1 at least, and no more than
 * were asked for, as the second `now` has begun already.
 */
static inline uint64_t rule_seconds_left(const struct rule *rule, uint64_t now)
{
	return rule->deadline > now + 2 ? rule->deadline - now - 1 : 1;
}

struct policy {
	char *name;
	char *description; /* NULL: none */
	struct rule **rules;
	size_t n, room;
};

int rule_new(struct rule **rule);
void rule_free(struct rule **rule);
/* A copy that owns all it holds. -ENOMEM. */
int rule_copy(const struct rule *rule, struct rule **copy);
bool rule_has_list(const struct rule *rule);
/* The host of dns:HOST, whose addresses are the list; NULL: it is a file. */
const char *list_host(const char *file);
bool rule_has_host(const struct rule *rule);
/* Whether they are about the same packets by their words: all but action, options and contents. */
bool rule_same_match(const struct rule *a, const struct rule *b);
/* Whether the contents of their lists are the same. */
bool rule_same_lists(const struct rule *a, const struct rule *b);

/* NULL when there is no memory. */
struct policy *policy_new(const char *name);
/* Whether both have the same rules, ids and all: their order does not matter, nor the
 * description, nor which copies of lists they have. Without memory they have not. */
bool policy_same(const struct policy *a, const struct policy *b);
void policy_free(struct policy **policy);
/* Takes the rule over and sets *rule to NULL. -ENOMEM. */
int policy_add(struct policy *policy, struct rule **rule);
/* The rule's index, or -1. */
ptrdiff_t policy_find_id(const struct policy *policy, uint32_t id);
void policy_remove(struct policy *policy, size_t index);
/* Whether any rule has `on IFACE`. */
bool policy_names_interface(const struct policy *policy);
/* Forgets what its lists hold, which may be much; their files stay named. */
void policy_drop_lists(struct policy *policy);

/* The end that is far from (near to) this host, for a packet of that direction. */
const struct end *rule_remote(const struct rule *rule, enum bp_dir dir);
const struct end *rule_local(const struct rule *rule, enum bp_dir dir);
/* Whether the rule speaks of that direction. */
bool rule_has_dir(const struct rule *rule, enum bp_dir dir);
/* The protocols that have ports: tcp, udp, dccp, sctp, udplite. */
bool proto_has_ports(int proto);
bool proto_has_type(int proto);

/* Sorts and drops repetitions. Of a long list, list->v is another one afterwards. */
void prefixes_sort(struct prefixes *list);
int prefix_cmp(const struct prefix *a, const struct prefix *b);
bool prefix_holds(const struct prefix *prefix, int family, const uint8_t address[16]);

const char *action_name(enum bp_action action);
const char *dir_name(enum rule_dir dir);
const char *layer_name(enum rule_layer layer);

#endif
