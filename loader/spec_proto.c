/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Protocols and ports: their names and numbers.
 */
#include "spec_parts.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* glibc has no names for these. */
#define IPPROTO_HIP 139
#define IPPROTO_SHIM6 140

#define ENTRY_MOST 8192 /* bytes of a line of /etc/protocols or /etc/services, as it is kept */
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Printed by name whatever this host's /etc/protocols says; others are printed as numbers. */
static const char *const built_in[] = {
	[IPPROTO_ICMP] = "icmp",
	[IPPROTO_IGMP] = "igmp",
	[IPPROTO_TCP] = "tcp",
	[IPPROTO_UDP] = "udp",
	[IPPROTO_DCCP] = "dccp",
	[IPPROTO_GRE] = "gre",
	[IPPROTO_ESP] = "esp",
	[IPPROTO_AH] = "ah",
	[IPPROTO_ICMPV6] = "icmpv6",
	[IPPROTO_SCTP] = "sctp",
	[IPPROTO_UDPLITE] = "udplite",
};

/* Names that /etc/protocols has, and that would not do what they say. */
static const struct {
	const char *name;
	const char *why;
} refused_names[] = {
	{ "ip", "`ip` is no protocol: leave it out, a rule without one covers them all" },
	{ "ipv6", "`ipv6` is no protocol: a rule without addresses covers IPv4 and IPv6; "
		  "write `from ::/0` for IPv6 alone, or 41 for IPv6 in IPv4 tunnels" },
};

#define WALKED "is walked over: a rule sees the protocol behind it, name that one"

static const struct {
	int proto;
	const char *why;
} refused_numbers[] = {
	{ IPPROTO_HOPOPTS, "0, IPv6's hop-by-hop header, " WALKED },
	{ IPPROTO_ROUTING, "43, IPv6's routing header, " WALKED },
	{ IPPROTO_FRAGMENT, "44, IPv6's fragment header, " WALKED },
	{ IPPROTO_DSTOPTS, "60, IPv6's destination options, " WALKED },
};

static const struct {
	int proto, family;
	const char *why;
} one_family[] = {
	{ IPPROTO_ICMP, 4, "`icmp` is IPv4's: for IPv6 write icmpv6" },
	{ IPPROTO_ICMPV6, 6, "`icmpv6` is IPv6's: for IPv4 write icmp" },
	{ IPPROTO_AH, 4, "in IPv6 `ah` " WALKED },
	{ IPPROTO_MH, 4, "in IPv6 135, the mobility header, " WALKED },
	{ IPPROTO_HIP, 4, "in IPv6 139, HIP, " WALKED },
	{ IPPROTO_SHIM6, 4, "in IPv6 140, shim6, " WALKED },
};

int proto_family(int proto, const char **why)
{
	size_t i;

	for (i = 0; i < COUNT_OF(one_family); i++) {
		if (one_family[i].proto == proto) {
			*why = one_family[i].why;
			return one_family[i].family;
		}
	}
	return 0;
}

const char *spec_proto_text(int proto, char *buf, size_t size)
{
	if (proto >= 0 && (size_t)proto < COUNT_OF(built_in) && built_in[proto])
		return built_in[proto];
	if (proto == PROTO_ANY)
		snprintf(buf, size, "any");
	else
		snprintf(buf, size, "%d", proto);
	return buf;
}

/* The number of a name; -ENOENT. */
static int proto_by_name(const char *name)
{
	struct protoent entry, *found = NULL;
	char buf[ENTRY_MOST];
	size_t i;

	for (i = 0; i < COUNT_OF(built_in); i++) {
		if (built_in[i] && !strcasecmp(built_in[i], name))
			return i;
	}
	getprotobyname_r(name, &entry, buf, sizeof(buf), &found);
	return found ? found->p_proto : -ENOENT;
}

static const char *refused_name(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT_OF(refused_names); i++) {
		if (!strcasecmp(refused_names[i].name, name))
			return refused_names[i].why;
	}
	return NULL;
}

static const char *refused_number(uint32_t proto)
{
	size_t i;

	for (i = 0; i < COUNT_OF(refused_numbers); i++) {
		if (refused_numbers[i].proto == (int)proto)
			return refused_numbers[i].why;
	}
	return NULL;
}

