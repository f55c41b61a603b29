// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames. The reader stays inside the frame (a copy of exactly its length, under ASan); what it
 * reads makes a shortest frame, which reads the same; a shorter piece is never read as more.
 * The first byte, if odd: the rest begins with the IP header.
 */
#include "fuzz.h"

#include "probe.h"

static void has_sense(const struct frame *f, size_t size)
{
	REQUIRE(f->class <= FRAME_TAGS, "%d", f->class);
	REQUIRE(f->family == 0 || f->family == 4 || f->family == 6, "%d", f->family);
	REQUIRE(f->proto >= PROTO_UNREAD && f->proto <= 255, "%d", f->proto);
	REQUIRE(!(f->has_ports && f->has_type), "protocol %d", f->proto);
	REQUIRE(!f->has_ports || proto_has_ports(f->proto), "protocol %d", f->proto);
	REQUIRE(!f->has_type || proto_has_type(f->proto), "protocol %d", f->proto);
	REQUIRE(f->bytes == size, "%u of %zu bytes", f->bytes, size);
}

/* Of what is read whole, no fragment, and by a header that says the same in a frame of its own. */
static bool can_be_built(const struct frame *f)
{
	if (f->class != FRAME_WHOLE || !f->family || f->proto < 0)
		return false;
	return f->has_ports || f->has_type;
}

static void reads_the_same(const struct frame *f)
{
	uint8_t room[PROBE_ROOM], *bytes;
	struct frame again = {};
	size_t size = probe_build(f, room);

	REQUIRE(size <= PROBE_ROOM, "%zu", size);
	bytes = (uint8_t *)fuzz_text(room, size);
	frame_read(bytes, size, false, &again);
	REQUIRE(again.class == f->class && again.family == f->family && again.proto == f->proto &&
			!memcmp(again.src, f->src, 16) && !memcmp(again.dst, f->dst, 16),
		"protocol %d of family %d", f->proto, f->family);
	REQUIRE(again.has_ports == f->has_ports && again.has_type == f->has_type &&
			again.sport == f->sport && again.dport == f->dport &&
			again.type == f->type && again.code == f->code,
		"protocol %d of family %d", f->proto, f->family);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame frame = {}, generic = {};
	uint8_t *bytes;

	if (!size--)
		return 0;
	bytes = malloc(size ? size : 1);
	REQUIRE(bytes, "no memory");
	memcpy(bytes, data + 1, size);
	frame_read(bytes, size, data[0] & 1, &frame);
	has_sense(&frame, size);
	if (can_be_built(&frame))
		reads_the_same(&frame);
	if (!(data[0] & 1)) {
		frame_read_generic(bytes, size, &generic);
		has_sense(&generic, size);
	}
	free(bytes);
	return 0;
}
