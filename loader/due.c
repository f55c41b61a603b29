// SPDX-License-Identifier: GPL-2.0-only
#include "due.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clocks.h"
#include "dirs.h"
#include "signals.h"
#include "tried.h"

#define SECOND 1000000000ULL /* ns */

static bool same_namespace(const char *name)
{
	char path[32];
	struct stat ours, first;

	snprintf(path, sizeof(path), "/proc/1/ns/%s", name);
	if (stat(path, &first))
		return false;
	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return !stat(path, &ours) && ours.st_ino == first.st_ino && ours.st_dev == first.st_dev;
}

/* What it starts stands where it stands itself. */
static bool systemd_sees_us(void)
{
	return !access("/run/systemd/system", F_OK) && same_namespace("net") &&
	       same_namespace("mnt");
}

/* Where packages put it: what PATH the caller has is no matter of root's. */
static const char *find_systemd_run(void)
{
	static const char *const places[] = { "/usr/bin/systemd-run", "/bin/systemd-run",
		"/run/current-system/sw/bin/systemd-run" };

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (!access(places[i], X_OK))
			return places[i];
	return NULL;
}

/* We hold the lock, so it gets no more than this. */
#define PATIENCE 5000 /* ms */

/* 0: it ended well. */
static int await_end(pid_t pid)
{
	struct pollfd end = { .fd = syscall(__NR_pidfd_open, pid, 0), .events = POLLIN };
	int status, rc;

	do
		rc = poll(&end, 1, PATIENCE);
	while (rc < 0 && errno == EINTR);
	if (end.fd >= 0)
		close(end.fd);
	if (!rc)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

/* With nothing of the caller's: neither streams nor variables, which could name another bus. */
static int spawn_quietly(char *const argv[])
{
	static char *const variables[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	posix_spawn_file_actions_t files;
	int rc = posix_spawn_file_actions_init(&files);
	posix_spawnattr_t attr;
	sigset_t mask, ignored;
	pid_t pid;

	if (rc)
		return -rc;
	signals_unheld(&mask);
	sigemptyset(&ignored);
	sigaddset(&ignored, SIGPIPE);
	posix_spawnattr_init(&attr); /* fails nowhere, as do these three */
	posix_spawnattr_setsigmask(&attr, &mask);
	posix_spawnattr_setsigdefault(&attr, &ignored);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	for (int fd = 0; fd < 3 && !rc; fd++)
		rc = posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
	if (!rc)
		rc = posix_spawn(&pid, argv[0], &files, &attr, argv, variables);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return rc ? -rc : await_end(pid);
}

#define FIXED 8 /* arguments before the variables */
#define VARIABLES 4
#define COMMAND 5 /* behind them */

static int systemd_arm(uint64_t seconds)
{
	static const char *const names[VARIABLES] = { "BPFPOL_CONF_DIR", "BPFPOL_STATE_DIR",
		"BPFPOL_BPFFS", "BPFPOL_RUN_DIR" };
	char unit[64], after[64], self[4096], set[VARIABLES][4096];
	char *argv[FIXED + VARIABLES + COMMAND + 1] = { (char *)find_systemd_run(), "--quiet",
		"--no-ask-password", "--collect", unit, after, "--timer-property=AccuracySec=100ms",
		"--description=detaches what was attached on trial" };
	int n = FIXED;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (!argv[0])
		return -ENOENT;
	if (len < 0)
		return -errno;
	self[len] = '\0';
	snprintf(unit, sizeof(unit), "--unit=bpfpol-due-%" PRIu64, kernel_clock());
	snprintf(after, sizeof(after), "--on-active=%" PRIu64 "s", seconds);
	for (int i = 0; i < VARIABLES; i++) {
		const char *value = getenv(names[i]);

		if (!value)
			continue;
		if ((size_t)snprintf(set[i], sizeof(set[i]), "--setenv=%s=%s", names[i], value) >=
			sizeof(set[i]))
			return -ENAMETOOLONG;
		argv[n++] = set[i];
	}
	argv[n++] = self;
	argv[n++] = "policy";
	argv[n++] = "rollback";
	argv[n++] = "--due";
	return spawn_quietly(argv);
}

/* Does not return. said: an errno is written there if it cannot be started. */
static void become(int said)
{
	static char *const argv[] = { "bpfpol", "policy", "rollback", "--due", NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), bad;

	signals_let(); /* execve(2) keeps the mask */
	if (null >= 0 && !chdir("/") && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 &&
		dup2(null, 2) >= 0) {
		syscall(__NR_close_range, 3, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */);
		execv("/proc/self/exe", argv);
	}
	bad = errno;
	if (write(said, &bad, sizeof(bad)) < 0)
		_exit(2);
	_exit(1);
}

/* Away from the terminal and from whoever waits for us: the child of a child that is gone. */
static int process_arm(void)
{
	int said[2], status, bad = 0;
	pid_t pid;

	if (pipe2(said, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid) {
		pid_t second = setsid() < 0 ? -1 : fork();

		if (!second)
			become(said[1]);
		_exit(second < 0);
	}
	close(said[1]);
	if (pid < 0) {
		bad = EAGAIN;
	} else {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			bad = EAGAIN;
		else if (read(said[0], &bad, sizeof(bad)) < 0)
			bad = errno;
	}
	close(said[0]);
	return -bad;
}

int due_arm(uint64_t seconds, struct diag *diag)
{
	int rc = systemd_sees_us() ? systemd_arm(seconds) : -ENOENT;

	if (rc)
		rc = process_arm();
	return rc ? diag_errno(diag, -rc, "cannot start what detaches again in time") : 0;
}

/* Sooner if what is on trial, or the time, may have become another. */
static void wait_for(struct pollfd *fds, uint64_t ns)
{
	const struct itimerspec at = { .it_value = {
					       .tv_sec = ns / SECOND, .tv_nsec = ns % SECOND } };
	char events[4096];

	if (fds[0].fd < 0 || timerfd_settime(fds[0].fd, 0, &at, NULL)) {
		sleep(1);
		return;
	}
	poll(fds, fds[1].fd < 0 ? 1 : 2, -1);
	while (fds[1].fd >= 0 && read(fds[1].fd, events, sizeof(events)) > 0)
		;
}

#define ERRORS 120 /* a disk that does not say whether anything is on trial is asked so often */

void due_wait(void)
{
	struct pollfd fds[2] = {
		{ .fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC), .events = POLLIN },
		{ .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), .events = POLLIN },
	};
	unsigned int errors = 0;
	uint64_t ns;

	if (fds[1].fd >= 0 && inotify_add_watch(fds[1].fd, dirs_get()->state,
				      IN_DELETE | IN_MOVED_TO | IN_DELETE_SELF) < 0) {
		close(fds[1].fd);
		fds[1].fd = -1;
	}
	for (;;) {
		if (!tried_left(&ns)) {
			if (!ns)
				break;
			wait_for(fds, ns);
		} else if (errors++ < ERRORS) {
			sleep(1);
		} else {
			break;
		}
	}
	for (int i = 0; i < 2; i++)
		if (fds[i].fd >= 0)
			close(fds[i].fd);
}
