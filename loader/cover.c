// SPDX-License-Identifier: GPL-2.0-only
#include "cover.h"

#include <string.h>

static bool addresses_cover(const struct end *wide, const struct end *narrow)
{
	if (wide->kind == END_ANY)
		return true;
	if (wide->kind != narrow->kind)
		return false;
	switch (wide->kind) {
	case END_PREFIX:
		return wide->prefix.len <= narrow->prefix.len &&
		       prefix_holds(&wide->prefix, narrow->prefix.family, narrow->prefix.bytes);
	case END_FILE:
		return !strcmp(wide->file, narrow->file);
	default:
		return true;
	}
}

static bool range_held(const struct ports *wide, const struct port_range *narrow)
{
	for (size_t i = 0; i < wide->n; i++)
		if (wide->v[i].lo <= narrow->lo && wide->v[i].hi >= narrow->hi)
			return true;
	return false;
}

static bool ports_cover(const struct ports *wide, const struct ports *narrow)
{
	if (!wide->n)
		return true;
	for (size_t i = 0; i < narrow->n; i++)
		if (!range_held(wide, &narrow->v[i]))
			return false;
	return narrow->n;
}

static bool ends_cover(const struct end *wide, const struct end *narrow)
{
	return addresses_cover(wide, narrow) && ports_cover(&wide->ports, &narrow->ports);
}

/* Remote by remote: what goes out by an inout rule has its ends exchanged. */
bool rule_covers(const struct rule *wide, const struct rule *narrow)
{
	return (wide->dir == narrow->dir || wide->dir == DIR_INOUT) &&
	       (wide->proto == PROTO_ANY || wide->proto == narrow->proto) &&
	       (!wide->ifname || (narrow->ifname && !strcmp(wide->ifname, narrow->ifname))) &&
	       (wide->type < 0 || wide->type == narrow->type) &&
	       (wide->code < 0 || wide->code == narrow->code) &&
	       ends_cover(rule_remote(wide, BP_IN), rule_remote(narrow, BP_IN)) &&
	       ends_cover(rule_local(wide, BP_IN), rule_local(narrow, BP_IN));
}
