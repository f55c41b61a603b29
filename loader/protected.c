// SPDX-License-Identifier: GPL-2.0-only
#include "protected.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "clocks.h"
#include "conf_file.h"
#include "eval.h"
#include "netlink.h"
#include "protect.h"
#include "protect_lines.h"
#include "ssh.h"

static bool can_be_tcp(const struct rule *rule)
{
	return rule->proto == PROTO_ANY || rule->proto == IPPROTO_TCP;
}

static bool may_block_tcp(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n; i++)
		if (policy->rules[i]->action == BP_BLOCK && can_be_tcp(policy->rules[i]))
			return true;
	return false;
}

static bool is_one(const struct prefixes *list, const struct prefix *address)
{
	for (size_t i = 0; i < list->n; i++)
		if (!prefix_cmp(&list->v[i], address))
			return true;
	return false;
}

static bool any_address(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_protects; i++)
		if (conf->protects[i].rule->from.kind == END_PREFIX)
			return true;
	return false;
}

/* Packets with such an address at the other end there are none. */
static int warn_of_own(const struct conf *conf, struct diag *diag)
{
	struct prefixes own = {};
	int rc = any_address(conf) ? nl_addresses_get(&own) : 0;

	if (rc)
		return diag_errno(diag, -rc, "cannot ask for this host's addresses");
	for (size_t i = 0; i < conf->n_protects; i++) {
		const struct protect *line = &conf->protects[i];

		if (line->rule->from.kind != END_PREFIX || !is_one(&own, &line->rule->from.prefix))
			continue;
		diag_set(diag, DIAG_USAGE, EINVAL,
			"bpfpol.conf:%u: %s is an address of this host, and `protect` names those "
			"that speak to it",
			line->line, line->text);
		diag_to_warning(diag, "a line protects nobody");
	}
	free(own.v);
	return 0;
}

int protected_get(struct protected *p, const struct policy *policy, struct diag *diag)
{
	int rc;

	*p = (struct protected){};
	rc = conf_load(&p->conf, diag);
	if (!rc)
		rc = warn_of_own(&p->conf, diag);
	if (!rc && (!policy || may_block_tcp(policy)))
		rc = ssh_connections(&p->ssh, diag);
	if (rc)
		protected_free(p);
	return rc;
}

void protected_free(struct protected *p)
{
	conf_free(&p->conf);
	free(p->ssh.v);
	*p = (struct protected){};
}

bool protected_over_ssh(struct diag *diag)
{
	struct protected p;
	bool yes = false;

	if (ssh_is_above(&yes, diag) || !yes || protected_get(&p, NULL, diag))
		return false;
	protected_free(&p);
	return true;
}

static int any_blocked(
	const struct policy *policy, const struct protected_packets *packets, bool *any)
{
	int rc = 0;

	for (size_t i = 0; i < packets->n && !rc && !*any; i++) {
		const struct eval_env env = {
			.dir = packets->v[i].dir,
			.ifname = policy->rules[0]->ifname ? policy->rules[0]->ifname : "",
			.me = true,
			.now = wall_clock(),
		};
		struct eval_verdict verdict;

		rc = eval_frame(policy, &env, &packets->v[i].frame, &verdict);
		if (rc)
			break;
		*any = verdict.block;
		eval_free(&verdict);
	}
	return rc;
}

/* Of what has IPv6 turned off, or an MTU too small for it, none is. */
static int takes_ipv6(bool *yes, struct diag *diag)
{
	struct nl_links links = {};
	int rc = nl_links_list(&links);

	*yes = false;
	for (size_t i = 0; i < links.n && !rc; i++)
		*yes |= links.v[i].ipv6 && !links.v[i].loopback;
	nl_links_free(&links);
	return rc ? diag_errno(diag, -rc, "cannot list the interfaces") : 0;
}

int protected_own(struct prefixes *own, struct diag *diag)
{
	bool ipv6 = false;
	int rc = nl_addresses_get(own);

	if (rc)
		return diag_errno(diag, -rc, "cannot ask for this host's addresses");
	if (protect_lacks(own, 4))
		rc = protect_stand_in(own, 4);
	if (!rc && protect_lacks(own, 6))
		rc = takes_ipv6(&ipv6, diag);
	return rc || !ipv6 ? rc : protect_stand_in(own, 6);
}

/* Of one rule, which names the interface of its own; all: as `anyhow` of struct protect_world. */
static int suspects_lines(const struct conf *conf, const struct policy *policy, bool all, bool *any,
	struct diag *diag)
{
	struct protected_packets packets = {};
	struct protect_lines *lines = NULL;
	struct prefixes own = {};
	const struct protect_world world = {
		.conf = conf, .then = policy, .own = &own, .anyhow = all
	};
	int rc = conf->n_protects ? protected_own(&own, diag) : 0;

