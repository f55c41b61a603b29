/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A packet in words: what golden tests cannot say of its parser, and that the frame made of it
 * reads back as the same packet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "probe.h"
#include "spec.h"

#define ARGS(...)                                                             \
	(int)(sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *)), (char *[]) \
	{                                                                     \
		__VA_ARGS__                                                   \
	}

static void reads(struct spec_packet *packet, int argc, char *const *argv)
{
	struct diag diag = { 0 };

	if (spec_parse_packet(argc, argv, packet, &diag))
		fail_msg("%s: %s", argv[0], diag.message);
}

static void place_is(const struct spec_packet *p, struct spec_place place, const char *word)
{
	assert_int_equal(place.width, strlen(word));
	assert_memory_equal(p->text + place.at, word, place.width);
}

/* Also when the words that are read first stand last. */
static void places(void **state)
{
	struct spec_packet p;

	(void)state;
	reads(&p, ARGS("udp", "from", "192.0.2.1", "to", "me", "port", "53", "in", "on", "eth0"));
	place_is(&p, p.on, "eth0");
	place_is(&p, p.me, "me");
	assert_string_equal(p.rule->ifname, "eth0");
	assert_int_equal(p.rule->to.kind, END_ME);
	spec_packet_free(&p);

	reads(&p, ARGS("on tun0 out tcp/25 from me to 2001:db8::1"));
	place_is(&p, p.on, "tun0");
	place_is(&p, p.me, "me");
	assert_int_equal(p.rule->dir, DIR_OUT);
	spec_packet_free(&p);

	reads(&p, ARGS("gre from 192.0.2.1 to 192.0.2.2"));
	assert_int_equal(p.on.width, 0);
	assert_int_equal(p.me.width, 0);
	assert_null(p.rule->ifname);
	spec_packet_free(&p);
}

static void no_words(void **state)
{
	struct spec_packet p = { 0 };
	struct diag diag = { 0 };

	(void)state;
	assert_int_equal(spec_parse_packet(0, NULL, &p, &diag), -EINVAL);
	assert_int_equal(diag.kind, DIAG_USAGE);
	assert_non_null(strstr(diag.message, "--pcap"));
	assert_null(diag.text);
	assert_null(p.rule);
	diag_free(&diag);
}

static void where(void **state)
{
	struct spec_packet p = { 0 };
	struct diag diag = { 0 };

	(void)state;
	assert_int_equal(spec_parse_where(0, NULL, &p, &diag), 0);
	assert_int_equal(p.rule->dir, DIR_IN);
	assert_null(p.rule->ifname);
	spec_packet_free(&p);

	assert_int_equal(spec_parse_where(ARGS("out", "on", "eth0"), &p, &diag), 0);
	assert_int_equal(p.rule->dir, DIR_OUT);
	assert_string_equal(p.rule->ifname, "eth0");
	spec_packet_free(&p);

	assert_int_equal(spec_parse_where(ARGS("in", "udp/53"), &p, &diag), -EINVAL);
	assert_int_equal(diag.column, 3);
	assert_int_equal(diag.width, 6);
	assert_null(p.rule);
	diag_free(&diag);
}

/* Whatever the parser takes, but for `me`, which has no address yet. */
static const char *const lines[] = {
	"udp from 192.0.2.1 port 4000 to 10.0.0.5 port 1434",
	"udp from 2001:db8::1 port 4000 to 2001:db8::2 port 1434",
	"tcp from 192.0.2.1 port 0 to 10.0.0.5 port 65535",
	"tcp from 2001:db8::1 to ff02::1 port 80",
	"sctp from 192.0.2.1 to 10.0.0.5 port 9899",
	"sctp from 2001:db8::1 to 2001:db8::2 port 9899",
	"dccp/5001 from 192.0.2.1 to 10.0.0.5",
	"dccp/5001 from 2001:db8::1 to 2001:db8::2",
	"udplite/5001 from 192.0.2.1 to 10.0.0.5",
	"udplite/5001 from 2001:db8::1 to 2001:db8::2",
	"icmp from 192.0.2.1 to 10.0.0.5",
	"icmp type 3 code 4 from 192.0.2.1 to 10.0.0.5",
	"icmpv6 from 2001:db8::1 to 2001:db8::2",
	"icmpv6 type 1 code 255 from 2001:db8::1 to 2001:db8::2",
	"gre from 192.0.2.1 to 10.0.0.5",
	"esp from 2001:db8::1 to 2001:db8::2",
	"ah from 192.0.2.1 to 10.0.0.5",
	"59 from 2001:db8::1 to 2001:db8::2",
	"255 from 0.0.0.0 to 255.255.255.255",
	"135 from 192.0.2.1 to 10.0.0.5",
};

static void frames_read_back(void **state)
{
	uint8_t bytes[PROBE_ROOM];
	struct frame wanted, got;
	struct spec_packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		reads(&p, 1, (char *[]){ (char *)lines[i] });
		probe_of(p.rule, &wanted);
		assert_int_equal(wanted.family, strchr(lines[i], ':') ? 6 : 4);
		wanted.bytes = probe_build(&wanted, bytes);
		frame_read(bytes, wanted.bytes, false, &got);
		if (memcmp(&got, &wanted, sizeof(got)))
			fail_msg("%s is read otherwise", lines[i]);
		/* Nothing stands behind what is read. */
		frame_read(bytes, wanted.bytes - 1, false, &got);
		assert_int_equal(got.class, FRAME_BAD);
		spec_packet_free(&p);
	}
}

static void discovery_reads_as_exempt(void **state)
{
	uint8_t bytes[PROBE_ROOM];
	struct frame frame;
	struct spec_packet p;
	char line[64];

	(void)state;
	for (int type = 132; type <= 137; type++) {
		snprintf(line, sizeof(line), "icmpv6 type %d from fe80::1 to ff02::1", type);
		reads(&p, ARGS(line));
		probe_of(p.rule, &frame);
		frame_read(bytes, probe_build(&frame, bytes), false, &frame);
		assert_int_equal(
			frame.class, type >= 133 && type <= 136 ? FRAME_PASS : FRAME_WHOLE);
		assert_int_equal(frame.type, type);
		spec_packet_free(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(no_words),
		cmocka_unit_test(where),
		cmocka_unit_test(frames_read_back),
		cmocka_unit_test(discovery_reads_as_exempt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
