// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "top.h"

static void say(struct top_view *v, enum style style, const char *text)
{
	snprintf(v->message, sizeof(v->message), "%s", text);
	v->message_style = style;
}

/* The row of the selected rule among those shown; -1: there is none. */
static ptrdiff_t selected_row(const struct top_view *v, const struct top_table *t)
{
	for (size_t i = 0; i < t->shown && v->selected; i++)
		if (t->rows[i].rule->rule->id == v->selected)
			return i;
	return -1;
}

static void select_row(struct top_view *v, const struct top_table *t, ptrdiff_t row)
{
	if (row >= (ptrdiff_t)t->shown)
		row = (ptrdiff_t)t->shown - 1;
	if (row < 0)
		row = 0;
	if (t->shown)
		v->selected = t->rows[row].rule->rule->id;
}

/* The first key only selects what stands at the top. */
static void move(struct top_view *v, const struct top_table *t, ptrdiff_t by)
{
	ptrdiff_t row = selected_row(v, t);

	select_row(v, t, row < 0 ? (ptrdiff_t)v->first : row + by);
}

static bool press_move(struct top_view *v, const struct top_table *t, uint32_t key)
{
	ptrdiff_t page = v->page > 1 ? v->page - 1 : 1;

	switch (key) {
	case TOP_KEY_UP:
	case 'k':
		move(v, t, -1);
		return true;
	case TOP_KEY_DOWN:
	case 'j':
		move(v, t, 1);
		return true;
	case TOP_KEY_PAGE_UP:
		move(v, t, -page);
		return true;
	case TOP_KEY_PAGE_DOWN:
		move(v, t, page);
		return true;
	case TOP_KEY_HOME:
		select_row(v, t, 0);
		return true;
	case TOP_KEY_END:
		select_row(v, t, t->shown);
		return true;
	}
	return false;
}

static bool press_sort(struct top_view *v, uint32_t key)
{
	static const struct {
		char key;
		enum top_column column;
	} keys[] = { { 'p', TOP_PACKET_RATE }, { 'b', TOP_BYTE_RATE }, { 'P', TOP_PACKETS },
		{ 'B', TOP_BYTES }, { 'i', TOP_ID }, { 'n', TOP_RULE } };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (key == (uint32_t)keys[i].key) {
			v->sort = keys[i].column;
			v->reverse = false;
			v->first = 0;
			return true;
		}
	return false;
}

static void press_remove(struct top_view *v, const struct top_table *t)
{
	if (selected_row(v, t) < 0) {
		say(v, STYLE_ALERT, "Choose a rule first, with the arrow keys.");
		return;
	}
	v->asked = v->selected;
	v->mode = TOP_ASKING;
}

static enum top_act press_table(struct top_view *v, const struct top_table *t, uint32_t key)
{
	v->message[0] = '\0';
	if (press_move(v, t, key) || press_sort(v, key))
		return TOP_GO_ON;
	switch (key) {
	case 'q':
	case 'Q':
		return TOP_QUIT;
	case 'h':
	case '?':
		v->mode = TOP_HELP;
		v->help = 0;
		break;
	case 'r':
		v->reverse = !v->reverse;
		v->first = 0;
		break;
	case ' ':
		v->paused = !v->paused;
		break;
	case '/':
		v->mode = TOP_FILTERING;
		break;
	case TOP_KEY_ESCAPE:
		v->filter[0] = '\0';
		v->selected = 0;
		v->first = 0;
		break;
	case 'd':
	case TOP_KEY_DELETE:
		press_remove(v, t);
		break;
	}
	return TOP_GO_ON;
}

/* Takes the last letter off, whole. */
static void erase_letter(char *text)
{
	size_t len = strlen(text);

	while (len && (text[len - 1] & 0xc0) == 0x80)
		len--;
	if (len)
		text[len - 1] = '\0';
}

static void add_letter(char *text, size_t size, uint32_t c)
{
	char utf8[5] = {};
	size_t len = strlen(text);

	if (c < 0x20 || c == 0x7f || c > 0x10ffff)
		return;
	if (c < 0x80) {
		utf8[0] = c;
	} else if (c < 0x800) {
		utf8[0] = 0xc0 | c >> 6;
		utf8[1] = 0x80 | (c & 0x3f);
	} else if (c < 0x10000) {
		utf8[0] = 0xe0 | c >> 12;
		utf8[1] = 0x80 | (c >> 6 & 0x3f);
		utf8[2] = 0x80 | (c & 0x3f);
	} else {
		utf8[0] = 0xf0 | c >> 18;
		utf8[1] = 0x80 | (c >> 12 & 0x3f);
		utf8[2] = 0x80 | (c >> 6 & 0x3f);
		utf8[3] = 0x80 | (c & 0x3f);
	}
	if (len + strlen(utf8) < size)
		strcpy(text + len, utf8);
}

static void press_filter(struct top_view *v, const struct top_table *t, uint32_t key)
{
	v->first = 0;
	if (press_move(v, t, key < TOP_KEY_UP ? 0 : key))
		return;
	switch (key) {
	case TOP_KEY_ENTER:
		v->mode = TOP_TABLE;
		break;
	case TOP_KEY_ESCAPE:
		v->filter[0] = '\0';
		v->mode = TOP_TABLE;
		break;
	case TOP_KEY_ERASE:
		erase_letter(v->filter);
		break;
	default:
		add_letter(v->filter, sizeof(v->filter), key);
	}
}

enum top_act top_press(struct top_view *v, const struct top_table *t, uint32_t key)
{
	switch (v->mode) {
	case TOP_TABLE:
		return press_table(v, t, key);
	case TOP_FILTERING:
		press_filter(v, t, key);
		break;
	case TOP_ASKING:
		v->mode = TOP_TABLE;
		if (key == 'y' || key == 'Y')
			return TOP_REMOVE;
		say(v, STYLE_PLAIN, "Nothing is removed.");
		break;
	case TOP_HELP:
		/* The picture knows how many lines there are, and ends it behind the last. */
		v->help += v->page;
		if (key == TOP_KEY_ESCAPE || key == 'q' || v->help >= TOP_HELP_LINES)
			v->mode = TOP_TABLE;
		break;
	}
	return TOP_GO_ON;
}
