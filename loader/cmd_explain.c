// SPDX-License-Identifier: GPL-2.0-only
/* explain: one packet, or those of a capture. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "explain.h"
#include "explain_capture.h"
#include "fault.h"
#include "lock.h"
#include "probe.h"

#define TRIES 5

static int note(struct explained *at, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int note(struct explained *at, const char *fmt, ...)
{
	va_list args;
	int len;

	if (at->n_notes == NOTES_MOST)
		return 0;
	va_start(args, fmt);
	len = vasprintf(&at->notes[at->n_notes], fmt, args);
	va_end(args);
	if (len < 0)
		return -ENOMEM;
	at->n_notes++;
	return 0;
}

static void notes_free(struct explained *at)
{
	for (size_t i = 0; i < at->n_notes; i++)
		free(at->notes[i]);
	at->n_notes = 0;
}

/* Why no rule was asked. */
static void nobody_text(const struct explainer *ex, char *text, size_t size)
{
	const char *iface = ex->vantage.link.name;

	if (ex->by == EXPLAIN_NEVER && ex->vantage.link.loopback)
		snprintf(text, size, "%s is the loopback, which is never filtered: it passes",
			iface);
	else if (ex->by == EXPLAIN_NEVER)
		snprintf(text, size,
			"%s cannot be filtered, as its frames begin neither with an Ethernet nor "
			"with an IP header: it passes",
			iface);
	else if (ex->name)
		snprintf(text, size,
			"policy '%s' is stored but not in force, so that every packet passes; "
			"'bpfpol restore' puts it in force, --policy %s tells what it would "
			"do",
			ex->name, ex->name);
	else
		snprintf(text, size, "no policy is %s: every packet passes",
			ex->host.fault ? "in force" : "assigned");
}

static int note_place(const struct explainer *ex, struct explained *at)
{
	const struct vantage *v = &ex->vantage;
	const char *name = v->link.name;
	int rc = 0;

	if (v->chosen)
		rc = note(at, "no interface was named: %s stands for it", name);
	if (rc || vantage_never(&v->link) || v->filtered || ex->host.off)
		return rc;
	if (v->attached)
		return note(at, "what %s %s is not filtered now: this is what would be",
			v->dir == BP_IN ? "arrives at" : "leaves by", name);
	return note(at, "%s is not attached, nothing is filtered there now: this is what would be",
		name);
}

static int describe(const struct explainer *ex, struct explained *at)
{
	bool judged = ex->by == EXPLAIN_IN_FORCE || ex->by == EXPLAIN_LOADED;
	int rc;

	*at = (struct explained){
		.policy = ex->name,
		.interface = ex->vantage.link.name,
		.hook = vantage_hook_text(&ex->vantage),
		.dir = ex->vantage.dir,
		.in_force = ex->by == EXPLAIN_IN_FORCE && ex->vantage.filtered && !ex->host.off,
	};
	if (vantage_never(&ex->vantage.link))
		at->hook = "not filtered";
	rc = note_place(ex, at);
	if (!rc && ex->host.off)
		rc = note(at, "filtering is off, and everything passes now: %s",
			judged ? "this is what 'bpfpol on' brings back"
			       : "'bpfpol on' starts it again");
	else if (!rc && ex->by == EXPLAIN_LOADED)
		rc = note(at, "policy '%s' is not in force: this is what it would do", ex->name);
	if (!rc && ex->dynamic_asker && !ex->asker && ex->name)
		rc = note(at,
			"policy '%s' is stored but not in force: only dynamic rules are; 'bpfpol "
			"restore' puts it in force",
			ex->name);
	if (!rc && explainer_blind(ex))
		rc = note(at, "%s: the verdict is the kernel's, and rules that lost are not listed",
			ex->host.fault ? "it is not known what all rules say"
				       : "the agent does not tell what its rules say");
	return rc;
}

/* The rules that match, with their counters. */
static int list_matched(const struct explainer *ex, const struct eval_verdict *v,
	struct explained_packet *p, struct diag *diag)
{
	struct explained_rules rules;
	int rc = explained_rules_begin(ex, &rules, diag);

	p->matched = rc ? NULL : calloc(v->n_matched + 1, sizeof(*p->matched));
	if (!rc && !p->matched)
		rc = -ENOMEM;
	for (size_t i = 0; i < v->n_matched && !rc; i++)
		p->matched[i] = explained_rule(&rules, v->matched[i]);
	p->n_matched = v->n_matched;
	p->n_deciding = v->n_deciding;
	p->wins = v->winner;
	explained_rules_end(&rules);
	return rc;
}

/* What leaves is sent by this host or forwarded, which the source tells. */
static int note_sender(const struct explainer *ex, const struct frame *frame, struct explained *at)
{
	if (ex->vantage.dir == BP_IN || !explainer_asks(ex) || explainer_own(ex, frame))
		return 0;
	return note(at, "its source is no address of this host, so it is taken as forwarded");
}

static int judge_packet(struct explainer *ex, const struct rule *packet, struct explained_packet *p,
	struct diag *diag)
{
	struct explain_frame frame;
	struct eval_verdict verdict;
	struct judgement judgement;
	uint8_t data[PROBE_ROOM];
	struct frame wanted;
	int rc;

