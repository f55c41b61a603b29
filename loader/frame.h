/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The oracle's own reading of a frame: what the kernel program must see in it. Written from
 * CONTRACT.md alone, on purpose without a line shared with bpf/packet.h. Pure.
 */
#ifndef BPFPOL_FRAME_H
#define BPFPOL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_class {
	FRAME_PASS,  /* not IP, ARP, neighbour discovery: always passes */
	FRAME_WHOLE, /* all read, or a later fragment (then without ports and type) */
	FRAME_CUT,   /* too short to read its ports or type, or hides them (RFC 3128) or even its
		      * protocol (a ninth IPv6 extension header, or one that is not whole) */
	FRAME_BAD,   /* ihl < 5, lengths beyond the frame: only the fixed header counts */
	FRAME_TAGS,  /* a fifth VLAN tag: what is below it is not read */
};

#define PROTO_UNREAD (-1)

/* Addresses in network order, IPv4 in the first 4 bytes; ports in host order. */
struct frame {
	enum frame_class class;
	int family; /* 4, 6; 0: none read */
	uint8_t src[16], dst[16];
	/* The first header that is not walked over. FRAME_CUT: -1 when not even the protocol could
	 * be read. FRAME_BAD: what the fixed header says. */
	int proto;
	bool has_ports, has_type;
	uint16_t sport, dport;
	uint8_t type, code;
	uint32_t bytes; /* the whole frame */
};

/* data: from the Ethernet header, or with l3 from the IP header. Never fails: reads what is there.
 */
void frame_read(const uint8_t *data, size_t len, bool l3, struct frame *frame);

/*
 * As generic XDP reads it, from the Ethernet header: there an aggregate of packets, whose IPv4
 * total length is 0, looks like one packet, and the kernel takes it to the end of the frame.
 */
void frame_read_generic(const uint8_t *data, size_t len, struct frame *frame);

#endif
