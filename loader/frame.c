/* SPDX-License-Identifier: GPL-2.0-only */
#include "frame.h"

#include <netinet/in.h>
#include <string.h>

#define ETH_HEADER 14
#define TAG_HEADER 4
#define TAGS_MAX 4
#define V4_HEADER 20
#define V6_HEADER 40
#define EXT_MAX 8

#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_8021Q 0x8100
#define TYPE_8021AD 0x88a8

/* Extension headers that netinet/in.h does not name. */
#define EXT_MOBILITY 135 /* RFC 6275 */
#define EXT_HIP 139	 /* RFC 7401 */
#define EXT_SHIM6 140	 /* RFC 5533 */

/* RFC 4861: router solicitation and advertisement, neighbour solicitation and advertisement. */
#define ND_FIRST 133
#define ND_LAST 136

static unsigned int be16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

/* Nothing below the Ethernet header can be told, not even the family. */
static void unreadable(struct frame *frame)
{
	frame->class = FRAME_BAD;
	frame->family = 0;
}

/* How much of the header must be there to read ports or type; 0: the protocol has neither. */
static size_t l4_header(int family, int proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return 20;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return 8;
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		return 12;
	case IPPROTO_ICMP:
		return family == 4 ? 8 : 0;
	case IPPROTO_ICMPV6:
		return family == 6 ? 8 : 0;
	default:
		return 0;
	}
}

static void read_type(const uint8_t *l4, struct frame *frame)
{
	frame->has_type = true;
	frame->type = l4[0];
	frame->code = l4[1];
	if (frame->family == 6 && frame->type >= ND_FIRST && frame->type <= ND_LAST)
		frame->class = FRAME_PASS;
}

/* All five protocols with ports begin with the source port and the destination port. */
static void read_ports(const uint8_t *l4, struct frame *frame)
{
	frame->has_ports = true;
	frame->sport = be16(l4);
	frame->dport = be16(l4 + 2);
}

/* len: up to the end of the IP packet, not of the frame. */
static void read_l4(const uint8_t *l4, size_t len, struct frame *frame)
{
	size_t header = l4_header(frame->family, frame->proto);

	if (len < header) {
		frame->class = FRAME_CUT;
		return;
	}
	frame->class = FRAME_WHOLE;
	if (!header)
		return;
	if (frame->proto == IPPROTO_ICMP || frame->proto == IPPROTO_ICMPV6)
		read_type(l4, frame);
	else
		read_ports(l4, frame);
}

/*
 * offset: in units of 8 bytes. A later fragment is read no further, and that is all there is of
 * it; but TCP at offset 1 can overwrite the flags of the first fragment (RFC 3128).
 */
static void read_later_fragment(unsigned int offset, struct frame *frame)
{
	bool hides = frame->proto == IPPROTO_TCP && offset == 1;

	frame->class = hides ? FRAME_CUT : FRAME_WHOLE;
}

/*
 * RFC 791. What is in the frame beyond the total length is padding. generic: a total length of 0
 * says that there is none.
 */
static void read_v4(const uint8_t *ip, size_t len, bool generic, struct frame *frame)
{
	unsigned int header, total, offset;

	if (len < V4_HEADER || ip[0] >> 4 != 4) {
		unreadable(frame);
		return;
	}
	frame->family = 4;
	frame->proto = ip[9];
	memcpy(frame->src, ip + 12, 4);
	memcpy(frame->dst, ip + 16, 4);
	header = (ip[0] & 0x0f) * 4;
	total = be16(ip + 2);
	if (generic && !total)
		total = len;
	offset = be16(ip + 6) & 0x1fff;
	if (header < V4_HEADER || total < header || total > len)
		frame->class = FRAME_BAD;
	else if (offset)
		read_later_fragment(offset, frame);
	else
		read_l4(ip + header, total - header, frame);
}

/* ESP (50) and no-next-header (59) are protocols. */
static bool is_extension(int proto)
{
	switch (proto) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
	case EXT_MOBILITY:
	case EXT_HIP:
	case EXT_SHIM6:
		return true;
	default:
		return false;
	}
}

