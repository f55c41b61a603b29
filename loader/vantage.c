/* SPDX-License-Identifier: GPL-2.0-only */
#include "vantage.h"

#include <errno.h>
#include <stdlib.h>

bool vantage_never(const struct nl_link *link)
{
	return link->loopback || link->unreadable;
}

static bool is_filtered(const struct attached *a, enum bp_dir dir)
{
	return a && (dir == BP_OUT ? a->out : a->how != ATTACH_NONE);
}

/*
 * BP_L3_*: BPF_PROG_TEST_RUN gives TC programs an Ethernet header in any case, so those for frames
 * that have one are asked: of the same source, they read the same behind it.
 */
enum bp_hook vantage_hook(
	const struct nl_link *link, const struct attached *a, bool by_tc, enum bp_dir dir)
{
	if (dir == BP_OUT)
		return BP_TC_OUT;
	if (a && a->how != ATTACH_NONE)
		return a->how == ATTACH_TC	  ? BP_TC_IN
		       : a->how == ATTACH_GENERIC ? BP_GENERIC
						  : BP_XDP;
	/* As `attach` would do. */
	return by_tc || link->l3 || link->xdp_prog ? BP_TC_IN : BP_XDP;
}

/* What is known of the interfaces. */
struct interfaces {
	struct nl_links links;
	struct attached_list attached;
	struct remembered_list remembered;
};

static int interfaces_get(struct interfaces *is, struct diag *diag)
{
	int rc;

	*is = (struct interfaces){};
	rc = nl_links_get(&is->links);
	if (rc)
		return diag_errno(diag, -rc, "cannot list the interfaces");
	rc = attached_get(&is->attached, diag);
	if (rc)
		return rc;
	/* Only what is not attached is chosen by it: where it cannot be read, by the rest. */
	rc = remembered_load(&is->remembered, diag);
	if (rc && rc != -ENOMEM)
		diag_clear(diag);
	return rc == -ENOMEM ? rc : 0;
}

static void interfaces_free(struct interfaces *is)
{
	remembered_free(&is->remembered);
	free(is->attached.v);
	nl_links_free(&is->links);
}

static enum attach_mode mode_of(const struct interfaces *is, const struct nl_link *link)
{
	const struct remembered *r = remembered_find(&is->remembered, link->name);

	return r ? r->mode : ATTACH_NONE;
}

/* How good it is to look from, where none is named. */
static int worth(const struct interfaces *is, const struct nl_link *link, enum bp_dir dir)
{
	const struct attached *a = attached_find(&is->attached, link->ifindex);

	if (vantage_never(link))
		return 0;
	if (is_filtered(a, dir))
		return 5;
	return a ? 4 : mode_of(is, link) != ATTACH_NONE ? 3 : link->up ? 2 : 1;
}

static const struct nl_link *choose(const struct interfaces *is, enum bp_dir dir)
{
	const struct nl_link *best = NULL;
	int most = 0;

	for (size_t i = 0; i < is->links.n; i++) {
		int worthy = worth(is, &is->links.v[i], dir);

		if (worthy > most) {
			most = worthy;
			best = &is->links.v[i];
		}
	}
	return best;
}

static int not_found(const struct spec_packet *packet, struct diag *diag)
{
	if (!packet->rule->ifname)
		return diag_set(
			diag, DIAG_UNKNOWN, ENODEV, "there is no interface that could be filtered");
	diag_place(diag, packet->text, packet->on.at, packet->on.width);
	return diag_set(diag, DIAG_UNKNOWN, ENODEV,
		"there is no interface '%s'; 'bpfpol interfaces' lists them", packet->rule->ifname);
}

int vantage_find(const struct spec_packet *packet, struct vantage *v, struct diag *diag)
{
	enum bp_dir dir = packet->rule->dir == DIR_OUT ? BP_OUT : BP_IN;
	const struct nl_link *link = NULL;
	const struct attached *a;
	struct interfaces is;
	int rc = interfaces_get(&is, diag);

	if (!rc) {
		link = packet->rule->ifname ? nl_by_name(&is.links, packet->rule->ifname)
					    : choose(&is, dir);
		rc = link ? 0 : not_found(packet, diag);
	}
	if (!rc) {
		a = attached_find(&is.attached, link->ifindex);
		*v = (struct vantage){
			.link = *link,
			.dir = dir,
			.hook = vantage_hook(link, a, mode_of(&is, link) == ATTACH_TC, dir),
			.chosen = !packet->rule->ifname,
			.attached = a,
			.filtered = is_filtered(a, dir),
			.ingress = a ? a->how : ATTACH_NONE,
		};
	}
	interfaces_free(&is);
	return rc;
}

static bool is_link_local(const struct prefix *p)
{
	return p->family == 6 && p->bytes[0] == 0xfe && (p->bytes[1] & 0xc0) == 0x80;
}

/* Of the other end's family and, if there is one, of its scope. */
static const struct prefix *address_for(const struct prefixes *list, const struct prefix *other)
{
	const struct prefix *found = NULL;

	for (size_t i = 0; i < list->n; i++) {
		const struct prefix *p = &list->v[i];

		if (p->family != other->family)
			continue;
		if (!found || (is_link_local(found) && !is_link_local(other)))
			found = p;
	}
	return found;
}

int vantage_name_me(const struct vantage *v, struct spec_packet *packet, struct diag *diag)
{
	struct rule *rule = packet->rule;
	struct end *me = rule->from.kind == END_ME ? &rule->from : &rule->to;
	const struct prefix *other = me == &rule->from ? &rule->to.prefix : &rule->from.prefix;
	const struct prefix *address;
	struct prefixes list = {};
	int rc;

	if (me->kind != END_ME)
		return 0;
	rc = nl_addresses_of(v->link.ifindex, &list);
	if (rc)
		return diag_errno(diag, -rc, "cannot ask for the addresses of %s", v->link.name);
	address = address_for(&list, other);
	if (address) {
		me->kind = END_PREFIX;
		me->prefix = *address;
	} else {
		diag_place(diag, packet->text, packet->me.at, packet->me.width);
		rc = diag_set(diag, DIAG_USAGE, EADDRNOTAVAIL,
			"%s has no IPv%d address that could stand for `me`: write the address",
			v->link.name, other->family);
	}
	free(list.v);
	return rc;
}

char *vantage_text(const struct vantage *v, const struct spec_packet *packet)
{
	struct rule named = *packet->rule;

	named.ifname = (char *)v->link.name;
	return spec_text(&named, SPEC_MATCH);
}

const char *vantage_hook_text(const struct vantage *v)
{
	if (v->dir == BP_IN && v->attached && v->ingress != ATTACH_NONE)
		return attach_mode_text(v->ingress);
	return bp_hook_is_xdp(v->hook) ? "XDP" : "TC";
}
