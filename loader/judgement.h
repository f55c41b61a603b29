/* SPDX-License-Identifier: GPL-2.0-only */
/* What becomes of one packet, and why. Pure. */
#ifndef BPFPOL_JUDGEMENT_H
#define BPFPOL_JUDGEMENT_H

#include "eval.h"

struct judgement {
	struct frame frame; /* as it was read */
	bool block;
	bool malformed; /* counts as malformed */
	enum eval_reason reason;
	uint32_t rule; /* id of the winner; 0: none */
	bool untried;  /* the kernel runs no such frame: what the oracle says */
};

/* The reason as a sentence. deciding: how many block and permit rules match; 0 beside one that
 * wins: it is not known. */
void judgement_text(const struct judgement *judgement, size_t deciding, char *text, size_t size);

/* What cannot be read of a frame that counts as malformed. */
const char *judgement_flaw(const struct frame *frame);

/* Whether the kernel's answer and the oracle's verdict on that frame say the same. */
bool judgement_agrees(const struct bp_answer *answer, const struct frame *frame,
	const struct eval_verdict *verdict);

#endif
