/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flags of ipsecpol and ipseccmd, in any order and any case. Each flag of negotiated security
 * is known by name, to say why it is refused. The filters are read by ipsecpol_spec.c.
 *
 * -r names the rules of -f: one -r all of them, several the first -f, the second and so on.
 */
#include "ipsecpol_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct reader {
	struct words words;
	size_t next;
	const struct ipsecpol_env *env;
	struct ipsecpol *out;
	struct span w, p, r, n, f, x, y, o, u; /* where each was given first; width 0: not */
	struct span lan, dialup;
	int action; /* of -n; -1: none */
	struct filt *filts;
	size_t *group; /* of each filt: which -f it stands behind */
	size_t n_filts, n_groups;
	const char **labels;
	size_t n_labels;
};

struct flag {
	const char *name;
	int (*take)(struct reader *r, struct span at);
	const char *refused; /* why */
};

static int fail_usage(struct reader *r, struct span at, const char *message)
{
	return spec_fail(&r->words, at, "%s", message);
}

static int once(struct reader *r, struct span at, struct span *given)
{
	if (given->width)
		return spec_fail(&r->words, at, "%.*s is given twice: leave one out", SHOW(at));
	*given = at;
	return 0;
}

static const struct flag *find_flag(struct span word);

/* Whether the word begins what follows. Of those with a slash only what is a flag: paths have one.
 */
static bool is_flag(struct span word)
{
	return word.len > 1 && (word.s[0] == '-' || (word.s[0] == '/' && find_flag(word)));
}

static int value_of(struct reader *r, struct span at, const char *what, struct span *value)
{
	if (r->next == r->words.n || is_flag(r->words.v[r->next]) || !r->words.v[r->next].len)
		return spec_fail(&r->words, at, "%.*s needs %s", SHOW(at), what);
	*value = r->words.v[r->next++];
	return 0;
}

/* Asked for anywhere, help is given whatever else is wrong. */
static bool wants_help(const struct words *words)
{
	for (size_t i = 0; i < words->n; i++)
		if (span_is(words->v[i], "-?") || span_is(words->v[i], "/?"))
			return true;
	return false;
}

static int take_store(struct reader *r, struct span at)
{
	struct span value;
	int err = once(r, at, &r->w);

	if (!err)
		err = value_of(r, at, "REG: the policies on this computer's disk", &value);
	if (err)
		return err;
	if (!strncasecmp(value.s, "DS", 2) && (!value.s[2] || value.s[2] == ':'))
		return fail_usage(r, value,
			"a domain's policy is not changed from here, but in the domain's store; "
			"for this computer write -w REG, or leave -w out for a dynamic rule, which "
			"holds beside a domain's policy");
	if (!strcasecmp(value.s, "PERS"))
		return fail_usage(
			r, value, "what is stored with -w REG holds from boot on: write -w REG");
	if (strcasecmp(value.s, "REG"))
		return fail_usage(r, value, "there is one store here: write -w REG");
	r->out->stored = true;
	return 0;
}

static int check_text(struct reader *r, struct span value, const char *what)
{
	if (text_is_printable(value.s))
		return 0;
	return spec_fail(&r->words, value, "%s is UTF-8 text without control characters", what);
}

/* NAME, or NAME:POLL. */
static int take_policy(struct reader *r, struct span at)
{
	struct span value, poll = {};
	const char *colon;
	uint32_t minutes;
	int err = once(r, at, &r->p);

	if (!err)
		err = value_of(r, at, "the name of a policy: -p \"Block UDP 1434\"", &value);
	if (!err)
		err = check_text(r, value, "the name of a policy");
	if (err)
		return err;
	colon = strrchr(value.s, ':');
	if (colon) {
		poll = span_part(value, colon - value.s + 1, value.s + value.len - colon - 1);
		value = span_part(value, 0, colon - value.s);
	}
	if (colon && poll.len && !span_number(poll, &minutes))
		return fail_usage(r, poll,
			"behind the last : stands the interval of polling, in minutes; leave it "
			"out, nothing is polled here; a name with a : of its own ends in one more");
	if (!value.len)
		return fail_usage(r, at, "the name of the policy is missing");
	r->out->poll = poll.len;
	free(r->out->policy->name);
	r->out->policy->name = strndup(value.s, value.len);
	return r->out->policy->name ? 0 : -ENOMEM;
}