	probe_of(packet, &wanted);
	frame = (struct explain_frame){ .data = data, .len = probe_build(&wanted, data) };
	rc = explainer_judge(ex, &frame, true, &judgement, &verdict, diag);
	if (rc)
		return rc;
	p->block = judgement.block;
	if (explainer_asks(ex))
		judgement_text(&judgement, verdict.n_deciding, p->reason, sizeof(p->reason));
	else
		nobody_text(ex, p->reason, sizeof(p->reason));
	rc = list_matched(ex, &verdict, p, diag);
	if (!rc)
		rc = note_sender(ex, &judgement.frame, &p->at);
	eval_free(&verdict);
	return rc;
}

/*
 * The agent is given two seconds to follow an interface that has just come, or got another name:
 * until then the kernel's rules are not what their words say. It wants the lock for that.
 */
static int open_settled(struct explainer *ex, const struct args *args,
	const struct spec_packet *packet, struct diag *diag)
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	bool behind = false;
	int rc = explainer_open(ex, args->policy, packet, diag);

	for (int left = 20; !rc && left > 0; left--) {
		rc = dynamic_rules_behind(&ex->dynamic, &behind, diag);
		if (rc || !behind)
			break;
		explainer_close(ex);
		lock_release();
		nanosleep(&pause, NULL);
		rc = explainer_open(ex, args->policy, packet, diag);
	}
	return rc;
}

/* -EAGAIN: the agent has changed its rules meanwhile. */
static int explain_once(const struct args *args, bool last, struct diag *diag)
{
	struct explained_packet explained = {};
	struct spec_packet packet = {};
	struct explainer ex = {};
	int rc = spec_parse_packet(args->n, args->words, &packet, diag);

	if (!rc)
		rc = open_settled(&ex, args, &packet, diag);
	if (!rc)
		rc = vantage_name_me(&ex.vantage, &packet, diag);
	if (!rc)
		rc = describe(&ex, &explained.at);
	if (!rc) {
		explained.packet = vantage_text(&ex.vantage, &packet);
		rc = explained.packet ? judge_packet(&ex, packet.rule, &explained, diag) : -ENOMEM;
	}
	if (!rc && explainer_changed(&ex))
		rc = last ? note(&explained.at, "rules come and go all the time: the verdict is "
						"of one moment")
			  : -EAGAIN;
	if (!rc)
		rc = args_report(args)->packet(stdout, &explained);
	if (!rc)
		rc = fault_tell(&ex.host, diag);
	notes_free(&explained.at);
	free(explained.packet);
	free(explained.matched);
	explainer_close(&ex);
	spec_packet_free(&packet);
	return rc;
}

static int explain_packet(const struct args *args, struct diag *diag)
{
	int rc = -EAGAIN;

	for (int left = TRIES; rc == -EAGAIN && left > 0; left--)
		rc = explain_once(args, left == 1, diag);
	return rc;
}

static int note_capture(struct explainer *ex, struct explained_capture *c)
{
	char text[512];
	int rc = 0;

	if (!explainer_asks(ex)) {
		nobody_text(ex, text, sizeof(text));
		return note(&c->at, "%s", text);
	}
	if (c->untried)
		rc = note(&c->at,
			"%" PRIu64 " packets are too short or too long for the kernel to try them: "
			"their verdicts are from the %s without the kernel",
			c->untried, explainer_blind(ex) ? "static rules alone," : "rules");
	if (!rc && explainer_changed(ex))
		rc = note(&c->at, "the rules were changed while the capture was read: some of it "
				  "was judged by the earlier ones");
	if (!rc && c->checked)
		rc = note(&c->at,
			"a second opinion, from the rules without the kernel, was asked of %" PRIu64
			" packets and is the same",
			c->checked);
	return rc;
}

static int explain_capture(const struct args *args, struct diag *diag)
{
	const struct explain_files files = {
		.pcap = args->pcap,
		.write_blocked = args->write_blocked,
		.each = args->given & OPT_DEBUG,
	};
	struct explained_capture explained = {};
	struct spec_packet where = {};
	struct explainer ex = {};
	int rc = spec_parse_where(args->n, args->words, &where, diag);

	if (!rc)
		rc = open_settled(&ex, args, &where, diag);
	if (!rc)
		rc = describe(&ex, &explained.at);
	lock_release();
	if (!rc)
		rc = explain_capture_run(&ex, &files, &explained, diag);
	if (!rc)
		rc = note_capture(&ex, &explained);
	if (!rc)
		rc = args_report(args)->capture(stdout, &explained);
	if (!rc)
		rc = fault_tell(&ex.host, diag);
	notes_free(&explained.at);
	explained_capture_free(&explained);
	explainer_close(&ex);
	spec_packet_free(&where);
	return rc;
}

/* What goes with a capture alone. */
static int check_options(const struct args *args, struct diag *diag)
{
	const struct {
		unsigned int option;
		const char *text;
	} alone[] = {
		{ OPT_WRITE_BLOCKED, "--write-blocked" },
		{ OPT_DEBUG, "--debug" },
	};

	for (size_t i = 0; i < 2 && !args->pcap; i++) {
		if (!(args->given & alone[i].option))
			continue;
		diag_place_word(diag, alone[i].text);
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"%s is for captures: give --pcap FILE as well", alone[i].text);
	}
	return 0;
}

int cmd_explain(const struct args *args, struct diag *diag)
{
	int rc = check_options(args, diag);

	if (rc)
		return rc;
	return args->pcap ? explain_capture(args, diag) : explain_packet(args, diag);
}
