/* SPDX-License-Identifier: GPL-2.0-only */
#include "judgement.h"

#include <inttypes.h>
#include <stdio.h>

#include "spec.h"

const char *judgement_flaw(const struct frame *frame)
{
	if (frame->class == FRAME_TAGS)
		return "it has a fifth VLAN tag, and what lies below is not read";
	if (frame->class == FRAME_BAD && !frame->family)
		return "it has no whole IP header";
	if (frame->class == FRAME_BAD)
		return "its header's lengths do not fit, and only its fixed part counts";
	if (frame->proto == PROTO_UNREAD)
		return "its extension headers cannot be walked";
	return proto_has_type(frame->proto) ? "its type cannot be read"
					    : "its ports cannot be read";
}

/* What a rule asks for then. */
static const char *missing_text(const struct frame *frame)
{
	if (frame->proto == PROTO_UNREAD)
		return "what is behind them";
	return proto_has_type(frame->proto) ? "it" : "them";
}

static void exempt_text(const struct frame *frame, char *text, size_t size)
{
	if (frame->has_type)
		snprintf(text, size,
			"neighbour discovery (ICMPv6 type %u) always passes: no rule is asked",
			frame->type);
	else
		snprintf(text, size, "what is not IP, as ARP, always passes: no rule is asked");
}

static void rule_text(const struct judgement *j, size_t deciding, char *text, size_t size)
{
	const char *does = j->block ? "blocks" : "permits";

	if (!deciding)
		snprintf(text, size, "rule %" PRIu32 " %s it", j->rule, does);
	else if (deciding > 1)
		snprintf(text, size,
			"rule %" PRIu32 " %s it: the most specific of the %zu that match", j->rule,
			does, deciding);
	else
		snprintf(text, size,
			"rule %" PRIu32 " %s it: no other block or permit rule matches", j->rule,
			does);
}

void judgement_text(const struct judgement *j, size_t deciding, char *text, size_t size)
{
	char why[128];

	switch (j->reason) {
	case REASON_EXEMPT:
		exempt_text(&j->frame, text, size);
		return;
	case REASON_MALFORMED:
		snprintf(text, size,
			"malformed: %s, and a rule asks for %s: blocked before any rule is "
			"compared",
			judgement_flaw(&j->frame), missing_text(&j->frame));
		return;
	case REASON_NO_MATCH:
		snprintf(why, sizeof(why), "no block or permit rule matches: it passes");
		break;
	case REASON_RULE:
		rule_text(j, deciding, why, sizeof(why));
		break;
	}
	if (j->malformed)
		snprintf(text, size, "%s (malformed: %s)", why, judgement_flaw(&j->frame));
	else
		snprintf(text, size, "%s", why);
}

/* What the kernel calls a frame that the oracle reads so. */
static enum bp_reading reading_of(const struct frame *frame)
{
	switch (frame->class) {
	case FRAME_PASS:
		return READ_EXEMPT;
	case FRAME_WHOLE:
		return READ_WHOLE;
	case FRAME_CUT:
		return frame->proto == PROTO_UNREAD ? READ_BLIND : READ_CUT;
	case FRAME_BAD:
		return frame->family ? READ_BAD : READ_OPAQUE;
	case FRAME_TAGS:
		break;
	}
	return READ_OPAQUE;
}

bool judgement_agrees(const struct bp_answer *answer, const struct frame *frame,
	const struct eval_verdict *verdict)
{
	return answer->blocked == verdict->block &&
	       answer->hidden == (verdict->reason == REASON_MALFORMED) &&
	       answer->rule == (verdict->winner ? verdict->winner->id : 0) &&
	       answer->reading == reading_of(frame);
}
