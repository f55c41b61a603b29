/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The facts that every report shows, gathered once: `list`, `status` and their JSON are walks
 * over this one struct.
 */
#ifndef BPFPOL_STATUS_H
#define BPFPOL_STATUS_H

#include <net/if.h>
#include <sys/utsname.h>

#include "filter.h"
#include "policy.h"

struct status_rule {
	const struct rule *rule;
	/* A dynamic one of which the agent does not tell what it says: of the rule only id, action,
	 * direction and deadline are known. */
	bool untold;
	uint64_t rank; /* of its best filter */
	uint64_t packets, bytes;
	uint64_t expires_in; /* seconds; only if rule->deadline */
};

/* What is worth knowing of an interface beside how it is attached. */
enum status_note {
	NOTE_ME,       /* `me` is not exact there */
	NOTE_SEGMENTS, /* packets are not counted one by one */
	NOTE_BEHIND,   /* others' programs come first */
	STATUS_NOTES,
};

struct status_interface {
	char name[IF_NAMESIZE];
	int ifindex;		      /* 0: not there now */
	const char *ingress, *egress; /* the words of CONTRACT 6 */
	bool remembered;
	char why[256];
	char notes[STATUS_NOTES][192]; /* "" for none */
};

/* A filter as it was read back from the kernel. */
struct status_filter {
	struct filter filter;
	uint64_t packets, bytes;
	uint32_t rule, ifindex;
	uint32_t print; /* of the rule: rule_print() */
	enum bp_action action;
	enum rule_layer layer;
	uint64_t ends; /* CLOCK_BOOTTIME ns; UINT64_MAX: never */
};

struct status {
	const char *version;
	struct utsname kernel;
	bool off;
	const char *
		fault; /* why rules are the kernel's word and not the store's; NULL: they are not */
	char *unlisted;	   /* why it is not sure which interfaces are remembered; NULL: it is */
	uint64_t tried_in; /* seconds until what was attached on trial is detached; 0: nothing is */
	uint64_t off_in; /* seconds until filtering is back by itself; 0: it is not off, or stays so
			  */
	int agent;	 /* its process; 0: there is none, -1: it has not said which */
	const char *policy;		/* its name; NULL: none */
	uint64_t n_filters, generation; /* generation 0: none is in force */
	uint64_t confirm_in; /* seconds until the last change goes back by itself; 0: it stays */
	uint64_t went_back;  /* seconds since it did; 0: it did not */
	uint64_t tried_back, off_back; /* the same of what was attached, and of `off` */
	struct status_rule *rules;     /* of both layers; most specific first, or by id */
	size_t n_rules, n_dynamic;     /* n_dynamic: of these, the dynamic ones */
	uint64_t n_held;	       /* filters of the dynamic ones */
	struct policy *held;	       /* what the dynamic ones say */
	bool foreign; /* what judges packets is another version's, and nothing is known of it */
	bool behind;  /* what static rules counted in earlier generations is not in their counters
			 yet */
	struct status_interface *interfaces;
	size_t n_interfaces;
	struct status_filter *filters; /* only if asked for */
	size_t n_listed;
	char **protected; /* what the lock-out guard protects, in words; only if asked for */
	size_t n_protected;
	struct bp_totals totals[BP_DIRS];
};

/* What is wrong with the files of the store; NULL: nothing. */
static inline const char *status_store_error(const struct status *st)
{
	return st->fault ? st->fault : st->unlisted;
}

#endif
