/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of the reports (report_*.c) alone. */
#ifndef BPFPOL_REPORT_PARTS_H
#define BPFPOL_REPORT_PARTS_H

#include "json.h"
#include "report.h"

/* report_json.c; -ENOMEM. */
int json_put_rule(struct jw *j, const char *key, const struct status_rule *rule);

/* report_explain.c */
/* What the rows say that are not a rule's. */
const char *tally_kind_text(enum tally_kind kind);
/* "udp from 192.0.2.1 port 4000 to 10.0.0.5 port 1434", as far as it was read. */
#define FRAME_TEXT 192
void frame_text(const struct frame *frame, char text[FRAME_TEXT]);
int text_packet(FILE *out, const struct explained_packet *packet);
int text_capture(FILE *out, const struct explained_capture *capture);
/* report_explain_json.c */
int json_packet(FILE *out, const struct explained_packet *packet);
int json_capture(FILE *out, const struct explained_capture *capture);

#endif
