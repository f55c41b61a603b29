/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe.h"

#include <netinet/in.h>
#include <string.h>

#define ETH_HEADER 14
#define V4_HEADER 20
#define V6_HEADER 40
#define HOPS 64

void probe_of(const struct rule *packet, struct frame *frame)
{
	const struct end *from = &packet->from, *to = &packet->to;

	*frame = (struct frame){
		.class = FRAME_WHOLE,
		.family = to->prefix.family,
		.proto = packet->proto,
		.has_ports = proto_has_ports(packet->proto),
		.has_type = proto_has_type(packet->proto),
	};
	memcpy(frame->src, from->prefix.bytes, sizeof(frame->src));
	memcpy(frame->dst, to->prefix.bytes, sizeof(frame->dst));
	if (frame->has_ports) {
		frame->sport = from->ports.v[0].lo;
		frame->dport = to->ports.v[0].lo;
	}
	if (frame->has_type) {
		frame->type = packet->type;
		frame->code = packet->code;
	}
}

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* Returns its length; 0: the protocol has a header that nothing is read of. */
static size_t put_l4(const struct frame *frame, uint8_t *at)
{
	if (frame->has_type) {
		at[0] = frame->type;
		at[1] = frame->code;
		return 8;
	}
	if (!frame->has_ports)
		return 0;
	put16(at, frame->sport);
	put16(at + 2, frame->dport);
	switch (frame->proto) {
	case IPPROTO_TCP:
		at[12] = 20 / 4 << 4; /* header length */
		at[13] = 0x02;	      /* SYN */
		return 20;
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		return 12;
	default: /* UDP, UDP-Lite */
		put16(at + 4, 8);
		return 8;
	}
}

static void put_v4(const struct frame *frame, size_t payload, uint8_t *at)
{
	at[0] = 4 << 4 | V4_HEADER / 4;
	put16(at + 2, V4_HEADER + payload);
	at[8] = HOPS;
	at[9] = frame->proto;
	memcpy(at + 12, frame->src, 4);
	memcpy(at + 16, frame->dst, 4);
}

static void put_v6(const struct frame *frame, size_t payload, uint8_t *at)
{
	at[0] = 6 << 4;
	put16(at + 4, payload);
	at[6] = frame->proto;
	at[7] = HOPS;
	memcpy(at + 8, frame->src, 16);
	memcpy(at + 24, frame->dst, 16);
}

size_t probe_build(const struct frame *frame, uint8_t bytes[PROBE_ROOM])
{
	static const uint8_t ethernet[] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 };
	bool v4 = frame->family == 4;
	size_t header = v4 ? V4_HEADER : V6_HEADER, payload;
	uint8_t *ip = bytes + ETH_HEADER;

	memset(bytes, 0, PROBE_ROOM);
	memcpy(bytes, ethernet, sizeof(ethernet));
	put16(bytes + 12, v4 ? 0x0800 : 0x86dd);
	payload = put_l4(frame, ip + header);
	if (v4)
		put_v4(frame, payload, ip);
	else
		put_v6(frame, payload, ip);
	return ETH_HEADER + header + payload;
}
