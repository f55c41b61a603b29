/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * "How packets are read", sentence by sentence, on frames made by hand; then every cut of those
 * and of the captures, each in memory of exactly its length for the address sanitizer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fts.h>
#include <pcap/pcap.h>

#include "frame.h"
#include "policy.h"

#define CAPTURES "../shared/data/captures"

/* Frames in hex; blanks mean nothing. */
#define MACS "020000000001 020000000002"
#define E4 MACS "0800"
#define E6 MACS "86dd"
#define A4 "c0000201 0a000005"
#define A6 "20010db8000000000000000000000001 20010db8000000000000000000000002"
/* Headers without options; the arguments are hex too. */
#define IP4(total, fragment, proto) "4500" total "1234" fragment "40" proto "0000" A4
#define IP6(payload, next) "60000000" payload next "40" A6
#define FRAG(next, offset) next "00" offset "00000001"
#define EXT8(next) next "00 010400000000"

#define PORTS "0fa0 059a" /* 4000, 1434 */
#define TCP PORTS "0000000000000000 5002200000000000"
#define UDP PORTS "0008 0000"
#define DCCP PORTS "0000000000000000"
#define SCTP DCCP
#define ECHO "0807 000000010001"
#define ECHO6 "8007 000000010001"

enum rest { NOTHING, HAS_PORTS, HAS_TYPE };

struct sample {
	const char *name, *hex;
	bool l3;
	enum frame_class class;
	int family, proto;
	enum rest rest;
};

static const struct sample plain[] = {
	{ "tcp", E4 IP4("0028", "0000", "06") TCP, false, FRAME_WHOLE, 4, 6, HAS_PORTS },
	{ "udp", E4 IP4("001c", "0000", "11") UDP, false, FRAME_WHOLE, 4, 17, HAS_PORTS },
	{ "udplite", E4 IP4("001c", "0000", "88") UDP, false, FRAME_WHOLE, 4, 136, HAS_PORTS },
	{ "sctp", E4 IP4("0020", "0000", "84") SCTP, false, FRAME_WHOLE, 4, 132, HAS_PORTS },
	{ "dccp", E4 IP4("0020", "0000", "21") DCCP, false, FRAME_WHOLE, 4, 33, HAS_PORTS },
	{ "icmp", E4 IP4("001c", "0000", "01") ECHO, false, FRAME_WHOLE, 4, 1, HAS_TYPE },
	{ "gre", E4 IP4("0018", "0000", "2f") "00000800", false, FRAME_WHOLE, 4, 47, NOTHING },
	{ "nothing above", E4 IP4("0014", "0000", "2f"), false, FRAME_WHOLE, 4, 47, NOTHING },
	{ "esp", E4 IP4("0018", "0000", "32") "00000001", false, FRAME_WHOLE, 4, 50, NOTHING },
	{ "ah in IPv4", E4 IP4("001c", "0000", "33") EXT8("06"), false, FRAME_WHOLE, 4, 51,
		NOTHING },
	{ "icmpv6 in IPv4", E4 IP4("001c", "0000", "3a") ECHO6, false, FRAME_WHOLE, 4, 58,
		NOTHING },
	{ "udp in IPv6", E6 IP6("0008", "11") UDP, false, FRAME_WHOLE, 6, 17, HAS_PORTS },
	{ "icmpv6", E6 IP6("0008", "3a") ECHO6, false, FRAME_WHOLE, 6, 58, HAS_TYPE },
	{ "icmp in IPv6", E6 IP6("0008", "01") ECHO, false, FRAME_WHOLE, 6, 1, NOTHING },
	{ "padding", E4 IP4("001c", "0000", "11") UDP "ffffffff", false, FRAME_WHOLE, 4, 17,
		HAS_PORTS },
	{ "padding in IPv6", E6 IP6("0008", "11") UDP "ffff", false, FRAME_WHOLE, 6, 17,
		HAS_PORTS },
	{ "options", E4 "4600 0020 1234 0000 40 11 0000" A4 "94040000" UDP, false, FRAME_WHOLE, 4,
		17, HAS_PORTS },
	{ "most options",
		E4 "4f00 0044 1234 0000 40 11 0000" A4
		   "01010101010101010101010101010101010101010101"
		   "010101010101010101010101010101010101" UDP,
		false, FRAME_WHOLE, 4, 17, HAS_PORTS },
	{ "no Ethernet, IPv4", IP4("001c", "0000", "11") UDP, true, FRAME_WHOLE, 4, 17, HAS_PORTS },
	{ "no Ethernet, IPv6", IP6("0008", "11") UDP, true, FRAME_WHOLE, 6, 17, HAS_PORTS },
};

