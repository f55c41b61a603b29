// SPDX-License-Identifier: GPL-2.0-only
/*
 * The picture, from the top: what is in force; what passed and was blocked, in and out; the
 * interfaces; the table; on high screens the selected rule in full; a line for keys, questions and
 * messages. Narrow and low screens are left what an operator needs first.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "report_parts.h"
#include "top.h"

/* Below these a part is left out. */
#define WIDE 100 /* totals of packets and bytes, time left */
#define MIDDLE 64
#define HIGH 20

const char *const top_help[TOP_HELP_LINES] = {
	"q, Ctrl-C   quit",
	"p b         by packets/s, bytes/s",
	"P B         by packets, bytes, in all",
	"i n         by id, by the rule's text",
	"r           the other way round",
	"/           only rules that hold a text",
	"Esc         all rules again",
	"up down     choose a rule (or k j)",
	"PgUp PgDn   Home, End: by pages, to ends",
	"d, Del      remove the chosen rule",
	"space       pause; again: go on",
	"",
	"The bar beside a rule is its share of",
	"the largest. Behind totals stands what",
	"was blocked, the latest at the left.",
};

static const char *blocks(const struct canvas *c, unsigned int eighths)
{
	static const char *const wide[] = { " ", "\xe2\x96\x8f", "\xe2\x96\x8e", "\xe2\x96\x8d",
		"\xe2\x96\x8c", "\xe2\x96\x8b", "\xe2\x96\x8a", "\xe2\x96\x89", "\xe2\x96\x88" };

	return c->utf8 ? wide[eighths] : eighths == 8 ? "#" : eighths ? "-" : " ";
}

static void put_bar(struct canvas *c, int y, enum style style, int cells, double share)
{
	unsigned int eighths = share * cells * 8 + 0.5;

	if (share > 0 && !eighths)
		eighths = 1;
	for (int i = 0; i < cells; i++) {
		unsigned int here = eighths > 8 ? 8 : eighths;

		canvas_put(c, y, style, 1, blocks(c, here));
		eighths -= here;
	}
}

static void put_history(
	struct canvas *c, int y, const double *v, size_t n, const struct top_history *h)
{
	static const char *const high[] = { " ", "\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83",
		"\xe2\x96\x84", "\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88" };
	static const char low[] = " .:-=+*%#";
	double most = 0;

	for (int dir = 0; dir < BP_DIRS; dir++)
		for (size_t i = 0; i < h->n && i < n; i++)
			if (h->blocked[dir][i] > most)
				most = h->blocked[dir][i];
	for (size_t i = 0; i < n && i < h->n; i++) {
		int level = most > 0 ? v[i] / most * 8 + 0.5 : 0;

		if (v[i] > 0 && !level)
			level = 1;
		if (c->utf8)
			canvas_put(c, y, STYLE_BLOCK, 1, high[level]);
		else
			canvas_printf(c, y, STYLE_BLOCK, 1, "%c", low[level]);
	}
}

/* What every reader must know first. */
static void put_state(struct canvas *c, const struct top_table *t, const char *filter, int cells)
{
	const struct status *st = t->status;
	size_t own = t->n - st->n_dynamic;
	char dynamic[32] = "";

	if (st->n_dynamic)
		snprintf(dynamic, sizeof(dynamic), ", %zu dynamic", st->n_dynamic);
	if (st->off)
		canvas_put(
			c, 0, STYLE_ALERT, cells, "Filtering is OFF; 'bpfpol on' starts it again");
	else if (st->foreign)
		canvas_put(
			c, 0, STYLE_ALERT, cells, "Another version filters: see 'bpfpol restore'");
	else if (st->policy && !st->generation)
		canvas_printf(c, 0, STYLE_ALERT, cells,
			"Policy '%s' is NOT IN FORCE: see 'bpfpol "
			"restore'",
			st->policy);
	else if (!st->policy)
		canvas_printf(c, 0, STYLE_TITLE, cells, "No policy is %s%s",
			st->fault ? "in force" : "assigned", dynamic);
	else if (*filter)
		canvas_printf(c, 0, STYLE_TITLE, cells, "Policy '%s', %zu of %zu rules hold '%s'",
			st->policy, t->shown, t->n, filter);
	else
		canvas_printf(c, 0, STYLE_TITLE, cells, "Policy '%s', %zu rule%s%s", st->policy,
			own, own == 1 ? "" : "s", dynamic);
}

