/* SPDX-License-Identifier: GPL-2.0-only */
/* bpfpol.conf: lines of `key = value`, # comments. Pure. */
#ifndef BPFPOL_CONF_H
#define BPFPOL_CONF_H

#include "diag.h"
#include "policy.h"

/* A line `protect`: the remote end that it names, or else a protocol and local ports. */
struct protect {
	struct rule *rule;
	char *text; /* the value, as written */
	unsigned int line;
};

struct conf {
	char **interfaces; /* names and patterns to be filtered */
	size_t n_interfaces;
	struct protect *protects;
	size_t n_protects;
	const char *unused; /* the last key that this version does nothing with; NULL: none */
};

/*
 * file: for messages only. -EINVAL with the place: a key that there is not, a line that is none, or
 * a value that the key does not take. -ENOMEM.
 */
int conf_parse(const char *file, const char *text, struct conf *conf, struct diag *diag);
void conf_free(struct conf *conf);

#endif
