// SPDX-License-Identifier: GPL-2.0-only
/* top: what the rules count, live. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "fault.h"
#include "gather.h"
#include "lock.h"
#include "terminal.h"
#include "top.h"

#define SOON 1000000000ULL /* ns; the first rates are not waited for longer */

/* What was looked at last. The rules are the store's. */
struct look {
	struct store *store;
	char *fault; /* why that is the kernel's word; NULL: it is not */
	struct status status;
	struct top_counts counts;
	struct top_table table;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void look_free(struct look *look)
{
	top_table_free(&look->table);
	top_counts_free(&look->counts);
	gather_free(&look->status);
	store_free(&look->store);
	free(look->fault);
	*look = (struct look){};
}

/* The store need not be read again while it is on disk what it was. */
static void keep_store(struct host *host, struct look *old)
{
	struct store *s = old->store;

	if (!s || s->confirm.seconds || host->store ||
		!store_unchanged(s->inode, s->mtime, s->journal))
		return;
	host->store = s;
	old->store = NULL;
}

static int gather_look(struct host *host, struct look *old, struct look *new, struct diag *diag)
{
	int rc = host_open_to_read(host, diag);

	if (!rc) {
		keep_store(host, old);
		rc = gather(host, GATHER_COUNTS | GATHER_INTERFACES, &new->status, diag);
	}
	if (!rc)
		rc = top_counts_take(&new->status, now_ns(), &new->counts);
	if (!rc)
		rc = top_table_make(&new->status, &new->counts, &old->counts, &new->table);
	new->store = host->store;
	new->fault = host->fault;
	host->store = NULL;
	host->fault = NULL;
	return rc;
}

/* Looks again. The lock is held for that long only. When it fails the old look is not changed. */
static int look_again(struct look *look, struct diag *diag)
{
	struct host host = {};
	struct look old = *look, new = {};
	int rc = gather_look(&host, &old, &new, diag);

	host_close(&host);
	lock_release();
	if (rc) {
		if (!old.store) { /* it was given to the new one */
			old.store = new.store;
			new.store = NULL;
		}
		look_free(&new);
		*look = old;
		return rc;
	}
	look_free(&old);
	*look = new;
	look->table.status = &look->status; /* it has moved */
	return 0;
}

static int parse_interval(const char *text, unsigned int *ms, struct diag *diag)
{
	char *end;
	double seconds;

	*ms = 1000;
	if (!text)
		return 0;
	seconds = strtod(text, &end);
	if (end > text && !*end && seconds >= 0.1 && seconds <= 3600) {
		*ms = seconds * 1000 + 0.5;
		return 0;
	}
	diag_place_word(diag, text);
	return diag_set(diag, DIAG_USAGE, EINVAL,
		"'%s' is no interval; give seconds, from 0.1 to 3600", text);
}

static int parse_sort(const char *text, enum top_column *column, struct diag *diag)
{
	char names[128] = "";

	if (!text || !top_column_parse(text, column))
		return 0;
	for (int i = 0; i < TOP_COLUMNS; i++) {
		strcat(names, i ? ", " : "");
		strcat(names, top_column_name(i));
	}
	diag_place_word(diag, text);
	return diag_set(
		diag, DIAG_USAGE, EINVAL, "there is no column '%s' to sort by; %s", text, names);
}

static void rest(unsigned int ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static int show_once(const struct args *args, const struct top_view *view, struct diag *diag)
{
	struct look look = {};
	size_t warned = strlen(diag->warnings);
	int rc = look_again(&look, diag);

	if (!rc) {
		diag->warnings[warned] = '\0'; /* what is still so comes again */
		rest(view->interval_ms);
		rc = look_again(&look, diag);
	}
	if (!rc)
		rc = top_arrange(&look.table, view);
	if (!rc)
		rc = args_report(args)->rates(stdout, &look.table);
	if (!rc && look.status.foreign && !look.fault)
		rc = fault_foreign(diag);
	if (!rc && look.fault)
		rc = diag_set(diag, DIAG_SYSTEM, EBADMSG, "%s", look.fault);
	look_free(&look);
	return rc;
}

/* What went wrong, or is worth knowing, becomes the line at the bottom. */
static void say(struct top_view *view, enum style style, const char *text)
{
	int len = strcspn(text, "\n");

	snprintf(view->message, sizeof(view->message), "%.*s", len > 250 ? 250 : len, text);
	view->message_style = style;
}

static void say_diag(struct top_view *view, int rc, struct diag *diag)
{
	if (rc)
		say(view, STYLE_ALERT, diag->kind ? diag->message : strerror(-rc));
	else if (diag->warnings[0])
		say(view, STYLE_ALERT, diag->warnings);
	diag_free(diag);
}

static void look_live(struct look *look, struct top_view *view, struct top_history *history)
{
	struct diag diag = {};
	int rc = look_again(look, &diag);

	say_diag(view, rc, &diag);
	if (!rc && look->fault)
		say(view, STYLE_ALERT, look->fault);
	if (!rc && look->table.ns)
		top_history_add(history, &look->table);
}

static void remove_asked(struct top_view *view)
{
	struct diag diag = {};
	char text[64];
	int rc = remove_by_id(view->asked, &diag);

	lock_release();
	if (!rc) {
		snprintf(text, sizeof(text), "Rule %" PRIu32 " is removed.", view->asked);
		say(view, STYLE_TITLE, text);
	}
	say_diag(view, rc, &diag);
}

static int draw(struct look *look, struct top_view *view, const struct top_history *history)
{
	struct canvas canvas = {};
	int rc = top_arrange(&look->table, view);

	if (!rc)
		rc = terminal_canvas(&canvas);
	if (!rc) {
		top_draw(&canvas, view, &look->table, history);
		terminal_draw(&canvas);
	}
	canvas_free(&canvas);
	return rc;
}

static int until(uint64_t due)
{
	uint64_t now = now_ns();

	return now < due ? (due - now) / 1000000 + 1 : 0;
}

/* Draws, waits for a key or for the time of the next look, until there is nobody to draw for. */
static int live(struct look *look, struct top_view *view)
{
	const uint64_t interval = view->interval_ms * 1000000ULL;
	uint64_t due = now_ns() + (interval < SOON ? interval : SOON);
	struct top_history history = {};
	int rc;

	while (!(rc = draw(look, view, &history))) {
		uint32_t key = terminal_key(view->paused ? 60000 : until(due));
		enum top_act act = TOP_GO_ON;

		if (key == TERMINAL_GONE)
			return 0;
		if (key < TERMINAL_NONE)
			act = top_press(view, &look->table, key);
		if (act == TOP_QUIT)
			return 0;
		if (act == TOP_REMOVE)
			remove_asked(view);
		if (act == TOP_REMOVE || (!view->paused && !until(due))) {
			look_live(look, view, &history);
			due = now_ns() + interval;
		}
	}
	return rc;
}

static int show_live(struct top_view *view, struct diag *diag)
{
	struct look look = {};
	int rc = look_again(&look, diag);

	if (!rc)
		rc = terminal_open(diag);
	if (!rc) {
		rc = live(&look, view);
		terminal_close();
	}
	look_free(&look);
	return rc;
}

int cmd_top(const struct args *args, struct diag *diag)
{
	struct top_view view = {};
	bool once = args->given & (OPT_ONCE | OPT_JSON) || !isatty(STDOUT_FILENO) ||
		    !isatty(STDIN_FILENO);
	int rc = args_none(args, diag);

	if (!rc)
		rc = parse_interval(args->interval, &view.interval_ms, diag);
	if (!rc)
		rc = parse_sort(args->sort, &view.sort, diag);
	if (!rc)
		rc = once ? show_once(args, &view, diag) : show_live(&view, diag);
	return rc;
}
