// SPDX-License-Identifier: GPL-2.0-only
#include "explain_capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "clocks.h"
#include "padding.h"
#include "progress.h"

#define ETH_HEADER 14
#define MOST_BYTES 262144 /* of a frame; libpcap reads no more of one */
/* Rules and list entries that the oracle goes through for every packet: 13 us at most. */
#define EVAL_FREE 1000

/* One run over a capture. */
struct run {
	struct explainer *ex;
	struct explained_capture *out;
	struct capture *capture;
	struct capture_copy *copy; /* NULL: not wanted */
	bool each, l3;
	uint64_t stride; /* the oracle is asked of every so many packets */
	uint8_t *buf;	 /* an Ethernet header and MOST_BYTES */
};

static size_t weight(const struct policy *policy)
{
	size_t n = 0;

	for (size_t i = 0; i < policy->n; i++)
		n += 1 + policy->rules[i]->from.list.n + policy->rules[i]->to.list.n;
	return n;
}

static int keep(struct run *r, const struct explained_frame *frame)
{
	struct explained_capture *out = r->out;

	if (!r->each)
		return 0;
	if (out->n_frames == out->frames_room) {
		size_t room = out->frames_room ? out->frames_room * 2 : 64;
		struct explained_frame *v = realloc(out->frames, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		out->frames = v;
		out->frames_room = room;
	}
	out->frames[out->n_frames++] = *frame;
	return 0;
}

/* With an Ethernet header. */
static size_t frame_len(const struct run *r, const struct capture_record *record)
{
	return record->len - record->cooked + (r->l3 || record->cooked ? ETH_HEADER : 0);
}

/* The record as a frame with an Ethernet header. False: the capture holds too little of it. */
static bool make_frame(struct run *r, const struct capture_record *record, struct frame *read)
{
	uint32_t skip = record->cooked;
	size_t have = record->caplen < MOST_BYTES ? record->caplen : MOST_BYTES;
	uint8_t *data = r->buf + (r->l3 ? ETH_HEADER : 0);

	if (record->len > MOST_BYTES || have < skip)
		return false;
	if (skip) {
		/* No program looks at Ethernet's addresses, which a cooked header does not tell. */
		memset(r->buf, 0, ETH_HEADER - 2);
		memcpy(r->buf + ETH_HEADER - 2, record->ethertype, 2);
		memcpy(r->buf + ETH_HEADER, record->data + skip, have - skip);
		have += ETH_HEADER - skip;
	} else {
		memcpy(data, record->data, have);
	}
	if (r->l3) {
		unsigned int version = have ? data[0] >> 4 : 0;

		r->buf[12] = version == 4 ? 0x08 : version == 6 ? 0x86 : 0;
		r->buf[13] = version == 6 ? 0xdd : 0;
	}
	return have == frame_len(r, record) - (size_t)(data - r->buf) ||
	       padding_fits(data, have, frame_len(r, record) - (data - r->buf), r->l3, read);
}

static int judge_record(struct run *r, const struct capture_record *record, struct diag *diag)
{
	struct explained_frame f = {};
	struct eval_verdict verdict = {};
	struct explain_frame frame = {
		.data = r->buf,
		.len = frame_len(r, record),
		.l3 = r->l3,
	};
	bool check = r->out->tally.packets % r->stride == 0;
	int rc;

	if (!make_frame(r, record, &f.judgement.frame)) {
		tally_add_cut(&r->out->tally, record->len);
		f.cut = true;
		return keep(r, &f);
	}
	rc = explainer_judge(r->ex, &frame, check, &f.judgement, r->each ? &verdict : NULL, diag);
	if (rc)
		return rc;
	f.deciding = verdict.n_deciding;
	eval_free(&verdict);
	tally_add(&r->out->tally, &f.judgement);
	r->out->untried += f.judgement.untried;
	r->out->checked += explainer_asks(r->ex) && !explainer_blind(r->ex) &&
			   !f.judgement.untried && (check || r->each) && !r->ex->changed;
	rc = keep(r, &f);
	if (!rc && r->copy && f.judgement.block)
		rc = capture_copy_add(r->copy, record, diag);
	return rc;
}

static int judge_all(struct run *r, struct diag *diag)
{
	struct capture_record record;
	struct progress progress;
	int rc;

	progress_begin(&progress, "packets");
	while ((rc = capture_next(r->capture, &record, diag)) == 1) {
		rc = judge_record(r, &record, diag);
		if (rc)
			break;
		progress_show(&progress, capture_read(r->capture), r->out->tally.packets);
	}
	progress_end(&progress);
	return rc;
}

/* The rules of the table with their counters. */
static int list_rules(struct run *r, struct diag *diag)
{
	const struct tally *t = &r->out->tally;
	struct explained_rules rules;
	int rc = explained_rules_begin(r->ex, &rules, diag);

	r->out->rules = rc ? NULL : calloc(t->n + 1, sizeof(*r->out->rules));
	if (!rc && !r->out->rules)
		rc = -ENOMEM;
	for (size_t i = 0; i < t->n && !rc; i++)
		if (t->v[i].rule)
			r->out->rules[i] = explained_rule(&rules, t->v[i].rule);
	explained_rules_end(&rules);
	return rc;
}

static int open_files(struct run *r, const struct explain_files *files, struct diag *diag)
{
	int rc = capture_open(files->pcap, &r->capture, diag);

	if (rc && diag->kind == DIAG_USAGE)
		diag_place_word(diag, files->pcap);
	if (rc)
		return rc;
	r->l3 = capture_l3(r->capture);
	if (files->write_blocked)
		rc = capture_copy_begin(r->capture, files->write_blocked, &r->copy, diag);
	if (rc && files->write_blocked && diag->kind == DIAG_USAGE)
		diag_place_word(diag, files->write_blocked);
	r->buf = calloc(1, ETH_HEADER + MOST_BYTES);
	return rc ? rc : r->buf ? 0 : -ENOMEM;
}

int explain_capture_run(struct explainer *ex, const struct explain_files *files,
	struct explained_capture *out, struct diag *diag)
{
	struct run r = {
		.ex = ex,
		.out = out,
		.each = files->each,
		.stride = 1 + weight(&ex->all) / EVAL_FREE,
	};
	int rc = open_files(&r, files, diag);

	out->file = files->pcap;
	if (!rc)
		rc = tally_begin(&out->tally, &ex->all);
	if (!rc)
		rc = judge_all(&r, diag);
	if (!rc) {
		tally_end(&out->tally);
		rc = list_rules(&r, diag);
	}
	if (!rc && r.copy)
		rc = capture_copy_end(r.copy, diag);
	capture_copy_free(&r.copy);
	capture_free(&r.capture);
	free(r.buf);
	return rc;
}

void explained_capture_free(struct explained_capture *c)
{
	tally_free(&c->tally);
	free(c->rules);
	free(c->frames);
	c->rules = NULL;
	c->frames = NULL;
}

/* Rules of a policy that is not in force have counted nothing. */
int explained_rules_begin(
	const struct explainer *ex, struct explained_rules *rules, struct diag *diag)
{
	int rc = 0;

	*rules = (struct explained_rules){ .dynamic = &ex->dynamic, .now = wall_clock() };
	if (ex->by == EXPLAIN_IN_FORCE)
		rc = kernel_counts(ex->host.kernel, &rules->counts, diag);
	if (!rc)
		rc = counts_add(&rules->counts, &ex->dynamic.counts);
	counts_sum(&rules->counts);
	return rc;
}

struct status_rule explained_rule(const struct explained_rules *rules, const struct rule *rule)
{
	const struct rule_count *count = counts_find(&rules->counts, rule->id);
	struct status_rule out = { .rule = rule,
		.untold = dynamic_rules_untold(rules->dynamic, rule) };

	if (count) {
		out.packets = count->packets;
		out.bytes = count->bytes;
	}
	if (rule->deadline > rules->now)
		out.expires_in = rule_seconds_left(rule, rules->now);
	return out;
}

void explained_rules_end(struct explained_rules *rules)
{
	free(rules->counts.v);
}