static const struct sample tags[] = {
	{ "one", MACS "8100 0064 0800" IP4("001c", "0000", "11") UDP, false, FRAME_WHOLE, 4, 17,
		HAS_PORTS },
	{ "two", MACS "88a8 0064 8100 0065 86dd" IP6("0008", "11") UDP, false, FRAME_WHOLE, 6, 17,
		HAS_PORTS },
	{ "four", MACS "8100 0001 88a8 0002 8100 0003 8100 0004 0800" IP4("001c", "0000", "11") UDP,
		false, FRAME_WHOLE, 4, 17, HAS_PORTS },
	{ "five",
		MACS "8100 0001 88a8 0002 8100 0003 8100 0004 8100 0005 0800" IP4(
			"001c", "0000", "11") UDP,
		false, FRAME_TAGS, 0, 0, NOTHING },
	{ "five of 802.1ad", MACS "8100 0001 8100 0002 8100 0003 8100 0004 88a8 0005 0806", false,
		FRAME_TAGS, 0, 0, NOTHING },
	{ "a fifth that is not whole", MACS "8100 0001 8100 0002 8100 0003 8100 0004 8100", false,
		FRAME_TAGS, 0, 0, NOTHING },
	{ "a tag that is not whole", MACS "8100 0001 08", false, FRAME_PASS, 0, 0, NOTHING },
	{ "an older QinQ is not IP", MACS "9100 0001 0800" IP4("001c", "0000", "11") UDP, false,
		FRAME_PASS, 0, 0, NOTHING },
};

static const struct sample exempt[] = {
	{ "empty", "", false, FRAME_PASS, 0, 0, NOTHING },
	{ "13 bytes", "020000000001 020000000002 08", false, FRAME_PASS, 0, 0, NOTHING },
	{ "arp", MACS "0806 0001 0800 0604 0001", false, FRAME_PASS, 0, 0, NOTHING },
	{ "arp in a tag", MACS "8100 0001 0806 0001 0800 0604 0001", false, FRAME_PASS, 0, 0,
		NOTHING },
	{ "spanning tree", MACS "0026 424203", false, FRAME_PASS, 0, 0, NOTHING },
	{ "router solicitation", E6 IP6("0008", "3a") "8500000000000000", false, FRAME_PASS, 6, 58,
		HAS_TYPE },
	{ "neighbour advertisement", E6 IP6("0008", "3a") "8800000000000000", false, FRAME_PASS, 6,
		58, HAS_TYPE },
	{ "neighbour solicitation behind a header",
		E6 IP6("0010", "00") EXT8("3a") "8700000000000000", false, FRAME_PASS, 6, 58,
		HAS_TYPE },
	{ "a cut one", E6 IP6("0007", "3a") "87000000000000", false, FRAME_CUT, 6, 58, NOTHING },
	{ "MLD is none", E6 IP6("0008", "3a") "8400000000000000", false, FRAME_WHOLE, 6, 58,
		HAS_TYPE },
	{ "redirect is none", E6 IP6("0008", "3a") "8900000000000000", false, FRAME_WHOLE, 6, 58,
		HAS_TYPE },
	{ "type 133 of ICMP", E4 IP4("001c", "0000", "01") "8500000000000000", false, FRAME_WHOLE,
		4, 1, HAS_TYPE },
	{ "no Ethernet, empty", "", true, FRAME_PASS, 0, 0, NOTHING },
	{ "no Ethernet, version 5", "5500 001c", true, FRAME_PASS, 0, 0, NOTHING },
};

