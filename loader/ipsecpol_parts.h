/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of ipsecpol's arguments (ipsecpol*.c) share. Nothing else includes this. */
#ifndef BPFPOL_IPSECPOL_PARTS_H
#define BPFPOL_IPSECPOL_PARTS_H

#include "ipsecpol.h"
#include "spec_parts.h"

/* A SPEC as it is written, cut at its signs. What is not there is empty (len 0). */
struct cut {
	struct span whole; /* with its brackets */
	struct span inner; /* without */
	char bracket;	   /* '(', '[' or 0 */
	char sign;	   /* '=' or '+' */
	struct span addr[2], mask[2], port[2], proto;
	bool v6[2]; /* the address stood in [..], which addr leaves out */
};

enum filt_kind { FILT_ME, FILT_ANY, FILT_PREFIX, FILT_NAME };

struct filt_end {
	enum filt_kind kind;
	struct prefix prefix; /* FILT_PREFIX */
	struct span name;     /* FILT_NAME */
	int port;	      /* -1: any */
};

/* A SPEC as it is meant. left is the source of what is matched, right the destination. */
struct filt {
	struct span at;
	int action; /* enum bp_action, or -1: -n says */
	bool mirrored;
	int proto;
	struct filt_end left, right;
	const char *label; /* -r's; NULL: none */
};

/* ipsecpol_spec.c: the SPEC that stands at `index` of the words. */
int filt_parse(
	const struct words *words, size_t index, const struct ipsecpol_env *env, struct filt *filt);

/* ipsecpol_hint.c: what is wrong with a SPEC, and how it is written. Return -EINVAL. */
/* A file's name, which a shell puts in the place of a SPEC that is not in quotes. 0: it is none. */
int shell_made(const struct words *words, struct span word, const struct ipsecpol_env *env);
int no_sign(const struct words *words, size_t index, const struct ipsecpol_env *env);
/* Words from `first` on are one SPEC with blanks. 0: they are not that. */
int split_spec(const struct words *words, size_t first);
/* The same where the word behind it can only be the end of one. */
int split_tail(const struct words *words, size_t index);
int blanks_inside(const struct words *words, struct span spec);
/* `*0=:1434:UDP`, as a widely copied manual has it. 0: it is not that. */
int misprint(const struct words *words, const struct cut *cut);
int missing_address(const struct words *words, const struct cut *cut, int end);
int too_many_colons(const struct words *words, const struct cut *cut, int end, struct span text);
int wrong_port(const struct words *words, const struct cut *cut, int end);
int port_without_proto(const struct words *words, const struct cut *cut, int end);
int proto_without_ports(const struct words *words, const struct cut *cut, int end, int proto);
int unknown_filt_proto(const struct words *words, struct span proto);
int wrong_address(const struct words *words, const struct cut *cut, int end);
/* A mask of that length behind what is no address in numbers, and has one of `right` by itself. */
int idle_mask(
	const struct words *words, const struct cut *cut, int end, uint8_t len, uint8_t right);
int wrong_wildcard(const struct words *words, struct span addr);

/* ipsecpol_rules.c: adds the filt's rules to out->policy, for each of those interfaces (n_links ==
 * 0: for any). */
struct rules_of {
	const struct words *words;
	const struct ipsecpol_env *env;
	char **links;
	size_t n_links;
	struct ipsecpol *out;
};
int filt_rules(const struct rules_of *of, struct filt *filt);

#endif
