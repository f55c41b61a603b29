// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report_parts.h"
#include "spec.h"

const char *tally_kind_text(enum tally_kind kind)
{
	static const char *const texts[] = {
		[TALLY_NO_MATCH] = "no block or permit rule matches",
		[TALLY_EXEMPT] = "exempt: not IP, as ARP, or neighbour discovery",
		[TALLY_MALFORMED] = "malformed: a rule asks for what cannot be read",
		[TALLY_CUT] = "cut by the capture before its headers end",
		[TALLY_STRANGER] = "rules that came while the capture was read",
	};

	return texts[kind];
}

static void put_end(
	FILE *out, const char *word, const struct frame *f, const uint8_t *address, uint16_t port)
{
	struct prefix p = { .family = f->family, .len = f->family == 4 ? 32 : 128 };
	char text[64];

	memcpy(p.bytes, address, p.len / 8);
	spec_prefix_text(&p, text, sizeof(text));
	fprintf(out, " %s %s", word, text);
	if (f->has_ports)
		fprintf(out, " port %u", port);
}

static void put_frame(FILE *out, const struct frame *f)
{
	char proto[16];

	if (!f->family) {
		fputs(f->class == FRAME_PASS ? "not IP" : "unreadable", out);
		return;
	}
	fputs(f->proto == PROTO_UNREAD ? "unread" : spec_proto_text(f->proto, proto, sizeof(proto)),
		out);
	if (f->has_type)
		fprintf(out, " type %u code %u", f->type, f->code);
	put_end(out, "from", f, f->src, f->sport);
	put_end(out, "to", f, f->dst, f->dport);
}

void frame_text(const struct frame *frame, char text[FRAME_TEXT])
{
	FILE *out = fmemopen(text, FRAME_TEXT, "w");

	text[0] = '\0';
	if (!out)
		return;
	put_frame(out, frame);
	fclose(out);
}

static int put_rule(FILE *out, const char *what, const struct status_rule *r)
{
	char *text = rule_line(r);

	if (!text)
		return -ENOMEM;
	fprintf(out, "  %-8s %" PRIu32 " (%s): %s\n", what, r->rule->id, layer_name(r->rule->layer),
		text);
	free(text);
	return 0;
}

static void put_notes(FILE *out, const struct explained *at)
{
	for (size_t i = 0; i < at->n_notes; i++)
		fprintf(out, "  %-8s %s\n", "note", at->notes[i]);
}

static const char *way(const struct explained *at)
{
	return at->dir == BP_IN ? "in" : "out";
}

int text_packet(FILE *out, const struct explained_packet *p)
{
	int rc = 0;

	fprintf(out, "%s\n", p->block ? "BLOCK" : "PASS");
	fprintf(out, "  %-8s %s\n", "packet", p->packet);
	fprintf(out, "  %-8s %s, %s\n", "seen by", p->at.interface, p->at.hook);
	fprintf(out, "  %-8s %s\n", "reason", p->reason);
	for (size_t i = 0; i < p->n_matched && !rc; i++)
		rc = put_rule(out,
			!i && p->wins	    ? "wins"
			: i < p->n_deciding ? "loses"
					    : "counts",
			&p->matched[i]);
	put_notes(out, &p->at);
	return rc;
}

static void put_frames(FILE *out, const struct explained_capture *c)
{
	char text[FRAME_TEXT], reason[512];

	if (c->frames)
		fprintf(out, "%8s  %-7s  %s\n", "PACKET", "VERDICT", "WHAT IT IS; WHY");
	for (size_t i = 0; i < c->n_frames; i++) {
		const struct explained_frame *f = &c->frames[i];

		frame_text(&f->judgement.frame, text);
		judgement_text(&f->judgement, f->deciding, reason, sizeof(reason));
		fprintf(out, "%8zu  %-7s  %s; %s%s\n", i + 1,
			f->cut		     ? "-"
			: f->judgement.block ? "block"
					     : "pass",
			f->cut ? "-" : text, f->cut ? tally_kind_text(TALLY_CUT) : reason,
			f->judgement.untried ? " (not tried in the kernel)" : "");
	}
	if (c->frames)
		fputc('\n', out);
}

static int put_row(FILE *out, const struct tally_row *row, const struct status_rule *rule)
{
	const char *verdict = row->kind == TALLY_CUT ? "-" : row->block ? "block" : "pass";
	char *text = row->rule ? rule_line(rule) : strdup(tally_kind_text(row->kind));
	char id[16] = "-";

	if (!text)
		return -ENOMEM;
	if (row->rule)
		snprintf(id, sizeof(id), "%" PRIu32, row->id);
	fprintf(out, "  %-7s %6s %12" PRIu64 " %14" PRIu64 "  %s\n", verdict, id, row->packets,
		row->bytes, text);
	free(text);
	return 0;
}

int text_capture(FILE *out, const struct explained_capture *c)
{
	const struct tally *t = &c->tally;
	int rc = 0;

	put_frames(out, c);
	fprintf(out, "%s: %" PRIu64 " packets %s by %s (%s)\n\n", c->file, t->packets, way(&c->at),
		c->at.interface, c->at.hook);
	fprintf(out, "  %-7s %6s %12s %14s  %s\n", "VERDICT", "ID", "PACKETS", "BYTES", "RULE");
	for (size_t i = 0; i < t->n && !rc; i++)
		rc = put_row(out, &t->v[i], &c->rules[i]);
	fprintf(out, "  %-7s %6s %12" PRIu64 " %14" PRIu64 "  ", "total", "", t->packets, t->bytes);
	fprintf(out, "%" PRIu64 " blocked, %" PRIu64 " passed", t->blocked, t->passed);
	if (t->undecided)
		fprintf(out, ", %" PRIu64 " without verdict", t->undecided);
	fprintf(out, "; %" PRIu64 " malformed\n\n", t->malformed);
	put_notes(out, &c->at);
	return rc;
}
