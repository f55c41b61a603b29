/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What packets meet while the holder of dynamic rules is killed, again and again. Frames are sent
 *in rows of three: one that a static rule blocks, one that the holder's rule blocks, one that
 *passes, which tells that the row has been judged. Each carries its row's number in its last bytes.
 *
 *	kills ROUNDS TX-NETNS TX-DEVICE RX-NETNS RX-DEVICE STATIC DYNAMIC FREE RULE COMMAND...
 *
 * STATIC, DYNAMIC and FREE are frames in hex, told apart by their UDP port. COMMAND is a holder
 *that is given RULE as a line, and says `ok` when it is ready and when the rule is in force.
 *
 * Prints `rows N`, `static N` (of those that came through), `late N` (rounds in which the rule was
 *not in force when the holder said so), `back N` (in which it was, after it had been seen gone),
 *and in microseconds from the kill to the first frame that passed: `median N`, `most N`.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST 2048
#define PORT_AT (14 + 20 + 2)
#define PATIENCE 5000 /* ms */
#define AFTER 200     /* rows after the rule is gone: it must not come back */

extern char **environ;

enum kind { STATIC, DYNAMIC, FREE, KINDS };

struct shot {
	uint8_t data[MOST];
	size_t len;
};

struct range {
	int tx, rx;
	struct shot shot[KINDS];
	uint32_t row;
	bool seen[KINDS]; /* of that row */
	uint64_t missed;  /* static ones that came through */
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "kills: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int open_in(const char *netns, const char *device)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int ns = open(netns, O_RDONLY | O_CLOEXEC), fd;

	if (ns < 0 || setns(ns, CLONE_NEWNET))
		die(netns);
	close(ns);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	ll.sll_ifindex = if_nametoindex(device);
	if (fd < 0 || bind(fd, (struct sockaddr *)&ll, sizeof(ll)))
		die(device);
	return fd;
}

static void read_hex(const char *hex, struct shot *s)
{
	for (s->len = 0; s->len < MOST && sscanf(hex + 2 * s->len, "%2hhx", &s->data[s->len]) == 1;)
		s->len++;
	if (s->len < PORT_AT + 8)
		die("too short a frame");
}

static void take(struct range *r, const uint8_t *data, size_t len)
{
	uint32_t row;

	for (int kind = 0; kind < KINDS; kind++) {
		const struct shot *s = &r->shot[kind];

		if (len != s->len || memcmp(data, s->data, PORT_AT + 2))
			continue;
		memcpy(&row, data + len - sizeof(row), sizeof(row));
		if (row == r->row)
			r->seen[kind] = true;
		r->missed += kind == STATIC;
	}
}

/* A row is sent, and judged. */
static void shoot(struct range *r)
{
	struct pollfd p = { .fd = r->rx, .events = POLLIN };
	uint8_t data[MOST];

	r->row++;
	memset(r->seen, 0, sizeof(r->seen));
	for (int kind = 0; kind < KINDS; kind++) {
		struct shot *s = &r->shot[kind];

		memcpy(s->data + s->len - sizeof(r->row), &r->row, sizeof(r->row));
		if (send(r->tx, s->data, s->len, 0) != (ssize_t)s->len)
			die("send");
	}
	while (!r->seen[FREE]) {
		struct sockaddr_ll from;
		socklen_t size = sizeof(from);
		ssize_t len;

		if (poll(&p, 1, PATIENCE) != 1) {
			errno = ETIMEDOUT;
			die("a frame that no rule blocks did not arrive");
		}
		len = recvfrom(r->rx, data, sizeof(data), 0, (struct sockaddr *)&from, &size);
		if (len > 0 && from.sll_pkttype != PACKET_OUTGOING)
			take(r, data, len);
	}
}

struct holder {
	pid_t pid;
	FILE *to, *from;
};

static void expect_ok(struct holder *h)
{
	char line[256];

	if (!fgets(line, sizeof(line), h->from) || strncmp(line, "ok", 2)) {
		fprintf(stderr, "kills: the holder says: %s\n", line);
		exit(1);
	}
}

static void begin(struct holder *h, char **command, const char *rule)
{
	posix_spawn_file_actions_t actions;
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		die("pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, to[0], 0);
	posix_spawn_file_actions_adddup2(&actions, from[1], 1);
	errno = posix_spawnp(&h->pid, command[0], &actions, NULL, command, environ);
	if (errno)
		die(command[0]);
	posix_spawn_file_actions_destroy(&actions);
	close(to[0]);
	close(from[1]);
	h->to = fdopen(to[1], "w");
	h->from = fdopen(from[0], "r");
	expect_ok(h);
	fprintf(h->to, "%s\n", rule);
	fflush(h->to);
	expect_ok(h);
}

static void end(struct holder *h)
{
	fclose(h->to);
	fclose(h->from);
	if (waitpid(h->pid, NULL, 0) != h->pid)
		die("waitpid");
}

struct result {
	unsigned int late, back;
};

/* How long the rule lived after its holder, in microseconds. */
static double one_kill(struct range *r, char **command, const char *rule, struct result *result)
{
	bool late = false, back = false;
	struct holder h;
	double killed, gone;

	begin(&h, command, rule);
	for (int rows = 1 + rand() % 100; rows; rows--) {
		shoot(r);
		late |= r->seen[DYNAMIC];
	}
	killed = now_us();
	kill(h.pid, SIGKILL);
	do {
		shoot(r);
		gone = now_us() - killed;
	} while (!r->seen[DYNAMIC] && gone < PATIENCE * 1e3);
	for (int rows = 0; rows < AFTER; rows++) {
		shoot(r);
		back |= !r->seen[DYNAMIC];
	}
	end(&h);
	result->late += late;
	result->back += back;
	return gone;
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	double *us = calloc(rounds + 1, sizeof(*us));
	struct result result = { 0 };
	struct range r = { 0 };

	if (argc < 11 || !rounds || !us) {
		fprintf(stderr, "usage: kills ROUNDS TX-NETNS TX-DEVICE RX-NETNS RX-DEVICE "
				"STATIC DYNAMIC FREE RULE COMMAND...\n");
		return 2;
	}
	r.tx = open_in(argv[2], argv[3]);
	r.rx = open_in(argv[4], argv[5]);
	for (int kind = 0; kind < KINDS; kind++)
		read_hex(argv[6 + kind], &r.shot[kind]);
	for (unsigned int i = 0; i < rounds; i++)
		us[i] = one_kill(&r, argv + 10, argv[9], &result);
	qsort(us, rounds, sizeof(*us), by_size);
	printf("rows %u\nstatic %llu\nlate %u\nback %u\nmedian %.0f\nmost %.0f\n", r.row,
		(unsigned long long)r.missed, result.late, result.back, us[rounds / 2],
		us[rounds - 1]);
	free(us);
	return 0;
}
