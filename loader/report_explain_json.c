// SPDX-License-Identifier: GPL-2.0-only
#include "report_parts.h"

static const char *verdict(bool block)
{
	return block ? "block" : "pass";
}

static void put_where(struct jw *j, const struct explained *at)
{
	jw_str(j, "policy", at->policy);
	jw_str(j, "interface", at->interface);
	jw_str(j, "direction", at->dir == BP_IN ? "in" : "out");
	jw_str(j, "hook", at->hook);
	jw_bool(j, "in_force", at->in_force);
	jw_array(j, "notes");
	for (size_t i = 0; i < at->n_notes; i++)
		jw_str(j, NULL, at->notes[i]);
	jw_array_end(j);
}

int json_packet(FILE *out, const struct explained_packet *p)
{
	struct jw j;
	int rc = 0;

	jw_begin(&j, out);
	jw_object(&j, NULL);
	jw_str(&j, "verdict", verdict(p->block));
	if (p->wins)
		rc = json_put_rule(&j, "rule", &p->matched[0]);
	else
		jw_null(&j, "rule");
	jw_str(&j, "reason", p->reason);
	jw_array(&j, "also_matched");
	for (size_t i = p->wins; i < p->n_matched && !rc; i++)
		rc = json_put_rule(&j, NULL, &p->matched[i]);
	jw_array_end(&j);
	jw_str(&j, "packet", p->packet);
	put_where(&j, &p->at);
	jw_object_end(&j);
	return rc;
}

static int put_row(struct jw *j, const struct tally_row *row, const struct status_rule *rule)
{
	int rc = 0;

	jw_object(j, NULL);
	jw_str(j, "verdict", row->kind == TALLY_CUT ? NULL : verdict(row->block));
	if (row->rule)
		rc = json_put_rule(j, "rule", rule);
	else
		jw_null(j, "rule");
	jw_str(j, "reason", row->rule ? "rule" : tally_kind_text(row->kind));
	jw_u64(j, "packets", row->packets);
	jw_u64(j, "bytes", row->bytes);
	jw_object_end(j);
	return rc;
}

static void put_totals(struct jw *j, const struct tally *t)
{
	jw_object(j, "totals");
	jw_u64(j, "packets", t->packets);
	jw_u64(j, "bytes", t->bytes);
	jw_u64(j, "passed", t->passed);
	jw_u64(j, "blocked", t->blocked);
	jw_u64(j, "malformed", t->malformed);
	jw_u64(j, "undecided", t->undecided);
	jw_object_end(j);
}

static void put_frames(struct jw *j, const struct explained_capture *c)
{
	char text[FRAME_TEXT], reason[512];

	jw_array(j, "frames");
	for (size_t i = 0; i < c->n_frames; i++) {
		const struct explained_frame *f = &c->frames[i];

		frame_text(&f->judgement.frame, text);
		judgement_text(&f->judgement, f->deciding, reason, sizeof(reason));
		jw_object(j, NULL);
		jw_str(j, "verdict", f->cut ? NULL : verdict(f->judgement.block));
		if (f->judgement.rule)
			jw_u64(j, "rule", f->judgement.rule);
		else
			jw_null(j, "rule");
		jw_str(j, "reason", f->cut ? tally_kind_text(TALLY_CUT) : reason);
		jw_str(j, "packet", f->cut ? NULL : text);
		jw_bool(j, "untried", f->judgement.untried);
		jw_object_end(j);
	}
	jw_array_end(j);
}

int json_capture(FILE *out, const struct explained_capture *c)
{
	struct jw j;
	int rc = 0;

	jw_begin(&j, out);
	jw_object(&j, NULL);
	jw_str(&j, "capture", c->file);
	jw_array(&j, "rows");
	for (size_t i = 0; i < c->tally.n && !rc; i++)
		rc = put_row(&j, &c->tally.v[i], &c->rules[i]);
	jw_array_end(&j);
	put_totals(&j, &c->tally);
	jw_u64(&j, "checked", c->checked);
	jw_u64(&j, "untried", c->untried);
	if (c->frames)
		put_frames(&j, c);
	put_where(&j, &c->at);
	jw_object_end(&j);
	return rc;
}
