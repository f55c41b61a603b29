/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long a command takes, from before it is started until it has ended, and the most memory that
 * it had.
 *
 *	timed command RUNS NETNS COMMAND... [-- UNDO...]	UNDO is run after each, untimed
 *	timed sync RUNS DIRECTORY				a record appended, and fdatasync
 *
 * Prints a line of JSON. What a command prints is thrown away, but for errors.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static posix_spawn_file_actions_t silent;

static void die(const char *what)
{
	fprintf(stderr, "timed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void enter(const char *netns)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

/* Its exit status; 128 if a signal ended it. */
static int run(char **command, struct rusage *usage)
{
	int status;
	pid_t pid;

	errno = posix_spawnp(&pid, command[0], &silent, NULL, command, environ);
	if (errno)
		die(command[0]);
	while (wait4(pid, &status, 0, usage) != pid)
		if (errno != EINTR)
			die("wait4");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int do_command(int runs, char **command)
{
	struct rusage usage;
	long rss = 0;
	int failed = 0;
	char **undo = command;

	while (*undo && strcmp(*undo, "--"))
		undo++;
	if (*undo)
		*undo++ = NULL;
	posix_spawn_file_actions_init(&silent);
	posix_spawn_file_actions_addopen(&silent, 1, "/dev/null", O_WRONLY, 0);
	printf("{ \"ms\": [");
	for (int i = 0; i < runs; i++) {
		double begin = now();

		failed += run(command, &usage) != 0;
		printf("%s%.3f", i ? ", " : "", now() - begin);
		rss = usage.ru_maxrss > rss ? usage.ru_maxrss : rss;
		if (*undo)
			failed += run(undo, &usage) != 0;
	}
	printf("], \"rss_kb\": %ld, \"failed\": %d }\n", rss, failed);
	return 0;
}

static int do_sync(int runs, const char *dir)
{
	char path[512], record[64] = "a record of a journal is about as long as this one";
	int fd;

	snprintf(path, sizeof(path), "%s/sync", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		die(path);
	printf("{ \"ms\": [");
	for (int i = 0; i < runs; i++) {
		double begin = now();

		if (write(fd, record, sizeof(record)) != sizeof(record) || fdatasync(fd))
			die(path);
		printf("%s%.3f", i ? ", " : "", now() - begin);
	}
	printf("] }\n");
	close(fd);
	unlink(path);
	return 0;
}

int main(int argc, char **argv)
{
	int runs = argc > 2 ? atoi(argv[2]) : 0;

	if (runs > 0 && argc == 4 && !strcmp(argv[1], "sync"))
		return do_sync(runs, argv[3]);
	if (runs < 1 || argc < 5 || strcmp(argv[1], "command")) {
		fprintf(stderr, "usage: timed command|sync RUNS ...; see timed.c\n");
		return 2;
	}
	enter(argv[3]);
	return do_command(runs, argv + 4);
}
