/* SPDX-License-Identifier: GPL-2.0-only */
/* Aggregates: an skb that stands for several packets on the wire (GSO, GRO). */
#include "twin.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "gen_pool.h"

#define NOWHERE ((size_t)-1)

static unsigned int be16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static void set16(uint8_t *at, size_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* Where the whole fixed IP header stands. */
static size_t ip_at(const struct sample *s)
{
	size_t at = 12;

	if (hook_is_l3(s->hook))
		return s->len >= (s->data[0] >> 4 == 4 ? 20 : 40) ? 0 : NOWHERE;
	while (at + 2 <= s->len && (be16(s->data + at) == 0x8100 || be16(s->data + at) == 0x88a8))
		at += 4;
	if (at + 2 + 20 <= s->len && be16(s->data + at) == 0x0800)
		return at + 2;
	return at + 2 + 40 <= s->len && be16(s->data + at) == 0x86dd ? at + 2 : NOWHERE;
}

/* Where the TCP or UDP header stands below that IP header. */
static size_t l4_at(const struct sample *s, size_t ip)
{
	uint8_t next = s->data[ip + 6];
	size_t at = ip + 40;

	if (s->data[ip] >> 4 == 4)
		return ip + (s->data[ip] & 15) * 4;
	while (next != IPPROTO_TCP && next != IPPROTO_UDP && at + 8 < s->len) {
		const uint8_t *ext = s->data + at;

		if (next == IPPROTO_FRAGMENT)
			at += 8;
		else
			at += next == IPPROTO_AH ? (ext[1] + 2) * 4 : (ext[1] + 1) * 8;
		next = ext[0];
	}
	return at;
}

static uint8_t *length_of(uint8_t *data, size_t ip)
{
	return data + ip + (data[ip] >> 4 == 4 ? 2 : 4);
}

void gso_lie(struct gen *g, struct sample *s, uint8_t *data)
{
	set16(length_of(data, ip_at(s)), gen_chance(g, 50) ? 0 : gen_u64(g));
}

void gso_read(const struct sample *s, struct frame *frame)
{
	size_t ip = ip_at(s);
	uint8_t *said;

	if (ip == NOWHERE) {
		frame_read(s->data, s->len, hook_is_l3(s->hook), frame);
		return;
	}
	said = memcpy(must(malloc(s->len)), s->data, s->len);
	set16(length_of(said, ip), s->len - ip - (said[ip] >> 4 == 4 ? 0 : 40));
	frame_read(said, s->len, hook_is_l3(s->hook), frame);
	free(said);
}

/* Every packet has all headers in front of it. */
struct bp_count gso_count(const struct sample *s, const struct frame *frame)
{
	struct bp_count count = { .packets = s->gso_segs, .bytes = s->len };
	size_t headers = l4_at(s, ip_at(s));

	headers += frame->proto == IPPROTO_TCP ? (s->data[headers + 12] >> 4) * 4 : 8;
	if (!count.packets && s->len > headers)
		count.packets = (s->len - headers + s->gso_size - 1) / s->gso_size;
	if (!count.packets)
		count.packets = 1;
	count.bytes += (count.packets - 1) * headers;
	return count;
}

/* Only what has its TCP or UDP header whole. */
void gso_dress(struct gen *g, struct sample *s)
{
	struct frame frame;

	gso_read(s, &frame);
	if (!frame.has_ports || (frame.proto != IPPROTO_TCP && frame.proto != IPPROTO_UDP))
		return;
	s->gso_segs = gen_chance(g, 25) ? 0 : 1 + gen_below(g, 40);
	s->gso_size = 1 + gen_below(g, 1460);
}
