/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the kernel side (bpf/) and the loader (loader/): every key, value and
 * number that both read. A change of any layout here is a change of BP_ABI, and pins of another
 * BP_ABI are rebuilt from disk.
 *
 * How a packet is judged: pruned tuple-space search. A filter is one match of one family and one
 * direction. Its two ends are called remote and local (remote = source for what arrives,
 * destination for what leaves), so that both directions share keys, ranks and code. A tuple is
 * one combination of masks: which bits of both addresses, of the protocol and of the ports stand
 * in the key. The packet, masked by a tuple, is looked up in one hash map per family; what cannot
 * stand in a key (ranges, me, interface, deadline) is compared in the element found. Filters of
 * one tuple and equal key are chained by a slot number, without holes. Of all that match, the
 * highest rank wins, and on a tie the lower rule id.
 *
 * Byte order: addresses are in network order, ports and everything else in host order.
 */
#ifndef BPFPOL_ABI_H
#define BPFPOL_ABI_H

#include <linux/types.h>

#define BP_ABI 1

#define BP_TUPLES 64  /* per direction and family: one word of bits */
#define BP_CHAIN 1024 /* filters that may share a tuple and a key */

enum bp_dir { BP_IN, BP_OUT, BP_DIRS };
/* Where programs stand. TC_* and L3_* are TC; L3_*: on devices without Ethernet header. */
enum bp_hook { BP_XDP, BP_TC_IN, BP_TC_OUT, BP_L3_IN, BP_L3_OUT, BP_HOOKS };
enum bp_family { BP_V4, BP_V6, BP_FAMILIES };
enum bp_action { BP_BLOCK, BP_PERMIT, BP_COUNT, BP_ACTIONS };

/*
 * Sets of tuples that are searched for different ends. DECIDE: block and permit, the best one
 * wins. TALLY: count rules, each match counts. SHADOW: for packets cut before their ports or
 * type: one element per (addresses, protocol, interface) of the block and permit filters that
 * ask for ports or a type; it says only that such a filter is there. BLIND: the same without the
 * protocol, for IPv6 packets whose extension headers hide even that.
 */
enum bp_kind { BP_DECIDE, BP_TALLY, BP_SHADOW, BP_BLIND, BP_KINDS };

/* What a tuple asks of a packet beside its masked addresses. */
enum bp_tuple_flags {
	BPT_PROTO = 1 << 0,  /* the protocol stands in the key */
	BPT_RPORT = 1 << 1,  /* remote port (ICMP: code) stands in the key */
	BPT_LPORT = 1 << 2,  /* local port (ICMP: type) stands in the key */
	BPT_RRANGE = 1 << 3, /* remote port is compared with rport_lo..rport_hi of the element */
	BPT_LRANGE = 1 << 4, /* local port likewise */
	BPT_ME = 1 << 5,     /* the local end is this host itself */
	BPT_FIELDS = 1 << 6, /* it asks for anything at all beside direction and interface */
	BPT_PORTS = 1 << 7,  /* no protocol, but ports: one that has ports */
};
#define BPT_L4 (BPT_RPORT | BPT_LPORT | BPT_RRANGE | BPT_LRANGE) /* ports or type must be known */

/*
 * tuple: number of the tuple (0..63) | direction << 6. slot: place in the chain, from 0.
 * Fields that the tuple masks out are 0. For ICMP and ICMPv6 lport holds the type, rport the code.
 */
struct bp_key4 {
	__u8 tuple, proto;
	__u16 slot;
	__u32 remote, local;
	__u16 rport, lport;
};

struct bp_key6 {
	__u8 tuple, proto;
	__u16 slot;
	__u32 remote[4], local[4];
	__u16 rport, lport;
};

/*
 * An element of rules4 and rules6: one filter. The data path adds to packets and bytes; nothing
 * else in a live element is ever written again. An element whose rule has other elements, or a
 * deadline, is live only while its gate is open, so that all of them begin and end at once.
 * rule == 0: a dead element that keeps the chain whole.
 * In BP_SHADOW and BP_BLIND tuples print is the number of filters that the element stands for.
 */
struct bp_elem {
	__u64 packets, bytes;
	__u64 rank;    /* bp_rank() */
	__u64 print;   /* fingerprint of the rule's canonical text without its action */
	__u32 rule;    /* id */
	__u32 gate;    /* index into gates; 0: always live */
	__u32 ifindex; /* 0: any */
	__u16 rport_lo, rport_hi, lport_lo, lport_hi;
	__u8 action, pad[3];
};

/*
 * What of a packet stands in the key: each field, masked. Addresses in network order, IPv4 in [0].
 * bound: no rank in the tuple is higher.
 */
struct bp_tuple {
	__u64 bound;
	__u32 rmask[4], lmask[4];
	__u16 rport_mask, lport_mask;
	__u8 proto_mask;
	__u8 flags, rlen, llen;
	__u32 chain; /* most elements of one key: 1 = slot 0 only */
	__u32 kind;
};

