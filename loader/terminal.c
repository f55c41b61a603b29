// SPDX-License-Identifier: GPL-2.0-only
#include "terminal.h"

#define NCURSES_NOMACROS 1 /* they would be taken for the members of lib */

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "library.h"
#include "top.h"
#include "utf8.h"

/* The functions of libncursesw that are used here. */
static struct {
	__typeof__(&newterm) newterm;
	__typeof__(&newwin) newwin;
	__typeof__(&delwin) delwin;
	__typeof__(&endwin) endwin;
	__typeof__(&cbreak) cbreak;
	__typeof__(&noecho) noecho;
	__typeof__(&nonl) nonl;
	__typeof__(&keypad) keypad;
	__typeof__(&curs_set) curs_set;
	__typeof__(&set_escdelay) set_escdelay;
	__typeof__(&has_colors) has_colors;
	__typeof__(&start_color) start_color;
	__typeof__(&use_default_colors) use_default_colors;
	__typeof__(&init_pair) init_pair;
	__typeof__(&COLOR_PAIR) color_pair;
	__typeof__(&getmaxx) getmaxx;
	__typeof__(&getmaxy) getmaxy;
	__typeof__(&werase) werase;
	__typeof__(&wmove) wmove;
	__typeof__(&wattrset) wattrset;
	__typeof__(&waddnstr) waddnstr;
	__typeof__(&wrefresh) wrefresh;
	__typeof__(&wtimeout) wtimeout;
	__typeof__(&wgetch) wgetch;
	__typeof__(&ungetch) ungetch;
} lib;

static WINDOW *window;
static int attributes[STYLES];
static volatile sig_atomic_t asked_to_end;

static int load_library(struct diag *diag)
{
	static const char *const names[] = { "libncursesw.so.6", NULL };
	static const struct library_function functions[] = {
		{ "newterm", &lib.newterm },
		{ "newwin", &lib.newwin },
		{ "delwin", &lib.delwin },
		{ "endwin", &lib.endwin },
		{ "cbreak", &lib.cbreak },
		{ "noecho", &lib.noecho },
		{ "nonl", &lib.nonl },
		{ "keypad", &lib.keypad },
		{ "curs_set", &lib.curs_set },
		{ "set_escdelay", &lib.set_escdelay },
		{ "has_colors", &lib.has_colors },
		{ "start_color", &lib.start_color },
		{ "use_default_colors", &lib.use_default_colors },
		{ "init_pair", &lib.init_pair },
		{ "COLOR_PAIR", &lib.color_pair },
		{ "getmaxx", &lib.getmaxx },
		{ "getmaxy", &lib.getmaxy },
		{ "werase", &lib.werase },
		{ "wmove", &lib.wmove },
		{ "wattrset", &lib.wattrset },
		{ "waddnstr", &lib.waddnstr },
		{ "wrefresh", &lib.wrefresh },
		{ "wtimeout", &lib.wtimeout },
		{ "wgetch", &lib.wgetch },
		{ "ungetch", &lib.ungetch },
	};
	bool old;

	if (lib.ungetch ||
		library_load(names, functions, sizeof(functions) / sizeof(functions[0]), &old))
		return 0;
	return diag_set(diag, DIAG_SYSTEM, ELIBACC,
		"'top' draws with libncursesw, which is %s here: 'apt install libncursesw6' or "
		"'dnf install ncurses-libs'; 'bpfpol top --once' needs none",
		old ? "too old" : "not installed");
}

static void end_soon(int signal)
{
	(void)signal;
	asked_to_end = 1;
}

static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	const struct sigaction action = { .sa_handler = end_soon };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

/* Without colours, what is blocked, permitted and counted looks alike: the text says it. */
static void choose_attributes(void)
{
	static const short colours[STYLES] = { [STYLE_ALERT] = COLOR_RED,
		[STYLE_BLOCK] = COLOR_RED,
		[STYLE_PERMIT] = COLOR_GREEN,
		[STYLE_COUNT] = COLOR_CYAN };
	bool coloured =
		lib.has_colors() && lib.start_color() == OK && lib.use_default_colors() == OK;

	attributes[STYLE_TITLE] = attributes[STYLE_ALERT] = A_BOLD;
	attributes[STYLE_HEAD] = attributes[STYLE_SELECTED] = A_REVERSE;
	for (int style = 0; style < STYLES && coloured; style++)
		if (colours[style] && lib.init_pair(style, colours[style], -1) == OK)
			attributes[style] |= lib.color_pair(style);
}

