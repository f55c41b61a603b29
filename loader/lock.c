// SPDX-License-Identifier: GPL-2.0-only
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "dirs.h"
#include "holder.h"

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

/* Polls, because flock(2) knows no end to waiting. For one who was stopped it does not wait. */
static int lock_wait_within(int fd, unsigned int seconds, struct diag *diag)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
	unsigned int left = seconds * 50;
	struct holder holder;

	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (errno == EINTR)
			continue;
		if (left % 25 == 0 && holder_find(fd, &holder) && holder.stopped)
			return refuse_stopped(&holder, diag);
		if (!left--)
			return -EWOULDBLOCK;
		nanosleep(&pause, NULL);
	}
	return 0;
}

#define WORDLESS 2 /* seconds of waiting before that is said */
#define STOPPED 5  /* seconds that a stopped process is waited for */

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

	event._sigev_un._tid = gettid();
	seconds_waited = 0;
	sigaction(SIGALRM, &action, NULL);
	return !timer_create(CLOCK_MONOTONIC, &event, timer) &&
	       !timer_settime(*timer, 0, &each, NULL);
}

/* After each second. stopped: of these, how many the holder was found stopped, one after another.
 */
static int wait_on(int fd, int *stopped, struct diag *diag)
{
	struct holder holder;

	if (!holder_find(fd, &holder)) {
		*stopped = 0;
		return 0;
	}
	*stopped = holder.stopped || holder.traced ? *stopped + 1 : 0;
	if (*stopped >= STOPPED)
		return refuse_stopped(&holder, diag);
	if (seconds_waited == WORDLESS && isatty(STDERR_FILENO))
		fprintf(stderr, "bpfpol: waiting for process %d, which has the lock%s\n",
			holder.pid, holder.stopped ? " and was stopped" : "");
	return 0;
}

/* The kernel serves who waits in turn, so this does not poll. */
static int lock_wait(int fd, struct diag *diag)
{
	int stopped = 0, seen = 0, rc = lock_now(fd);
	timer_t timer;
	bool timed;

	if (rc != -EAGAIN)
		return rc;
	timed = begin_seconds(&timer);
	for (rc = 0; !rc && flock(fd, LOCK_EX);) {
		if (errno != EINTR)
			rc = -errno;
		else if (seconds_waited != seen)
			rc = wait_on(fd, &stopped, diag);
		seen = seconds_waited;
	}
	if (timed)
		timer_delete(timer);
	return rc;
}

/*
 * Kept open: the kernel lets go of it when the process ends, however it ends. Each thread has the
 * lock for itself, as if it was a process.
 */
static _Thread_local int lock_fd = -1;

static int lock_open(int *fd, struct diag *diag)
{
	const char *run = dirs_get()->run;
	int rc = dir_make(run, diag);
	char *path = rc ? NULL : path_join(run, "lock");

	if (!path)
		return rc ? rc : -ENOMEM;
	*fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (*fd < 0)
		rc = diag_errno(diag, errno, "cannot open the lock %s", path);
	free(path);
	return rc;
}

/* seconds: for how long; 0: until it is free. Without `wait`, -EAGAIN has no diag. */
static int take_lock(bool wait, unsigned int seconds, struct diag *diag)
{
	int fd, rc;

	if (lock_fd >= 0)
		return 0;
	rc = lock_open(&fd, diag);
	if (rc)
		return rc;
	rc = !wait     ? lock_now(fd)
	     : seconds ? lock_wait_within(fd, seconds, diag)
		       : lock_wait(fd, diag);
	if (!rc) {
		lock_fd = fd;
		return 0;
	}
	close(fd);
	if ((!wait && rc == -EAGAIN) || diag->kind != DIAG_NONE)
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
	if (lock_fd >= 0)
		close(lock_fd);
	lock_fd = -1;
}

int lock_held(void)
{
	return lock_fd;
}
