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

/* Of `metrics`. No padding: two are equal if their bytes are. */
struct conf_address {
	uint16_t port;	/* 0: it is not there */
	uint8_t family; /* 4 or 6 */
	bool loopback;
	uint8_t address[16]; /* network order; IPv4 in the first 4 */
	char text[64];	     /* as it is printed: 127.0.0.1:9477, [::1]:9477 */
};

struct conf {
	char **interfaces; /* names and patterns to be filtered */
	size_t n_interfaces;
	struct protect *protects;
	size_t n_protects;
	struct conf_address metrics;
	char *dropin;	    /* a directory; NULL: the usual one */
	const char *unused; /* the last key that this version does nothing with; NULL: none */
};

/*
 * file: for messages only. -EINVAL with the place: a key that there is not, a line that is none, or
 * a value that the key does not take. -ENOMEM.
 */
int conf_parse(const char *file, const char *text, struct conf *conf, struct diag *diag);
void conf_free(struct conf *conf);

#endif
