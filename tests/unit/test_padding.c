/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames that a capture cut: judged only where what is missing cannot matter. For every frame here
 * and every length that is left of it, padding_fits() is held against fillings that would show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "padding.h"

#define ROOM 256

struct bytes {
	uint8_t v[ROOM];
	size_t n;
};

static struct bytes from_hex(const char *hex)
{
	struct bytes b = { .n = 0 };
	unsigned int byte;

	for (; hex[0] && hex[1]; hex += 2) {
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		b.v[b.n++] = byte;
	}
	return b;
}

#define ETHER "020000000002020000000001"
#define IP4(length, proto)       \
	"4500" length "00000000" \
	"40" proto "0000"        \
	"c0000201"               \
	"0a000005"
#define IP6(length, next)                  \
	"60000000" length next "40"        \
	"20010db8000000000000000000000001" \
	"20010db8000000000000000000000002"
#define UDP "0fa0059a00080000"
#define TCP                                    \
	"0fa000500000000000000000500200000000" \
	"0000"

static const struct {
	const char *what, *hex;
	size_t least; /* bytes that must be left for a verdict */
	bool l3;
} frames[] = {
	/* Up to the ports' last byte; that the header is whole the length says. */
	{ "udp", ETHER "0800" IP4("001c", "11") UDP, 14 + 20 + 4, false },
	{ "udp over IPv6", ETHER "86dd" IP6("0008", "11") UDP, 14 + 40 + 4, false },
	{ "tcp", ETHER "0800" IP4("0028", "06") TCP, 14 + 20 + 4, false },
	{ "tags",
		ETHER "88a80001"
		      "81000002"
		      "0800" IP4("001c", "11") UDP,
		22 + 20 + 4, false },
	{ "a bare packet", IP4("001c", "11") UDP, 20 + 4, true },
	{ "a bare IPv6 packet", IP6("0008", "11") UDP, 40 + 4, true },
	/* The last byte of the destination, as there are no ports. */
	{ "gre", ETHER "0800" IP4("0018", "2f") "00000800", 14 + 20, false },
	/* Type and code. */
	{ "icmp", ETHER "0800" IP4("001c", "01") "0800f7ff00000000", 14 + 20 + 2, false },
	/* A later fragment ends with its header. */
	{ "fragment",
		ETHER "0800"
		      "4500001c000000b94011"
		      "0000"
		      "c0000201"
		      "0a000005" UDP,
		34, false },
	/* A fragment header's offset says whether ports follow: the upper half is enough, or not.
	 */
	{ "fragment of IPv6", ETHER "86dd" IP6("0010", "2c") "110005c800000001" UDP, 14 + 40 + 3,
		false },
	{ "early fragment of IPv6", ETHER "86dd" IP6("0010", "2c") "1100001000000001" UDP,
		14 + 40 + 4, false },
	{ "first fragment of IPv6", ETHER "86dd" IP6("0010", "2c") "1100000100000001" UDP,
		14 + 40 + 8 + 4, false },
	{ "options of IPv6", ETHER "86dd" IP6("0010", "3c") "1100010400000000" UDP, 14 + 40 + 8 + 4,
		false },
	/* Not IP: the EtherType is enough. */
	{ "arp",
		ETHER "0806"
		      "0001080006040001",
		14, false },
	{ "a tagged LLDP frame",
		ETHER "8100000588cc"
		      "020704000000000000000000",
		18, false },
	/* A fifth tag is seen by its type. */
	{ "five tags",
		ETHER "81000001"
		      "81000002"
		      "81000003"
		      "81000004"
		      "81000005"
		      "0800",
		30, false },
	{ "a chain",
		ETHER "86dd" IP6("0020", "00") "2b00010400000000"
					       "3c00000000000000"
					       "1100010400000000" UDP,
		14 + 40 + 24 + 4, false },
	{ "a header of 16 bytes",
		ETHER "86dd" IP6("0018", "3c") "1101010c"
					       "000000000000000000000000" UDP,
		14 + 40 + 16 + 4, false },
	{ "ah",
		ETHER "86dd" IP6("0014", "33") "11010000"
					       "0000000000000001" UDP,
		14 + 40 + 12 + 4, false },
	/* Nine headers: what the last is matters no more than what is behind it. */
	{ "nine headers",
		ETHER "86dd" IP6("0048", "3c") "3c00010400000000"
					       "3c00010400000000"
					       "3c00010400000000"
					       "3c00010400000000"
					       "3c00010400000000"
					       "3c00010400000000"
					       "3c00010400000000"
					       "3c00010400000000"
					       "1100010400000000",
		14 + 40 + 56 + 1, false },
	/* RFC 3128: hides the ports, whatever is in it. */
	{ "tcp at offset 8",
		ETHER "0800"
		      "4500001c000000014006"
		      "0000"
		      "c0000201"
		      "0a000005" UDP,
		34, false },
	/* A length that lies, no header length: the fixed header decides. */
	{ "too long", ETHER "0800" IP4("ffff", "11") UDP, 34, false },
	{ "ihl 4",
		ETHER "0800"
		      "44"
		      "00001c00000000"
		      "4011"
		      "0000"
		      "c0000201"
		      "0a000005" UDP,
		34, false },
	{ "no IPv4 in it",
		ETHER "0800"
		      "55"
		      "00001c00000000"
		      "4011"
		      "0000"
		      "c0000201"
		      "0a000005",
		15, false },
	/* Shorter than an Ethernet header, as it was sent. */
	{ "a stub", "0200000000", 0, false },
};