static void put_title(struct canvas *c, const struct top_view *v, const struct top_table *t)
{
	char right[64], every[32];
	int cells;

	if (v->paused)
		snprintf(every, sizeof(every), "PAUSED");
	else
		snprintf(every, sizeof(every), "every %g s", v->interval_ms / 1000.0);
	if (c->width >= MIDDLE)
		snprintf(right, sizeof(right), "  by %s%s  %s", top_column_text(v->sort),
			v->reverse ? ", reversed" : "", every);
	else
		snprintf(right, sizeof(right), " %s", every);
	cells = c->width - (int)strlen(right);
	if (cells > 0)
		put_state(c, t, v->filter, cells);
	canvas_put(c, 0, v->paused ? STYLE_ALERT : STYLE_TITLE, 0, right);
}

static void put_rate(struct canvas *c, int y, const struct top_table *t, enum style style,
	double value, const char *what)
{
	char number[TOP_NUMBER] = "-";

	if (t->ns)
		top_number(value, number);
	canvas_printf(c, y, value > 0 ? style : STYLE_PLAIN, 0, "%6s %s/s", number, what);
}

static void put_totals(
	struct canvas *c, int y, int dir, const struct top_table *t, const struct top_history *h)
{
	const struct top_total *sum = &t->totals[dir];

	canvas_put(c, y, STYLE_TITLE, 5, dir == BP_IN ? "in" : "out");
	put_rate(c, y, t, STYLE_PLAIN, sum->passed, "passed");
	canvas_put(c, y, STYLE_PLAIN, 1, "");
	put_rate(c, y, t, STYLE_BLOCK, sum->blocked, "blocked");
	if (c->width < MIDDLE)
		return;
	canvas_put(c, y, STYLE_PLAIN, 1, "");
	put_rate(c, y, t, STYLE_ALERT, sum->malformed, "malformed");
	canvas_put(c, y, STYLE_PLAIN, 2, "");
	if (canvas_left(c, y) > 0)
		put_history(c, y, h->blocked[dir], canvas_left(c, y), h);
}

static bool is_open(const struct status_interface *f)
{
	return !strcmp(f->ingress, "none") || !strcmp(f->egress, "none");
}

static bool is_filtered(const struct status_interface *f)
{
	return strcmp(f->ingress, "none") || strcmp(f->egress, "none");
}

/* In the lines from y to end; those with a way in or out that is open come first. */
static void put_interfaces(struct canvas *c, int y, int end, const struct status *st)
{
	size_t all = 0, done = 0;
	char text[64];

	for (size_t i = 0; i < st->n_interfaces; i++)
		all += st->interfaces[i].remembered || is_filtered(&st->interfaces[i]);
	if (!all)
		canvas_put(c, y, STYLE_ALERT, 0,
			"No interface is filtered; 'bpfpol attach IFACE' changes that");
	for (size_t i = 0; i < 2 * st->n_interfaces; i++) {
		const struct status_interface *f = &st->interfaces[i % st->n_interfaces];
		bool open = is_open(f);

		if (open != (i < st->n_interfaces) || (!f->remembered && !is_filtered(f)))
			continue;
		snprintf(text, sizeof(text), "%s%s in %s, out %s", open ? "! " : "", f->name,
			f->ingress, f->egress);
		/* Room for "+ NNN more" must be left on the last line. */
		if (canvas_left(c, y) < (int)strlen(text) + 11 && canvas_left(c, y) < c->width) {
			if (y + 1 == end)
				break;
			y++;
		}
		canvas_put(c, y, open ? STYLE_ALERT : STYLE_PLAIN, 0, text);
		canvas_put(c, y, STYLE_PLAIN, 2, "");
		done++;
	}
	if (done < all)
		canvas_printf(c, y, STYLE_TITLE, 0, "+ %zu more", all - done);
}

/* The columns that there is room for; a number's cells, 0: left out. */
struct columns {
	int id, packet_rate, byte_rate, bar, packets, bytes, left;
	double most; /* what a full bar stands for */
};

static struct columns columns_for(const struct canvas *c, const struct top_view *v)
{
	struct columns w = { .id = 5, .packet_rate = 10 };

	if (c->width < MIDDLE) {
		if (v->sort == TOP_BYTE_RATE)
			w = (struct columns){ .id = 5, .byte_rate = 10 };
		else if (v->sort == TOP_PACKETS)
			w = (struct columns){ .id = 5, .packets = 14 };
		else if (v->sort == TOP_BYTES)
			w = (struct columns){ .id = 5, .bytes = 16 };
		return w;
	}
	w = (struct columns){ .id = 6, .packet_rate = 11, .byte_rate = 10, .bar = 12 };
	if (c->width >= WIDE) {
		w.packets = 14;
		w.bytes = 16;
		w.left = 6;
	} else if (v->sort == TOP_PACKETS) {
		w.packets = w.bar + 2;
		w.bar = 0;
	} else if (v->sort == TOP_BYTES) {
		w.bytes = w.bar + 4;
		w.bar = 0;
	}
	return w;
}