static int take_rule(struct reader *r, struct span at)
{
	struct span value;
	int err = value_of(r, at, "a name for the rules: -r \"Block inbound\"", &value);

	if (!err)
		err = check_text(r, value, "the name of a rule");
	if (err)
		return err;
	if (!r->r.width)
		r->r = at;
	r->labels[r->n_labels++] = value.s;
	return 0;
}

/* ESP[3DES,SHA]5000k/1000s/PFS, AH[MD5]+ESP[DES,SHA], also in brackets, or the names alone. */
static bool is_negotiated(const char *value)
{
	size_t len;

	value += strspn(value, "([{");
	len = !strncasecmp(value, "ESP", 3) ? 3 : !strncasecmp(value, "AH", 2) ? 2 : 0;
	return len && strchr("[{+/)]}", value[len]); /* or its end */
}

static int take_action(struct reader *r, struct span at)
{
	struct span value;
	int err = once(r, at, &r->n);

	if (!err)
		err = value_of(r, at, "BLOCK or PASS", &value);
	if (err)
		return err;
	if (!strcasecmp(value.s, "BLOCK") || !strcasecmp(value.s, "PASS")) {
		r->action = strcasecmp(value.s, "PASS") ? BP_BLOCK : BP_PERMIT;
		return 0;
	}
	if (!strcasecmp(value.s, "INPASS"))
		return fail_usage(r, value,
			"INPASS takes in what is not secured and answers secured: nothing is "
			"secured here; write PASS");
	if (is_negotiated(value.s))
		return fail_usage(r, value,
			"ESP and AH are negotiated security: bpfpol blocks and permits, and "
			"encrypts "
			"nothing; WireGuard or strongSwan do that");
	if (!strcasecmp(value.s, "PERMIT") || !strcasecmp(value.s, "ALLOW"))
		return fail_usage(r, value, "the word is PASS");
	return fail_usage(r, value, "-n takes BLOCK or PASS");
}

/* All words up to the next flag are SPECs. */
static int take_filters(struct reader *r, struct span at)
{
	size_t first = r->next;
	int err = 0;

	if (!r->f.width)
		r->f = at;
	while (!err && r->next < r->words.n && !is_flag(r->words.v[r->next])) {
		struct filt *filt = &r->filts[r->n_filts];

		err = filt_parse(&r->words, r->next++, r->env, filt);
		if (!err)
			r->group[r->n_filts++] = r->n_groups;
	}
	if (!err && r->next == first)
		return spec_fail(&r->words, at,
			"%.*s needs a SPEC: -f '*=0:1434:UDP', from any address to this computer's "
			"port 1434",
			SHOW(at));
	r->n_groups++;
	return err;
}

static int take_assign(struct reader *r, struct span at)
{
	r->out->assign = true;
	return once(r, at, &r->x);
}

static int take_unassign(struct reader *r, struct span at)
{
	r->out->unassign = true;
	return once(r, at, &r->y);
}

static int take_delete(struct reader *r, struct span at)
{
	r->out->delete = true;
	return once(r, at, &r->o);
}

static int take_drop(struct reader *r, struct span at)
{
	r->out->drop_dynamic = true;
	return once(r, at, &r->u);
}

static int take_lan(struct reader *r, struct span at)
{
	return once(r, at, &r->lan);
}

static int take_dialup(struct reader *r, struct span at)
{
	return once(r, at, &r->dialup);
}

