/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the kernel side (bpf/) and the loader (loader/): every key, value and
 * number that both read. A change of any layout here is a change of BP_ABI, and pins of another
 * BP_ABI are rebuilt from disk.
 *
 * How a packet is judged: pruned, merged tuple-space search. A filter is one match of one family
 * and one direction. Its two ends are called remote and local (remote = source for what arrives,
 * destination for what leaves), so that both directions share keys, ranks and code. A tuple is one
 * combination of masks: which bits of both addresses, of the protocol and of the ports stand in the
 * key. The packet, masked by a tuple, is looked up in one hash table per family; what does not
 * stand in the key (ranges, me, interface, deadline, and in a merged tuple the rest of the
 * addresses) is compared in the element found. Filters of one tuple and equal key are chained. Of
 * all that match, the highest rank wins, and on a tie the lower rule id.
 *
 * The hash table is one array of elements. A key's hash names the element where its search begins,
 * its home. While no packet reads the array yet, an element whose home is empty is put there, so
 * that most are found with one access. All others are chained behind their homes: the loader, which
 * has the array mapped and is the only writer, fills an element that nobody can reach, then links
 * it in one store. A packet finds it whole or not at all. What is taken out has no rule from then
 * on, is unlinked in one store if it is no home, and is never used again in this generation, so a
 * packet that still holds it does no harm. The kernel's own hash map costs 20 ns a lookup more, and
 * a system call a change.
 *
 * Two things say beforehand that a lookup is in vain: `sets`, which names by bits of the packet the
 * tuples that can still match, and `present`, two bits for each key that is in the table. Both may
 * say yes where no is true, never no where yes is. Bits are set before the element goes in.
 *
 * Byte order: addresses are in network order, ports and everything else in host order.
 */
#ifndef BPFPOL_ABI_H
#define BPFPOL_ABI_H

#include <linux/types.h>

#define BP_ABI 14

#define BP_NAME 256   /* bytes of a name, its end included */
#define BP_TUPLES 64  /* per direction, family and space: one word of bits */
#define BP_CHAIN 1024 /* filters that may share a tuple and a key */
/* Elements of a chain, which holds those of all keys of one home. */
#define BP_CHAINED (2 * BP_CHAIN)
/* What a search may look at: no more than that can be there. */
#ifndef BP_STEPS
#define BP_STEPS (BP_TUPLES * BP_CHAINED)
#endif

enum bp_dir { BP_IN, BP_OUT, BP_DIRS };
/*
 * Where programs stand. GENERIC is XDP without the driver's help: there a program for frames of
 * several buffers (xdp.frags) would spoil the frame for all who come later (kernel 6.18).
 * TC_* and L3_* are TC; L3_*: on devices without Ethernet header.
 */
enum bp_hook { BP_XDP, BP_GENERIC, BP_TC_IN, BP_TC_OUT, BP_L3_IN, BP_L3_OUT, BP_HOOKS };

static inline int bp_hook_is_xdp(int hook)
{
	return hook == BP_XDP || hook == BP_GENERIC;
}

/* The first program in an array of them settles which others fit: so there are three of each. */
enum bp_array { BP_ARRAY_XDP, BP_ARRAY_GENERIC, BP_ARRAY_TC, BP_ARRAYS };

static inline enum bp_array bp_array_of(int hook)
{
	return hook == BP_XDP ? BP_ARRAY_XDP : hook == BP_GENERIC ? BP_ARRAY_GENERIC : BP_ARRAY_TC;
}

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

/* Tuples are numbered in two spaces: those that every packet is searched in, and those of packets
 * that are cut. */
enum bp_space { BP_SPACE_ALL, BP_SPACE_CUT, BP_SPACES };

static inline enum bp_space bp_space_of(enum bp_kind kind)
{
	return kind == BP_SHADOW || kind == BP_BLIND ? BP_SPACE_CUT : BP_SPACE_ALL;
}

/*
 * What a filter asks of a packet beside the addresses in its key. A tuple's flags are those that
 * all of its filters have: a packet that lacks one of them need not be looked up.
 */
enum bp_flags {
	BPT_PROTO = 1 << 0,  /* the protocol, which always stands in the key */
	BPT_RPORT = 1 << 1,  /* one remote port (ICMP: code) */
	BPT_LPORT = 1 << 2,  /* one local port (ICMP: type) */
	BPT_RRANGE = 1 << 3, /* a range of remote ports: rport_lo..rport_hi of the element */
	BPT_LRANGE = 1 << 4, /* a range of local ports, likewise */
	BPT_ME = 1 << 5,     /* the local end is this host itself */
	BPT_FIELDS = 1 << 6, /* it asks for anything at all beside direction and interface */
	BPT_PORTS = 1 << 7,  /* no protocol, but ports: one that has ports */
};
#define BPT_L4 (BPT_RPORT | BPT_LPORT | BPT_RRANGE | BPT_LRANGE) /* ports or type must be known */

