// SPDX-License-Identifier: GPL-2.0-only
#include "off.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clocks.h"
#include "dirs.h"
#include "late.h"
#include "moment.h"
#include "stream.h"

#define SECOND 1000000000ULL /* ns */

/* In the control word: off until the file says when it ends, which cannot be read, or is damaged.
 */
#define UNSURE (BP_OFF - 1)

/* What stands on disk. */
struct note {
	bool is, trial;
	bool of_this_boot; /* a trial that began since then */
	struct confirm by; /* until then, of a trial */
	uint64_t left;	   /* ns, of a trial */
	int seen;	   /* -errno: nobody knows whether it is there */
	bool unread;	   /* it is, and could not be read */
	bool garbled;	   /* it says nothing that is known */
};

static const char plain[] = "off\n";

static char *off_path(void)
{
	return path_join(dirs_get()->state, "off");
}

static bool is_trial(char *text, struct confirm *c)
{
	text[strcspn(text, "\n")] = '\0';
	return !confirm_parse(text, c);
}

/*
 * What cannot be read, or understood, says that it is off: nothing but `on` undoes that, or a time
 * that the kernel has (note_mend()).
 */
static void note_read(struct note *note)
{
	char *path = off_path(), *text = NULL;
	struct diag ignored = {};
	struct moment now;
	size_t len;

	*note = (struct note){ .seen = path ? path_is_there(path) : -ENOMEM };
	note->is = note->seen > 0;
	if (note->is) {
		note->unread = file_read(path, &text, &len, &ignored) != 0;
		note->trial = !note->unread && is_trial(text, &note->by);
		note->garbled =
			!note->unread && !note->trial && strncmp(text, plain, strlen(plain) - 1);
	}
	if (note->trial) {
		moment_now(&now);
		note->left = confirm_left(&note->by, &now);
		note->of_this_boot = *now.boot_id && !strcmp(note->by.by.boot_id, now.boot_id);
	}
	diag_free(&ignored);
	free(text);
	free(path);
}

/* ns that the control word has left. */
static uint64_t word_left(uint64_t word)
{
	uint64_t now = kernel_clock();

	return word < UNSURE && word > now ? word - now : 0;
}

/* 0: it knows nothing that the file does not. */
static uint64_t word_in(const struct kernel *k)
{
	uint64_t word = k ? k->ctl->off : 0;

	return word == UNSURE ? 0 : word;
}

/* Beside a time in the kernel a note that is damaged was on trial until then. */
static void note_mend(struct note *note, uint64_t word)
{
	if (!note->garbled || !word || word == BP_OFF)
		return;
	note->trial = note->of_this_boot = true;
	note->left = word_left(word);
	moment_now(&note->by.by);
	note->by.by.boot = word;
}

static void set(struct kernel *k, uint64_t word)
{
	__atomic_store_n(&k->ctl->off, word, __ATOMIC_SEQ_CST);
}

void off_look_at_word(const struct kernel *k, struct off *off)
{
	uint64_t word = k ? k->ctl->off : 0, left = word_left(word);

	*off = (struct off){
		.is = word >= UNSURE || left,
		.left = left,
		.unsure = word == UNSURE,
	};
}

/* Nothing else tells whether packets are to be filtered. */
static int cannot_tell(const struct note *note, struct diag *diag)
{
	char *path = off_path();
	int rc = path ? diag_errno(diag, -note->seen,
				"nothing is changed, as nobody knows whether filtering is off: "
				"'bpfpol off' says so anew, and 'bpfpol on' then that it is not; "
				"cannot look at %s",
				path)
		      : -ENOMEM;

	free(path);
	return rc;
}

/*
 * The kernel's time is the one that was promised, which began when the file was written; and the
 * shorter one where the calendar's clock was set since a boot.
 */
static void look(const struct kernel *k, struct note *note, struct off *off)
{
	uint64_t word = word_in(k);
	bool stays;

	note_read(note);
	if (k && (note->seen < 0 || note->unread)) {
		off_look_at_word(k, off);
		return;
	}
	note_mend(note, word);
	/* A plain `off` asks for no lock, and says it to the kernel first. */
	stays = word == BP_OFF || (note->is && !note->trial);
	if (word && !stays && (note->of_this_boot || word_left(word) < note->left))
		note->left = word_left(word);
	*off = (struct off){
		.is = stays || note->left,
		.left = stays ? 0 : note->left,
		.ended = !stays && note->trial && !note->left,
		.unsure = !word && (note->unread || note->garbled),
	};
}

