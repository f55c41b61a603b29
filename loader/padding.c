/* SPDX-License-Identifier: GPL-2.0-only */
#include "padding.h"

#include <string.h>

/*
 * A field that reaches into the padding is read differently with at least two of these. Numbers:
 * 0 and ff. What makes a frame unreadable with both has one more, with which it can be read on; all
 * headers stand at even offsets.
 */
static const uint8_t fillings[][2] = {
	{ 0xff, 0xff },
	{ 0x86, 0xdd }, /* EtherTypes: of IPv6, */
	{ 0x08, 0x00 }, /* of IPv4, also below a tag of type 8100 that is cut in two, */
	{ 0x88, 0xa8 }, /* of tags */
	{ 0x45, 0x00 }, /* the version of IPv4 */
	{ 0x60, 0x00 }, /* that of IPv6 */
	{ 0x11, 0x00 }, /* an extension header of 8 bytes, UDP behind it */
	{ 0x00, 0x00 },
};

static bool same_reading(const struct frame *a, const struct frame *b)
{
	return a->class == b->class && a->family == b->family &&
	       !memcmp(a->src, b->src, sizeof(a->src)) && !memcmp(a->dst, b->dst, sizeof(a->dst)) &&
	       a->proto == b->proto && a->has_ports == b->has_ports && a->sport == b->sport &&
	       a->dport == b->dport && a->has_type == b->has_type && a->type == b->type &&
	       a->code == b->code;
}

bool padding_fits(uint8_t *data, size_t have, size_t len, bool l3, struct frame *read)
{
	struct frame other;
	bool fits = true;

	for (size_t i = 0; i < sizeof(fillings) / sizeof(fillings[0]); i++) {
		for (size_t at = have; at < len; at++)
			data[at] = fillings[i][at & 1];
		frame_read(data, len, l3, i ? &other : read);
		fits &= !i || same_reading(read, &other);
	}
	/* Of nothing at all every filling makes something that is not IP. */
	return fits && (have || !len);
}