/* Bytes of the extension header that begins at ext; 0: it is not whole in the len bytes left. */
static size_t extension_size(int proto, const uint8_t *ext, size_t len)
{
	size_t size;

	if (len < 8) /* none is shorter */
		return 0;
	if (proto == IPPROTO_FRAGMENT) /* its second byte is reserved, not a length */
		size = 8;
	else if (proto == IPPROTO_AH) /* RFC 4302: in units of 4 bytes, minus 2 */
		size = (ext[1] + 2) * 4;
	else /* RFC 8200: in units of 8 bytes, minus 1 */
		size = (ext[1] + 1) * 8;
	return size <= len ? size : 0;
}

/* Walks the extension headers of a payload of len bytes; frame->proto is the first one. */
static void read_v6_payload(const uint8_t *payload, size_t len, struct frame *frame)
{
	unsigned int walked, offset;
	size_t size;

	for (walked = 0; is_extension(frame->proto); walked++) {
		size = extension_size(frame->proto, payload, len);
		if (walked == EXT_MAX || !size) {
			frame->class = FRAME_CUT;
			frame->proto = PROTO_UNREAD;
			return;
		}
		offset = frame->proto == IPPROTO_FRAGMENT ? be16(payload + 2) >> 3 : 0;
		frame->proto = payload[0];
		if (offset) {
			read_later_fragment(offset, frame);
			return;
		}
		payload += size;
		len -= size;
	}
	read_l4(payload, len, frame);
}

/* Of that packet no more than the protocol counts. */
static void distrust(struct frame *frame)
{
	frame->class = FRAME_CUT;
	frame->has_ports = frame->has_type = false;
	frame->sport = frame->dport = frame->type = frame->code = 0;
}

/*
 * RFC 8200. Who says to be a jumbogram (RFC 2675: payload length 0, hop-by-hop options) and is not,
 * as there is none this short, is received by Linux with all that the frame holds. Its protocol is
 * what is found there, but it is malformed. For generic: an aggregate of more than 64 KB looks
 * the same.
 */
static void read_v6(const uint8_t *ip, size_t len, bool generic, struct frame *frame)
{
	size_t payload;
	bool jumbo;

	if (len < V6_HEADER || ip[0] >> 4 != 6) {
		unreadable(frame);
		return;
	}
	frame->family = 6;
	frame->proto = ip[6];
	memcpy(frame->src, ip + 8, 16);
	memcpy(frame->dst, ip + 24, 16);
	payload = be16(ip + 4);
	jumbo = !payload && frame->proto == IPPROTO_HOPOPTS;
	if (jumbo)
		payload = len - V6_HEADER;
	if (payload > len - V6_HEADER)
		frame->class = FRAME_BAD;
	else
		read_v6_payload(ip + V6_HEADER, payload, frame);
	if (jumbo && !generic)
		distrust(frame);
}

static bool is_tag(unsigned int type)
{
	return type == TYPE_8021Q || type == TYPE_8021AD;
}

/* at: where the EtherType stands; what it announces begins 2 bytes later. */
static void read_ethernet(const uint8_t *data, size_t len, bool generic, struct frame *frame)
{
	size_t at = ETH_HEADER - 2;
	unsigned int tags, type;

	if (len < ETH_HEADER)
		return;
	for (tags = 0; is_tag(be16(data + at)); tags++) {
		if (tags == TAGS_MAX) {
			frame->class = FRAME_TAGS;
			return;
		}
		at += TAG_HEADER;
		if (len < at + 2)
			return;
	}
	type = be16(data + at);
	if (type == TYPE_IPV4)
		read_v4(data + at + 2, len - at - 2, generic, frame);
	else if (type == TYPE_IPV6)
		read_v6(data + at + 2, len - at - 2, generic, frame);
}

static void read_bare_ip(const uint8_t *data, size_t len, struct frame *frame)
{
	if (!len)
		return;
	if (data[0] >> 4 == 4)
		read_v4(data, len, false, frame);
	else if (data[0] >> 4 == 6)
		read_v6(data, len, false, frame);
}

/* It passes, until an IP header is announced. */
static void begin(size_t len, struct frame *frame)
{
	memset(frame, 0, sizeof(*frame));
	frame->class = FRAME_PASS;
	frame->bytes = len;
}

void frame_read(const uint8_t *data, size_t len, bool l3, struct frame *frame)
{
	begin(len, frame);
	if (l3)
		read_bare_ip(data, len, frame);
	else
		read_ethernet(data, len, false, frame);
}

void frame_read_generic(const uint8_t *data, size_t len, struct frame *frame)
{
	begin(len, frame);
	read_ethernet(data, len, true, frame);
}
