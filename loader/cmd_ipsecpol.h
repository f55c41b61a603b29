/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of the command ipsecpol alone. */
#ifndef BPFPOL_CMD_IPSECPOL_H
#define BPFPOL_CMD_IPSECPOL_H

#include "apply.h"
#include "command.h"
#include "ipsecpol.h"
#include "json.h"
#include "names.h"

/* ipsecpol -w REG: takes the rules over. */
int ipsecpol_store(
	const struct args *args, struct ipsecpol *ipsecpol, struct names *names, struct diag *diag);
/* ...and without -w: into the agent. */
int ipsecpol_dynamic(const struct args *args, const struct ipsecpol *ipsecpol, struct names *names,
	struct diag *diag);

/* What became of the rules that were given. */
struct given_rules {
	char **texts;
	struct applied *applied;
	size_t n;
};

int given_begin(struct given_rules *given, const struct policy *rules);
void given_free(struct given_rules *given);
/* what: behind the outcome, as in " (dynamic)". */
void given_print(const struct given_rules *given, const char *what, bool dry_run);
/* The array `rules`. */
void given_json(const struct given_rules *given, struct jw *j);

#endif