/*
 * A key is words: this one, then the addresses, 8 bytes of them a word, the first 4 in the lower
 * half. tuple: bp_key_tuple(). What the tuple masks out is 0. For ICMP and ICMPv6 lport is the
 * type, rport the code. Made in registers: bytes that are stored one by one and loaded as a word
 * stall the CPU.
 */
static inline __u64 bp_key_head(__u8 tuple, __u8 proto, __u16 rport, __u16 lport)
{
	return tuple | proto << 8 | (__u64)rport << 16 | (__u64)lport << 32;
}

static inline __u64 bp_key_word(__u32 first, __u32 second)
{
	return first | (__u64)second << 32;
}

#define BP_KEY4 2 /* words */
#define BP_KEY6 5

static inline __u8 bp_key_tuple(__u32 dir, __u32 space, __u32 number)
{
	return space << 7 | dir << 6 | number;
}

/* Multiplications side by side, as the CPU does them; the last one mixes what they gave. */
static inline __u64 bp_hash(const __u64 *key, int words)
{
	__u64 h = key[0] * 0x9e3779b97f4a7c15ULL;

	for (int i = 1; i < words; i++) {
		__u64 m = (key[i] ^ key[i] >> 32) * (0xd6e8feb86659fd93ULL * (2 * i + 1));

		h ^= m << 13 * i | m >> (64 - 13 * i);
	}
	h = (h ^ h >> 32) * 0xff51afd7ed558ccdULL;
	return h ^ h >> 32;
}

/* The hash's upper half says which of so many homes, the lower half which bits of `present`. */
static inline __u32 bp_home(__u64 hash, __u32 homes)
{
	return 1 + ((hash >> 32) * homes >> 32);
}

/* A key's bits of `present` stand in one word, as two are wrong less often than one. */
static inline __u32 bp_present_word(__u64 hash, __u32 mask)
{
	return (__u32)hash >> 12 & mask;
}

static inline __u64 bp_present_bits(__u64 hash)
{
	return 1ULL << (hash & 63) | 1ULL << (hash >> 6 & 63);
}

/*
 * What the elements of elems4 and elems6 begin with: one filter. Number 0 is never given out, homes
 * begin at 1, and those that are only chained come behind them. The data path adds to packets and
 * bytes; of the rest only next, and print in a shadow, change while the element is live. An element
 * whose rule has a deadline is live only while its gate is open, so that all of them end at once.
 * check: more than the key must be compared. next: of the chain; 0 ends it, and in a home it counts
 * whether an element is there or not. A chain holds all elements of its home's keys; without
 * BP_MORE none of this one's key comes behind it. In BP_SHADOW and BP_BLIND tuples print is the
 * number of filters that the element stands for.
 */
#define BP_MORE (1U << 31)

struct bp_elem {
	__u64 packets, bytes;
	__u64 rank;	  /* bp_rank(); also tells the lengths of both prefixes */
	__u32 rule;	  /* id; 0: no filter, or not any more */
	__u32 ifindex;	  /* 0: any */
	__u32 print : 24; /* fingerprint of the rule's canonical text without its action */
	__u32 flags : 8;  /* enum bp_flags */
	__u32 gate : 24;  /* index into gates; 0: always live */
	__u32 action : 2; /* enum bp_action */
	__u32 check : 1;
	__u32 included : 1; /* the loader's: the rule is of a policy that another one includes */
	__u32 log : 1;	    /* whoever watches is told of each packet that it counts */
	__u32 : 3;
	__u16 rport_lo, rport_hi, lport_lo, lport_hi;
	__u32 next;	   /* number, and BP_MORE */
	__u8 tuple, proto; /* as in the key */
	__u16 pad; /* the loader's: of one that was taken out it tells, with print, the rule */
};

#define BP_GATES (1U << 24)
#define BP_PRINT ((1U << 24) - 1)

/* The addresses as the filter has them: the key of a merged tuple holds only a part of them. */
struct bp_elem4 {
	struct bp_elem e;
	__u32 remote, local;
};

struct bp_elem6 {
	struct bp_elem e;
	__u32 remote[4], local[4];
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
	__u8 flags; /* of all its filters */
	__u8 rlen, llen;
	__u8 kind;
	__u8 pad[15];
};

