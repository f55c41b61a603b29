/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `top` shows: rates from two looks at the counters, sorted, filtered, and laid out as a
 * picture. Pure; cmd_top.c takes the samples, terminal.c draws.
 */
#ifndef BPFPOL_TOP_H
#define BPFPOL_TOP_H

#include "canvas.h"
#include "status.h"

/* The counters of a moment: what the next look is held against. */
struct top_counts {
	uint64_t ns; /* CLOCK_MONOTONIC; 0: none yet */
	struct top_count {
		uint32_t id;
		uint64_t packets, bytes;
	} * v; /* by id */
	size_t n;
	struct bp_totals totals[BP_DIRS];
};

/* -ENOMEM. */
int top_counts_take(const struct status *status, uint64_t ns, struct top_counts *counts);
void top_counts_free(struct top_counts *counts);

enum top_column {
	TOP_PACKET_RATE,
	TOP_BYTE_RATE,
	TOP_PACKETS,
	TOP_BYTES,
	TOP_ID,
	TOP_RULE,
	TOP_COLUMNS,
};

/* "packets/s"; as in --sort: "packets-rate". */
const char *top_column_text(enum top_column column);
const char *top_column_name(enum top_column column);
int top_column_parse(const char *name, enum top_column *column);

/* Rates are per second. */
struct top_row {
	const struct status_rule *rule;
	char *text;		 /* NULL: not made yet, see top_text() */
	bool known;		 /* it was there at the first look */
	uint64_t packets, bytes; /* since then */
	double packet_rate, byte_rate;
};

struct top_total {
	double passed, blocked, malformed;
};

struct top_table {
	const struct status *status;
	uint64_t ns; /* between the looks; 0: there was one only, and no rate is known */
	struct top_row *rows;
	size_t n, shown; /* those that the filter leaves come first */
	struct top_total totals[BP_DIRS];
};

/* Of the rules of `now`, whose counters are `counts`. The status must outlive the table. -ENOMEM.
 */
int top_table_make(const struct status *now, const struct top_counts *counts,
	const struct top_counts *before, struct top_table *table);
void top_table_free(struct top_table *table);
/* Largest first, but ids and rules from the first on; reverse: the other way round. */
int top_sort(struct top_table *table, enum top_column column, bool reverse);
/* Those whose text, or id, holds that, in whatever case; "" is all. After a sort. */
int top_filter(struct top_table *table, const char *filter);
/* The row's rule as in `list`, behind its layer if that is not the static one; NULL: no memory. */
const char *top_text(struct top_row *row);

/* "0", "4.2", "999", "1.23k", "12.3M" */
#define TOP_NUMBER 16
const char *top_number(double value, char text[TOP_NUMBER]);

#define TOP_HISTORY 120
struct top_history {
	double blocked[BP_DIRS][TOP_HISTORY]; /* the latest one first */
	size_t n;
};
void top_history_add(struct top_history *history, const struct top_table *table);

enum top_mode { TOP_TABLE, TOP_FILTERING, TOP_ASKING, TOP_HELP };

/* What the keys have made of it. */
struct top_view {
	enum top_column sort;
	bool reverse, paused;
	enum top_mode mode;
	char filter[64];
	uint32_t selected;  /* a rule's id; 0: none is */
	uint32_t asked;	    /* TOP_ASKING: the rule that would be removed */
	size_t first, page; /* row at the top, rows that fit; the picture sets both */
	size_t help;	    /* TOP_HELP: the line at the top */
	char message[256];
	enum style message_style;
	unsigned int interval_ms;
};

/* Puts the rows that the view asks for in their order. -ENOMEM. */
int top_arrange(struct top_table *table, const struct top_view *view);

/* Keys that are no letters stand beyond those of Unicode. */
enum top_key {
	TOP_KEY_UP = 0x110000,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_ENTER,
	TOP_KEY_ESCAPE,
	TOP_KEY_ERASE,
	TOP_KEY_DELETE,
};
enum top_act {
	TOP_GO_ON,
	TOP_QUIT,
	TOP_REMOVE, /* the rule view->asked */
};
enum top_act top_press(struct top_view *view, const struct top_table *table, uint32_t key);

/* What `h` shows. */
#define TOP_HELP_LINES 15
extern const char *const top_help[TOP_HELP_LINES];

/* Draws all of it, whatever the size. Moves view->first so that the selected row is seen. */
void top_draw(struct canvas *canvas, struct top_view *view, struct top_table *table,
	const struct top_history *history);

#endif