static int take_confirm(struct reader *r, struct span at)
{
	(void)at;
	r->out->confirm = true;
	return 0;
}

#define NEGOTIATED "negotiated security, and bpfpol blocks and permits only: "
#define ELSEWHERE "; WireGuard or strongSwan do that"

/* Those that are refused stand last. */
static const struct flag flags[] = {
	{ "w", take_store, NULL },
	{ "p", take_policy, NULL },
	{ "r", take_rule, NULL },
	{ "f", take_filters, NULL },
	{ "n", take_action, NULL },
	{ "x", take_assign, NULL },
	{ "y", take_unassign, NULL },
	{ "o", take_delete, NULL },
	{ "u", take_drop, NULL },
	{ "lan", take_lan, NULL },
	{ "dialup", take_dialup, NULL },
	{ "confirm", take_confirm, NULL },
	{ "t", NULL,
		"-t, the other end of a tunnel, is " NEGOTIATED "no tunnel is made" ELSEWHERE },
	{ "a", NULL,
		"-a, how the peers prove who they are, is " NEGOTIATED
		"nobody is authenticated" ELSEWHERE },
	{ "1s", NULL,
		"-1s, the ciphers of the key exchange, is " NEGOTIATED
		"no keys are exchanged" ELSEWHERE },
	{ "1k", NULL,
		"-1k, when keys are made anew, is " NEGOTIATED "no keys are exchanged" ELSEWHERE },
	{ "1p", NULL,
		"-1p, perfect forward secrecy of the keys, is " NEGOTIATED
		"no keys are exchanged" ELSEWHERE },
	{ "1f", NULL,
		"-1f, the filters of the key exchange, is " NEGOTIATED
		"no keys are exchanged; filters for packets stand behind -f" },
	{ "1e", NULL,
		"-1e, the lifetime of soft associations, is " NEGOTIATED
		"there are no associations" },
	{ "soft", NULL,
		"-soft, to talk in the clear to who knows no IPSec, is " NEGOTIATED
		"all packets are in the clear here" },
	{ "s", NULL, "-s: another computer is not changed from here; run bpfpol there, over ssh" },
	{ "file", NULL,
		"-file: a file of commands is a shell script here, a line each: "
		"bpfpol ipsecpol -w REG -p ..." },
};
#define FLAGS (sizeof(flags) / sizeof(flags[0]))

const char *ipsecpol_flag(size_t index, enum ipsecpol_value *value)
{
	int (*take)(struct reader *, struct span);

	if (index >= FLAGS || flags[index].refused)
		return NULL;
	take = flags[index].take;
	*value = take == take_store	? FLAG_STORE
		 : take == take_policy	? FLAG_POLICY
		 : take == take_rule	? FLAG_LABEL
		 : take == take_filters ? FLAG_SPECS
		 : take == take_action	? FLAG_ACTION
					: FLAG_ALONE;
	return flags[index].name;
}

static const struct flag *find_flag(struct span word)
{
	for (size_t i = 0; i < FLAGS; i++)
		if (!strcasecmp(flags[i].name, word.s + 1))
			return &flags[i];
	return NULL;
}

/* A value that was written on to its flag, as in -wREG. */
static int unknown_flag(struct reader *r, struct span word)
{
	static const char with_value[] = "wprfn";
	char c = word.s[1] | 0x20;

	if (word.len > 2 && strchr(with_value, c) && word.s[1])
		return spec_fail(&r->words, word,
			"there is no flag %.*s; a flag and its value are two words: -%c %.*s",
			SHOW(word), c, SHOW(span_part(word, 2, word.len - 2)));
	return spec_fail(
		&r->words, word, "there is no flag %.*s; -? shows those there are", SHOW(word));
}

