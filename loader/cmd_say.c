// SPDX-License-Identifier: GPL-2.0-only
/* What commands that change the filter say alike, before and after. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "attach.h"
#include "dynamic.h"
#include "env.h"
#include "host.h"
#include "json.h"
#include "links.h"

int refuse_while_off(const struct host *host, const struct args *args, struct diag *diag)
{
	if (!host->off || args->given & OPT_FORCE)
		return 0;
	return diag_set(diag, DIAG_REFUSED, EPERM,
		"filtering is off; 'bpfpol on' starts it again, or --force stores the change for "
		"then");
}

unsigned int policy_dirs(const struct policy *policy)
{
	unsigned int dirs = 0;

	for (size_t i = 0; policy && i < policy->n; i++)
		for (int dir = 0; dir < BP_DIRS; dir++)
			dirs |= rule_has_dir(policy->rules[i], dir) << dir;
	return dirs;
}

/*
 * A rule is in force only where programs for its direction are: where the kernel takes none, or
 * somebody took it off, there is only the other one's.
 */
void warn_one_way(const struct host *host, unsigned int dirs, struct diag *diag)
{
	static const char *const what[] = {
		[BP_IN] = "what arrives is not filtered on every interface",
		[BP_OUT] = "what leaves is not filtered on every interface",
	};
	struct attached_list attached;
	unsigned int lacks = 0;

	if (host->kernel && attach_is_whole(host->kernel, dirs))
		return;
	if (attached_get(&attached, diag))
		diag_to_warning(diag, "it is not known whether all is filtered both ways");
	for (size_t i = 0; i < attached.n; i++)
		lacks |= (attached.v[i].how == ATTACH_NONE) << BP_IN |
			 (attached.v[i].out == TC_NONE) << BP_OUT;
	free(attached.v);
	for (int dir = 0; dir < BP_DIRS; dir++) {
		if (!(lacks & dirs & 1U << dir))
			continue;
		diag_set(diag, DIAG_SYSTEM, EOPNOTSUPP, "'bpfpol interfaces' shows where");
		diag_to_warning(diag, what[dir]);
	}
}

void warn_not_there(const char *ifname, struct diag *diag)
{
	struct attached_list attached = {};
	int ifindex = env_ifindex(ifname, NULL);
	bool there = ifindex < 0 || attached_get(&attached, diag) < 0; /* or not known */

	diag_clear(diag);
	for (size_t i = 0; i < attached.n; i++)
		there |= attached.v[i].ifindex == ifindex;
	free(attached.v);
	if (there)
		return;
	if (strcmp(ifname, "lo"))
		diag_set(diag, DIAG_SYSTEM, ENODEV, "'bpfpol attach %s' changes that", ifname);
	else
		diag_set(diag, DIAG_SYSTEM, ENODEV, "the loopback never is");
	diag_to_warning(
		diag, "the rule stops and counts nothing, as its interface is not filtered");
}

void say_attached(const struct link_choices *choices)
{
	for (size_t i = 0; i < choices->n; i++)
		if (choices->v[i].how == ATTACH_NONE)
			printf("Would attach %s.\n", choices->v[i].link->name);
		else
			printf("Attached %s: %s (%s).\n", choices->v[i].link->name,
				attach_mode_text(choices->v[i].how), choices->v[i].why);
}

void json_attached(struct jw *j, const struct link_choices *choices)
{
	jw_array(j, "attached");
	for (size_t i = 0; i < choices->n; i++) {
		const struct link_choice *c = &choices->v[i];

		jw_object(j, NULL);
		jw_str(j, "name", c->link->name);
		jw_str(j, "mode", attach_mode_name(c->how));
		jw_str(j, "why", c->why);
		jw_object_end(j);
	}
	jw_array_end(j);
}

/* What cannot be read is there, and may hold rules. */
static bool has_dynamic_rules(const struct host *host)
{
	struct generation *gen = NULL;
	struct diag ignored = {};
	int rc = host->kernel && !host->off ? dynamic_read(host->kernel, &gen, &ignored) : -ENOENT;
	bool has = rc ? rc != -ENOENT : gen->table.tables->rules;

	generation_free(&gen);
	diag_free(&ignored);
	return has;
}

void say_none_assigned(const struct host *host, bool dry_run)
{
	if (has_dynamic_rules(host))
		printf(" No static rule %s in force; dynamic rules %s apply.\n",
			dry_run ? "would be" : "is", dry_run ? "would still" : "still");
	else
		printf(" No rule %s in force.\n", dry_run ? "would be" : "is");
}

void say_confirm(uint64_t seconds)
{
	if (seconds)
		printf("It goes back by itself in %" PRIu64
		       " s; 'bpfpol policy confirm' keeps it.\n",
			seconds);
}
