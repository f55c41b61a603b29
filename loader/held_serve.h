/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What clients ask of the rules that the agent holds; tell.h is the other side. Words, of which
 * options come behind the first; RULES: a text as in held_text.h, among the words or, where it is
 * long, in a sealed file that goes along.
 *
 *	add [--dry-run] [--force] RULES		a line "OUTCOME ID" for each, enum apply_outcome
 *	remove [--dry-run] ACTION|any RULES	a line "ID" for each that goes
 *	remove-id [--dry-run] ID
 *	retire ID [keep]			the same, with the lock's descriptor; keep: its
 *						counts are the static rule's of that number
 *
 *	drop [--dry-run]			how many there were
 *	rules [lists]				all of them; lists: with all addresses
 *	rule ID [lists]				the one
 *	arrays					of root programs that the client has loaded
 */
#ifndef BPFPOL_HELD_SERVE_H
#define BPFPOL_HELD_SERVE_H

#include "held.h"
#include "wire.h"

/*
 * The exit code; WIRE_BUSY: later. -ENOENT: it is no such request. What went wrong goes to err.
 * quick: -EINPROGRESS, with nothing done, where it would take long.
 */
int held_serve(
	struct held *h, const struct wire_request *request, bool quick, FILE *out, FILE *err);

#endif