static int stray_word(struct reader *r, struct span word)
{
	static const char *const verbs[] = { "show", "set", "importpolicy", "exportpolicy" };

	if (word.len > 1 && word.s[0] == '\\' && word.s[1] == '\\')
		return spec_fail(&r->words, word,
			"another computer is not changed from here; run bpfpol there, over ssh");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcasecmp(word.s, verbs[i]))
			return spec_fail(&r->words, word,
				"`%s` is no flag here: `bpfpol netdiag /test:ipsec /debug` and "
				"`bpfpol list` show what is in force, `bpfpol help` all commands",
				verbs[i]);
	if (span_has(word, '=') || span_has(word, '+'))
		return spec_fail(
			&r->words, word, "a SPEC stands behind -f: write -f '%.*s'", SHOW(word));
	return spec_fail(&r->words, word,
		"'%.*s' belongs to no flag; a value with blanks stands in quotes", SHOW(word));
}

static int take_word(struct reader *r)
{
	struct span word = r->words.v[r->next++];
	const struct flag *flag;

	if (word.len < 2 || (word.s[0] != '-' && word.s[0] != '/'))
		return stray_word(r, word);
	flag = find_flag(word);
	if (!flag)
		return word.s[0] == '-' ? unknown_flag(r, word) : stray_word(r, word);
	if (flag->refused)
		return fail_usage(r, word, flag->refused);
	return flag->take(r, word);
}

/* What stands behind -a may be a secret, and errors end up in logs: no error shows it. */
static void hide_secrets(struct words *words)
{
	bool hide = false;

	for (size_t i = 0; i < words->n; i++) {
		struct span word = words->v[i];

		if (is_flag(word))
			hide = !strcasecmp(word.s + 1, "a");
		else if (hide)
			memset(words->text + word.at, '*', word.width);
	}
}

/* What only a stored policy can be asked. */
static int check_static(struct reader *r)
{
	const struct span only[] = { r->p, r->x, r->y, r->o };

	for (size_t i = 0; i < sizeof(only) / sizeof(only[0]); i++)
		if (only[i].width && !r->out->stored)
			return spec_fail(&r->words, only[i],
				"%.*s is for a stored policy: add -w REG; without it a rule is "
				"dynamic, and belongs to none",
				SHOW(only[i]));
	if (r->out->stored && !r->p.width && !r->out->unassign && !r->u.width)
		return fail_usage(r, r->w, "which policy? Add -p NAME");
	return 0;
}

static int check_together(struct reader *r)
{
	if (r->x.width && r->y.width)
		return fail_usage(r, r->y, "-x assigns and -y unassigns: give one of them");
	if (r->o.width && (r->x.width || r->y.width))
		return fail_usage(r, r->x.width ? r->x : r->y,
			"-o deletes the policy and unassigns it first: leave this out");
	if (r->f.width && (r->o.width || r->y.width || r->u.width))
		return fail_usage(r, r->f,
			"-f adds rules, and the other flag takes them away: that is two commands");
	if (r->u.width && r->w.width)
		return fail_usage(r, r->u,
			"-u drops the dynamic rules, and -w REG is about stored ones: that is two "
			"commands");
	if (r->n.width && !r->f.width)
		return fail_usage(r, r->n, "-n says what becomes of the SPECs of -f: add -f");
	if (r->r.width && !r->f.width)
		return fail_usage(r, r->r,
			"-r names the rules that -f adds: add -f; to take a rule away write "
			"`bpfpol remove --id N`");
	if (r->n_labels > 1 && r->n_labels != r->n_groups)
		return fail_usage(r, r->r,
			"several -r name one -f each: give as many of them, or one for all");
	return 0;
}

static int check_said(struct reader *r)
{
	const struct ipsecpol *out = r->out;
	struct span last = r->words.n ? r->words.v[r->words.n - 1] : (struct span){};

	if (r->f.width || out->assign || out->unassign || out->delete || out->drop_dynamic)
		return 0;
	return fail_usage(r, last,
		"say what to do, as in: bpfpol ipsecpol -w REG -p \"Block UDP 1434\" -r \"in\" "
		"-f '*=0:1434:UDP' -n BLOCK -x");
}