/* Six headers, each naming another. */
#define EXT48 EXT8("3c") EXT8("3c") EXT8("3c") EXT8("3c") EXT8("3c") EXT8("3c")

static const struct sample extensions[] = {
	{ "hop-by-hop", E6 IP6("0010", "00") EXT8("11") UDP, false, FRAME_WHOLE, 6, 17, HAS_PORTS },
	{ "routing, 16 bytes", E6 IP6("0018", "2b") "1101 0000000000000000000000000000" UDP, false,
		FRAME_WHOLE, 6, 17, HAS_PORTS },
	{ "ah counts in 4 bytes", E6 IP6("0014", "33") "1101 00000000000000000000" UDP, false,
		FRAME_WHOLE, 6, 17, HAS_PORTS },
	{ "mobility, HIP, shim6", E6 IP6("0020", "87") EXT8("8b") EXT8("8c") EXT8("11") UDP, false,
		FRAME_WHOLE, 6, 17, HAS_PORTS },
	{ "esp is a protocol", E6 IP6("0010", "3c") EXT8("32") UDP, false, FRAME_WHOLE, 6, 50,
		NOTHING },
	{ "so is no next header", E6 IP6("0008", "3c") EXT8("3b"), false, FRAME_WHOLE, 6, 59,
		NOTHING },
	{ "eight", E6 IP6("0048", "3c") EXT48 EXT8("3c") EXT8("11") UDP, false, FRAME_WHOLE, 6, 17,
		HAS_PORTS },
	{ "nine", E6 IP6("0050", "3c") EXT48 EXT8("3c") EXT8("2b") EXT8("11") UDP, false, FRAME_CUT,
		6, -1, NOTHING },
	{ "the eighth a later fragment",
		E6 IP6("0048", "3c") EXT48 EXT8("2c") FRAG("11", "0010") UDP, false, FRAME_WHOLE, 6,
		17, NOTHING },
	{ "the ninth a later fragment",
		E6 IP6("0050", "3c") EXT48 EXT8("3c") EXT8("2c") FRAG("11", "0010") UDP, false,
		FRAME_CUT, 6, -1, NOTHING },
	{ "not whole", E6 IP6("000c", "00") EXT8("3c") "1100 0104", false, FRAME_CUT, 6, -1,
		NOTHING },
	{ "longer than the payload", E6 IP6("0010", "00") "1102 010400000000" UDP, false, FRAME_CUT,
		6, -1, NOTHING },
	{ "longer than the payload, not the frame", E6 IP6("0008", "00") "1101 010400000000" UDP,
		false, FRAME_CUT, 6, -1, NOTHING },
	{ "the ninth a whole fragment header",
		E6 IP6("0050", "3c") EXT48 EXT8("3c") EXT8("2c") FRAG("11", "0000") UDP, false,
		FRAME_CUT, 6, -1, NOTHING },
	{ "the ninth not there", E6 IP6("0040", "3c") EXT48 EXT8("3c") EXT8("3c"), false, FRAME_CUT,
		6, -1, NOTHING },
	{ "L4 header behind eight cut", E6 IP6("0047", "3c") EXT48 EXT8("3c") EXT8("11") UDP, false,
		FRAME_CUT, 6, 17, NOTHING },
	{ "RFC 3128 behind seven", E6 IP6("0048", "3c") EXT48 EXT8("2c") FRAG("06", "0008") UDP,
		false, FRAME_CUT, 6, 6, NOTHING },
	{ "ah longer than the payload", E6 IP6("0014", "33") "1104 00000000000000000000" UDP, false,
		FRAME_CUT, 6, -1, NOTHING },
	{ "not there", E6 IP6("0000", "3c"), false, FRAME_CUT, 6, -1, NOTHING },
	{ "not there behind one", E6 IP6("0008", "00") EXT8("2b"), false, FRAME_CUT, 6, -1,
		NOTHING },
	{ "first fragment without the rest of its headers",
		E6 IP6("0010", "2c") FRAG("3c", "0001") "1101 010400000000", false, FRAME_CUT, 6,
		-1, NOTHING },
	{ "L4 header behind one not whole", E6 IP6("0010", "00") EXT8("06") PORTS "00000000", false,
		FRAME_CUT, 6, 6, NOTHING },
};