	if (!rc)
		rc = protect_lines_new(&world, &lines);
	for (int dir = 0; dir < BP_DIRS && !rc; dir++) {
		const struct protect_place at = {
			.ifname = policy->rules[0]->ifname, .dir = dir, .own = &own
		};

		rc = protect_lines_at(lines, &at, &packets);
	}
	*any = packets.n;
	protect_lines_free(&lines);
	free(packets.v);
	free(own.v);
	return rc;
}

static int suspects_sockets(
	const struct tcp_sockets *sockets, const struct policy *policy, bool *any)
{
	struct protected_packets packets = {};
	int rc = 0;

	for (size_t i = 0; i < sockets->n && !rc; i++)
		rc = protect_socket(&sockets->v[i], &packets);
	if (!rc)
		rc = any_blocked(policy, &packets, any);
	free(packets.v);
	return rc;
}

/* The connections, or as much of them as it takes to say that the rule has none of them. */
static int ssh_in_question(const struct rule *rule, struct tcp_sockets *list, struct diag *diag)
{
	struct tcp_sockets listening = {};
	bool any = false;
	int rc = ssh_above(list, diag);

	if (rc || list->n)
		return rc;
	rc = ssh_listening(&listening, diag);
	any = !rc && ssh_translated();
	for (size_t i = 0; i < listening.n && !rc && !any; i++)
		any = listening.v[i].listens && protect_has_port(rule, listening.v[i].local_port);
	if (!rc && any)
		rc = ssh_all(&listening, list, diag);
	free(listening.v);
	return rc;
}

/* It alone, as a block that does not end. */
struct alone {
	struct rule rule, *rules[1];
	struct policy policy;
};

static void make_alone(const struct rule *rule, struct alone *a)
{
	a->rule = *rule;
	a->rule.action = BP_BLOCK;
	a->rule.deadline = 0;
	a->rules[0] = &a->rule;
	a->policy = (struct policy){ .rules = a->rules, .n = 1 };
}

#define WIDE4 8 /* with less than that of an address, a few blocks together mean anybody */
#define WIDE6 16

static bool is_wide(const struct prefix *p)
{
	return p->len < (p->family == 4 ? WIDE4 : WIDE6);
}

static bool has_wide(const struct end *end)
{
	if (end->kind == END_PREFIX)
		return is_wide(&end->prefix);
	for (size_t i = 0; end->kind == END_FILE && i < end->list.n; i++)
		if (is_wide(&end->list.v[i]))
			return true;
	return false;
}

/*
 * Whether it matters that a rule names whom it is for. Not of a permit that goes: what is behind it
 * may be meant for anybody.
 */
static bool anyhow(const struct rule *rule)
{
	return rule->action == BP_PERMIT || has_wide(&rule->from) || has_wide(&rule->to);
}

int protected_suspects(const struct rule *rule, bool *suspect, struct diag *diag)
{
	struct protected p = {};
	struct alone a;
	int rc = conf_load(&p.conf, diag);

	make_alone(rule, &a);
	*suspect = false;
	if (!rc)
		rc = warn_of_own(&p.conf, diag);
	if (!rc)
		rc = suspects_lines(&p.conf, &a.policy, anyhow(rule), suspect, diag);
	if (!rc && !*suspect && can_be_tcp(rule)) {
		rc = ssh_in_question(rule, &p.ssh, diag);
		if (!rc)
			rc = suspects_sockets(&p.ssh, &a.policy, suspect);
	}
	protected_free(&p);
	return rc;
}

int protected_suspects_of(
	const struct protected *p, const struct rule *rule, bool *suspect, struct diag *diag)
{
	struct alone a;
	int rc;

	make_alone(rule, &a);
	*suspect = false;
	rc = suspects_lines(&p->conf, &a.policy, anyhow(rule), suspect, diag);
	return rc || *suspect ? rc : suspects_sockets(&p->ssh, &a.policy, suspect);
}

static char *line_text(const struct protect *line)
{
	char *text;

	if (asprintf(&text, "%s (bpfpol.conf:%u)", line->text, line->line) < 0)
		return NULL;
	return text;
}

int protected_texts(char ***texts, size_t *n, struct diag *diag)
{
	struct protected p;
	size_t most;
	int rc = protected_get(&p, NULL, diag);

	*n = 0;
	*texts = NULL;
	if (rc)
		return rc;
	most = p.ssh.n + p.conf.n_protects;
	*texts = calloc(most + 1, sizeof(**texts));
	if (!*texts)
		rc = -ENOMEM;
	for (size_t i = 0; i < most && !rc; i++) {
		(*texts)[i] = i < p.ssh.n ? protect_socket_text(&p.ssh.v[i])
					  : line_text(&p.conf.protects[i - p.ssh.n]);
		if (!(*texts)[i])
			rc = -ENOMEM;
		else
			*n += 1;
	}
	protected_free(&p);
	return rc;
}
