// SPDX-License-Identifier: GPL-2.0-only
/* ipsecpol: the arguments of Windows' tools, done here. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string.h>
#include <unistd.h>

#include "cmd_ipsecpol.h"
#include "netlink.h"
#include "seat.h"
#include "spec.h"
#include "stream.h"

/* What only this host knows. */

static int resolve(const char *name, struct prefixes *list, const char **why, void *arg)
{
	const struct host_name *found;
	int rc = names_find(arg, name, &found);

	*list = (struct prefixes){};
	if (rc)
		return rc;
	*why = found->why;
	if (!found->addresses.n)
		return -ENOENT;
	list->v = calloc(found->addresses.n, sizeof(*list->v));
	if (!list->v)
		return -ENOMEM;
	list->n = found->addresses.n;
	memcpy(list->v, found->addresses.v, list->n * sizeof(*list->v));
	return 0;
}

/* Dial-up there were modems and VPNs: here what has no Ethernet header. */
static int links_of(bool dialup, char ***names, size_t *n, void *arg)
{
	struct nl_links links = {};
	int rc = nl_links_get(&links);

	(void)arg;
	*n = 0;
	*names = NULL;
	if (rc)
		return rc;
	*names = calloc(links.n + 1, sizeof(**names));
	rc = *names ? 0 : -ENOMEM;
	for (size_t i = 0; i < links.n && !rc; i++) {
		if (links.v[i].loopback || links.v[i].l3 != dialup)
			continue;
		(*names)[*n] = strdup(links.v[i].name);
		rc = (*names)[*n] ? 0 : -ENOMEM;
		*n += !rc;
	}
	nl_links_free(&links);
	return rc;
}

static bool is_file(const char *name, void *arg)
{
	(void)arg;
	return !access(name, F_OK);
}

/* Where there is no agent. */

/* A word as a shell takes it. */
static void put_word(FILE *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_./:,%@";

	if (*word && !word[strspn(word, plain)]) {
		fprintf(out, " %s", word);
		return;
	}
	fputs(" '", out);
	for (; *word; word++)
		fputs(*word == '\'' ? "'\\''" : (char[]){ *word, '\0' }, out);
	fputc('\'', out);
}

/* The same rules in a stored policy, as they can be typed. */
static char *static_form(const struct args *args)
{
	char *text = NULL;
	size_t size;
	FILE *out = stream_open(&text, &size);

	if (!out)
		return NULL;
	fputs("bpfpol ipsecpol -w REG -p local", out);
	for (int i = 0; i < args->n; i++)
		put_word(out, args->words[i]);
	fputs(" -x", out);
	if (stream_close(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* Without an agent the same can be had from the store. */
static int need_agent(const struct args *args, const struct ipsecpol *p, struct diag *diag)
{
	size_t used;
	char *form;
	int rc = need_root(diag);

	if (rc)
		return rc;
	rc = seat_need(diag);
	if (!rc || p->drop_dynamic)
		return rc;
	form = static_form(args);
	used = strlen(diag->message);
	snprintf(diag->message + used, sizeof(diag->message) - used,
		"; without -w REG a rule is dynamic, and the agent's; stored, and in force at "
		"once, it is:\n  %s",
		form ? form : "bpfpol ipsecpol -w REG -p local ... -x");
	free(form);
	return rc;
}

/* Before anything changes, what is to be done is shown, and a yes waited for. */
static int ask(const struct ipsecpol *p, struct diag *diag)
{
	const char *verb = p->drop_dynamic ? "Drop all dynamic rules"
			   : !p->stored	   ? "Add these dynamic rules"
			   : p->delete	   ? "Delete"
			   : p->unassign   ? "Unassign"
			   : !p->policy->n ? "Assign"
			   : p->assign	   ? "Add these rules to, and assign,"
					   : "Add these rules to";
	char answer[16] = "";

	for (size_t i = 0; i < p->policy->n; i++) {
		char *text = spec_text(p->policy->rules[i], SPEC_ALL);

		if (!text)
			return -ENOMEM;
		fprintf(stderr, "  %s\n", text);
		free(text);
	}
	if (!p->stored)
		fprintf(stderr, "%s? (y/n) ", verb);
	else if (*p->policy->name)
		fprintf(stderr, "%s policy '%s'? (y/n) ", verb, p->policy->name);
	else
		fprintf(stderr, "%s the policy that is assigned? (y/n) ", verb);
	if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
		return 0;
	return diag_set(diag, DIAG_REFUSED, ECANCELED, "not confirmed: nothing is changed");
}

int cmd_ipsecpol(const struct args *args, struct diag *diag)
{
	struct names names = {};
	const struct ipsecpol_env this_host = {
		.resolve = resolve,
		.links = links_of,
		.is_file = is_file,
		.arg = &names,
	};
	struct ipsecpol p = {};
	int rc = ipsecpol_parse(args->n, args->words, &this_host, &p, diag);

	if (rc) {
		names_free(&names);
		return rc;
	}
	if (p.help)
		help_one(command_find("ipsecpol"));
	else if (!p.stored)
		rc = need_agent(args, &p, diag);
	if (!rc && !p.help && p.confirm && !(args->given & OPT_DRY_RUN))
		rc = ask(&p, diag);
	if (!rc && !p.help)
		rc = p.stored ? ipsecpol_store(args, &p, &names, diag)
			      : ipsecpol_dynamic(args, &p, &names, diag);
	names_free(&names);
	ipsecpol_free(&p);
	return rc;
}