/*
 * What `sets` and `fine` are indexed by. Each set names the tuples that a packet with that index
 * can match, of those that are indexed so: all of whose filters ask for it.
 */
enum bp_index {
	BP_BY_REMOTE, /* the first bits of the remote address */
	BP_BY_LOCAL,
	BP_BY_PORT,   /* protocol and local port, where that is one port */
	BP_BY_LRANGE, /* the local port, 64 of them together */
	BP_BY_RRANGE, /* the remote port, likewise */
	BP_BY_PROTO,
	BP_BY_REMOTE_COARSE, /* IPv6: fewer bits of it, for shorter prefixes */
	BP_BY_REMOTE_MIDDLE, /* more bits of the address, for longer prefixes: these stand in `fine`
			      */
	BP_BY_REMOTE_FINE,   /* still more */
	BP_BY_LOCAL_FINE,
	BP_INDICES
};
#define BP_FINES (BP_INDICES - BP_BY_REMOTE_MIDDLE)

/* Bits of an address that an index looks at. Shorter prefixes have an entry for each value. */
#define BP_INDEX_LEN4 16
#define BP_INDEX_LEN6 32
#define BP_INDEX_LEAST6 20 /* prefixes shorter than that would have too many */
#define BP_COARSE_LEN6 16
#define BP_MIDDLE_LEN4 20
#define BP_MIDDLE_LEN6 40
#define BP_MIDDLE_SHORT 2 /* prefixes shorter by more bits than that are not in that index */
#define BP_FINE_LEN4 24	  /* nor are here any that are shorter */
#define BP_FINE_LEN6 48
#define BP_RANGES (65536 / 64)
#define BP_MOST_FINE 22 /* log2 of sets: as many bits the hash of those has */

/* How large a generation's tables are: log2 of sets and bits, and the number of elements. */
struct bp_sizes {
	__u32 index[BP_DIRS][BP_FAMILIES];	    /* sets by remote, local, port, as many each */
	__u32 fine[BP_DIRS][BP_FAMILIES][BP_FINES]; /* 0: nobody asks it */
	__u32 present[BP_FAMILIES];		    /* bits, at least 6 */
	__u32 homes[BP_FAMILIES];
	__u32 elems[BP_FAMILIES]; /* that are only chained, and number 0 */
	__u32 gates;
};

/* What follows from that: constants in the .rodata of a generation's programs. */
struct bp_layout {
	__u32 sets[BP_DIRS][BP_FAMILIES][BP_INDICES]; /* where each begins, in words */
	__u32 sets_words;			      /* of all */
	__u32 index_mask[BP_DIRS][BP_FAMILIES];
	__u32 fine[BP_DIRS][BP_FAMILIES][BP_FINES], fine_words; /* likewise */
	__u32 fine_mask[BP_DIRS][BP_FAMILIES][BP_FINES];
	__u32 present[BP_FAMILIES], present_words; /* likewise */
	__u32 present_mask[BP_FAMILIES], homes[BP_FAMILIES];
	__u32 ask_present[BP_FAMILIES]; /* few homes are in the caches themselves: 0 */
};

#define BP_FEW_HOMES 4096 /* 256 KB */

/* index_mask: the layout's, of IPv6. first: 32 bits of the address, in host order. */
static inline __u32 bp_coarse_mask(__u32 index_mask)
{
	return index_mask & ((1U << BP_COARSE_LEN6) - 1);
}

static inline __u32 bp_index_coarse(__u32 index_mask, __u32 first)
{
	return first >> (32 - BP_COARSE_LEN6) & bp_coarse_mask(index_mask);
}

/* The sets of one direction and family, one index after the other. */
static inline void bp_layout_sets(
	const struct bp_sizes *size, struct bp_layout *l, int dir, int family)
{
	const __u32 each = 1U << size->index[dir][family];
	const __u32 words[BP_INDICES] = {
		[BP_BY_REMOTE] = each,
		[BP_BY_LOCAL] = each,
		[BP_BY_PORT] = each,
		[BP_BY_LRANGE] = BP_RANGES,
		[BP_BY_RRANGE] = BP_RANGES,
		[BP_BY_PROTO] = 256,
		[BP_BY_REMOTE_COARSE] = family == BP_V6 ? bp_coarse_mask(each - 1) + 1 : 0,
	};

	for (int i = 0; i < BP_INDICES; i++) {
		l->sets[dir][family][i] = l->sets_words;
		l->sets_words += words[i];
	}
	l->index_mask[dir][family] = each - 1;
	for (int i = 0; i < BP_FINES; i++) {
		l->fine[dir][family][i] = l->fine_words;
		l->fine_words += 1U << size->fine[dir][family][i];
		l->fine_mask[dir][family][i] = (1U << size->fine[dir][family][i]) - 1;
	}
}

