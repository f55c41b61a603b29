/* SPDX-License-Identifier: GPL-2.0-only */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "pkt_frame.h"

#define IP6_FRAGMENT 44
#define IP6_AUTH 51

static const struct proto protos[] = {
	{ "udp", IPPROTO_UDP, 8, .ports = true, .sum_at = 6 },
	{ "tcp", IPPROTO_TCP, 20, .ports = true, .sum_at = 16 },
	{ "icmp", IPPROTO_ICMP, 8, .type = true, .sum_at = 2 },
	{ "icmp6", IPPROTO_ICMPV6, 8, .type = true, .sum_at = 2 },
	{ "sctp", IPPROTO_SCTP, 12, .ports = true },
	{ "dccp", IPPROTO_DCCP, 16, .ports = true, .sum_at = 6 },
	{ "udplite", IPPROTO_UDPLITE, 8, .ports = true, .sum_at = 6 },
	{ "gre", IPPROTO_GRE, 4, .sum_at = 0 },
};
#define PROTOS (sizeof(protos) / sizeof(*protos))

_Noreturn void die(const char *what, const char *value)
{
	fprintf(stderr, "pkt: %s: %s\n", what, value);
	exit(2);
}

unsigned int to_number(const char *text, unsigned int max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (end == text || *end || n > max)
		die("bad number", text);
	return n;
}

static void to_mac(const char *text, uint8_t mac[6])
{
	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3],
		    &mac[4], &mac[5]) != 6)
		die("bad MAC", text);
}

static int to_address(const char *text, uint8_t address[16])
{
	if (inet_pton(AF_INET, text, address) == 1)
		return AF_INET;
	if (inet_pton(AF_INET6, text, address) != 1)
		die("bad address", text);
	return AF_INET6;
}

static struct proto to_proto(const char *text)
{
	for (size_t i = 0; i < PROTOS; i++)
		if (!strcmp(protos[i].name, text))
			return protos[i];
	return (struct proto){ .name = text, .number = to_number(text, 255) };
}

static const struct proto *proto_by_number(unsigned int number)
{
	for (size_t i = 0; i < PROTOS; i++)
		if (protos[i].number == number)
			return &protos[i];
	return NULL;
}

static void spec_frag(struct spec *s, char *value)
{
	char *plus = strchr(value, '+');

	if (plus)
		*plus = 0;
	s->is_frag = true;
	s->more = plus;
	s->frag = to_number(value, 65528);
}

/* NUMBER[:BYTES] */
static void spec_ext(struct spec *s, char *value)
{
	struct ext *ext = &s->exts[s->n_exts++];
	char *bytes = strchr(value, ':');

	if (bytes)
		*bytes++ = 0;
	ext->number = to_number(value, 255);
	ext->bytes = bytes ? to_number(bytes, 2048) : 8;
	if (ext->bytes < 8 || ext->bytes % (ext->number == IP6_AUTH ? 4 : 8))
		die("no size of an extension header", bytes);
}

static void spec_word(struct spec *s, const char *key, char *value)
{
	if (!strcmp(key, "dst-mac"))
		to_mac(value, s->dmac);
	else if (!strcmp(key, "src-mac"))
		to_mac(value, s->smac);
	else if (!strcmp(key, "src"))
		s->family = to_address(value, s->src);
	else if (!strcmp(key, "dst"))
		s->family = to_address(value, s->dst);
	else if (!strcmp(key, "proto"))
		s->proto = to_proto(value);
	else if (!strcmp(key, "sport") || !strcmp(key, "type"))
		s->sport = to_number(value, 65535);
	else if (!strcmp(key, "dport") || !strcmp(key, "code"))
		s->dport = to_number(value, 65535);
	else if (!strcmp(key, "len"))
		s->len = to_number(value, FRAME_MAX - 256);
	else if (!strcmp(key, "first"))
		s->first = to_number(value, 255);
	else if (!strcmp(key, "vlan") && s->n_tags < MAX_TAGS)
		s->tags[s->n_tags++] = to_number(value, 4095);
	else if (!strcmp(key, "frag"))
		spec_frag(s, value);
	else if (!strcmp(key, "ext") && s->n_exts < MAX_EXTS)
		spec_ext(s, value);
	else if (!strcmp(key, "opts"))
		s->opts = to_number(value, 40) / 4 * 4;
	else if (!strcmp(key, "ttl"))
		s->ttl = to_number(value, 255);
	else if (!strcmp(key, "cut"))
		s->cut = to_number(value, FRAME_MAX);
	else
		die("unknown word", key);
}

