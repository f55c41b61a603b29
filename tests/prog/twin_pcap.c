/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames that others sent: the captures of shared/data. */
#include "twin_pcap.h"

#include <ftw.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "gen_pool.h"

/* nftw() hands nothing on. */
static struct captures found;
static size_t room;

static size_t find_ip(const uint8_t *data, size_t len)
{
	size_t at = 12;

	while (at + 2 <= len &&
		((data[at] == 0x81 && !data[at + 1]) || (data[at] == 0x88 && data[at + 1] == 0xa8)))
		at += 4;
	if (at + 2 <= len &&
		((data[at] == 0x08 && !data[at + 1]) || (data[at] == 0x86 && data[at + 1] == 0xdd)))
		return at + 2;
	return NOWHERE;
}

static bool is_extension(int proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_FRAGMENT ||
	       proto == IPPROTO_AH || proto == IPPROTO_DSTOPTS || proto == PROTO_MOBILITY ||
	       proto == PROTO_HIP || proto == PROTO_SHIM6;
}

/* Behind the IPv6 extension headers that begin at `at` with one of that number. */
static size_t skip_extensions(const uint8_t *data, size_t len, size_t at, int proto)
{
	while (at + 8 <= len && is_extension(proto)) {
		const uint8_t *ext = data + at;

		if (proto == IPPROTO_FRAGMENT)
			at += 8;
		else
			at += proto == IPPROTO_AH ? (ext[1] + 2) * 4 : (ext[1] + 1) * 8;
		proto = ext[0];
	}
	return at;
}

/*
 * Where no header can be any more: behind the longest TCP header after the longest IPv4 header or
 * after all IPv6 extension headers; without IP behind a fifth VLAN tag.
 */
static size_t find_end(const uint8_t *data, size_t len, size_t ip)
{
	if (ip == NOWHERE)
		return 14 + 5 * 4;
	if (ip + 40 <= len && data[ip] >> 4 == 6)
		return skip_extensions(data, len, ip + 40, data[ip + 6]) + 60;
	return ip + 60 + 60;
}

static void add_capture(const uint8_t *data, size_t len, bool l3)
{
	size_t ip = l3 ? 0 : find_ip(data, len);

	if (found.n == room) {
		room = room ? room * 2 : 1024;
		found.v = must(realloc(found.v, room * sizeof(*found.v)));
	}
	found.v[found.n++] = (struct capture){
		.data = memcpy(must(malloc(len)), data, len),
		.len = len,
		.ip = ip,
		.headers = find_end(data, len, ip),
		.l3 = l3,
	};
}

/* Bytes in front of the IP header; -1: Ethernet; -2: not one that we read. */
static int link_header(int link)
{
	switch (link) {
	case DLT_EN10MB:
		return -1;
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		return 0;
	case DLT_NULL:
	case DLT_PPP:
	case DLT_C_HDLC:
		return 4;
	case DLT_LINUX_SLL2:
		return 20;
	default:
		return -2;
	}
}

static int read_capture(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char why[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *head;
	const u_char *data;
	pcap_t *pcap = type == FTW_F ? pcap_open_offline(path, why) : NULL;
	int header = pcap ? link_header(pcap_datalink(pcap)) : -2;

	found.files += header >= -1;
	while (header >= -1 && pcap_next_ex(pcap, &head, &data) == 1) {
		if (header < 0 && head->caplen >= 14)
			add_capture(data, head->caplen, false);
		else if (header >= 0 && (int)head->caplen > header)
			add_capture(data + header, head->caplen - header, true);
	}
	if (pcap)
		pcap_close(pcap);
	return 0;
}

const struct captures *captures_find(void)
{
	if (!found.n && nftw(CAPTURES, read_capture, 16, FTW_PHYS))
		return NULL;
	return found.n ? &found : NULL;
}
