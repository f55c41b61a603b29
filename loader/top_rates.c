// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report_parts.h"
#include "top.h"

static const struct {
	const char *name, *text;
} columns[TOP_COLUMNS] = {
	[TOP_PACKET_RATE] = { "packet-rate", "packets/s" },
	[TOP_BYTE_RATE] = { "byte-rate", "bytes/s" },
	[TOP_PACKETS] = { "packets", "packets" },
	[TOP_BYTES] = { "bytes", "bytes" },
	[TOP_ID] = { "id", "id" },
	[TOP_RULE] = { "rule", "rule" },
};

const char *top_column_text(enum top_column column)
{
	return columns[column].text;
}

const char *top_column_name(enum top_column column)
{
	return columns[column].name;
}

int top_column_parse(const char *name, enum top_column *column)
{
	for (int i = 0; i < TOP_COLUMNS; i++)
		if (!strcmp(name, columns[i].name)) {
			*column = i;
			return 0;
		}
	return -EINVAL;
}

static int by_id(const void *a, const void *b)
{
	const struct top_count *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

int top_counts_take(const struct status *st, uint64_t ns, struct top_counts *out)
{
	struct top_count *v = calloc(st->n_rules + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < st->n_rules; i++)
		v[i] = (struct top_count){ st->rules[i].rule->id, st->rules[i].packets,
			st->rules[i].bytes };
	qsort(v, st->n_rules, sizeof(*v), by_id);
	*out = (struct top_counts){ .ns = ns, .v = v, .n = st->n_rules };
	memcpy(out->totals, st->totals, sizeof(out->totals));
	return 0;
}

void top_counts_free(struct top_counts *c)
{
	free(c->v);
	*c = (struct top_counts){};
}

/* Counters fall when the kernel's side was made anew, and begin at 0 then. */
static uint64_t grown(uint64_t before, uint64_t now)
{
	return now >= before ? now - before : now;
}

static double rate(uint64_t before, uint64_t now, uint64_t ns)
{
	return ns ? grown(before, now) * 1e9 / ns : 0;
}

static void fill_row(struct top_row *row, const struct status_rule *rule,
	const struct top_counts *before, uint64_t ns)
{
	const struct top_count key = { .id = rule->rule->id }, *was = NULL;

	*row = (struct top_row){ .rule = rule };
	if (ns && before->n)
		was = bsearch(&key, before->v, before->n, sizeof(key), by_id);
	if (!was)
		return;
	row->known = true;
	row->packets = grown(was->packets, rule->packets);
	row->bytes = grown(was->bytes, rule->bytes);
	row->packet_rate = rate(was->packets, rule->packets, ns);
	row->byte_rate = rate(was->bytes, rule->bytes, ns);
}

int top_table_make(const struct status *now, const struct top_counts *counts,
	const struct top_counts *before, struct top_table *out)
{
	uint64_t ns = before->ns && counts->ns > before->ns ? counts->ns - before->ns : 0;
	struct top_row *rows = calloc(now->n_rules + 1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	*out = (struct top_table){ .status = now, .ns = ns, .rows = rows };
	out->n = out->shown = now->n_rules;
	for (size_t i = 0; i < out->n; i++)
		fill_row(&rows[i], &now->rules[i], before, ns);
	for (int dir = 0; dir < BP_DIRS; dir++) {
		const struct bp_totals *was = &before->totals[dir], *is = &now->totals[dir];

		out->totals[dir] = (struct top_total){
			.passed = rate(was->passed, is->passed, ns),
			.blocked = rate(was->blocked, is->blocked, ns),
			.malformed = rate(was->malformed, is->malformed, ns),
		};
	}
	return 0;
}

void top_table_free(struct top_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->rows[i].text);
	free(t->rows);
	*t = (struct top_table){};
}

const char *top_text(struct top_row *row)
{
	char *line;

	if (row->text)
		return row->text;
	line = rule_line(row->rule);
	if (!line || row->rule->rule->layer != LAYER_DYNAMIC) {
		row->text = line;
		return line;
	}
	if (asprintf(&row->text, "[dynamic] %s", line) < 0)
		row->text = NULL;
	free(line);
	return row->text;
}

struct order {
	enum top_column column;
	bool reverse;
};

static int compare_numbers(double x, double y)
{
	return x > y ? -1 : x < y;
}

static int compare_u64(uint64_t x, uint64_t y)
{
	return x > y ? -1 : x < y;
}

static int compare(const struct top_row *x, const struct top_row *y, enum top_column column)
{
	switch (column) {
	case TOP_PACKET_RATE:
		return compare_numbers(x->packet_rate, y->packet_rate);
	case TOP_BYTE_RATE:
		return compare_numbers(x->byte_rate, y->byte_rate);
	case TOP_PACKETS:
		return compare_u64(x->rule->packets, y->rule->packets);
	case TOP_BYTES:
		return compare_u64(x->rule->bytes, y->rule->bytes);
	case TOP_RULE:
		return strcmp(x->text, y->text);
	default:
		return compare_u64(y->rule->rule->id, x->rule->rule->id);
	}
}

/* Equal rates are most often two of 0: then what has counted at all comes first. */
static int by_order(const void *a, const void *b, void *arg)
{
	const struct top_row *x = a, *y = b;
	const struct order *order = arg;
	int result = compare(x, y, order->column);

	if (order->reverse)
		result = -result;
	if (!result)
		result = compare(x, y, TOP_PACKETS);
	return result ? result : compare(x, y, TOP_ID);
}

int top_sort(struct top_table *t, enum top_column column, bool reverse)
{
	struct order order = { column, reverse };

	for (size_t i = 0; i < t->n && column == TOP_RULE; i++)
		if (!top_text(&t->rows[i]))
			return -ENOMEM;
	qsort_r(t->rows, t->n, sizeof(*t->rows), by_order, &order);
	return 0;
}

static bool row_matches(struct top_row *row, const char *text, const char *filter)
{
	char id[16];

	snprintf(id, sizeof(id), "%" PRIu32, row->rule->rule->id);
	return strcasestr(text, filter) || !strcmp(id, filter);
}

int top_filter(struct top_table *t, const char *filter)
{
	struct top_row *rest;
	size_t n_rest = 0;

	t->shown = t->n;
	if (!*filter || !t->n)
		return 0;
	rest = calloc(t->n, sizeof(*rest));
	if (!rest)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++)
		if (!top_text(&t->rows[i])) {
			free(rest);
			return -ENOMEM;
		}
	t->shown = 0;
	for (size_t i = 0; i < t->n; i++)
		if (row_matches(&t->rows[i], t->rows[i].text, filter))
			t->rows[t->shown++] = t->rows[i];
		else
			rest[n_rest++] = t->rows[i];
	memcpy(t->rows + t->shown, rest, n_rest * sizeof(*rest));
	free(rest);
	return 0;
}

int top_arrange(struct top_table *t, const struct top_view *view)
{
	int rc = top_sort(t, view->sort, view->reverse);

	return rc ? rc : top_filter(t, view->filter);
}

const char *top_number(double value, char text[TOP_NUMBER])
{
	static const char units[] = "kMGTP";
	int unit = -1;

	while (value >= 999.5 && units[unit + 1]) {
		value /= 1000;
		unit++;
	}
	if (unit < 0)
		snprintf(text, TOP_NUMBER, "%.*f", value > 0 && value < 9.95, value);
	else
		snprintf(text, TOP_NUMBER, "%.*f%c", value < 9.995 ? 2 : value < 99.95, value,
			units[unit]);
	return text;
}

void top_history_add(struct top_history *h, const struct top_table *t)
{
	for (int dir = 0; dir < BP_DIRS; dir++) {
		double *v = h->blocked[dir];

		memmove(v + 1, v, (TOP_HISTORY - 1) * sizeof(*v));
		v[0] = t->totals[dir].blocked;
	}
	if (h->n < TOP_HISTORY)
		h->n++;
}