static inline void bp_layout_of(const struct bp_sizes *size, struct bp_layout *l)
{
	l->sets_words = l->fine_words = l->present_words = 0;
	for (int dir = 0; dir < BP_DIRS; dir++)
		for (int family = 0; family < BP_FAMILIES; family++)
			bp_layout_sets(size, l, dir, family);
	for (int family = 0; family < BP_FAMILIES; family++) {
		l->present[family] = l->present_words;
		l->present_words += 1U << (size->present[family] - 6);
		l->present_mask[family] = (1U << (size->present[family] - 6)) - 1;
		l->homes[family] = size->homes[family];
		l->ask_present[family] = size->homes[family] > BP_FEW_HOMES;
	}
}

/*
 * Where in an index's sets; masks: the layout's. first: 32 bits of the address, second: those
 * behind them, in host order.
 */
static inline __u32 bp_index_address(__u32 index_mask, __u32 family, __u32 first)
{
	__u32 bits = family == BP_V4 ? first >> (32 - BP_INDEX_LEN4) : first * 0x9e3779b1U >> 12;

	return bits & index_mask;
}

/* len: bits of the address that are looked at, of IPv6 more than 32. */
static inline __u32 bp_index_bits(
	__u32 fine_mask, __u32 family, __u32 len, __u32 first, __u32 second)
{
	__u32 bits = family == BP_V4 ? (first >> (32 - len)) * 0x9e3779b1U
				     : first * 0x9e3779b1U ^ (second >> (64 - len)) * 0x85ebca6bU;

	return bits >> (32 - BP_MOST_FINE) & fine_mask;
}

static inline __u32 bp_index_fine(__u32 fine_mask, __u32 family, __u32 first, __u32 second)
{
	return bp_index_bits(
		fine_mask, family, family == BP_V4 ? BP_FINE_LEN4 : BP_FINE_LEN6, first, second);
}

static inline __u32 bp_index_middle(__u32 fine_mask, __u32 family, __u32 first, __u32 second)
{
	return bp_index_bits(fine_mask, family, family == BP_V4 ? BP_MIDDLE_LEN4 : BP_MIDDLE_LEN6,
		first, second);
}

static inline __u32 bp_index_port(__u32 index_mask, __u32 proto, __u32 port)
{
	return (port ^ proto * 0x9e5U) & index_mask;
}

/*
 * The one element of `tables`: a generation's tuples and, below, the loader's own notes on it.
 * live: bit n set = tuple n holds elements. It is written last when a tuple appears and first
 * when it goes. indexed: bit n set = tuple n of BP_SPACE_ALL stands in the sets of that index.
 * sorted: those BP_DECIDE tuples whose bound lies above that of no tuple of a lower number: where
 * one cannot win any more, those of them behind it cannot either. asked: tuples for which, where
 * the first ones of the remote address have left no other, the remaining indices are worth asking;
 * a bit too many costs time, as does one too few.
 */
struct bp_tables {
	__u64 live[BP_DIRS][BP_FAMILIES][BP_KINDS];
	__u64 indexed[BP_DIRS][BP_FAMILIES][BP_INDICES];
	__u64 sorted[BP_DIRS][BP_FAMILIES];
	__u64 asked[BP_DIRS][BP_FAMILIES];
	__u64 withheld; /* a rule's id: its elements do not match, so that all begin and end at once
			 */
	struct bp_tuple tuple[BP_DIRS][BP_FAMILIES][BP_SPACES][BP_TUPLES];
	/* The loader's notes; the kernel side never reads them. */
	struct bp_sizes sizes;
	/* elements in each tuple */
	__u32 used[BP_DIRS][BP_FAMILIES][BP_SPACES][BP_TUPLES];
	/* tuples that have masks: a number is never given twice */
	__u64 named[BP_DIRS][BP_FAMILIES][BP_SPACES];
	__u32 given[BP_FAMILIES]; /* elements given out so far behind the homes */
	__u64 gates;		  /* given out so far; numbers begin at 1 */
	__u64 rules, filters;
	__u64 dirty; /* a change is under way; found set by the next command, it rebuilds */
	__u64 state_inode, state_mtime; /* of the state file that this generation stands for */
	__u64 journal;			/* bytes of the journal that are in force here */
	__u64 links;	/* fingerprint of the interfaces' names and numbers, if a rule names one */
	__u64 folded;	/* `base` holds the final counts of the generation before this one */
	__u64 programs; /* fingerprint of what its classifiers were loaded from; 0: of several */
	char policy[BP_NAME]; /* the policy's name; "": none */
};