const char *built_in_proto(int proto)
{
	return (size_t)proto < COUNT_OF(built_in) ? built_in[proto] : NULL;
}

bool is_proto(struct span span)
{
	size_t i;

	for (i = 0; i < COUNT_OF(built_in); i++) {
		if (built_in[i] && span_is(span, built_in[i]))
			return true;
	}
	return false;
}

static int parse_name(const struct words *words, struct span span, uint32_t *number)
{
	char *name = strndup(span.s, span.len);
	const char *why;
	int proto;

	if (!name)
		return -ENOMEM;
	why = refused_name(name);
	proto = proto_by_name(name);
	free(name);
	if (why)
		return spec_fail(words, span, "%s", why);
	if (proto < 0)
		return proto;
	*number = proto;
	return 0;
}

int parse_proto(const struct words *words, struct span span, int *proto)
{
	const char *why;
	uint32_t number;
	int err;

	if (span_is(span, "any")) {
		*proto = PROTO_ANY;
		return 0;
	}
	if (span_number(span, &number)) {
		if (number == IPPROTO_AH)
			return spec_fail(words, span,
				"51, the authentication header, is walked over in IPv6: a rule "
				"sees the protocol behind it; that of IPv4 is called `ah`");
	} else {
		err = parse_name(words, span, &number);
		if (err)
			return err;
	}
	why = refused_number(number);
	if (why)
		return spec_fail(words, span, "%s", why);
	if (number > 255)
		return spec_fail(words, span,
			"protocols have numbers from 0 to 255; for a port write tcp/%u",
			number > 65535 ? 8080 : number);
	*proto = number;
	return 0;
}

/* proto: NULL: of any. -1: there is none. */
static int port_of(const char *name, const char *proto)
{
	struct servent entry, *found = NULL;
	char buf[ENTRY_MOST];

	getservbyname_r(name, proto, &entry, buf, sizeof(buf), &found);
	return found ? ntohs(found->s_port) : -1;
}

int service_port(const char *name)
{
	return port_of(name, NULL);
}

/*
 * The files that name services seldom know more than tcp and udp: the other protocols use their
 * numbers.
 */