/* What may have been on trial, and over by now. */
static void warn_unsure(const struct off *off, const struct note *note, struct diag *diag)
{
	char *path = off->unsure ? off_path() : NULL;

	if (!off->unsure)
		return;
	diag_set(diag, DIAG_SYSTEM, EIO, "%s %s", path ? path : "off",
		note->garbled ? "is damaged" : "cannot be read");
	diag_to_warning(
		diag, "filtering stays off until 'bpfpol on', whatever was said of its end");
	free(path);
}

int off_look(struct kernel *k, struct off *off, struct diag *diag)
{
	struct note note;

	look(k, &note, off);
	warn_unsure(off, &note, diag);
	return !k && note.seen < 0 ? cannot_tell(&note, diag) : 0;
}

static uint64_t word_of(const struct note *note)
{
	if (!note->is)
		return 0;
	if (note->trial)
		return note->left ? kernel_clock() + note->left : 0;
	return note->unread || note->garbled ? UNSURE : BP_OFF;
}

int off_word(uint64_t *word, struct diag *diag)
{
	struct note note;

	note_read(&note);
	if (note.seen < 0)
		return cannot_tell(&note, diag);
	*word = word_of(&note);
	return 0;
}

static int forget(struct diag *diag)
{
	char *path = off_path();
	int rc = path ? file_make_way(path, diag) : -ENOMEM;

	if (!rc)
		rc = file_remove(path, diag);
	free(path);
	return rc;
}

int off_tend(struct kernel *k, bool ending, struct off *off, struct diag *diag)
{
	struct note note;
	uint64_t word;

	look(k, &note, off);
	if (!ending)
		warn_unsure(off, &note, diag);
	if (note.seen < 0 || note.unread)
		return k || note.unread ? 0 : cannot_tell(&note, diag);
	word = word_in(k);
	if (k && word != BP_OFF && (!off->left || !word)) /* unless it is that already */
		set(k, word_of(&note));
	/* A plain `off` was killed before it could write, or there was no room then. */
	if (word == BP_OFF && (!note.is || note.trial)) {
		if (!ending && off_write(diag))
			diag_to_warning(diag, "filtering is off, but a reboot may turn it on");
		return 0;
	}
	if (!note.trial || note.left)
		return 0;
	/* What cannot be noted the next command goes on with. */
	off->ended = late_note(LATE_OFF, &note.by, diag) != 0;
	if (off->ended || forget(diag))
		diag_to_warning(diag, "filtering is back, as 'off' was not confirmed in time; but "
				      "that could not be written down");
	return 0;
}

static int write_text(const char *text, size_t len, struct diag *diag)
{
	char *path = off_path();
	int rc = path ? dir_make(dirs_get()->state, diag) : -ENOMEM;

	if (!rc)
		rc = file_make_way(path, diag);
	if (!rc)
		rc = file_write(path, text, len, diag);
	free(path);
	return rc;
}

int off_write(struct diag *diag)
{
	return write_text(plain, strlen(plain), diag);
}

int off_begin(struct kernel *k, uint64_t seconds, struct diag *diag)
{
	struct diag ignored = {};
	struct confirm c = {};
	struct moment now;
	char *text = NULL;
	size_t len;
	FILE *out = stream_open(&text, &len);
	int rc = -ENOMEM;

	moment_now(&now);
	confirm_begin(&c, seconds, &now);
	if (out) {
		confirm_print(out, &c);
		rc = stream_close(out);
	}
	if (!rc) {
		rc = write_text(text, len, diag);
		if (rc)
			forget(&ignored); /* a failed write may have been one */
	}
	if (!rc && k)
		set(k, kernel_clock() + seconds * SECOND);
	diag_free(&ignored);
	free(text);
	return rc;
}

int off_keep(struct kernel *k, struct diag *diag)
{
	uint64_t by = k ? k->ctl->off : 0;
	int rc;

	if (k && word_left(by) < TRIAL_TOO_LATE) {
		kernel_clock_wait(by == BP_OFF ? 0 : by);
		return diag_set(diag, DIAG_UNKNOWN, ETIME, "it is too late: filtering is back");
	}
	/* The kernel first: who dies in between has said it, and off_tend() writes it. */
	if (k)
		set(k, BP_OFF);
	rc = off_write(diag);
	if (rc && k)
		set(k, by);
	return rc;
}

int off_end(struct kernel *k, struct diag *diag)
{
	int rc = forget(diag);

	if (!rc && k)
		set(k, 0);
	return rc;
}

bool off_is_written(void)
{
	struct note note;

	note_read(&note);
	return note.is && !note.unread && !note.trial;
}
