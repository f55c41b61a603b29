// SPDX-License-Identifier: GPL-2.0-only
#include "notes.h"

#include <stdio.h>
#include <string.h>

/* A rule that asks, of what arrives by that interface (NULL: by any), whether it is for this host.
 */
static bool asks_me(const struct status *st, const char *ifname)
{
	for (size_t i = 0; i < st->n_rules; i++) {
		const struct rule *rule = st->rules[i].rule;

		if (rule->to.kind == END_ME && rule_has_dir(rule, BP_IN) &&
			(st->generation || rule->layer == LAYER_DYNAMIC) &&
			(!ifname || !rule->ifname || !strcmp(rule->ifname, ifname)))
			return true;
	}
	return false;
}

/*
 * The FIB is asked. While an interface does not forward, it says that and no more, and whatever
 * arrives counts as for this host. While it does, what the FIB has no way for does.
 */
static void note_me(const struct nl_link *link, char *note, size_t size)
{
	const char *families = link->forwards4 ? "IPv6" : link->forwards6 ? "IPv4" : "IPv4, IPv6";
	const char *what = link->bridge_port ? "on a bridge's port without forwarding, frames for "
					       "other machines count"
			   : link->promiscuous
				   ? "promiscuous and without forwarding, frames for "
				     "other machines count"
				   : "without forwarding, unicast to nobody here counts";

	if (link->forwards4 && link->forwards6)
		snprintf(note, size,
			"'me' is not exact (IPv4, IPv6): what no route leads to, and others' "
			"link-local addresses, count as for this host");
	else
		snprintf(note, size, "'me' is not exact (%s): %s as for this host%s", families,
			what,
			link->forwards4	  ? "; nor for IPv4: what no route leads to"
			: link->forwards6 ? "; nor for IPv6: what no route leads to, and others' "
					    "link-local addresses"
					  : "");
}

static void note_behind(const bool behind[BP_DIRS], char *note, size_t size)
{
	const char *what = !behind[BP_OUT]  ? "what arrives"
			   : !behind[BP_IN] ? "what leaves"
					    : "both ways";

	if (behind[BP_IN] || behind[BP_OUT])
		snprintf(note, size,
			"on TC another's program comes first (%s): what that accepts is not "
			"filtered",
			what);
}

int notes_take(struct status *st, const struct attached_list *attached, struct nl_links *links,
	struct diag *diag)
{
	bool me = asks_me(st, NULL);
	int rc = me ? nl_forwarding_get(links) : 0;

	if (rc)
		return diag_errno(diag, -rc, "cannot tell which interfaces forward");
	for (size_t i = 0; i < st->n_interfaces; i++) {
		struct status_interface *f = &st->interfaces[i];
		const struct attached *a = attached_find(attached, f->ifindex);
		const struct nl_link *link = nl_by_index(links, f->ifindex);

		if (!a || !link)
			continue;
		if (me && a->how != ATTACH_NONE && asks_me(st, link->name))
			note_me(link, f->notes[NOTE_ME], sizeof(f->notes[0]));
		if (a->how == ATTACH_GENERIC)
			snprintf(f->notes[NOTE_SEGMENTS], sizeof(f->notes[0]),
				"generic XDP counts an aggregate of packets (GRO, GSO) as one");
		note_behind(a->behind, f->notes[NOTE_BEHIND], sizeof(f->notes[0]));
	}
	return 0;
}