static int check_actions(struct reader *r)
{
	for (size_t i = 0; i < r->n_filts; i++) {
		struct filt *filt = &r->filts[i];

		if (filt->action < 0)
			filt->action = r->action;
		if (filt->action < 0)
			return spec_fail(&r->words, filt->at,
				"block it or let it pass? Add -n BLOCK or -n PASS, or write [%.*s] "
				"to block and (%.*s) to permit",
				SHOW(filt->at), SHOW(filt->at));
	}
	return 0;
}

static void free_links(struct rules_of *of)
{
	for (size_t i = 0; i < of->n_links; i++)
		free(of->links[i]);
	free(of->links);
}

/* -lan and -dialup are a rule for each such interface; both together say nothing. */
static int find_links(struct reader *r, struct rules_of *of)
{
	struct span at = r->lan.width ? r->lan : r->dialup;
	int err;

	if (!at.width || (r->lan.width && r->dialup.width))
		return 0;
	r->out->lan = r->lan.width;
	r->out->dialup = r->dialup.width;
	err = r->env->links(r->out->dialup, &of->links, &of->n_links, r->env->arg);
	if (err || of->n_links)
		return err;
	fail_usage(r, at,
		r->out->lan
			? "there is no interface of a LAN, which is one with Ethernet headers"
			: "there is no dial-up interface, which is one without Ethernet headers "
			  "(ppp, tun, WireGuard)");
	r->words.diag->kind = DIAG_UNKNOWN;
	return -ENOENT;
}

static int make_rules(struct reader *r)
{
	struct rules_of of = { .words = &r->words, .env = r->env, .out = r->out };
	int err = find_links(r, &of);

	for (size_t i = 0; i < r->n_filts && !err; i++) {
		struct filt *filt = &r->filts[i];

		if (r->n_labels)
			filt->label = r->labels[r->n_labels > 1 ? r->group[i] : 0];
		err = filt_rules(&of, filt);
	}
	free_links(&of);
	return err;
}

static int read_all(struct reader *r)
{
	int err = 0;

	r->out->help = wants_help(&r->words);
	if (r->out->help)
		return 0;
	while (!err && r->next < r->words.n)
		err = take_word(r);
	if (!err)
		err = check_said(r);
	if (!err)
		err = check_static(r);
	if (!err)
		err = check_together(r);
	if (!err)
		err = check_actions(r);
	return err ? err : make_rules(r);
}

int ipsecpol_parse(int argc, char *const *argv, const struct ipsecpol_env *env,
	struct ipsecpol *out, struct diag *diag)
{
	struct ipsecpol got = { .policy = policy_new("") };
	struct reader r = {
		.env = env,
		.out = &got,
		.action = -1,
		.filts = calloc(argc + 1, sizeof(*r.filts)),
		.group = calloc(argc + 1, sizeof(*r.group)),
		.labels = calloc(argc + 1, sizeof(*r.labels)),
	};
	int err = words_of_args(&r.words, argc, argv, diag);

	if (!err && (!got.policy || !r.filts || !r.group || !r.labels))
		err = -ENOMEM;
	if (!err) {
		hide_secrets(&r.words);
		err = read_all(&r);
	}
	words_free(&r.words);
	free(r.filts);
	free(r.group);
	free(r.labels);
	if (err)
		ipsecpol_free(&got);
	else
		*out = got;
	return err;
}

void ipsecpol_free(struct ipsecpol *ipsecpol)
{
	for (size_t i = 0; i < ipsecpol->n_names; i++) {
		free(ipsecpol->names[i].name);
		free(ipsecpol->names[i].addresses.v);
	}
	free(ipsecpol->names);
	policy_free(&ipsecpol->policy);
	*ipsecpol = (struct ipsecpol){};
}
