// SPDX-License-Identifier: GPL-2.0-only
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dirs.h"
#include "fds.h"
#include "holder.h"
#include "signals.h"

static int lock_now(int fd)
{
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return 0;
	return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
}

/* Who has been stopped goes on when somebody says so, which may be never. */
static int refuse_stopped(const struct holder *holder, struct diag *diag)
{
	return diag_set(diag, DIAG_SYSTEM, EBUSY,
		"process %d has the lock %s/lock and was stopped, by Ctrl-Z or a signal; 'kill "
		"-CONT %d' lets it go on, 'kill -KILL %d' ends it, and this can be tried again",
		holder->pid, dirs_get()->run, holder->pid, holder->pid);
}

/* It works, or was stopped, or has left the lock to another: nothing tells which. */
static int refuse_unseen(int seconds, struct diag *diag)
{
	const char *run = dirs_get()->run;

	return diag_set(diag, DIAG_SYSTEM, EBUSY,
		"a process that cannot be seen from here, as one of another PID namespace, has had "
		"the lock %s/lock for %d seconds; 'lslocks' names it where all processes are seen, "
		"as on the host; end it there, or let it go on if it was stopped",
		run, seconds);
}

#define WORDLESS 2 /* seconds of waiting before that is said */
#define STOPPED 5  /* seconds that a stopped process is waited for */
#define UNSEEN 60  /* seconds that one is waited for of which nobody knows what it does */

static _Thread_local volatile sig_atomic_t seconds_waited;

static void count_second(int signal)
{
	(void)signal;
	seconds_waited++;
}

/*
 * A signal a second for this thread, without SA_RESTART: it ends what the thread waits for. The
 * handler stays, as a signal that comes late would end the process.
 */
static bool begin_seconds(timer_t *timer)
{
	const struct sigaction action = { .sa_handler = count_second };
	const struct itimerspec each = { { 1, 0 }, { 1, 0 } };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	sigset_t alarm;

	event._sigev_un._tid = gettid();
	sigaction(SIGALRM, &action, NULL);
	/* Who started us may have blocked it, which is inherited. */
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, timer))
		return false;
	if (!timer_settime(*timer, 0, &each, NULL))
		return true;
	timer_delete(*timer);
	return false;
}

struct waiting {
	int seconds;
	int stopped, unseen; /* for how many, up to now, who has the lock was so */
	bool said;
};

static void say_whom(const struct holder *holder)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (holder)
		fprintf(stderr, "bpfpol: waiting for process %d, which has the lock%s\n",
			holder->pid, holder->stopped ? " and was stopped" : "");
	else
		fprintf(stderr, "bpfpol: waiting for the lock, which a process has that cannot be "
				"seen from here\n");
}

/* After each second. */
static int wait_on(int fd, struct waiting *w, struct diag *diag)
{
	struct holder holder;
	bool seen = holder_find(fd, &holder);

	w->unseen = seen ? 0 : w->unseen + 1;
	w->stopped = seen && (holder.stopped || holder.traced) ? w->stopped + 1 : 0;
	if (w->stopped >= STOPPED)
		return refuse_stopped(&holder, diag);
	if (w->unseen >= UNSEEN)
		return refuse_unseen(w->unseen, diag);
	if (w->seconds >= WORDLESS && !w->said)
		say_whom(seen ? &holder : NULL);
	w->said = w->seconds >= WORDLESS;
	return 0;
}

#define TURNS 50 /* looks a second */

/*
 * Looks again and again, as flock(2) knows no end to waiting: for so many seconds, and then one who
 * was stopped is not waited for at all. 0: for ever, where no timer is to be had.
 */
static int lock_poll(int fd, unsigned int seconds, struct diag *diag)
{
	const struct timespec pause = { .tv_nsec = 1000000000 / TURNS };
	struct waiting w = {};
	struct holder holder;
	int rc;

	for (unsigned int turn = 0; (rc = lock_now(fd)) == -EAGAIN; turn++) {
		if (seconds && turn % (TURNS / 2) == 0 && holder_find(fd, &holder) &&
			holder.stopped)
			return refuse_stopped(&holder, diag);
		if (seconds && turn >= seconds * TURNS)
			return -EWOULDBLOCK;
		w.seconds = turn / TURNS;
		if (!seconds && turn && turn % TURNS == 0 && (rc = wait_on(fd, &w, diag)))
			return rc;
		nanosleep(&pause, NULL);
	}
	return rc;
}