void spec_read(struct spec *s, int argc, char **argv)
{
	*s = (struct spec){
		.dmac = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		.smac = { 2, 0, 0, 0, 0, 1 },
		.proto = protos[0],
		.sport = 40000,
		.ttl = 64,
	};
	for (int i = 0; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (!value)
			die("not KEY=VALUE", argv[i]);
		*value++ = 0;
		spec_word(s, argv[i], value);
	}
	if (!s->family)
		die("no address", "give src= and dst=");
}

static void put16(uint8_t *p, unsigned int value)
{
	p[0] = value >> 8;
	p[1] = value;
}

static unsigned int get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static uint32_t sum_add(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	return sum;
}

static unsigned int sum_end(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static size_t put_ethernet(const struct spec *s, uint8_t *p)
{
	size_t at = 12;

	memcpy(p, s->dmac, 6);
	memcpy(p + 6, s->smac, 6);
	for (unsigned int i = 0; i < s->n_tags; i++, at += 4) {
		put16(p + at, i + 1 < s->n_tags ? ETH_P_8021AD : ETH_P_8021Q);
		put16(p + at + 2, s->tags[i]);
	}
	put16(p + at, s->family == AF_INET ? ETH_P_IP : ETH_P_IPV6);
	return at + 2;
}

static size_t put_ipv4(const struct spec *s, uint8_t *p, size_t payload)
{
	size_t header = 20 + s->opts;

	p[0] = 0x40 | header / 4;
	put16(p + 2, header + payload);
	put16(p + 4, s->is_frag ? 0x1234 : 0);
	put16(p + 6, s->frag / 8 | (s->more ? 0x2000 : 0));
	p[8] = s->ttl;
	p[9] = s->proto.number;
	memcpy(p + 12, s->src, 4);
	memcpy(p + 16, s->dst, 4);
	memset(p + 20, 1, s->opts); /* no operation */
	put16(p + 10, sum_end(sum_add(0, p, header)));
	return header;
}

/* Zeros are padding in those with options, and say nothing in the others. */
static size_t put_exts(const struct spec *s, uint8_t *p, uint8_t **next)
{
	size_t at = 40;

	for (unsigned int i = 0; i < s->n_exts; i++) {
		const struct ext *ext = &s->exts[i];

		**next = ext->number;
		*next = p + at;
		p[at + 1] = ext->number == IP6_AUTH ? ext->bytes / 4 - 2 : ext->bytes / 8 - 1;
		at += ext->bytes;
	}
	return at;
}

static size_t put_ipv6(const struct spec *s, uint8_t *p, size_t payload)
{
	uint8_t *next = p + 6;
	size_t at = put_exts(s, p, &next);

	p[0] = 0x60;
	p[7] = s->ttl;
	memcpy(p + 8, s->src, 16);
	memcpy(p + 24, s->dst, 16);
	if (s->is_frag) {
		*next = IP6_FRAGMENT;
		next = p + at;
		put16(p + at + 2, s->frag | s->more);
		put16(p + at + 6, 0x1234);
		at += 8;
	}
	*next = s->proto.number;
	put16(p + 4, at - 40 + payload);
	return at;
}

/* Checksum over the pseudo header, or for ICMP over the message alone. */
static void put_sum(const struct spec *s, uint8_t *p, size_t len)
{
	size_t size = s->family == AF_INET ? 4 : 16;
	uint32_t sum = 0;

	if (s->proto.number != IPPROTO_ICMP) {
		sum = sum_add(sum, s->src, size);
		sum = sum_add(sum, s->dst, size);
		sum += s->proto.number + len;
	}
	sum = sum_end(sum_add(sum, p, len));
	put16(p + s->proto.sum_at, sum ? sum : 0xffff);
}

static void put_l4(const struct spec *s, uint8_t *p, size_t len)
{
	if (s->proto.ports) {
		put16(p, s->sport);
		put16(p + 2, s->dport);
	} else if (s->proto.type) {
		p[0] = s->sport;
		p[1] = s->dport;
	}
	if (s->proto.number == IPPROTO_UDP || s->proto.number == IPPROTO_UDPLITE)
		put16(p + 4, len);
	if (s->proto.number == IPPROTO_DCCP)
		p[4] = 4; /* data offset in words */
	if (s->proto.number == IPPROTO_TCP) {
		p[12] = 5 << 4;
		p[13] = 0x02; /* SYN */
		put16(p + 14, 65535);
	}
	if (s->proto.sum_at)
		put_sum(s, p, len);
}

/* A later fragment has no header of its protocol: only payload. */
void frame_build(const struct spec *s, struct frame *f)
{
	size_t header = s->frag ? 0 : s->proto.header;
	size_t len = header + s->len;
	uint8_t *p = f->data;

	memset(f, 0, sizeof(*f));
	p += put_ethernet(s, p);
	p += s->family == AF_INET ? put_ipv4(s, p, len) : put_ipv6(s, p, len);
	if (s->len)
		p[header] = s->first;
	if (header)
		put_l4(s, p, len);
	f->len = p + len - f->data;
	if (s->cut && s->cut < f->len)
		f->len = s->cut;
}

void frame_end_mark(struct frame *f)
{
	memset(f, 0, sizeof(*f));
	memset(f->data, 0xff, 6);
	f->data[6] = 2;
	put16(f->data + 12, END_TYPE);
	f->len = 60;
}

bool frame_is_end_datagram(const struct frame *f)
{
	const uint8_t *ip = f->data + ETH_HLEN;

	return f->len >= ETH_HLEN + 28 && ip[0] == 0x45 && ip[9] == IPPROTO_UDP &&
	       get16(ip + 22) == END_PORT;
}

void frame_from_hex(const char *hex, struct frame *f)
{
	memset(f, 0, sizeof(*f));
	for (; hex[0] && hex[0] != '\n'; hex += 2)
		if (f->len >= FRAME_MAX || sscanf(hex, "%2hhx", &f->data[f->len++]) != 1)
			die("bad hex", hex);
}

size_t frame_l3(const struct frame *f, unsigned int *type)
{
	size_t at = 12;

	while (at + 6 <= f->len &&
		(get16(f->data + at) == ETH_P_8021Q || get16(f->data + at) == ETH_P_8021AD))
		at += 4;
	*type = get16(f->data + at);
	return at + 2;
}

/* What stands above the IP header. */
struct upper {
	unsigned int number; /* of the protocol */
	bool later;	     /* a fragment without the protocol's header */
	size_t at;
};

static struct upper frame_upper(const struct frame *f, size_t l3, bool v4)
{
	const uint8_t *ip = f->data + l3;
	struct upper up = { .number = ip[v4 ? 9 : 6] };

	up.at = l3 + (v4 ? (ip[0] & 15) * 4 : 40);
	if (v4) {
		up.later = get16(ip + 6) & 0x1fff;
	} else if (up.number == IP6_FRAGMENT && f->len >= up.at + 8) {
		up.number = ip[40];
		up.later = get16(ip + 42) & 0xfff8;
		up.at += 8;
	}
	return up;
}

void frame_print(const struct frame *f)
{
	unsigned int type;
	size_t l3 = frame_l3(f, &type);
	const uint8_t *ip = f->data + l3, *head;
	bool v4 = type == ETH_P_IP;
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	const struct proto *proto;
	struct upper up;

	if ((!v4 && type != ETH_P_IPV6) || f->len < l3 + (v4 ? 20 : 40))
		return;
	inet_ntop(v4 ? AF_INET : AF_INET6, ip + (v4 ? 12 : 8), src, sizeof(src));
	inet_ntop(v4 ? AF_INET : AF_INET6, ip + (v4 ? 16 : 24), dst, sizeof(dst));
	up = frame_upper(f, l3, v4);
	head = f->data + up.at;
	proto = proto_by_number(up.number);
	if (proto)
		printf("%s", proto->name);
	else
		printf("%u", up.number);
	if (proto && proto->ports && !up.later && f->len >= up.at + 4)
		printf(" %s %u %s %u", src, get16(head), dst, get16(head + 2));
	else if (proto && proto->type && !up.later && f->len >= up.at + 2)
		printf(" %s %u %s %u", src, head[0], dst, head[1]);
	else
		printf(" %s - %s -", src, dst);
	printf(" %zu\n", ETH_HLEN + f->len - l3);
}
