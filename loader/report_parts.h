/* SPDX-License-Identifier: GPL-2.0-only */
/* What reports and `top` share: report_*.c, pcapng.c, top_*.c. Nothing else includes this. */
#ifndef BPFPOL_REPORT_PARTS_H
#define BPFPOL_REPORT_PARTS_H

#include "json.h"
#include "report.h"

/* What every reader must know first: that nothing is filtered. */
void text_not_in_force(FILE *out, const struct status *status);
/* 90s, 15m, 2h, 7d: the largest unit of which at least two are left. */
void time_left_text(uint64_t seconds, char *buf, size_t size);
/* The rule as text; caller frees; NULL: no memory. */
char *rule_line(const struct status_rule *rule);
/* -ENOMEM. */
int json_put_rule(struct jw *j, const char *key, const struct status_rule *rule);
/* all: also those that nobody asked to filter. */
void json_put_interfaces(struct jw *j, const char *key, const struct status *status, bool all);
/* report_top.c; -ENOMEM. */
int text_rates(FILE *out, struct top_table *table);
int json_rates(FILE *out, struct top_table *table);

/* report_explain.c */
/* What the rows say that are not a rule's. */
const char *tally_kind_text(enum tally_kind kind);
/* "udp from 192.0.2.1 port 4000 to 10.0.0.5 port 1434", as far as it was read. */
#define FRAME_TEXT 192
void frame_text(const struct frame *frame, char text[FRAME_TEXT]);
int text_packet(FILE *out, const struct explained_packet *packet);
int text_capture(FILE *out, const struct explained_capture *capture);
/* report_watch.c; -ENOMEM. */
int text_watched(FILE *out, const struct watched *watched);
int json_watched(FILE *out, const struct watched *watched);
/* Why, and by which rules. */
int watched_why(FILE *out, const struct watched *watched);
/* report_explain_json.c */
int json_packet(FILE *out, const struct explained_packet *packet);
int json_capture(FILE *out, const struct explained_capture *capture);

#endif