/*
 * The one element of `tables`: a generation's tuples and, below, the loader's own notes on it.
 * live: bit n set = tuple n holds elements. It is written last when a tuple appears and first
 * when it goes.
 */
struct bp_tables {
	__u64 live[BP_DIRS][BP_FAMILIES][BP_KINDS];
	struct bp_tuple tuple[BP_DIRS][BP_FAMILIES][BP_TUPLES];
	/* The loader's notes; the kernel side never reads them. */
	__u32 used[BP_DIRS][BP_FAMILIES][BP_TUPLES]; /* elements in each tuple, dead ones too */
	__u64 named[BP_DIRS]
		   [BP_FAMILIES]; /* tuples that have masks: a number is never given twice */
	__u64 elements[BP_FAMILIES];
	__u64 gates; /* given out so far; numbers begin at 1 */
	__u64 rules, filters;
	__u64 dirty; /* a change is under way; found set by the next command, it rebuilds */
	__u64 state_inode, state_mtime; /* of the state file that this generation stands for */
	__u64 journal;			/* bytes of the journal that are in force here */
	__u64 links;  /* fingerprint of the interfaces' names and numbers, if a rule names one */
	__u64 folded; /* `base` holds the final counts of the generation before this one */
};

/* A gate: the CLOCK_BOOTTIME nanosecond until which its rule is live. */
#define BP_GATE_SHUT 0ULL
#define BP_GATE_OPEN (~0ULL)

/*
 * The one element of `ctl`, shared by all generations. generation: the one that judges, loaded in
 * slot generation & 1 of the program arrays; 0 = none, all passes. A store to it switches every
 * hook at once.
 */
struct bp_ctl {
	__u64 off;
	__u64 generation;
	__u64 abi;
	__u64 next_id; /* the loader's: the next rule's id */
};

/* Where a hook's classifier of that generation stands in xdp_generations or tc_generations. */
static inline __u32 bp_slot(__u32 hook, __u64 generation)
{
	return hook * 2 + (generation & 1);
}

/* Per-CPU `totals`, one element per direction. malformed is a part of passed + blocked. */
struct bp_totals {
	__u64 passed, blocked, malformed;
};

/* Counters of a rule, kept in `base` over a switch of generations. */
struct bp_count {
	__u64 packets, bytes;
};

/* What a frame was read as. */
enum bp_reading {
	READ_EXEMPT, /* not IP, or neighbour discovery: passes */
	READ_WHOLE,
	READ_CUT,    /* ends before its ports or type */
	READ_BLIND,  /* its extension headers cannot be walked: not even the protocol is known */
	READ_BAD,    /* lengths lie: only the fixed header counts */
	READ_OPAQUE, /* not even the fixed header: a fifth VLAN tag, a cut IP header */
};

/*
 * The one element of `answer`: what a classifier that was loaded to explain says of the packet.
 * It counts nothing. rule: the one that wins; 0: none matches, or `hidden`: blocked as it is too
 * short for a rule that asks for what it lacks. me: whether the local end is this host itself.
 */
struct bp_answer {
	__u32 rule;
	__u8 reading; /* enum bp_reading */
	__u8 blocked, hidden, me;
};

/* Rank of an end's prefix: longer wins; `me` stands just below a full-length address. */
static inline __u64 bp_rank_prefix(unsigned int len, unsigned int full, int me)
{
	return me ? full : len == full ? full + 1 : len;
}

/* Rank of a port: one port, then ranges by size (smaller first), then none. hi < lo: none. */
static inline __u64 bp_rank_port(unsigned int lo, unsigned int hi)
{
	return hi < lo ? 0 : 0x10000 - (hi - lo);
}

/*
 * "Which rule wins", field by field from the most significant bit. remote and local come from
 * bp_rank_prefix(), ports from bp_rank_port(); an ICMP type stands in lport and its code in
 * rport, as single ports do. iface, proto, emergency, dynamic: given or not.
 */
struct bp_rank_of {
	__u64 remote, local, lport, rport;
	int emergency, iface, proto, dynamic, block;
};

static inline __u64 bp_rank(const struct bp_rank_of *r)
{
	__u64 rank = !!r->emergency;

	rank = rank << 8 | r->remote;
	rank = rank << 8 | r->local;
	rank = rank << 1 | !!r->iface;
	rank = rank << 1 | !!r->proto;
	rank = rank << 17 | r->lport;
	rank = rank << 17 | r->rport;
	rank = rank << 1 | !!r->dynamic;
	rank = rank << 1 | !!r->block;
	return rank << 1 | 1; /* never 0, which is the rank of no match */
}

_Static_assert(sizeof(struct bp_key4) == 16, "bp_key4");
_Static_assert(sizeof(struct bp_key6) == 40, "bp_key6");
_Static_assert(sizeof(struct bp_elem) == 56, "bp_elem");
_Static_assert(sizeof(struct bp_tuple) == 56, "bp_tuple");
_Static_assert(sizeof(struct bp_ctl) == 32, "bp_ctl");
_Static_assert(sizeof(struct bp_answer) == 8, "bp_answer");

#endif