/* The kernel serves who waits in turn, so this does not poll. */
static int lock_wait(int fd, struct diag *diag)
{
	struct waiting w = {};
	int rc = lock_now(fd);
	timer_t timer;

	if (rc != -EAGAIN)
		return rc;
	seconds_waited = 0;
	if (!begin_seconds(&timer))
		return lock_poll(fd, 0, diag);
	for (rc = 0; !rc && flock(fd, LOCK_EX);) {
		rc = errno == EINTR ? 0 : -errno;
		if (!rc && seconds_waited != w.seconds) {
			w.seconds = seconds_waited;
			rc = wait_on(fd, &w, diag);
		}
	}
	timer_delete(timer);
	return rc;
}

/*
 * The file, and the directory that it lies in: who has a file that was removed is known by that to
 * those who come later and have another.
 */
struct lock {
	int file, dir; /* -1: not open */
};

/*
 * Kept open: the kernel lets go of it when the process ends, however it ends. Each thread has the
 * lock for itself, as if it was a process.
 */
static _Thread_local struct lock held = { -1, -1 };

static void lock_close(struct lock *lock)
{
	if (lock->file >= 0)
		close(lock->file);
	if (lock->dir >= 0)
		close(lock->dir);
	*lock = (struct lock){ -1, -1 };
}

static int lock_open(struct lock *lock, struct diag *diag)
{
	const char *run = dirs_get()->run;
	int rc = dir_make(run, diag);
	char *path = rc ? NULL : path_join(run, "lock");

	if (!path)
		return rc ? rc : -ENOMEM;
	lock->file = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock->file >= 0)
		lock->dir = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock->dir < 0)
		rc = diag_errno(diag, errno, "cannot open the lock %s", path);
	free(path);
	return rc;
}

/* Whether its name still leads to it: what tidies up may have removed it. */
static bool is_named(int fd)
{
	char *path = path_join(dirs_get()->run, "lock");
	struct stat is, named;
	bool same = path && !fstat(fd, &is) && !stat(path, &named) && is.st_dev == named.st_dev &&
		    is.st_ino == named.st_ino;

	free(path);
	return same;
}

static int refuse_removed(struct diag *diag)
{
	return diag_set(diag, DIAG_SYSTEM, ESTALE,
		"the lock %s/lock is removed again and again, so that nothing keeps two commands "
		"apart; find out what does that, and end it",
		dirs_get()->run);
}

/* seconds: for how long; 0: until it is free. */
static int lock_one(int fd, bool wait, unsigned int seconds, struct diag *diag)
{
	if (!wait)
		return lock_now(fd);
	return seconds ? lock_poll(fd, seconds, diag) : lock_wait(fd, diag);
}

/* -ESTALE: a file that was removed while it was waited for. */
static int lock_both(const struct lock *lock, bool wait, unsigned int seconds, struct diag *diag)
{
	int rc = lock_one(lock->file, wait, seconds, diag);

	if (!rc && !is_named(lock->file))
		rc = -ESTALE;
	return rc ? rc : lock_one(lock->dir, wait, seconds, diag);
}

#define MOST_FILES 16 /* that may be removed, one after the other, while they are waited for */

/* Without `wait`, -EAGAIN has no diag. */
static int take_lock(bool wait, unsigned int seconds, struct diag *diag)
{
	int rc = held.file < 0 ? -ESTALE : 0;

	for (int i = 0; rc == -ESTALE && i < MOST_FILES; i++) {
		rc = lock_open(&held, diag);
		if (!rc)
			rc = lock_both(&held, wait, seconds, diag);
		if (rc)
			lock_close(&held);
	}
	if (rc == -ESTALE)
		return refuse_removed(diag);
	if (!rc || (!wait && rc == -EAGAIN) || diag->kind != DIAG_NONE)
		return rc;
	return diag_errno(diag, -rc, "cannot lock %s/lock", dirs_get()->run);
}

int lock_take(struct diag *diag)
{
	return take_lock(true, 0, diag);
}

int lock_take_within(unsigned int seconds, struct diag *diag)
{
	return take_lock(true, seconds, diag);
}

int lock_try(struct diag *diag)
{
	return take_lock(false, 0, diag);
}

void lock_release(void)
{
	lock_close(&held);
	signals_let(); /* whatever was to be changed has been */
}

int lock_held(void)
{
	return held.file;
}

/* That it is locked by what was opened for it, and not by another, is what a second lock shows. */
int lock_share(int fd)
{
	struct lock own = { -1, -1 };
	struct stat given, is;
	struct diag ignored = {};
	int rc = lock_open(&own, &ignored);

	diag_free(&ignored);
	if (!rc && (fstat(fd, &given) || fstat(own.file, &is) || given.st_dev != is.st_dev ||
			   given.st_ino != is.st_ino || held.file >= 0 || lock_now(fd)))
		rc = -EBADF;
	lock_close(&own);
	if (rc)
		return rc;
	held.file = fd_copy(fd);
	return held.file < 0 ? -errno : 0;
}