#define BP_OFF (~0ULL)

/* A gate: the CLOCK_BOOTTIME nanosecond until which its rule is live. */
#define BP_GATE_SHUT 0ULL
#define BP_GATE_OPEN (~0ULL)

/*
 * The one element of `ctl`, shared by all generations. generation: the one that judges, loaded in
 * slot generation & 1 of the program arrays; 0: no rules were ever put in force, and a generation
 * without any judges, if it is loaded. A store to it switches every hook at once. dynamic: the same
 * of the layer of dynamic rules, 0 while it has none, which has arrays of its own that are pinned
 * nowhere; dynamic_map: their ids. When the process that holds the layer is gone,
 * dynamic stays as it is and the arrays are empty.
 *
 * A generation may await confirmation: then confirm_of is its number, and from confirm_by on
 * (CLOCK_BOOTTIME, ns) the one before it judges, which is still loaded in the other slot. While
 * confirm_of is another number than `generation` it says nothing to the kernel side, so that one
 * store to `generation` begins a time of trial, or ends it by going back. To the loader confirm_of
 * == generation + 1 says that the generation of that number has not been cleared away yet.
 *
 * off: 0, or until when all passes (CLOCK_BOOTTIME, ns); BP_OFF: until the loader says otherwise.
 */
struct bp_ctl {
	__u64 off;
	__u64 generation;
	__u64 dynamic;
	__u64 abi;
	__u64 next_id; /* the loader's: the next rule's id */
	__u64 confirm_of, confirm_by;
	__u32 dynamic_map[BP_ARRAYS];
	__u32 pad;
	__u64 netns; /* the loader's: inode of the network namespace whose interfaces are filtered
		      */
	/* The loader's: the store whose rules are in force, by its number; 0: it is not known. */
	__u64 store;
	char store_dir[BP_NAME]; /* where that is; may be cut */
};

/* Where a hook's classifier of that generation stands in the program array of its kind. */
static inline __u32 bp_slot(__u32 hook, __u64 generation)
{
	return hook * 2 + (generation & 1);
}

/* And in those of the dynamic layer the program that counts what its classifier has left. */
static inline __u32 bp_count_slot(__u32 hook, __u64 generation)
{
	return BP_HOOKS * 2 + bp_slot(hook, generation);
}

/* Beside the classifiers: what tells a watcher of a packet (event.h), while there is one. */
static inline __u32 bp_watch_slot(__u32 hook)
{
	return BP_HOOKS * 2 + hook;
}

#define BP_SLOTS (BP_HOOKS * 3)
#define BP_DYNAMIC_SLOTS (BP_HOOKS * 4)

/*
 * Per-CPU `totals`, one element per direction. malformed is a part of passed + blocked; unfinished:
 * searches that ended at BP_STEPS, as a chain was longer than any that the loader makes.
 */
struct bp_totals {
	__u64 passed, blocked, malformed, unfinished;
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
 * It counts nothing. rule: the one that wins, of the layer that was asked, and its rank; 0: none
 * matches, or `hidden`: blocked as it is too short for a rule that asks for what it lacks. me:
 * whether the local end is this host itself. until: when that rule ends; 0: it does not. moment:
 * what the classifier is told: at which time the packet would come; 0: now. Both are CLOCK_BOOTTIME
 * nanoseconds.
 */
struct bp_answer {
	__u64 rank;
	__u64 moment, until;
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

#define BP_RANK_REMOTE_SHIFT 47
#define BP_RANK_LOCAL_SHIFT 39

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

/* The lengths of a filter's prefixes, from its rank. full: 32 or 128. */
static inline __u32 bp_rank_len(__u64 rank, __u32 shift, __u32 full)
{
	__u32 place = rank >> shift & 0xff;

	return place > full    ? full
	       : place == full ? 0
			       : place; /* full: `me`, which has no prefix */
}

_Static_assert(sizeof(struct bp_elem4) == 64, "bp_elem4: one cache line");
_Static_assert(sizeof(struct bp_elem6) == 88, "bp_elem6");
_Static_assert(sizeof(struct bp_tuple) == 64, "bp_tuple: one cache line");
_Static_assert(sizeof(struct bp_ctl) == 88 + BP_NAME, "bp_ctl");
_Static_assert(__builtin_offsetof(struct bp_totals, blocked) == sizeof(__u64),
	"bp_totals: blocked is second");
_Static_assert(sizeof(struct bp_answer) == 32, "bp_answer");

#endif
