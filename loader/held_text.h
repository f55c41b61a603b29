/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The text in which the agent tells what dynamic rules it holds, and its reader:
 *
 *	held 1 RULES
 *	rule ID DEADLINE LIFETIME RULE	the rule's canonical text; DEADLINE and LIFETIME as in
 *	list from ADDRESSES		struct rule, LIFETIME 0 unless there is a deadline
 *	192.0.2.0/24			so many lines
 *	list to ADDRESSES
 *	...
 *	end
 *
 * Pure.
 */
#ifndef BPFPOL_HELD_TEXT_H
#define BPFPOL_HELD_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "policy.h"

/*
 * lists: whether all addresses of their lists are told, a line each. Otherwise those that the
 * rules' ranks are made of: of each list and family one of the longest. -ENOMEM; an error of the
 * stream is the stream's.
 */
int held_write(FILE *out, const struct policy *rules, bool lists);

/*
 * The rules, all of them of LAYER_DYNAMIC. -EBADMSG: this is no such text, or not all of it.
 * -ENOMEM. The caller frees *rules.
 */
int held_read(const char *text, size_t len, struct policy **rules);

#endif
