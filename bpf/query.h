/* SPDX-License-Identifier: GPL-2.0-only */
/* What is known of the packet that is being judged: one for each CPU, shared by all programs. */
#ifndef BPFPOL_QUERY_H
#define BPFPOL_QUERY_H

#include <stdbool.h>

#include "abi.h"
#include "event.h"

/*
 * By distance, not by direction: remote is the source of what arrives. It begins with lacks =
 * 0xff: nothing is known.
 */
struct packet {
	__u32 remote[4], local[4]; /* network order; IPv4 in [0] */
	__u16 rport, lport;	   /* host order; for ICMP lport = type, rport = code */
	__u8 family;		   /* enum bp_family */
	__u8 proto;
	__u8 lacks;    /* tuples with any of these flags ask for what is not known of this packet */
	__u8 jumbo;    /* IPv6: it says to be a jumbogram, which it cannot be */
	__u16 headers; /* bytes before the header that holds the ports or the type */
};

/*
 * What the dynamic classifier leaves to the static one, to be judged together with what that one
 * finds. asked: there is something, LEFT_ODD: in a dynamic generation of an odd number. It is 0
 * except while one of the two jumps to the other, so that who was not jumped to has nothing to
 * clear. rank: of the best dynamic rule that matches, 0: none does; elem: its element, own: its id,
 * as the rule may be taken out before it is counted. tally: dynamic count rules may match, but have
 * not been searched, as the static layer may yet find the packet cut before what a rule asks for,
 * when none counts.
 */
struct left {
	__u64 rank;
	__u32 elem, own;
	__u32 rule; /* the static layer's, if the dynamic one does not win */
	__u8 asked, action;
	bool tally;
	/* By who has judged, to the program that counts: */
	bool wins;    /* the dynamic rule does */
	bool blocked; /* if it does not */
};

#define LEFT_ANY 1
#define LEFT_ODD 2

/*
 * The packet, and how far the search is. Kept in a map, not on the stack: the verifier follows
 * every known value on the stack through every round of the loop (a million instructions), but
 * knows nothing of what a map holds.
 */
struct query {
	struct packet p;
	__u32 reading; /* enum bp_reading */
	__u32 ifindex, withheld;
	__u64 bytes, packets; /* that this packet counts for; bytes: see bytes_of() */
	bool malformed;
	bool hidden; /* blocked, as a rule asks for what the packet does not show */
	__s8 me;     /* whether the local end is this host; -1: not asked yet */

	__u64 todo; /* tuples still to probe */
	/*
	 * next: the element of the probed tuple's chain, if not 0. Not beside best_rank: the
	 * compiler would set both to 0 in pieces of which best_rank is not loaded as one.
	 */
	__u32 next, tuple;
	__u64 best_rank;
	/* Of the best, for those who have no pointer to it. */
	__u32 best_rule;
	__u32 best_elem; /* the dynamic classifier's */
	__u8 best_action;
	bool blocked; /* the verdict that was counted, to who watches */
	__u64 now;    /* CLOCK_BOOTTIME; 0: not read yet */
	struct left left;

	/* Rules with `log` that count this packet: how many there are, and which. */
	__u32 log_rule[BP_LOGGED];
	__u8 logged;
};

#endif
