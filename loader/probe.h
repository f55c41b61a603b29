/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A frame made of what is read in one: the shortest that reads back the same. The classifier is
 * asked of packets that are there in words alone with it. Pure.
 */
#ifndef BPFPOL_PROBE_H
#define BPFPOL_PROBE_H

#include "frame.h"
#include "policy.h"

#define PROBE_ROOM 128 /* bytes: no probe is longer */

/* What frame_read() sees of the packet, which is one of spec_parse_packet(), without `me`. */
void probe_of(const struct rule *packet, struct frame *frame);

/*
 * From the Ethernet header on. frame: of FRAME_WHOLE, no fragment. Nobody checks checksums: they
 * are 0. Returns the length.
 */
size_t probe_build(const struct frame *frame, uint8_t bytes[PROBE_ROOM]);

#endif
