// SPDX-License-Identifier: GPL-2.0-only
/*
 * One list, made of the kernel's elements, is what both reports walk: `me` is each address of this
 * host, a filter each. Rules that only count decide nothing, and those tools knew none: they are
 * left out, and the list says how many.
 *
 * The keys are those of Windows' netdiag. What it had no key for stands on a line of its own
 * behind Flags: an interface, the type of an ICMP message, that the rule is a dynamic one. Masks of
 * IPv6 are lengths (/64).
 */
#include "netdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "guid.h"
#include "json.h"
#include "spec.h"
#include "stream.h"

const char *const netdiag_words[] = {
	[NETDIAG_DEBUG] = "debug",
	[NETDIAG_JSON] = "json",
	[NETDIAG_HELP] = "help",
	[NETDIAG_WORDS] = NULL,
};

struct shown {
	const struct status_filter *of;
	struct prefix src, dst;
	struct port_range sport, dport; /* hi < lo: any */
	int proto;			/* 0: any */
	int type, code;			/* of ICMP; -1: any */
	struct guid id;
	const struct guid *policy; /* of the list */
};

struct list {
	struct guid policy, dynamic; /* dynamic rules are of no policy, and have a name instead */
	struct shown *v;
	size_t n, room;
	size_t counting; /* filters that only count */
};

/* Why packets meet no rule at all; NULL: they may. */
static const char *why_nothing(const struct status *st)
{
	if (st->off)
		return "filtering is off; 'bpfpol on' starts it again";
	for (size_t i = 0; i < st->n_interfaces; i++)
		if (strcmp(st->interfaces[i].ingress, "none") ||
			strcmp(st->interfaces[i].egress, "none"))
			return NULL;
	return "no interface is filtered; 'bpfpol attach IFACE' changes that";
}

/* Why packets pass though a policy is assigned; NULL: they do not. */
static const char *why_not(const struct status *st)
{
	if (st->foreign)
		return "another version of bpfpol filters, and cannot be asked; 'bpfpol restore' "
		       "puts it in force";
	if (!st->off && !st->generation)
		return "it is on disk alone; 'bpfpol restore' puts it in force";
	return why_nothing(st);
}

static bool is_dynamic(const struct status_filter *f)
{
	return f->layer == LAYER_DYNAMIC;
}

static struct shown *add(struct list *list)
{
	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		struct shown *v = reallocarray(list->v, room, sizeof(*v));

		if (!v)
			return NULL;
		list->v = v;
		list->room = room;
	}
	return &list->v[list->n++];
}

static void put_end(FILE *out, const char *word, const struct prefix *p, struct port_range port)
{
	char text[64];

	spec_prefix_text(p, text, sizeof(text));
	fprintf(out, " %s %s", word, text);
	if (port.lo <= port.hi)
		fprintf(out, " port %u-%u", port.lo, port.hi);
}

/*
 * A filter's name: all that it matches, and the fingerprint of its rule, as two rules may share a
 * filter. Numbers that change from boot to boot (of rules' places, of interfaces) are not in it.
 */
static int name_filter(struct shown *s)
{
	const struct status_filter *f = s->of;
	char *name = NULL;
	size_t size;
	FILE *out = stream_open(&name, &size);

	if (!out)
		return -ENOMEM;
	fprintf(out, "filter %s %s", action_name(f->action),
		f->filter.shape.dir == BP_IN ? "in" : "out");
	fprintf(out, " proto %d type %d code %d", s->proto, s->type, s->code);
	put_end(out, "from", &s->src, s->sport);
	put_end(out, "to", &s->dst, s->dport);
	fprintf(out, " rule %06" PRIx32, f->print);
	if (stream_close(out)) {
		free(name);
		return -ENOMEM;
	}
	guid_of_name(s->policy, name, &s->id);
	free(name);
	return 0;
}

/* One filter, whose local end is that prefix. */
static int add_filter(struct list *list, const struct status_filter *f, const struct prefix *local)
{
	const struct filter *is = &f->filter;
	bool v4 = is->shape.family == BP_V4, in = is->shape.dir == BP_IN;
	struct port_range rport = is->rport, lport = is->lport;
	struct prefix remote = { .family = v4 ? 4 : 6, .len = is->shape.rlen };
	struct shown *s = add(list);

	if (!s)
		return -ENOMEM;
	memcpy(remote.bytes, is->remote, v4 ? 4 : 16);
	*s = (struct shown){ .of = f, .type = -1, .code = -1 };
	if (is->shape.flags & BPT_PROTO)
		s->proto = is->proto;
	if (proto_has_type(s->proto)) {
		s->type = lport.lo <= lport.hi ? lport.lo : -1;
		s->code = rport.lo <= rport.hi ? rport.lo : -1;
		rport = lport = (struct port_range){ 1, 0 };
	}
	s->policy = is_dynamic(f) ? &list->dynamic : &list->policy;
	s->src = in ? remote : *local;
	s->dst = in ? *local : remote;
	s->sport = in ? rport : lport;
	s->dport = in ? lport : rport;
	return name_filter(s);
}

