/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames on real devices: what BPF_PROG_TEST_RUN does not do. XDP and TC on veth pairs, TC
 * on tun devices; frames that it does not take, VLAN tags that the kernel has taken off, headers
 * that do not lie in the skb's linear part.
 */
#ifndef BPFPOL_TWIN_WIRE_H
#define BPFPOL_TWIN_WIRE_H

#include "twin.h"

/* Devices of a wire, beside those of the world. Each is the other end of the next, or a tun. */
enum wire_dev {
	XDP_HERE,
	XDP_THERE,
	GENERIC_HERE,
	GENERIC_THERE,
	IN_HERE,
	IN_THERE,
	OUT_HERE,
	OUT_THERE,
	FORWARD_HERE,
	FORWARD_THERE,
	VETHS,
	TUN_HERE = VETHS,
	TUN_FORWARD,
	WIRE_DEVS
};

/* How frames come to the device whose hook sees them. */
enum wire_way {
	BY_SOCKET, /* a packet socket on `entry` */
	BY_RING,   /* the same with PACKET_TX_RING: only what a header of hdr_len says is linear */
	BY_TUN,	   /* written to the tun device `entry` */
};

struct lane {
	const char *name;
	enum bp_hook hook;
	enum wire_way way;
	enum wire_dev seen, entry;
	bool forwarded;
};

enum { LANES = 14, WIRE_MTU = 16000 };
extern const struct lane lanes[LANES];

/* What the kernel has not that this takes; NULL: nothing. */
const char *wire_lacks(void);
/* Makes the devices and attaches the root programs, once. Negative: stdout has the reason. */
int wire_open(struct world *w);
void wire_close(struct world *w);
uint32_t wire_ifindex(const struct world *w, enum wire_dev dev);
/* The shortest frame that can be sent there. */
size_t wire_least(const struct lane *lane);
/* Whether such a frame comes to the hook at all, by what the kernel does before. */
bool wire_carries(const struct lane *lane, const struct sample *s);
/*
 * Sends all of them and waits until the programs have counted as many. If some never come, it
 * gives up, and the counters will differ. Negative: stdout has the reason.
 */
int wire_send(struct world *w, const struct lane *lane, const struct sample *v, size_t n);

/* --- twin_lanes.c --- */

enum { LANES_ROUND = 350, LANES_JOB = LANES * LANES_ROUND }; /* pairs, nearly */
int lanes_run(struct world *w, struct gen *g, size_t job, struct covered *covered);

#endif
