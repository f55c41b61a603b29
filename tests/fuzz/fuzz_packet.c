// SPDX-License-Identifier: GPL-2.0-only
/*
 * Explain's packet in words, and the words that say where packets are seen (the first byte says
 * which). What is read has a text that reads back as it; the frame made of it is read as it.
 */
#include "fuzz.h"

#include "probe.h"
#include "spec.h"

/* Nothing but neighbour discovery, which is exempt, is read otherwise than it was asked for. */
static void frame_reads_back(const struct rule *rule, const char *text)
{
	struct frame wanted, got;
	uint8_t bytes[PROBE_ROOM];

	memset(&wanted, 0, sizeof(wanted));
	memset(&got, 0, sizeof(got));
	probe_of(rule, &wanted);
	wanted.bytes = probe_build(&wanted, bytes);
	REQUIRE(wanted.bytes <= PROBE_ROOM, "%s", text);
	frame_read(bytes, wanted.bytes, false, &got);
	if (got.class == FRAME_PASS)
		got.class = wanted.class;
	REQUIRE(!memcmp(&got, &wanted, sizeof(got)), "%s", text);
}

static void packet_reads_back(const struct spec_packet *p)
{
	char *text = spec_text(p->rule, SPEC_MATCH), *again, *argv[1] = { text };
	struct spec_packet back = {};
	struct diag diag = {};

	REQUIRE(!spec_parse_packet(1, argv, &back, &diag), "%s: %s", text, diag.message);
	again = spec_text(back.rule, SPEC_MATCH);
	REQUIRE(!strcmp(text, again), "%s: %s", text, again);
	if (p->rule->from.kind != END_ME && p->rule->to.kind != END_ME)
		frame_reads_back(p->rule, text);
	spec_packet_free(&back);
	diag_free(&diag);
	free(again);
	free(text);
}

static void places_lie_inside(const struct spec_packet *p)
{
	REQUIRE(p->on.at + p->on.width <= strlen(p->text), "%s", p->text);
	REQUIRE(p->me.at + p->me.width <= strlen(p->text), "%s", p->text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spec_packet packet = {};
	struct diag diag = {};
	char *text, *words[64];
	int rc, n;

	if (!size)
		return 0;
	text = fuzz_text(data + 1, size - 1);
	n = fuzz_split(text, data[0] == 'l' ? '\n' : ' ', words, 64);
	rc = (data[0] == 'w' ? spec_parse_where : spec_parse_packet)(n, words, &packet, &diag);
	if (rc) {
		REQUIRE(!packet.rule, "a refused packet is given");
		fuzz_told(rc, &diag);
	} else {
		places_lie_inside(&packet);
		if (data[0] != 'w')
			packet_reads_back(&packet);
	}
	spec_packet_free(&packet);
	diag_free(&diag);
	free(text);
	return 0;
}