static uint64_t seed = 1;

/* xorshift64* */
static unsigned int draw(unsigned int n)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (seed * 0x2545f4914f6cdd1dULL >> 33) % n;
}

/* Whatever stood in the padding, the same is read. */
static void any_filling_reads(const struct bytes *frame, size_t have, size_t which)
{
	static const uint8_t telling[] = { 0, 1, 2, 4, 6, 8, 17, 43, 44, 51, 58, 60, 0x45, 0x60,
		0x81, 0x86, 0x88, 0xa8, 0xdd, 133, 255 };
	struct bytes b = *frame;
	struct frame wanted, got;

	frame_read(b.v, b.n, frames[which].l3, &wanted);
	for (int tries = 0; tries < 2000; tries++) {
		for (size_t i = have; i < b.n; i++)
			b.v[i] = draw(2) ? telling[draw(sizeof(telling))] : draw(256);
		frame_read(b.v, b.n, frames[which].l3, &got);
		if (memcmp(&got, &wanted, sizeof(got)))
			fail_msg("%s, of which %zu bytes are left, reads otherwise",
				frames[which].what, have);
	}
}

static void one_frame(size_t which)
{
	struct bytes whole = from_hex(frames[which].hex), cut;
	struct frame wanted, got;
	size_t have;

	frame_read(whole.v, whole.n, frames[which].l3, &wanted);
	for (have = 0; have < whole.n; have++) {
		bool fits;

		cut = whole;
		fits = padding_fits(cut.v, have, cut.n, frames[which].l3, &got);
		if (have && fits != (have >= frames[which].least))
			fail_msg("%s, of which %zu bytes are left: %s", frames[which].what, have,
				fits ? "is judged" : "is not judged");
		if (!have && fits)
			fail_msg("%s, of which nothing is left: is judged", frames[which].what);
		if (!fits)
			continue;
		assert_memory_equal(&got, &wanted, sizeof(got));
		assert_memory_equal(cut.v, whole.v, have);
		for (size_t i = have; i < cut.n; i++)
			assert_int_equal(cut.v[i], 0);
		any_filling_reads(&cut, have, which);
	}
}

static void every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		one_frame(i);
}

/* A frame of no bytes is what it is. */
static void nothing_missing(void **state)
{
	uint8_t data[1];
	struct frame frame;

	(void)state;
	assert_true(padding_fits(data, 0, 0, false, &frame));
	assert_int_equal(frame.class, FRAME_PASS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut),
		cmocka_unit_test(nothing_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