static void put_column(struct canvas *c, int y, enum style style, int cells, const char *text)
{
	if (cells)
		canvas_printf(c, y, style, cells, "%*s", cells, text);
}

/* `part`: which rows are seen, if not all. */
static void put_head(struct canvas *c, int y, const struct columns *w, const char *part)
{
	put_column(c, y, STYLE_HEAD, w->id, "ID");
	put_column(c, y, STYLE_HEAD, w->packet_rate, "PACKETS/s");
	put_column(c, y, STYLE_HEAD, w->byte_rate, "BYTES/s");
	put_column(c, y, STYLE_HEAD, w->bar, "");
	put_column(c, y, STYLE_HEAD, w->packets, "PACKETS");
	put_column(c, y, STYLE_HEAD, w->bytes, "BYTES");
	put_column(c, y, STYLE_HEAD, w->left, "LEFT");
	if (canvas_left(c, y) > (int)strlen(part))
		canvas_put(c, y, STYLE_HEAD, canvas_left(c, y) - strlen(part), "  RULE");
	canvas_put(c, y, STYLE_HEAD, 0, part);
}

static void put_u64(struct canvas *c, int y, enum style style, int cells, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	put_column(c, y, style, cells, text);
}

static double rate_of(const struct top_row *row, const struct top_view *v)
{
	return v->sort == TOP_BYTE_RATE ? row->byte_rate : row->packet_rate;
}

static double most_of(const struct top_table *t, const struct top_view *v)
{
	double most = 0;

	for (size_t i = 0; i < t->n; i++)
		if (rate_of(&t->rows[i], v) > most)
			most = rate_of(&t->rows[i], v);
	return most;
}

static enum style style_of(enum bp_action action)
{
	return action == BP_BLOCK ? STYLE_BLOCK : action == BP_PERMIT ? STYLE_PERMIT : STYLE_COUNT;
}

static void put_row(struct canvas *c, int y, const struct columns *w, const struct top_view *v,
	struct top_row *row)
{
	const struct status_rule *r = row->rule;
	enum style own = style_of(r->rule->action), style = STYLE_PLAIN;
	const char *text = top_text(row);
	char packets[TOP_NUMBER] = "-", bytes[TOP_NUMBER] = "-", left[32] = "-";

	if (r->rule->id == v->selected)
		own = style = STYLE_SELECTED;
	if (row->known) {
		top_number(row->packet_rate, packets);
		top_number(row->byte_rate, bytes);
	}
	if (r->rule->deadline)
		time_left_text(r->expires_in, left, sizeof(left));
	put_u64(c, y, style, w->id, r->rule->id);
	put_column(c, y, style, w->packet_rate, packets);
	put_column(c, y, style, w->byte_rate, bytes);
	if (w->bar) {
		canvas_put(c, y, style, 2, "");
		put_bar(c, y, own, w->bar - 2, w->most > 0 ? rate_of(row, v) / w->most : 0);
	}
	if (w->packets)
		put_u64(c, y, style, w->packets, r->packets);
	if (w->bytes)
		put_u64(c, y, style, w->bytes, r->bytes);
	put_column(c, y, style, w->left, left);
	canvas_put(c, y, style, 2, "");
	canvas_put(c, y, own, canvas_left(c, y), text ? text : "there is too little memory");
}

static const char *empty_text(const struct top_table *t)
{
	return !t->status->policy ? "  'bpfpol block udp/1434' makes a policy."
	       : !t->n		  ? "  It has no rules; everything passes."
				  : "  No rule holds that; Esc shows all again.";
}

static struct top_row *find(const struct top_table *t, uint32_t id)
{
	for (size_t i = 0; i < t->n && id; i++)
		if (t->rows[i].rule->rule->id == id)
			return &t->rows[i];
	return NULL;
}

static void scroll(struct top_view *v, const struct top_table *t, size_t page)
{
	const struct top_row *row = find(t, v->selected);
	size_t at = row ? (size_t)(row - t->rows) : t->n;

	v->page = page;
	if (!row)
		v->selected = 0;
	if (v->first + page > t->shown)
		v->first = t->shown > page ? t->shown - page : 0;
	if (at >= t->shown)
		return;
	if (at < v->first)
		v->first = at;
	else if (page && at >= v->first + page)
		v->first = at - page + 1;
}

