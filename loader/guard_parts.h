/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the lock-out guard know of each other. */
#ifndef BPFPOL_GUARD_PARTS_H
#define BPFPOL_GUARD_PARTS_H

#include "classifier.h"
#include "dynamic_rules.h"
#include "guard.h"
#include "links.h"
#include "protect.h"
#include "protect_lines.h"
#include "protected.h"

struct guard {
	const struct host *host;
	const struct generation *gen;
	bool layers;		      /* gen stands for both */
	struct dynamic_rules dynamic; /* in force beside the policy; gen NULL: none */
	struct policy all;	      /* those and the policy's */
	const struct policy *policy;  /* all that may judge */
	struct protected protected;
	struct prefixes own; /* addresses of this host */
	struct nl_links links;
	struct attached_list attached;
	struct ways ways;
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
	bool filtered; /* already now */
};

/* guard_ask.c: -EPERM with DIAG_REFUSED: the packet passes there now, and would not afterwards. */
int guard_try(struct guard *g, const struct place *at, const struct protected_packet *packet,
	struct diag *diag);

/* guard_way.c: whether packets to and from there cross the interface, or may. */
int guard_crosses(const struct guard *g, const struct place *at, int family, const uint8_t *remote,
	bool *yes, struct diag *diag);

/* The same of what is sent by that interface; 0: by none that is known. */
bool guard_is_on_way(const struct guard *g, const struct place *at, int oif);

/* guard_lines.c: the packets of bpfpol.conf's lines; own: the interface's addresses. */
int guard_lines_open(struct guard *g, struct diag *diag);
void guard_lines_close(struct guard *g);
int guard_lines(const struct guard *g, const struct place *at, const struct prefixes *own,
	struct protected_packets *packets, struct diag *diag);

#endif
