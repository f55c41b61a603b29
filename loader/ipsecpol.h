/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command line of Windows' ipsecpol and ipseccmd, as far as it is about filters: arguments to
 * operations and rules. Pure: what only the host can tell is asked of the caller.
 */
#ifndef BPFPOL_IPSECPOL_H
#define BPFPOL_IPSECPOL_H

#include "diag.h"
#include "policy.h"

/* What the arguments mean on this host. */
struct ipsecpol_env {
	/* All addresses of a host's name, full-length; the caller frees list->v. Or -errno, and
	 * *why, a sentence that stays. */
	int (*resolve)(const char *name, struct prefixes *list, const char **why, void *arg);
	/* The names of the interfaces for -lan or for -dialup; the caller frees each, and them. */
	int (*links)(bool dialup, char ***names, size_t *n, void *arg);
	/* Whether a file here has that name, so that a shell may have put it there. */
	bool (*is_file)(const char *name, void *arg);
	void *arg;
};

/* A name that was looked up, and what it was then. */
struct ipsecpol_name {
	char *name;
	struct prefixes addresses;
};

struct ipsecpol {
	bool help;   /* -?: the rest is not filled */
	bool stored; /* -w REG; otherwise the rules are dynamic */
	bool assign, unassign, delete, drop_dynamic, confirm;
	bool lan, dialup;      /* not both: both is the same as neither */
	bool poll;	       /* -p NAME:POLL gave an interval, which nothing here needs */
	struct policy *policy; /* -p's name, or "", and the rules to add to it; no two equal */
	struct ipsecpol_name *names;
	size_t n_names;
};

/*
 * -EINVAL with a diag and its place in the arguments joined by blanks; -ENOENT with DIAG_UNKNOWN
 * where no interface is of -lan or -dialup; -ENOMEM.
 */
int ipsecpol_parse(int argc, char *const *argv, const struct ipsecpol_env *env,
	struct ipsecpol *out, struct diag *diag);
void ipsecpol_free(struct ipsecpol *ipsecpol);

/* The flags that are not refused, one after another, and what stands behind them; NULL: no more. */
enum ipsecpol_value {
	FLAG_ALONE,
	FLAG_STORE,
	FLAG_POLICY,
	FLAG_LABEL,
	FLAG_SPECS,
	FLAG_ACTION,
};
const char *ipsecpol_flag(size_t index, enum ipsecpol_value *value);

#endif