static void put_table(struct canvas *c, int y, int end, struct top_view *v, struct top_table *t)
{
	struct columns w = columns_for(c, v);
	size_t page = end > y + 1 ? end - y - 1 : 0;
	char part[64] = "";

	w.most = most_of(t, v);
	scroll(v, t, page);
	if (page && t->shown > page)
		snprintf(part, sizeof(part), " %zu-%zu of %zu", v->first + 1, v->first + page,
			t->shown);
	put_head(c, y, &w, part);
	if (!t->shown)
		canvas_put(c, y + 1, STYLE_PLAIN, 0, empty_text(t));
	for (size_t i = 0; i < page && v->first + i < t->shown; i++)
		put_row(c, y + 1 + i, &w, v, &t->rows[v->first + i]);
}

/* The selected rule, which the table may cut. */
static void put_selected(struct canvas *c, int y, const struct top_view *v, struct top_table *t)
{
	struct top_row *row = find(t, v->selected);
	const char *text = row ? top_text(row) : NULL;
	char head[96];

	if (!text)
		return;
	snprintf(head, sizeof(head),
		"Rule %" PRIu32 ", %" PRIu64 " packets, %" PRIu64 " bytes: ", row->rule->rule->id,
		row->rule->packets, row->rule->bytes);
	if (strlen(head) + strlen(text) > (size_t)c->width)
		snprintf(head, sizeof(head), "%" PRIu32 ": ", row->rule->rule->id);
	canvas_put(c, y, STYLE_TITLE, 0, head);
	canvas_put(c, y, STYLE_PLAIN, 0, text);
}

static void put_keys(struct canvas *c, int y)
{
	static const char *const keys[][2] = { { "q", "quit" }, { "h", "help" }, { "/", "filter" },
		{ "d", "remove" }, { "space", "pause" }, { "pbPBin", "sort" }, { "r", "reverse" } };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (canvas_left(c, y) < (int)(strlen(keys[i][0]) + strlen(keys[i][1]) + 2))
			return;
		canvas_put(c, y, STYLE_TITLE, 0, keys[i][0]);
		canvas_printf(c, y, STYLE_PLAIN, 0, " %s  ", keys[i][1]);
	}
}

static void put_foot(struct canvas *c, int y, const struct top_view *v, struct top_table *t)
{
	struct top_row *row = find(t, v->asked);
	const char *text = row ? top_text(row) : NULL;

	switch (v->mode) {
	case TOP_FILTERING:
		canvas_printf(c, y, STYLE_TITLE, 0, "Rules that hold: %s_", v->filter);
		break;
	case TOP_ASKING:
		canvas_printf(c, y, STYLE_ALERT, 0, "Remove rule %" PRIu32 "? y/n", v->asked);
		canvas_printf(c, y, STYLE_PLAIN, 0, "  %s", text ? text : "");
		break;
	case TOP_HELP:
		canvas_put(c, y, STYLE_TITLE, 0, "Any key goes on.");
		break;
	default:
		if (v->message[0])
			canvas_put(c, y, v->message_style, 0, v->message);
		else
			put_keys(c, y);
	}
}

static void put_help(struct canvas *c, struct top_view *v)
{
	v->page = c->height > 2 ? c->height - 2 : 1;
	canvas_put(c, 0, STYLE_HEAD, c->width, " bpfpol top: keys");
	for (size_t i = 0; i < v->page && v->help + i < TOP_HELP_LINES; i++)
		canvas_put(c, 1 + i, STYLE_PLAIN, 0, top_help[v->help + i]);
}

void top_draw(
	struct canvas *c, struct top_view *v, struct top_table *t, const struct top_history *h)
{
	bool high = c->height >= HIGH;
	int y = 3, foot = c->height - 1;

	if (foot < 1)
		return;
	put_foot(c, foot, v, t);
	if (v->mode == TOP_HELP) {
		put_help(c, v);
		return;
	}
	put_title(c, v, t);
	if (c->height < 6) { /* nothing but the table */
		put_table(c, 1, foot, v, t);
		return;
	}
	put_totals(c, 1, BP_IN, t, h);
	put_totals(c, 2, BP_OUT, t, h);
	if (c->height >= 8) {
		put_interfaces(c, y, y + 1 + high, t->status);
		y += 1 + high;
	}
	put_table(c, y, foot - high, v, t);
	if (high)
		put_selected(c, foot - 1, v, t);
}
