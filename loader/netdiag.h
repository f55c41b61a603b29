/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `netdiag /test:ipsec` shows: its words and keys in its order, of what the kernel's maps
 * hold. Pure: the facts are given, the reports write to the stream.
 */
#ifndef BPFPOL_NETDIAG_H
#define BPFPOL_NETDIAG_H

#include <stdio.h>

#include "status.h"

struct netdiag {
	const struct status *status;	  /* its filters and interfaces are there */
	const struct prefixes *addresses; /* of this host: what `me` stands for */
	const char *machine_id;		  /* NULL: it has none */
	const char *path;		  /* of the policy's text */
	bool directory;			  /* the policy is the domain's */
	bool debug;			  /* all filters, too */
};

/* What the command takes beside its test, behind a / or dashes; ends with NULL. */
enum netdiag_word { NETDIAG_DEBUG, NETDIAG_JSON, NETDIAG_HELP, NETDIAG_WORDS };
extern const char *const netdiag_words[];

int netdiag_text(FILE *out, const struct netdiag *netdiag);
int netdiag_json(FILE *out, const struct netdiag *netdiag);

#endif
