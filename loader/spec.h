/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rule language (the grammar is in the comment above spec.c): text to struct rule and back.
 * Reads no list files; they are named in the rule (END_FILE) and read by the store. Looks names
 * up in /etc/protocols and /etc/services, nothing else.
 */
#ifndef BPFPOL_SPEC_H
#define BPFPOL_SPEC_H

#include "diag.h"
#include "policy.h"

/* What a caller already knows of the rule, and what it allows. */
struct spec_opts {
	int action;	      /* enum bp_action given by the command; -1: the text begins with it */
	bool action_optional; /* `remove`: with action == -1, the text may begin with one; if it
				 does not, *has_action is set false */
	bool *has_action;     /* may be NULL */
	struct spec_said *said; /* may be NULL; set where the rule is one */
};

/* What stands in a rule's words, and not in the rule. */
struct spec_said {
	bool dir;  /* a direction */
	bool bare; /* its address stands alone, and is that of the remote end, whichever that is */
};

/*
 * A rule from command arguments: each argument is a word, and `name` takes the next one whole.
 * One argument alone that holds blanks is read by spec_parse_line(). -EINVAL with the diag's
 * place in the arguments joined by blanks, -ENOMEM.
 */
int spec_parse_args(int argc, char *const *argv, const struct spec_opts *opts, struct rule **rule,
	struct diag *diag);

/* A rule from one line of a file, or from one quoted argument. `name` is followed by "TEXT". */
int spec_parse_line(
	const char *line, const struct spec_opts *opts, struct rule **rule, struct diag *diag);

/*
 * A packet in words (the grammar is in the comment above spec_packet.c), as a rule that matches
 * one packet alone: it has a direction, a protocol, two single addresses of one family, or `me` at
 * the local end, and one port each or a type and a code, if need be those that are usual.
 */
struct spec_packet {
	struct rule *rule;
	char *text; /* as written */
	struct spec_place {
		size_t at, width;
	} on, me; /* in the text: the interface's name, and `me`; width 0: not given */
};
int spec_parse_packet(int argc, char *const *argv, struct spec_packet *packet, struct diag *diag);
/* Only the words that say where packets are seen: [in | out] [on IFACE]. */
int spec_parse_where(int argc, char *const *argv, struct spec_packet *packet, struct diag *diag);
void spec_packet_free(struct spec_packet *packet);

/*
 * Completion: each word that may stand behind argv and begins with `begun` goes to put(), with what
 * it is. What may stand there is asked of the parser itself. Returns what the language has no
 * list of: enum spec_next.
 */
enum spec_text_kind { SPEC_RULE, SPEC_REMOVED, SPEC_PACKET, SPEC_SEEN };
enum spec_next {
	SPEC_NEXT_IFACE = 1 << 0, /* the name of an interface */
	SPEC_NEXT_FILE = 1 << 1,  /* behind the @ of `begun`, the name of a file */
	SPEC_NEXT_VALUE = 1 << 2, /* a value, and no word of the language */
};
typedef void spec_put(const char *word, const char *what, void *arg);
unsigned int spec_complete(enum spec_text_kind kind, int argc, char *const *argv, const char *begun,
	spec_put *put, void *arg);
/* The same for a DURATION. */
void spec_complete_duration(const char *begun, spec_put *put, void *arg);

/*
 * Canonical text of the rule; caller frees; NULL: no memory. Parses back to an equal rule.
 * SPEC_MATCH alone is what makes two rules the same: action, words, protocol, ends.
 */
enum spec_parts {
	SPEC_ACTION = 1 << 0,
	SPEC_MATCH = 1 << 1,
	SPEC_OPTIONS = 1 << 2, /* for, log, name; `for` only while no deadline was fixed */
};
#define SPEC_ALL (SPEC_ACTION | SPEC_MATCH | SPEC_OPTIONS)
char *spec_text(const struct rule *rule, unsigned int parts);

/* One address or prefix; `text` of `len` bytes. -EINVAL with *why set to a static sentence. */
int spec_parse_prefix(const char *text, size_t len, struct prefix *prefix, const char **why);
/* INET6_ADDRSTRLEN + 4 bytes are enough. Full-length prefixes print without a length. */
void spec_prefix_text(const struct prefix *prefix, char *buf, size_t size);
/* The number, or the built-in name (tcp); buf of 16 bytes is enough. */
const char *spec_proto_text(int proto, char *buf, size_t size);
/* The family (4 or 6) that alone has this protocol, and why; 0: both have it. */
int proto_family(int proto, const char **why);

/* UTF-8 without control characters: what can be printed on a line and in JSON. */
bool text_is_printable(const char *text);

/* Seconds of 90s, 15m, 2h, 7d. -EINVAL. */
int spec_parse_duration(const char *text, uint64_t *seconds);

/*
 * The contents of an address list: one address or prefix a line, # comments. On bad lines -EINVAL
 * and the diag names the first 20 and counts the rest; `file` is used in messages only.
 */
int spec_parse_list(
	const char *file, const char *text, size_t len, struct prefixes *list, struct diag *diag);

#endif