static const struct sample fragments[] = {
	{ "first", E4 IP4("001c", "2000", "11") UDP, false, FRAME_WHOLE, 4, 17, HAS_PORTS },
	{ "first without L4 header", E4 IP4("001b", "2000", "11") UDP, false, FRAME_CUT, 4, 17,
		NOTHING },
	{ "later", E4 IP4("001c", "2001", "11") UDP, false, FRAME_WHOLE, 4, 17, NOTHING },
	{ "last, empty", E4 IP4("0014", "1fff", "01"), false, FRAME_WHOLE, 4, 1, NOTHING },
	{ "RFC 3128", E4 IP4("0028", "0001", "06") TCP, false, FRAME_CUT, 4, 6, NOTHING },
	{ "tcp at 16", E4 IP4("0028", "0002", "06") TCP, false, FRAME_WHOLE, 4, 6, NOTHING },
	{ "bits beside the offset", E4 IP4("001c", "e000", "11") UDP, false, FRAME_WHOLE, 4, 17,
		HAS_PORTS },
	{ "atomic", E6 IP6("0010", "2c") FRAG("11", "0000") UDP, false, FRAME_WHOLE, 6, 17,
		HAS_PORTS },
	{ "first in IPv6", E6 IP6("0010", "2c") FRAG("11", "0001") UDP, false, FRAME_WHOLE, 6, 17,
		HAS_PORTS },
	{ "reserved bits", E6 IP6("0010", "2c") FRAG("11", "0006") UDP, false, FRAME_WHOLE, 6, 17,
		HAS_PORTS },
	{ "second byte is no length", E6 IP6("0010", "2c") "11ff 0000 00000001" UDP, false,
		FRAME_WHOLE, 6, 17, HAS_PORTS },
	{ "later in IPv6", E6 IP6("0010", "2c") FRAG("11", "0010") UDP, false, FRAME_WHOLE, 6, 17,
		NOTHING },
	{ "later behind a header", E6 IP6("0018", "00") EXT8("2c") FRAG("11", "0019") UDP, false,
		FRAME_WHOLE, 6, 17, NOTHING },
	{ "its next header is not walked", E6 IP6("0010", "2c") FRAG("3c", "0010") EXT8("11"),
		false, FRAME_WHOLE, 6, 60, NOTHING },
	{ "later of neighbour discovery",
		E6 IP6("0010", "2c") FRAG("3a", "0010") "8700000000000000", false, FRAME_WHOLE, 6,
		58, NOTHING },
	{ "RFC 3128 in IPv6", E6 IP6("0010", "2c") FRAG("06", "0009") UDP, false, FRAME_CUT, 6, 6,
		NOTHING },
	{ "tcp at 16 in IPv6", E6 IP6("0010", "2c") FRAG("06", "0010") UDP, false, FRAME_WHOLE, 6,
		6, NOTHING },
	{ "udp at 8 in IPv6", E6 IP6("0010", "2c") FRAG("11", "0008") UDP, false, FRAME_WHOLE, 6,
		17, NOTHING },
	{ "fragment header not whole", E6 IP6("0007", "2c") "11000001000000", false, FRAME_CUT, 6,
		-1, NOTHING },
};