static int look_up_service(const char *name, int proto)
{
	char buf[16];
	int port = -1;

	if (proto != PROTO_ANY)
		port = port_of(name, spec_proto_text(proto, buf, sizeof(buf)));
	if (port < 0 && proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		port = port_of(name, NULL);
	return port;
}

/*
 * The port of the protocol's service, or -1. Each question opens the file anew and costs some
 * microseconds, and a long policy asks the same few again and again: the last answers are kept.
 */
static int find_service(const char *name, int proto)
{
	static _Thread_local struct {
		char name[24];
		int proto, port;
	} known[16];
	unsigned int hash = proto;

	if (strlen(name) >= sizeof(known[0].name))
		return look_up_service(name, proto);
	for (const char *c = name; *c; c++)
		hash = hash * 31 + (unsigned char)*c;
	hash %= COUNT_OF(known);
	if (strcmp(known[hash].name, name) || known[hash].proto != proto) {
		known[hash].port = look_up_service(name, proto);
		known[hash].proto = proto;
		strcpy(known[hash].name, name);
	}
	return known[hash].port;
}

/* The port that is named by these bytes, in digits or as a service; -1. */
static int port_named(struct span span, int proto)
{
	char name[64];
	uint32_t number;

	if (span_number(span, &number))
		return number <= 65535 ? (int)number : -1;
	if (!span.len || span.len >= sizeof(name))
		return -1;
	memcpy(name, span.s, span.len);
	name[span.len] = '\0';
	return find_service(name, proto);
}

/* A range of which an end is a service: the two ports. Names have hyphens as well. */
static bool is_range_of_names(struct span span, int proto, int *lo, int *hi)
{
	for (size_t i = 1; i + 1 < span.len; i++) {
		if (span.s[i] != '-')
			continue;
		*lo = port_named(span_part(span, 0, i), proto);
		*hi = port_named(span_part(span, i + 1, span.len - i - 1), proto);
		if (*lo >= 0 && *hi >= 0)
			return true;
	}
	return false;
}

static int unknown_service(const struct words *words, struct span span, const char *name, int proto)
{
	uint32_t number;
	char buf[16];
	int port, hi;

	if (span.s[0] == '-' || span.s[span.len - 1] == '-') {
		struct span rest = span_part(span, span.s[0] == '-', span.len - 1);

		if (span_number(rest, &number))
			return spec_fail(words, span,
				"a range has two ends: write 0-%u or %u-65535", number, number);
	}
	if (is_range_of_names(span, proto, &port, &hi))
		return spec_fail(words, span, "the ends of a range are numbers: write %d-%d",
			port < hi ? port : hi, port < hi ? hi : port);
	port = service_port(name);
	if (port >= 0)
		return spec_fail(words, span,
			"'%.*s' is not a service of %s; of another protocol it is port %d",
			SHOW(span), spec_proto_text(proto, buf, sizeof(buf)), port);
	return spec_fail(words, span,
		"unknown service '%.*s': it is not in /etc/services, write the port's number",
		SHOW(span));
}

static int parse_service(
	const struct words *words, struct span span, int proto, struct port_range *range)
{
	char *name = strndup(span.s, span.len);
	int port, err = 0;

	if (!name)
		return -ENOMEM;
	port = find_service(name, proto);
	if (port >= 0)
		range->lo = range->hi = port;
	else
		err = unknown_service(words, span, name, proto);
	free(name);
	return err;
}

static int parse_range(const struct words *words, struct span span, uint32_t lo, uint32_t hi,
	struct port_range *range)
{
	if (lo > 65535 || hi > 65535)
		return spec_fail(
			words, span, "'%.*s' is above 65535, the highest port", SHOW(span));
	if (lo > hi)
		return spec_fail(words, span, "the range runs backwards: write %u-%u", hi, lo);
	range->lo = lo;
	range->hi = hi;
	return 0;
}

/* A number, a range or a service. */
static int parse_port(
	const struct words *words, struct span span, int proto, struct port_range *range)
{
	const char *dash = memchr(span.s, '-', span.len);
	uint32_t lo, hi;

	if (span_number(span, &lo))
		return parse_range(words, span, lo, lo, range);
	if (dash) {
		size_t head = dash - span.s;

		if (span_number(span_part(span, 0, head), &lo) &&
			span_number(span_part(span, head + 1, span.len - head - 1), &hi))
			return parse_range(words, span, lo, hi, range);
	}
	return parse_service(words, span, proto, range);
}

static int range_cmp(const void *a, const void *b)
{
	const struct port_range *x = a, *y = b;

	return x->lo != y->lo ? x->lo - y->lo : x->hi - y->hi;
}

/* Never merges what overlaps: a single port outranks a range that holds it. */
static void sort_ports(struct ports *ports)
{
	size_t kept = 0, i;

	qsort(ports->v, ports->n, sizeof(*ports->v), range_cmp);
	for (i = 1; i < ports->n; i++) {
		if (range_cmp(&ports->v[kept], &ports->v[i]))
			ports->v[++kept] = ports->v[i];
	}
	ports->n = kept + 1;
}

static size_t count_items(struct span span)
{
	size_t n = 1, i;

	for (i = 0; i < span.len; i++)
		n += span.s[i] == ',';
	return n;
}

/* Frees nothing on errors: the ports belong to the rule by then. */
int parse_ports(const struct words *words, struct span span, int proto, struct ports *ports)
{
	size_t first = 0, end;
	int err;

	ports->v = calloc(count_items(span), sizeof(*ports->v));
	if (!ports->v)
		return -ENOMEM;
	for (; first <= span.len; first = end + 1) {
		for (end = first; end < span.len && span.s[end] != ',';)
			end++;
		if (end == first) {
			struct span comma = span_part(span, first ? first - 1 : 0, 1);

			return spec_fail(words, span.len ? comma : span,
				"a port is missing here: ports are joined by commas, "
				"without blanks");
		}
		err = parse_port(
			words, span_part(span, first, end - first), proto, &ports->v[ports->n++]);
		if (err)
			return err;
	}
	sort_ports(ports);
	return 0;
}
