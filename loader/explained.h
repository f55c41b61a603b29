/* SPDX-License-Identifier: GPL-2.0-only */
/* What `explain` has found out, for its reports. */
#ifndef BPFPOL_EXPLAINED_H
#define BPFPOL_EXPLAINED_H

#include "judgement.h"
#include "status.h"
#include "tally.h"

#define NOTES_MOST 8

/* Where the packets were seen, and what there is to say of it. */
struct explained {
	const char *policy;	      /* its name; NULL: none is assigned */
	const char *interface, *hook; /* hook: for people */
	enum bp_dir dir;
	bool in_force; /* this is what happens to such packets now */
	char *notes[NOTES_MOST];
	size_t n_notes;
};

struct explained_packet {
	struct explained at;
	char *packet; /* canonical text */
	bool block;
	char reason[512];
	/* Every rule that matches: first those that decide, most specific first, then count rules.
	 */
	struct status_rule *matched;
	size_t n_matched, n_deciding;
	bool wins; /* matched[0] does */
};

struct explained_frame {
	struct judgement judgement;
	size_t deciding; /* how many block and permit rules match */
	bool cut;	 /* no verdict: the capture holds too little */
};

struct explained_capture {
	struct explained at;
	const char *file;
	struct tally tally;
	struct status_rule *rules;	/* of each row of the tally; rule NULL: of another kind */
	struct explained_frame *frames; /* each of them, if asked for */
	size_t n_frames, frames_room;
	uint64_t untried; /* packets that the kernel does not run: the oracle's word alone */
	uint64_t checked; /* packets of which the oracle was asked as well, and agreed */
};

#endif