static const struct sample cuts[] = {
	{ "tcp", E4 IP4("0027", "0000", "06") TCP, false, FRAME_CUT, 4, 6, NOTHING },
	{ "udp", E4 IP4("001b", "0000", "11") UDP, false, FRAME_CUT, 4, 17, NOTHING },
	{ "udplite", E4 IP4("001b", "0000", "88") UDP, false, FRAME_CUT, 4, 136, NOTHING },
	{ "sctp", E4 IP4("001f", "0000", "84") SCTP, false, FRAME_CUT, 4, 132, NOTHING },
	{ "dccp", E4 IP4("001f", "0000", "21") DCCP, false, FRAME_CUT, 4, 33, NOTHING },
	{ "icmp", E4 IP4("001b", "0000", "01") ECHO, false, FRAME_CUT, 4, 1, NOTHING },
	{ "icmpv6", E6 IP6("0007", "3a") ECHO6, false, FRAME_CUT, 6, 58, NOTHING },
	{ "all of it", E6 IP6("0000", "06"), false, FRAME_CUT, 6, 6, NOTHING },
};

static const struct sample bad[] = {
	{ "ihl 4", E4 "4400 001c 1234 0000 40 11 0000" A4 UDP, false, FRAME_BAD, 4, 17, NOTHING },
	{ "options beyond the frame", E4 "4800 001c 1234 0000 40 11 0000" A4 UDP, false, FRAME_BAD,
		4, 17, NOTHING },
	{ "options beyond the packet", E4 "4700 0014 1234 0000 40 11 0000" A4 UDP, false, FRAME_BAD,
		4, 17, NOTHING },
	{ "total length beyond the frame", E4 IP4("001d", "0000", "11") UDP, false, FRAME_BAD, 4,
		17, NOTHING },
	{ "total length below the header", E4 IP4("0013", "0000", "11") UDP, false, FRAME_BAD, 4,
		17, NOTHING },
	{ "total length 0", E4 IP4("0000", "0000", "11") UDP, false, FRAME_BAD, 4, 17, NOTHING },
	{ "payload beyond the frame", E6 IP6("0009", "11") UDP, false, FRAME_BAD, 6, 17, NOTHING },
	{ "the same with a header", E6 IP6("0011", "00") EXT8("11") UDP, false, FRAME_BAD, 6, 0,
		NOTHING },
	{ "19 bytes of IPv4", E4 "4500 001c 1234 0000 40 11 0000 c0000201 0a0000", false, FRAME_BAD,
		0, 0, NOTHING },
	{ "39 bytes of IPv6",
		E6 "60000000 0000 11 40 20010db8000000000000000000000001 "
		   "20010db80000000000000000000000",
		false, FRAME_BAD, 0, 0, NOTHING },
	{ "no byte of IPv4", E4, false, FRAME_BAD, 0, 0, NOTHING },
	{ "no byte of IPv6", E6, false, FRAME_BAD, 0, 0, NOTHING },
	{ "IPv6 said to be IPv4", E4 IP6("0008", "11") UDP, false, FRAME_BAD, 0, 0, NOTHING },
	{ "IPv4 said to be IPv6", E6 IP4("0028", "0000", "06") TCP, false, FRAME_BAD, 0, 0,
		NOTHING },
	{ "no Ethernet, one byte", "45", true, FRAME_BAD, 0, 0, NOTHING },
	{ "no Ethernet, ihl 0", "4000 001c 1234 0000 40 11 0000" A4 UDP, true, FRAME_BAD, 4, 17,
		NOTHING },
};

static size_t from_hex(const char *hex, uint8_t *data)
{
	unsigned int byte;
	size_t n = 0;

	while (*hex) {
		if (*hex == ' ') {
			hex++;
			continue;
		}
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		data[n++] = byte;
		hex += 2;
	}
	return n;
}

/* Reads a copy that ends where its memory ends. */
static void read_copy(const uint8_t *data, size_t len, bool l3, struct frame *frame)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, data, len);
	frame_read(len ? copy : NULL, len, l3, frame);
	free(copy);
	assert_int_equal(frame->bytes, len);
}

