// SPDX-License-Identifier: GPL-2.0-only
#include "watched.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "judgement.h"

unsigned int watched_logged(const struct bp_event *e)
{
	return e->logged < BP_LOGGED ? e->logged : BP_LOGGED;
}

enum bp_dir watched_dir(const struct bp_event *e)
{
	return e->hook == BP_TC_OUT || e->hook == BP_L3_OUT ? BP_OUT : BP_IN;
}

static enum frame_class class_of(enum bp_reading reading)
{
	switch (reading) {
	case READ_EXEMPT:
		return FRAME_PASS;
	case READ_WHOLE:
		return FRAME_WHOLE;
	case READ_CUT:
	case READ_BLIND:
		return FRAME_CUT;
	case READ_BAD:
	case READ_OPAQUE:
		break;
	}
	return FRAME_BAD;
}

static void take_ends(const struct bp_event *e, struct frame *f)
{
	bool in = watched_dir(e) == BP_IN;
	size_t size = e->family == BP_V4 ? 4 : 16;

	f->family = e->family == BP_V4 ? 4 : 6;
	memcpy(f->src, in ? e->remote : e->local, size);
	memcpy(f->dst, in ? e->local : e->remote, size);
	f->proto = e->reading == READ_BLIND ? PROTO_UNREAD : e->proto;
	if (e->reading == READ_BLIND || e->lacks & BPT_L4)
		return;
	f->has_type = proto_has_type(e->proto);
	f->has_ports = !f->has_type;
	f->type = e->lport;
	f->code = e->rport;
	f->sport = in ? e->rport : e->lport;
	f->dport = in ? e->lport : e->rport;
}

void watched_frame(const struct bp_event *e, struct frame *f)
{
	*f = (struct frame){ .class = class_of(e->reading), .bytes = e->length };
	if (e->reading != READ_EXEMPT && e->reading != READ_OPAQUE)
		take_ends(e, f);
}

void watched_reason(const struct bp_event *e, char *text, size_t size)
{
	struct judgement j = {
		.block = e->blocked, .malformed = e->reading > READ_WHOLE, .rule = e->rule
	};
	const char *flaw = "its headers cannot be read";
	char why[64];

	watched_frame(e, &j.frame);
	if (e->hidden) {
		j.reason = REASON_MALFORMED;
		judgement_text(&j, 0, text, size);
		return;
	}
	if (e->rule)
		snprintf(why, sizeof(why), "rule %" PRIu32 " %s it", e->rule,
			e->blocked ? "blocks" : "permits");
	else
		snprintf(why, sizeof(why), "no block or permit rule matches: it passes");
	if (e->reading != READ_OPAQUE)
		flaw = judgement_flaw(&j.frame);
	if (j.malformed)
		snprintf(text, size, "%s (malformed: %s)", why, flaw);
	else
		snprintf(text, size, "%s", why);
}
