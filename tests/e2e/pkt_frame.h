/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames of the end-to-end tests: from words or hex to bytes, and from bytes to one line of text.
 */
#ifndef BPFPOL_TESTS_PKT_FRAME_H
#define BPFPOL_TESTS_PKT_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 9216
#define MAX_TAGS 8
#define MAX_EXTS 12
#define END_TYPE 0x88b5 /* EtherType of the end mark: "local experimental" */
#define END_PORT 9	/* the end mark of sockets: a datagram to discard */

struct proto {
	const char *name;
	uint8_t number;
	uint8_t header; /* bytes of its header, all 0 but for what put_l4() knows */
	bool ports, type;
	uint8_t sum_at; /* where the Internet checksum stands; 0: none (sctp's CRC stays 0) */
};

struct spec {
	uint8_t dmac[6], smac[6];
	int family;
	uint8_t src[16], dst[16];
	struct proto proto;
	unsigned int sport, dport; /* or type and code */
	unsigned int len, first;   /* of the payload */
	unsigned int tags[MAX_TAGS], n_tags;
	unsigned int frag; /* offset in bytes */
	bool is_frag, more;
	unsigned int ttl;
	unsigned int opts; /* bytes of IPv4 options */
	struct ext {
		uint8_t number;
		unsigned int bytes;
	} exts[MAX_EXTS]; /* of IPv6, before a fragment header */
	unsigned int n_exts;
	unsigned int cut; /* bytes that are left of the frame; 0: all */
};

struct frame {
	uint8_t data[FRAME_MAX];
	size_t len;
};

/* All of these end the program with a message when they cannot do what they are asked. */
_Noreturn void die(const char *what, const char *value);
unsigned int to_number(const char *text, unsigned int max);

/* argv: KEY=VALUE words (tests/e2e/lib.sh lists them); they are cut in place. */
void spec_read(struct spec *s, int argc, char **argv);
void frame_build(const struct spec *s, struct frame *f);
void frame_end_mark(struct frame *f);
/* A datagram of IPv4 to END_PORT. */
bool frame_is_end_datagram(const struct frame *f);
void frame_from_hex(const char *hex, struct frame *f);

/* Where the IP header begins, tags skipped; *type: its EtherType. */
size_t frame_l3(const struct frame *f, unsigned int *type);

/*
 * `PROTO SRC SPORT DST DPORT LEN`, type and code in place of ports, `-` where there are none. LEN
 * is the frame's without VLAN tags, because AF_PACKET hands the first one over separately. Not IP:
 * prints nothing.
 */
void frame_print(const struct frame *f);

#endif
