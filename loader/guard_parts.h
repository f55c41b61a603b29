/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the lock-out guard know of each other. */
#ifndef BPFPOL_GUARD_PARTS_H
#define BPFPOL_GUARD_PARTS_H

#include "classifier.h"
#include "dynamic_rules.h"
#include "guard.h"
#include "links.h"
#include "netlink_route.h"
#include "netlink_ways.h"
#include "protect.h"
#include "protect_lines.h"
#include "protected.h"

struct guard {
	const struct host *host;
	const struct generation *gen;
	bool layers;		      /* gen stands for both */
	const struct generation *was; /* for both, before the change; NULL: what is in force */
	struct dynamic_rules dynamic; /* in force beside the policy; gen NULL: none */
	struct policy all;	      /* those and the policy's */
	const struct policy *policy;  /* all that may judge */
	struct protected protected;
	struct guard_session *sessions; /* where each is; see guard_way.c */
	struct prefixes own;		/* see protected_own() */
	struct nl_links links;
	struct attached_list attached;
	struct remembered_list remembered;
	struct ways ways;
	struct nl_hints hints[2];    /* of IPv4 and IPv6, where lines name hosts */
	struct guard_exits *exits;   /* by which those go; NULL: lines name none */
	struct policy *rules_now;    /* of both layers, where lines are asked about */
	struct protect_lines *lines; /* NULL: there are none */
	struct asker *then[BP_HOOKS], *now[BP_HOOKS], *beside[BP_HOOKS];
	uint64_t moment; /* that is asked about; 0: at once */
	uint32_t ended;	 /* the rule that has ended by then */
};

/* One hook of one interface. */
struct place {
	const struct nl_link *link;
	enum bp_dir dir;
	enum bp_hook hook;
	bool filtered; /* already now, or as good as that */
};

/* guard_ask.c: -EPERM with DIAG_REFUSED: the packet passes there now, and would not afterwards. */
int guard_try(struct guard *g, const struct place *at, const struct protected_packet *packet,
	struct diag *diag);

/* Whether all passes now, as filtering is off. */
bool guard_is_off(const struct guard *g);

/* guard_way.c */
int guard_sessions_get(struct guard *g, struct diag *diag);
void guard_sessions_free(struct guard *g);
/* Whether what the session of that number sends, or what comes for it, is seen there, or may be. */
bool guard_meets_session(const struct guard *g, const struct place *at, size_t session);
/* The same of what is sent by one of those; none: by any, as none is known. */
bool guard_is_on_way(const struct guard *g, const struct place *at, const struct nl_exits *exits);
/* nl_route_get(), with what to say of an error. */
int guard_ask_way(const struct nl_flow *flow, struct nl_exits *exits, bool *any, struct diag *diag);

/*
 * guard_exits.c: whether a host is met there. class: of this host's address, which goes by the same
 * ways for others of the class. *number: of the host, of what is kept of it; -1: nothing is yet.
 */
int guard_exits_open(struct guard *g, struct diag *diag);
void guard_exits_close(struct guard *g);
int guard_exits_class(const struct guard *g, const struct prefix *local, uint32_t *class);
int guard_exits_meet(const struct guard *g, const struct place *at, const struct prefix *host,
	const struct prefix *local, uint32_t class, int *number, bool *yes, struct diag *diag);

/* guard_lines.c: the packets of bpfpol.conf's lines; own: the interface's addresses. */
int guard_lines_open(struct guard *g, struct diag *diag);
void guard_lines_close(struct guard *g);
int guard_lines(const struct guard *g, const struct place *at, const struct prefixes *own,
	struct protected_packets *packets, struct diag *diag);

#endif
