/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packets of the lines `protect` that a change may cut: what is protected is sorted out, host
 * by host and port by port, by all rules that could have to do with it. Pure.
 */
#ifndef BPFPOL_PROTECT_LINES_H
#define BPFPOL_PROTECT_LINES_H

#include "cells.h"
#include "conf.h"
#include "ways.h"

struct protect_lines;

/*
 * then: all rules that would be in force; now: those that are, or NULL; own: this host's addresses;
 * ways: or NULL. All of it, and conf, must stand as long. A block that names hosts of its own is
 * meant for them, where a line protects ports from anybody; unless a whole half of IPv4, or IPv6,
 * is named so. anyhow: it cuts them all the same. -ENOMEM.
 */
struct protect_world {
	const struct conf *conf;
	const struct policy *then, *now;
	const struct prefixes *own;
	const struct ways *ways;
	bool anyhow;
};
int protect_lines_new(const struct protect_world *world, struct protect_lines **lines);
void protect_lines_free(struct protect_lines **lines);

/* Where packets are asked about. */
struct protect_place {
	const char *ifname; /* NULL: none that a rule names */
	enum bp_dir dir;
	bool filtered;		    /* the rules that are in force now judge there */
	const struct prefixes *own; /* whom they are for; those that come first are asked about */
	/* Those of a class meet a host by the same ways. NULL: all do. */
	const uint32_t *classes;
	/*
	 * Whether what goes to that host from `local` of own, and comes from there, is seen there.
	 * *way: what was kept of the host before; -1: nothing. NULL: all is.
	 */
	int (*crosses)(void *arg, const struct prefix *host, size_t local, int *way, bool *yes);
	void *arg;
};
int protect_lines_at(const struct protect_lines *lines, const struct protect_place *at,
	struct protected_packets *packets);

#endif