/* The loopback is never filtered. */
static bool is_loopback(const struct prefix *p)
{
	static const uint8_t one[16] = { [15] = 1 };

	return p->family == 4 ? p->bytes[0] == 127 : !memcmp(p->bytes, one, sizeof(one));
}

static int add_me(struct list *list, const struct netdiag *nd, const struct status_filter *f)
{
	int family = f->filter.shape.family == BP_V4 ? 4 : 6, rc = 0;

	for (size_t i = 0; i < nd->addresses->n && !rc; i++) {
		const struct prefix *p = &nd->addresses->v[i];

		if (p->family == family && !is_loopback(p))
			rc = add_filter(list, f, p);
	}
	return rc;
}

static int add_element(struct list *list, const struct netdiag *nd, const struct status_filter *f)
{
	const struct shape *shape = &f->filter.shape;
	bool v4 = shape->family == BP_V4;
	struct prefix local = { .family = v4 ? 4 : 6, .len = shape->llen };

	if (f->action == BP_COUNT) {
		list->counting++;
		return 0;
	}
	if (shape->flags & BPT_ME)
		return add_me(list, nd, f);
	memcpy(local.bytes, f->filter.local, v4 ? 4 : 16);
	return add_filter(list, f, &local);
}

/* IPv4 first, as those tools knew it alone; of each family the most specific first. */
static int make_list(const struct netdiag *nd, struct list *list)
{
	const struct status *st = nd->status;
	bool policy = st->policy && !why_not(st);
	int rc = 0;

	for (int family = BP_V4; family < BP_FAMILIES; family++)
		for (size_t i = 0; i < st->n_listed && !rc; i++)
			if (st->filters[i].filter.shape.family == family &&
				(policy || is_dynamic(&st->filters[i])))
				rc = add_element(list, nd, &st->filters[i]);
	return rc;
}

/* The list, if there is one to show: rules are in force and /debug was asked for. */
static int open_list(const struct netdiag *nd, struct list *list)
{
	struct guid host;
	char *name;

	*list = (struct list){};
	guid_of_host(nd->machine_id, &host);
	guid_of_name(&host, "dynamic rules", &list->dynamic);
	if (nd->status->policy) {
		if (asprintf(&name, "policy %s", nd->status->policy) < 0)
			return -ENOMEM;
		guid_of_name(&host, name, &list->policy);
		free(name);
	}
	return nd->debug && !why_nothing(nd->status) ? make_list(nd, list) : 0;
}

static const char *address_text(const struct prefix *p, char buf[INET6_ADDRSTRLEN])
{
	return inet_ntop(p->family == 4 ? AF_INET : AF_INET6, p->bytes, buf, INET6_ADDRSTRLEN);
}

static const char *mask_text(const struct prefix *p, char buf[INET6_ADDRSTRLEN])
{
	if (p->family == 4) {
		struct in_addr mask = { p->len ? htonl(~0U << (32 - p->len)) : 0 };

		return inet_ntop(AF_INET, &mask, buf, INET6_ADDRSTRLEN);
	}
	snprintf(buf, INET6_ADDRSTRLEN, "/%u", p->len);
	return buf;
}

static const char *port_text(const struct port_range *p, char buf[16])
{
	if (p->hi < p->lo)
		snprintf(buf, 16, "0");
	else if (p->lo == p->hi)
		snprintf(buf, 16, "%u", p->lo);
	else
		snprintf(buf, 16, "%u-%u", p->lo, p->hi);
	return buf;
}

/* NULL: any interface. */
static const char *ifname_of(const struct status *st, uint32_t ifindex)
{
	if (!ifindex)
		return NULL;
	for (size_t i = 0; i < st->n_interfaces; i++)
		if (st->interfaces[i].ifindex == (int)ifindex)
			return st->interfaces[i].name;
	return "not there now";
}

static void text_filter(FILE *out, const struct netdiag *nd, const struct shown *s)
{
	const char *ifname = ifname_of(nd->status, s->of->ifindex);
	char id[GUID_SIZE], addr[INET6_ADDRSTRLEN], mask[INET6_ADDRSTRLEN], src[16], dst[16];

	fprintf(out, "No Name\nFilter Id: %s\n", guid_text(&s->id, id));
	fprintf(out, "Policy Id: %s\n", guid_text(s->policy, id));
	fprintf(out, "Src Addr : %s Src Mask : %s\n", address_text(&s->src, addr),
		mask_text(&s->src, mask));
	fprintf(out, "Dest Addr : %s Dest Mask : %s\n", address_text(&s->dst, addr),
		mask_text(&s->dst, mask));
	fprintf(out, "Tunnel Addr : 0.0.0.0 Src Port : %s Dest Port : %s\n",
		port_text(&s->sport, src), port_text(&s->dport, dst));
	fprintf(out, "Protocol : %d TunnelFilter: No\n", s->proto);
	fprintf(out, "Flags : %s %s\n", s->of->filter.shape.dir == BP_IN ? "Inbound" : "Outbound",
		s->of->action == BP_BLOCK ? "Block" : "Permit");
	if (s->type >= 0)
		fprintf(out, "ICMP Type : %d", s->type);
	if (s->code >= 0)
		fprintf(out, " Code : %d", s->code);
	fputs(s->type >= 0 ? "\n" : "", out);
	if (ifname)
		fprintf(out, "Interface : %s\n", ifname);
	if (is_dynamic(s->of))
		fputs("Dynamic : Yes\n", out);
}