int terminal_open(struct diag *diag)
{
	const char *term = getenv("TERM");
	int rc = load_library(diag);

	if (rc)
		return rc;
	setlocale(LC_CTYPE, "");
	catch_signals();
	if (!term || !lib.newterm(NULL, stdout, stdin))
		return diag_set(diag, DIAG_SYSTEM, ENOTTY,
			"nothing is known of a terminal '%s'; name one that is like it, as in: "
			"TERM=vt100 bpfpol top",
			term ? term : "");
	lib.cbreak();
	lib.noecho();
	lib.nonl();
	lib.curs_set(0);
	lib.set_escdelay(50);
	choose_attributes();
	return 0;
}

void terminal_close(void)
{
	if (window)
		lib.delwin(window);
	window = NULL;
	lib.endwin();
}

static bool is_utf8(void)
{
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

int terminal_canvas(struct canvas *c)
{
	if (!window) {
		window = lib.newwin(0, 0, 0, 0);
		if (window)
			lib.keypad(window, true);
	}
	return window ? canvas_new(c, lib.getmaxx(window), lib.getmaxy(window), is_utf8())
		      : -ENOMEM;
}

void terminal_draw(const struct canvas *c)
{
	lib.werase(window);
	for (int y = 0; y < c->height; y++) {
		const struct canvas_line *l = &c->lines[y];

		lib.wmove(window, y, 0);
		for (size_t i = 0; i < l->n_runs; i++) {
			const struct canvas_run *run = &l->runs[i];
			size_t end = i + 1 < l->n_runs ? run[1].at : l->len;

			lib.wattrset(window, attributes[run->style]);
			lib.waddnstr(window, l->text + run->at, end - run->at);
		}
	}
	lib.wattrset(window, A_NORMAL);
	lib.wrefresh(window);
}

static uint32_t function_key(int key)
{
	switch (key) {
	case KEY_UP:
		return TOP_KEY_UP;
	case KEY_DOWN:
		return TOP_KEY_DOWN;
	case KEY_PPAGE:
		return TOP_KEY_PAGE_UP;
	case KEY_NPAGE:
		return TOP_KEY_PAGE_DOWN;
	case KEY_HOME:
		return TOP_KEY_HOME;
	case KEY_END:
		return TOP_KEY_END;
	case KEY_ENTER:
		return TOP_KEY_ENTER;
	case KEY_BACKSPACE:
		return TOP_KEY_ERASE;
	case KEY_DC:
		return TOP_KEY_DELETE;
	case KEY_RESIZE:
		/* The next one is as large as the terminal. */
		lib.delwin(window);
		window = NULL;
		return TERMINAL_RESIZED;
	}
	return TERMINAL_NONE;
}

static uint32_t ascii_key(int key)
{
	switch (key) {
	case '\n':
	case '\r':
		return TOP_KEY_ENTER;
	case '\b':
	case 0x7f:
		return TOP_KEY_ERASE;
	case 0x1b:
		return TOP_KEY_ESCAPE;
	}
	return key;
}

/*
 * Puts a letter together. The library's wget_wch() would wait for ever for the rest of what is
 * none: one such byte, and no key is heard any more.
 */
static uint32_t letter(int first)
{
	unsigned int len = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	char text[5] = { first };

	if (first < 0x80)
		return ascii_key(first);
	if (!is_utf8())
		return TERMINAL_NONE;
	for (unsigned int i = 1; i < len; i++) {
		int next;

		lib.wtimeout(window, 50);
		next = lib.wgetch(window);
		if (next < 0x80 || next > 0xbf) {
			if (next != ERR)
				lib.ungetch(next);
			return TERMINAL_NONE;
		}
		text[i] = next;
	}
	return utf8_len(text) == len ? utf8_point(text, len) : TERMINAL_NONE;
}

/* A terminal that was closed gives nothing at all, and that at once. */
static bool is_gone(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&in, 1, 0) > 0 && in.revents & (POLLHUP | POLLERR | POLLNVAL);
}

uint32_t terminal_key(int milliseconds)
{
	int key;

	lib.wtimeout(window, milliseconds);
	key = lib.wgetch(window);
	if (asked_to_end || (key == ERR && is_gone()))
		return TERMINAL_GONE;
	return key == ERR ? TERMINAL_NONE : key > 0xff ? function_key(key) : letter(key);
}
