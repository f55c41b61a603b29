/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Captures, pcap and pcapng, read by libpcap. It is loaded when the first one is opened, so that
 * the program runs where it is not installed.
 */
#ifndef BPFPOL_CAPTURE_H
#define BPFPOL_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "diag.h"

struct capture_record {
	const uint8_t *data;  /* until the next one is read */
	uint32_t caplen, len; /* bytes here; on the wire */
	/*
	 * Of these, a cooked header (tcpdump -i any) that stands in the place of Ethernet's; 0:
	 * none. A capture may hold less than that of one.
	 */
	uint32_t cooked;
	uint8_t ethertype[2]; /* behind a whole cooked header */
	int64_t seconds;
	uint32_t nanoseconds;
};

struct capture;

/*
 * path: "-" is stdin. -EINVAL with DIAG_USAGE: it cannot be read, is no capture, or its frames are
 * neither Ethernet nor IP. -ELIBACC: there is no libpcap.
 */
int capture_open(const char *path, struct capture **capture, struct diag *diag);
void capture_free(struct capture **capture);
/* 1: *record is the next one; 0: that was all; -EINVAL: damaged. */
int capture_next(struct capture *capture, struct capture_record *record, struct diag *diag);
/* Frames begin with the IP header. Not those behind a cooked one, which may be of any protocol. */
bool capture_l3(const struct capture *capture);
/* How much is read, from 0 to 1; below 0: nobody knows. */
double capture_read(const struct capture *capture);

/*
 * Some of the records of a capture, written as they were to a file of its link type. It is there
 * with capture_copy_end(), whole, and until then nothing is at its path that was not before.
 */
struct capture_copy;

/* -EEXIST with DIAG_USAGE: path is the capture itself, or no file. */
int capture_copy_begin(
	const struct capture *of, const char *path, struct capture_copy **copy, struct diag *diag);
int capture_copy_add(
	struct capture_copy *copy, const struct capture_record *record, struct diag *diag);
int capture_copy_end(struct capture_copy *copy, struct diag *diag);
/* Without an end, nothing is left of it. */
void capture_copy_free(struct capture_copy **copy);

#endif