/* What must hold of any frame. */
static void check_sane(const struct frame *f)
{
	assert_false(f->has_ports && f->has_type);
	if (f->class != FRAME_WHOLE && f->class != FRAME_PASS)
		assert_false(f->has_ports || f->has_type);
	if (f->class == FRAME_CUT || f->class == FRAME_WHOLE)
		assert_true(f->family == 4 || f->family == 6);
	if (f->class == FRAME_TAGS)
		assert_int_equal(f->family, 0);
	if (f->class == FRAME_CUT && f->proto == PROTO_UNREAD)
		assert_int_equal(f->family, 6);
	else
		assert_in_range(f->proto, 0, 255);
	if (f->class == FRAME_CUT && f->proto != PROTO_UNREAD) /* it is read to the L4 header */
		assert_true(proto_has_ports(f->proto) || proto_has_type(f->proto));
}

/*
 * A frame that lost its end either lost padding only, or its lengths lie beyond it; or not even
 * that can be read any more. It never turns into another packet.
 */
static void check_cuts(const uint8_t *data, size_t len, bool l3)
{
	struct frame whole, cut;
	size_t n;

	read_copy(data, len, l3, &whole);
	check_sane(&whole);
	for (n = 0; n < len; n++) {
		read_copy(data, n, l3, &cut);
		check_sane(&cut);
		cut.bytes = whole.bytes;
		if (cut.class != FRAME_PASS && cut.class != FRAME_BAD)
			assert_memory_equal(&cut, &whole, sizeof(cut));
	}
}

static void check_addresses(const struct frame *f)
{
	uint8_t src[16] = { 0 }, dst[16] = { 0 };

	if (f->family == 4) {
		memcpy(src, "\xc0\x00\x02\x01", 4);
		memcpy(dst, "\x0a\x00\x00\x05", 4);
	} else if (f->family == 6) {
		memcpy(src, "\x20\x01\x0d\xb8", 4);
		memcpy(dst, "\x20\x01\x0d\xb8", 4);
		src[15] = 1;
		dst[15] = 2;
	}
	assert_memory_equal(f->src, src, 16);
	assert_memory_equal(f->dst, dst, 16);
}

static void check_sample(const struct sample *s)
{
	uint8_t data[512];
	size_t len = from_hex(s->hex, data);
	struct frame f;

	read_copy(data, len, s->l3, &f);
	if (f.class != s->class || f.family != s->family || f.proto != s->proto ||
		f.has_ports != (s->rest == HAS_PORTS) || f.has_type != (s->rest == HAS_TYPE))
		fail_msg("%s: class %d, family %d, protocol %d, ports %d, type %d", s->name,
			f.class, f.family, f.proto, f.has_ports, f.has_type);
	check_addresses(&f);
	if (f.has_ports) {
		assert_int_equal(f.sport, 4000);
		assert_int_equal(f.dport, 1434);
	}
	check_cuts(data, len, s->l3);
}

#define SAMPLES(table)                                                   \
	static void test_##table(void **state)                           \
	{                                                                \
		size_t i;                                                \
                                                                         \
		(void)state;                                             \
		for (i = 0; i < sizeof(table) / sizeof((table)[0]); i++) \
			check_sample(&(table)[i]);                       \
	}

SAMPLES(plain)
SAMPLES(tags)
SAMPLES(exempt)
SAMPLES(extensions)
SAMPLES(fragments)
SAMPLES(cuts)
SAMPLES(bad)

static void test_type_and_code(void **state)
{
	uint8_t data[512];
	struct frame f;

	(void)state;
	read_copy(data, from_hex(E4 IP4("001c", "0000", "01") ECHO, data), false, &f);
	assert_int_equal(f.type, 8);
	assert_int_equal(f.code, 7);
	read_copy(data, from_hex(E6 IP6("0008", "3a") ECHO6, data), false, &f);
	assert_int_equal(f.type, 128);
	assert_int_equal(f.code, 7);
}