static void text_filters(FILE *out, const struct netdiag *nd, const struct list *list)
{
	if (nd->status->policy)
		fprintf(out, "IP Security Policy Path: %s\n", nd->path);
	fprintf(out, "\nThere are %zu filters\n", list->n);
	for (size_t i = 0; i < list->n; i++)
		text_filter(out, nd, &list->v[i]);
	if (list->counting)
		fprintf(out,
			"\n%zu more only count and decide nothing; 'bpfpol status --debug' shows "
			"them.\n",
			list->counting);
}

static const char *source_word(const struct netdiag *nd)
{
	return nd->directory ? "Directory" : "Local";
}

int netdiag_text(FILE *out, const struct netdiag *nd)
{
	const struct status *st = nd->status;
	const char *why = st->policy ? why_not(st) : NULL;
	struct list list;
	int rc = open_list(nd, &list);

	if (!rc) {
		fprintf(out, "IP Security test . . . . . . . . . : %s\n",
			why ? "Failed" : "Passed");
		if (!st->policy)
			fprintf(out, "IPSec policy service is active, but no policy is %s.\n",
				st->fault ? "in force" : "assigned");
		else if (why)
			fprintf(out, "%s IPSec Policy assigned%s: '%s'\n%s.\n", source_word(nd),
				st->foreign ? "" : ", but NOT IN FORCE", st->policy, why);
		else
			fprintf(out, "%s IPSec Policy Active: '%s'\n", source_word(nd), st->policy);
		if (nd->debug && (st->policy && !why ? true : list.n || list.counting))
			text_filters(out, nd, &list);
	}
	free(list.v);
	return rc;
}

static void json_port(struct jw *j, const char *key, const struct port_range *p)
{
	if (p->hi < p->lo) {
		jw_null(j, key);
		return;
	}
	jw_array(j, key);
	jw_u64(j, NULL, p->lo);
	jw_u64(j, NULL, p->hi);
	jw_array_end(j);
}

static void json_number(struct jw *j, const char *key, int value, int none)
{
	if (value == none)
		jw_null(j, key);
	else
		jw_i64(j, key, value);
}

static void json_filter(struct jw *j, const struct netdiag *nd, const struct shown *s)
{
	char id[GUID_SIZE], text[INET6_ADDRSTRLEN];

	jw_object(j, NULL);
	jw_str(j, "filter_id", guid_text(&s->id, id));
	jw_str(j, "policy_id", guid_text(s->policy, id));
	jw_str(j, "src_addr", address_text(&s->src, text));
	jw_str(j, "src_mask", mask_text(&s->src, text));
	jw_str(j, "dest_addr", address_text(&s->dst, text));
	jw_str(j, "dest_mask", mask_text(&s->dst, text));
	json_port(j, "src_ports", &s->sport);
	json_port(j, "dest_ports", &s->dport);
	json_number(j, "protocol", s->proto, 0);
	json_number(j, "icmp_type", s->type, -1);
	json_number(j, "icmp_code", s->code, -1);
	jw_str(j, "interface", ifname_of(nd->status, s->of->ifindex));
	jw_str(j, "direction", s->of->filter.shape.dir == BP_IN ? "in" : "out");
	jw_str(j, "action", action_name(s->of->action));
	jw_str(j, "layer", layer_name(s->of->layer));
	jw_object_end(j);
}

static void json_policy(struct jw *j, const struct netdiag *nd, const struct list *list)
{
	char id[GUID_SIZE];

	if (!nd->status->policy) {
		jw_null(j, "policy");
		return;
	}
	jw_object(j, "policy");
	jw_str(j, "name", nd->status->policy);
	jw_str(j, "source", nd->directory ? "domain" : "local");
	jw_str(j, "id", guid_text(&list->policy, id));
	jw_str(j, "path", nd->path);
	jw_object_end(j);
}

int netdiag_json(FILE *out, const struct netdiag *nd)
{
	const char *why = nd->status->policy ? why_not(nd->status) : NULL;
	struct list list;
	struct jw j;
	int rc = open_list(nd, &list);

	if (!rc) {
		jw_begin(&j, out);
		jw_object(&j, NULL);
		jw_str(&j, "test", "ipsec");
		jw_bool(&j, "passed", !why);
		jw_str(&j, "why", why);
		json_policy(&j, nd, &list);
		if (nd->debug) {
			jw_array(&j, "filters");
			for (size_t i = 0; i < list.n; i++)
				json_filter(&j, nd, &list.v[i]);
			jw_array_end(&j);
			jw_u64(&j, "counting", list.counting);
		}
		jw_object_end(&j);
	}
	free(list.v);
	return rc;
}
