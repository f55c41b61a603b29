// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks of the pcapng format (draft-ietf-opsawg-pcapng): a type, its length, what is in it up to a
 * multiple of 4 bytes, and the length again; in this machine's byte order.
 */
#include "pcapng.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report_parts.h"
#include "stream.h"

#define BLOCK_SECTION 0x0a0d0d0a
#define BLOCK_INTERFACE 1
#define BLOCK_PACKET 6
#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define LINK_ETHERNET 1
#define LINK_RAW 101 /* begins with an IP header */

#define OPTION_END 0
#define OPTION_COMMENT 1
#define SECTION_PROGRAM 4
#define INTERFACE_NAME 2
#define INTERFACE_RESOLUTION 9 /* of times: 10^-N s */
#define PACKET_FLAGS 2
#define FLAG_IN 1
#define FLAG_OUT 2

#define ADDRESSES 12 /* bytes before a VLAN tag */
#define TAG 4
#define MOST_OPTIONS 4096
#define NANOSECONDS 9

/* A block's options, put together before its length is written. */
struct options {
	uint8_t bytes[MOST_OPTIONS];
	size_t n;
};

static size_t padded(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* What does not fit is cut, or left out. */
static void add_option(struct options *o, uint16_t code, const void *value, size_t size)
{
	size_t ends = o->n + 8; /* with its head, and the last option's */
	size_t room = ends < sizeof(o->bytes) ? sizeof(o->bytes) - ends : 0;
	uint16_t head[2];

	if (!room)
		return;
	if (size > room)
		size = room & ~(size_t)3;
	head[0] = code;
	head[1] = size;
	memcpy(o->bytes + o->n, head, sizeof(head));
	memset(o->bytes + o->n + 4, 0, padded(size));
	memcpy(o->bytes + o->n + 4, value, size);
	o->n += 4 + padded(size);
}

static void end_options(struct options *o)
{
	memset(o->bytes + o->n, 0, 4);
	o->n += 4;
}

static void put_word(FILE *out, uint32_t word)
{
	fwrite(&word, sizeof(word), 1, out);
}

/* body: of a multiple of 4 bytes. data, padded here: between it and the options. */
static void put_block(FILE *out, uint32_t type, const void *body, size_t body_size,
	const void *data, size_t data_size, const struct options *o)
{
	static const uint8_t nothing[4];
	uint32_t length = 12 + body_size + padded(data_size) + o->n;

	put_word(out, type);
	put_word(out, length);
	fwrite(body, body_size, 1, out);
	if (data_size)
		fwrite(data, data_size, 1, out);
	fwrite(nothing, 1, padded(data_size) - data_size, out);
	fwrite(o->bytes, o->n, 1, out);
	put_word(out, length);
}

void pcapng_begin(struct pcapng *p, FILE *out)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t length[2]; /* all ones: not said */
	} body = { BYTE_ORDER_MAGIC, 1, 0, { 0xffffffff, 0xffffffff } };
	struct options o = {};

	*p = (struct pcapng){ .out = out };
	add_option(&o, SECTION_PROGRAM, "bpfpol " VERSION, strlen("bpfpol " VERSION));
	end_options(&o);
	put_block(out, BLOCK_SECTION, &body, sizeof(body), NULL, 0, &o);
}

static void put_interface(const struct pcapng *p, const struct pcapng_interface *v)
{
	const struct {
		uint16_t link, reserved;
		uint32_t longest;
	} body = { v->l3 ? LINK_RAW : LINK_ETHERNET, 0, 0 };
	const uint8_t resolution = NANOSECONDS;
	struct options o = {};

	if (v->name[0])
		add_option(&o, INTERFACE_NAME, v->name, strlen(v->name));
	add_option(&o, INTERFACE_RESOLUTION, &resolution, 1);
	end_options(&o);
	put_block(p->out, BLOCK_INTERFACE, &body, sizeof(body), NULL, 0, &o);
}

/* Its number in the capture, where it is described first. One that is renamed is another. */
static int interface_of(struct pcapng *p, const struct watched *w, uint32_t *number)
{
	const struct bp_event *e = w->event;
	struct pcapng_interface new = {
		.ifindex = e->ifindex,
		.l3 = e->hook == BP_L3_IN || e->hook == BP_L3_OUT,
	};
	struct pcapng_interface *v;
	size_t i = 0;

	if (w->interface)
		memcpy(new.name, w->interface, strnlen(w->interface, sizeof(new.name) - 1));
	while (i < p->n && (p->v[i].ifindex != new.ifindex || p->v[i].l3 != new.l3 ||
				   (w->interface && strcmp(p->v[i].name, new.name))))
		i++;
	*number = i;
	if (i < p->n)
		return 0;
	v = realloc(p->v, (p->n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	p->v = v;
	v[p->n++] = new;
	put_interface(p, &new);
	return 0;
}

/* The frame as it was on the wire: with the tag that the kernel took off. Returns its bytes here.
 */
static size_t whole_frame(const struct bp_event *e, uint8_t *frame)
{
	uint16_t tag[2] = { e->tag_type, htons(e->tag) };

	if (!e->tag_type || e->snapped < ADDRESSES) {
		memcpy(frame, e->data, e->snapped);
		return e->snapped;
	}
	memcpy(frame, e->data, ADDRESSES);
	memcpy(frame + ADDRESSES, tag, TAG);
	memcpy(frame + ADDRESSES + TAG, e->data + ADDRESSES, e->snapped - ADDRESSES);
	return e->snapped + TAG;
}

static int add_comment(struct options *o, const struct watched *w)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = stream_open(&text, &len);
	int rc = out ? watched_why(out, w) : -ENOMEM;

	if (out && stream_close(out) && !rc)
		rc = -ENOMEM;
	if (!rc)
		add_option(o, OPTION_COMMENT, text, len);
	free(text);
	return rc;
}

int pcapng_put(struct pcapng *p, const struct watched *w)
{
	const struct bp_event *e = w->event;
	uint64_t ns = w->time.tv_sec * 1000000000ULL + w->time.tv_nsec;
	uint32_t flags = watched_dir(e) == BP_IN ? FLAG_IN : FLAG_OUT;
	uint8_t frame[BP_SNAP + TAG];
	size_t size = whole_frame(e, frame);
	struct options o = {};
	uint32_t number;
	int rc = interface_of(p, w, &number);

	/* The comment comes last, as that may have to be cut. */
	add_option(&o, PACKET_FLAGS, &flags, sizeof(flags));
	if (!rc)
		rc = add_comment(&o, w);
	if (rc)
		return rc;
	end_options(&o);
	put_block(p->out, BLOCK_PACKET,
		&(const uint32_t[]){
			number, ns >> 32, ns, size, e->length + (e->tag_type ? TAG : 0) },
		5 * sizeof(uint32_t), frame, size, &o);
	return 0;
}

void pcapng_end(struct pcapng *p)
{
	free(p->v);
	*p = (struct pcapng){};
}