/* Every capture is read both ways, whatever its link type: as Ethernet and from the IP header. */
static size_t check_capture(const char *path)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, why);
	struct pcap_pkthdr *header;
	const uint8_t *data;
	size_t n = 0;

	if (!pcap) {
		print_message("%s: %s\n", path, why);
		return 0;
	}
	while (pcap_next_ex(pcap, &header, &data) == 1) {
		check_cuts(data, header->caplen, false);
		check_cuts(data, header->caplen, true);
		if (header->caplen > 14)
			check_cuts(data + 14, header->caplen - 14, true);
		n++;
	}
	pcap_close(pcap);
	return n;
}

static void test_captures(void **state)
{
	char *paths[] = { CAPTURES, NULL };
	FTS *tree = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, NULL);
	size_t files = 0, frames = 0;
	FTSENT *entry;

	(void)state;
	assert_non_null(tree);
	while ((entry = fts_read(tree))) {
		if (entry->fts_info != FTS_F)
			continue;
		frames += check_capture(entry->fts_path);
		files++;
	}
	fts_close(tree);
	if (!files) {
		print_message("SKIP: no captures in %s\n", CAPTURES);
		skip();
	}
	print_message("%zu frames of %zu captures\n", frames, files);
	assert_true(frames > files);
}

/* Generic XDP cannot tell an aggregate, whose total length is 0, from a packet. */
static void test_generic(void **state)
{
	static const char *const totals[] = { "0000", "0013", "001d" };
	struct frame f;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		uint8_t data[64];
		char hex[256];
		size_t n;

		snprintf(hex, sizeof(hex), E4 "4500%s1234000040110000" A4 UDP, totals[i]);
		n = from_hex(hex, data);
		frame_read_generic(data, n, &f);
		assert_int_equal(f.class, i ? FRAME_BAD : FRAME_WHOLE);
		assert_int_equal(f.has_ports, !i);
		frame_read(data, n, false, &f);
		assert_int_equal(f.class, FRAME_BAD);
	}
}

/*
 * In IPv6 that is payload length 0 before hop-by-hop options; before anything else there is none.
 * Elsewhere no frame may say that, but Linux receives it: its protocol is read.
 */
static void test_generic_v6(void **state)
{
	static const struct {
		const char *text;
		enum frame_class class;
		int proto;
	} samples[] = {
		{ E6 IP6("0000", "00") EXT8("11") UDP, FRAME_WHOLE, 17 },
		{ E6 IP6("0000", "00") "1100c20400010000" UDP, FRAME_WHOLE, 17 },
		{ E6 IP6("0000", "00") EXT8("11") "0000", FRAME_CUT, 17 },
		{ E6 IP6("0000", "3c") EXT8("11") UDP, FRAME_CUT, PROTO_UNREAD },
		{ E6 IP6("0000", "11") UDP, FRAME_CUT, 17 },
		{ E6 IP6("0000", "00") EXT8("2f"), FRAME_WHOLE, 47 },
		{ E6 IP6("0000", "00") EXT8("3a") "8700000000000000", FRAME_PASS, 58 },
		{ E6 IP6("0000", "00") EXT8("2c") "1100000800000000" UDP, FRAME_WHOLE, 17 },
		{ E6 IP6("0000", "00") "1100", FRAME_CUT, PROTO_UNREAD },
	};
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		uint8_t data[128];
		size_t n = from_hex(samples[i].text, data);

		frame_read_generic(data, n, &f);
		assert_int_equal(f.class, samples[i].class);
		assert_int_equal(f.has_ports, i < 2);
		assert_int_equal(f.has_type, f.class == FRAME_PASS);
		assert_int_equal(f.proto, samples[i].proto);
		frame_read(data, n, false, &f);
		assert_int_equal(f.class, FRAME_CUT);
		assert_int_equal(f.proto, samples[i].proto);
		assert_false(f.has_ports || f.has_type);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_exempt),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_generic),
		cmocka_unit_test(test_generic_v6),
		cmocka_unit_test(test_type_and_code),
		cmocka_unit_test(test_captures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
