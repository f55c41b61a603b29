/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the language share: spec*.c for rules, policy_text.c, policy_print.c and
 * policy_import.c for policies. Beside them ipsecpol*.c, which reads another language with the same
 * pieces, includes this, and report_watch.c.
 */
#ifndef BPFPOL_SPEC_PARTS_H
#define BPFPOL_SPEC_PARTS_H

#include <stdio.h>

#include "spec.h"

/* A piece of the text being read, and where its caret goes. */
struct span {
	const char *s; /* whole words end in a NUL, parts of words do not */
	size_t len;
	size_t at, width; /* in the text as written, with its quotes and escapes */
	bool quoted;
};

/* A text in words. */
struct words {
	char *text;  /* as written */
	char *plain; /* the words without quotes and escapes */
	struct span *v;
	size_t n;
	bool args; /* from arguments: the shell has taken the quotes away */
	struct diag *diag;
};

/* What could stand behind the last word: words of the language, and what is none of it. */
enum wanted_value {
	WANT_PROTO = 1 << 0,
	WANT_ADDRESS = 1 << 1,
	WANT_PORTS = 1 << 2,
	WANT_IFACE = 1 << 3,
	WANT_TIME = 1 << 4,
	WANT_OTHER = 1 << 5, /* what only the user knows: a number, a text */
};
struct wanted {
	const char *words[32];
	size_t n;
	unsigned int values; /* enum wanted_value */
};

/* A rule, or a packet, being read. */
struct parser {
	struct words words;
	size_t next;
	struct wanted *wanted; /* filled where the words end; NULL: nobody asks */
	bool ended;	       /* what fails is only that they end: more words could put it right */
	struct rule *rule;
	bool has_action;
	bool packet; /* its ends are one address each */
	/* Where each was given; width 0: not. */
	struct span dir, on, proto, ports, bare, from, to, from_ports, to_ports;
};

#define SHOWN 60 /* of a user's word, in a message */
#define SHOW(span) (int)((span).len < SHOWN ? (span).len : SHOWN), (span).s

/* spec_words.c */
int words_of_line(struct words *words, const char *line, struct diag *diag);
/* Of arguments, a word each; words_of_command(): one alone that holds blanks is a line. */
int words_of_args(struct words *words, int argc, char *const *argv, struct diag *diag);
int words_of_command(struct words *words, int argc, char *const *argv, struct diag *diag);
void words_free(struct words *words);

/* Says what is wrong with `at` (width 0: no place); returns -EINVAL. */
int spec_fail(const struct words *words, struct span at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

bool is_blank(char c);
bool is_digit(char c);
bool span_is(struct span span, const char *word);
bool span_is_nocase(struct span span, const char *word);
bool span_has(struct span span, char c);
struct span span_part(struct span span, size_t from, size_t len);
/* A name that a host can have; an address in digits is none. */
bool span_is_host(struct span span);
/* Longer than DNS has names, or with such a part: 253 and 63 bytes (RFC 1035). */
bool host_is_too_long(struct span span);
#define HOST_TOO_LONG "the name of a host has at most 253 bytes, and 63 between two dots"
/* A number in decimal digits; those above UINT32_MAX read as that. */
bool span_number(struct span span, uint32_t *value);
/* Whether an unquoted word of a line reads back as this text. */
bool text_is_word(const char *text);

/* spec_complete.c */
/* Where the words end, that this one, or such a value, could follow. */
void want_word(struct parser *p, const char *word);
void want_value(struct parser *p, enum wanted_value value);

/* spec.c */
/* All of a rule, and that nothing is left. */
int parse_rule(struct parser *p, const struct spec_opts *opts);
/* WORDS, into p->rule; and with the BODY behind them. */
int parse_where(struct parser *p);
int parse_match(struct parser *p);
/* That nothing is left. */
int parse_end(struct parser *p);
/* Both ends, and the protocol, must be of one family. */
int check_families(struct parser *p);

/* WORDS could follow. */
void want_where(struct parser *p);

/* spec_packet.c */
/* All of a packet, or of where packets are seen, and that nothing is left. */
int parse_packet(struct parser *p);
int parse_seen(struct parser *p);

/* spec_text.c */
/* In quotes, as it reads back. */
void put_quoted(FILE *out, const char *text);

/* spec_hint.c */
/* What to do about a word of the language that stands where it cannot; NULL: it is none. */
const char *advice_on(struct span word);
bool looks_like_address(struct span word);
/* The word that a misspelt first word of a policy's line is closest to, or NULL. */
const char *nearest_first_word(const char *word, size_t len);
/* A word with a slash behind the first `head` bytes: whether a protocol is missing, or in the place
 * of the ports. */
int check_slash(const struct parser *p, struct span word, size_t head);
/* Whether it is WORD=VALUE of a word that stands alone, with its value behind it. */
int check_equals(const struct words *words, struct span word);
/* Of PROTO/PORTS. */
int unknown_proto(const struct parser *p, struct span word);
/* Of a first word that is no keyword, protocol or address. */
int unknown_word(const struct parser *p, struct span word);
/* Where an address stands: what is wrong with that part of the word, unless it is a host's name. */
int no_address(const struct parser *p, struct span word, struct span part, const char *why);
/* After the end of the rule; bare: the ADDR that was its BODY. */
int unexpected_word(const struct words *words, struct span word, struct span bare);

/* spec_proto.c */
/* -ENOENT, with nothing said: no such protocol. */
int parse_proto(const struct words *words, struct span span, int *proto);
bool is_proto(struct span span);
/* The protocol that is built in, from 0 on; NULL: there is none with that number. */
const char *built_in_proto(int proto);
#define BUILT_IN_PROTOS 256
int parse_ports(const struct words *words, struct span span, int proto, struct ports *ports);
/* The port of a service of any protocol, or -1. */
int service_port(const char *name);

/* spec_prefix.c */
struct flaw {
	const char *why;
	size_t at, len; /* in the text */
};
int parse_prefix(const char *text, size_t len, struct prefix *prefix, struct flaw *flaw);

#endif
