/* SPDX-License-Identifier: GPL-2.0-only */
/* Captures from hex and back, without libpcap: what is tested reads by it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>

#include "pkt_frame.h"
#include "pkt_more.h"

#define SECONDS 1700000000u /* of the first record; each is a second later */
#define NANOSECONDS 123456789u

enum { MICRO, NANO, BIG, NG };
static const char *const formats[] = { "micro", "nano", "big", "ng" };

static bool swapped; /* the other byte order than this machine's is written */

static void put32(uint32_t value)
{
	if (swapped)
		value = __builtin_bswap32(value);
	fwrite(&value, 4, 1, stdout);
}

static void put16(uint16_t value)
{
	if (swapped)
		value = __builtin_bswap16(value);
	fwrite(&value, 2, 1, stdout);
}

/* Section header and interface description; times in nanoseconds. */
static void put_blocks(uint32_t link)
{
	const uint32_t head[] = { 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff, 28 };

	for (size_t i = 0; i < sizeof(head) / sizeof(*head); i++)
		put32(head[i]);
	put32(1);
	put32(32);
	put16(link);
	put16(0);
	put32(262144);
	put16(9); /* if_tsresol: 10^-9 */
	put16(1);
	put32(9);
	put32(0);
	put32(32);
}

static void put_head(int format, uint32_t link)
{
	if (format == NG) {
		put_blocks(link);
		return;
	}
	put32(format == NANO ? 0xa1b23c4d : 0xa1b2c3d4);
	put16(2);
	put16(4);
	put32(0);
	put32(0);
	put32(262144);
	put32(link);
}

static void put_record(int format, unsigned int number, const struct frame *f, uint32_t wire)
{
	uint64_t time = (SECONDS + number) * 1000000000ull + NANOSECONDS;
	uint32_t padded = (f->len + 3) / 4 * 4;

	if (format == NG) {
		put32(6);
		put32(32 + padded);
		put32(0);
		put32(time >> 32);
		put32(time);
	} else {
		put32(SECONDS + number);
		put32(format == NANO ? NANOSECONDS : NANOSECONDS / 1000);
	}
	put32(f->len);
	put32(wire);
	fwrite(f->data, f->len, 1, stdout);
	if (format == NG) {
		fwrite("\0\0\0", padded - f->len, 1, stdout);
		put32(32 + padded);
	}
}

/* pkt pcap micro|nano|big|ng LINK HEX[/BYTES-ON-THE-WIRE]...: a capture, to stdout */
int cmd_pcap(int argc, char **argv)
{
	int format = MICRO;

	while (format <= NG && strcmp(formats[format], argv[0]))
		format++;
	if (format > NG)
		die("no such format", argv[0]);
	swapped = format == BIG;
	put_head(format, to_number(argv[1], UINT16_MAX));
	for (int i = 2; i < argc; i++) {
		char *wire = strchr(argv[i], '/');
		struct frame f;

		if (wire)
			*wire++ = 0;
		frame_from_hex(argv[i], &f);
		put_record(format, i - 2, &f, wire ? to_number(wire, UINT32_MAX) : f.len);
	}
	return fflush(stdout) ? 1 : 0;
}

/* pkt unpcap: the capture on stdin, pcap of this machine's byte order: FORMAT LINK, then SECONDS
 * FRACTION BYTES-ON-THE-WIRE HEX of each record */
int cmd_unpcap(int argc, char **argv)
{
	uint32_t head[6], record[4];

	(void)argc;
	(void)argv;
	if (fread(head, sizeof(head), 1, stdin) != 1 ||
		(head[0] != 0xa1b2c3d4 && head[0] != 0xa1b23c4d))
		die("stdin", "not a capture");
	printf("%s %u\n", formats[head[0] == 0xa1b23c4d ? NANO : MICRO], head[5]);
	while (fread(record, sizeof(record), 1, stdin) == 1) {
		printf("%u %u %u ", record[0] - SECONDS, record[1], record[3]);
		for (uint32_t i = 0; i < record[2]; i++)
			printf("%02x", getchar() & 0xff);
		putchar('\n');
	}
	return ferror(stdin) ? 1 : 0;
}
