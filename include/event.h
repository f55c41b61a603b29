/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a watcher is told of a packet: the records of the ring between its programs
 * (bpf/watch.bpf.c) and itself (loader/watcher.c). Both come from one build, so this is no part of
 * BP_ABI, but for BP_LOGGED.
 */
#ifndef BPFPOL_EVENT_H
#define BPFPOL_EVENT_H

#include <linux/types.h>

#define BP_LOGGED 4	/* rules with `log` that an event names; a power of 2 */
#define BP_RING_PART 20 /* log2 of the bytes of a part of the ring, of which there are 4 */
#define BP_SNAP 256	/* bytes of a frame that it holds at most */

/* Addresses in network order, ports in host order; for ICMP lport = type, rport = code. */
struct bp_event {
	__u64 at;	/* CLOCK_MONOTONIC nanoseconds */
	__u64 bytes;	/* on the wire, of all packets of an aggregate */
	__u64 left_out; /* packets before this one that this CPU has told nothing of */
	__u32 packets;	/* of an aggregate; else 1 */
	__u32 rule;	/* that decides; 0: none */
	__u32 ifindex;
	__u32 length;		   /* of the frame, as the hook sees it */
	__u32 snapped;		   /* bytes of it behind this record */
	__u32 logged;		   /* how many rules with `log` count it */
	__u32 log_rule[BP_LOGGED]; /* the last of these; entry n & (BP_LOGGED - 1) is the n-th's */
	__u32 remote[4], local[4];
	__u16 rport, lport;
	__u16 tag, tag_type; /* the VLAN tag that was taken off the frame; tag_type, in network
			      * order, 0: none */
	__u8 family, proto;
	__u8 lacks;   /* enum bp_flags: what could not be read */
	__u8 hook;    /* enum bp_hook */
	__u8 reading; /* enum bp_reading */
	__u8 blocked;
	__u8 hidden; /* blocked as it is too short for a rule that asks for what it lacks */
	__u8 pad;
	__u8 data[];
};

/* Of each CPU, in packets: what its watcher was not told. */
struct bp_watch_tally {
	__u64 told;
	__u64 left_out; /* by sampling, or as they are not asked for */
	__u64 lost;	/* as the ring was full */
};

/*
 * What a watcher wants to be told of: packets of that direction that match all of it. Addresses in
 * network order and masked, as are the masks; 0..65535: any port.
 */
#define BP_WANTED 4096 /* at most; each is compared with each packet */
struct bp_wanted {
	__u32 remote[4], remote_mask[4], local[4], local_mask[4];
	__u16 rport_lo, rport_hi, lport_lo, lport_hi;
	__u8 dir, family; /* enum bp_dir, enum bp_family */
	__u8 proto;
	__u8 flags; /* enum bp_flags: BPT_PROTO, BPT_PORTS, and of BPT_L4 what is asked for at all
		     */
	__u8 any;   /* of any family, and also what cannot be read: no more than the above is asked
		       for */
	__u8 pad[3];
};

_Static_assert(sizeof(struct bp_event) == 112, "bp_event");

#endif
