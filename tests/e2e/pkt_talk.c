/* SPDX-License-Identifier: GPL-2.0-only */
/* Real connections, datagrams and pings: asks services and says which of them answered. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pkt_frame.h"
#include "pkt_more.h"

#define MOST 64	      /* sockets of one process */
#define LARGEST 65536 /* bytes of one message */
#define ECHO4 8
#define ECHO4_REPLY 0
#define ECHO6 128
#define ECHO6_REPLY 129

struct transport {
	const char *name;
	int type, protocol;
};

static const struct transport transports[] = {
	{ "tcp", SOCK_STREAM, 0 }, { "udp", SOCK_DGRAM, 0 }, { "sctp", SOCK_STREAM, IPPROTO_SCTP },
	{ "icmp", SOCK_RAW, IPPROTO_ICMP }, /* of either family */
};
#define TRANSPORTS (sizeof(transports) / sizeof(*transports))

static const struct transport *transport_of(const char *word, size_t len)
{
	for (size_t i = 0; i < TRANSPORTS; i++)
		if (strlen(transports[i].name) == len && !strncmp(word, transports[i].name, len))
			return &transports[i];
	die("not tcp, udp, sctp or icmp", word);
}

/* --- who answers --- */

/* Whether the socket lives on. A datagram goes back to its sender, wherever that is. */
static bool echo(int fd, int type)
{
	static char buf[LARGEST];
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	ssize_t got;

	if (type == SOCK_DGRAM) {
		got = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);
		if (got >= 0)
			sendto(fd, buf, got, 0, (struct sockaddr *)&from, len);
		return true;
	}
	got = recv(fd, buf, sizeof(buf), 0);
	return got > 0 && send(fd, buf, got, MSG_NOSIGNAL) == got;
}

/* The lowest free place; connections that nobody closed give theirs up. */
static void echo_accept(struct pollfd *fds, size_t first, int fd)
{
	size_t i = first;

	while (i < MOST - 1 && fds[i].fd >= 0)
		i++;
	if (fds[i].fd >= 0)
		close(fds[i].fd);
	fds[i] = (struct pollfd){ .fd = accept(fd, NULL, NULL), .events = POLLIN };
}

struct services {
	const struct transport *of[MOST];
	struct pollfd fds[MOST]; /* n services, then connections */
	size_t n, end;		 /* end: the one at END_PORT */
};

static void services_open(struct services *s, int argc, char **argv)
{
	*s = (struct services){ .n = argc, .end = MOST };
	if (s->n > MOST / 2)
		die("too many services", argv[MOST / 2]);
	for (size_t i = 0; i < MOST; i++) {
		s->fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
		if (i < s->n) {
			size_t name = strcspn(argv[i], "/");
			unsigned int port = to_number(argv[i] + name + !!argv[i][name], 65535);

			s->of[i] = transport_of(argv[i], name);
			s->fds[i].fd = listen_on(s->of[i]->type, s->of[i]->protocol, port);
			if (port == END_PORT)
				s->end = i;
		}
	}
}

static void services_serve(struct services *s, size_t i)
{
	if (i < s->n && s->of[i]->type == SOCK_STREAM) {
		echo_accept(s->fds, s->n, s->fds[i].fd);
	} else if (!echo(s->fds[i].fd, i < s->n ? SOCK_DGRAM : SOCK_STREAM)) {
		close(s->fds[i].fd);
		s->fds[i].fd = -1;
	}
}

/* pkt echo PROTO/PORT...: gives back what it gets, until the process that began it is gone */
int cmd_echo(int argc, char **argv)
{
	static struct services s;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	services_open(&s, argc, argv);
	puts("ready");
	fflush(stdout);
	while (poll(s.fds, MOST, -1) > 0 || errno == EINTR) {
		/* The end mark is answered last: after what came while poll() had gone by it. */
		bool end = s.end < s.n && s.fds[s.end].revents;

		poll(s.fds, MOST, 0);
		for (size_t i = 0; i < MOST; i++)
			if (s.fds[i].revents && i != s.end)
				services_serve(&s, i);
		if (end)
			services_serve(&s, s.end);
	}
	return 1;
}

/* --- who asks --- */

enum state { CONNECTING, ASKED, ANSWERED, FAILED };

struct call {
	const char *word;
	const struct transport *transport;
	bool v6;
	size_t size;
	enum state state;
};

/* A ping's number is the word's place, its id the process's. */
static void ask(struct call *c, int fd, unsigned int number)
{
	static char buf[LARGEST];
	uint8_t head[8] = { c->v6 ? ECHO6 : ECHO4, 0, 0, 0, getpid() >> 8, getpid(), 0, number };
	uint32_t sum = (head[0] << 8) + (head[4] << 8) + head[5] + number;

	c->state = ASKED;
	memset(buf, 0, c->size);
	if (c->transport->type == SOCK_RAW) {
		sum = ~((sum & 0xffff) + (sum >> 16));
		head[2] = sum >> 8; /* of ICMPv6: the kernel's, which knows the addresses */
		head[3] = sum;
		memcpy(buf, head, sizeof(head));
	}
	if (send(fd, buf, c->size, MSG_NOSIGNAL) != (ssize_t)c->size)
		c->state = FAILED;
}

/* PROTO/ADDRESS[/PORT[/BYTES]]: a socket that is connected, or on its way there. */
static int call_begin(struct call *c, char *word)
{
	char *part[4] = { 0 }, *rest = strdup(word), *at = rest;
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	bool raw;
	int fd, rc;

	for (size_t i = 0; i < 4 && at; i++)
		part[i] = strsep(&at, "/");
	if (!part[1])
		die("not PROTO/ADDRESS", word);
	*c = (struct call){ .word = word, .transport = transport_of(part[0], strlen(part[0])) };
	raw = c->transport->type == SOCK_RAW;
	c->v6 = strchr(part[1], ':');
	c->size = part[3] ? to_number(part[3], LARGEST) : raw ? 8 : 1;
	sin.sin_port = sin6.sin6_port = htons(raw || !part[2] ? 0 : to_number(part[2], 65535));
	if (inet_pton(c->v6 ? AF_INET6 : AF_INET, part[1],
		    c->v6 ? (void *)&sin6.sin6_addr : &sin.sin_addr) != 1)
		die("bad address", word);
	fd = socket(c->v6 ? AF_INET6 : AF_INET, c->transport->type | SOCK_NONBLOCK | SOCK_CLOEXEC,
		raw && c->v6 ? IPPROTO_ICMPV6 : c->transport->protocol);
	if (fd < 0)
		die(word, strerror(errno));
	rc = c->v6 ? connect(fd, (struct sockaddr *)&sin6, sizeof(sin6))
		   : connect(fd, (struct sockaddr *)&sin, sizeof(sin));
	if (rc && errno != EINPROGRESS)
		c->state = FAILED;
	free(rest);
	return fd;
}

/* At once, without a word of farewell that would have to arrive. */
static void hang_up(int fd)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static bool is_reply(const struct call *c, const uint8_t *p, ssize_t got, unsigned int number)
{
	size_t at = c->v6 ? 0 : 20; /* a raw socket of IPv4 gives the IP header, too */

	if (c->transport->type != SOCK_RAW)
		return got > 0;
	return got >= (ssize_t)at + 8 && p[at] == (c->v6 ? ECHO6_REPLY : ECHO4_REPLY) &&
	       (p[at + 4] << 8 | p[at + 5]) == (getpid() & 0xffff) && p[at + 7] == number;
}

/* Begins, and asks what needs no connection. */
static void call_place(struct call *c, struct pollfd *pfd, char *word, unsigned int number)
{
	*pfd = (struct pollfd){ .fd = call_begin(c, word), .events = POLLIN };
	if (c->state == CONNECTING && c->transport->type == SOCK_STREAM)
		pfd->events = POLLOUT;
	else if (c->state == CONNECTING)
		ask(c, pfd->fd, number);
}

static void call_go_on(struct call *c, struct pollfd *pfd, unsigned int number)
{
	static uint8_t buf[LARGEST];
	int error = 0;
	socklen_t len = sizeof(error);
	ssize_t got;

	if (c->state == CONNECTING) {
		getsockopt(pfd->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error)
			c->state = FAILED;
		else
			ask(c, pfd->fd, number);
		pfd->events = POLLIN;
	} else {
		got = recv(pfd->fd, buf, sizeof(buf), 0);
		if (is_reply(c, buf, got, number))
			c->state = ANSWERED;
		else if (got == 0 || (got < 0 && errno != EAGAIN))
			c->state = FAILED;
	}
	if (c->state >= ANSWERED) {
		hang_up(pfd->fd);
		pfd->fd = -1;
	}
}

static void calls_go_on(struct call *calls, struct pollfd *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i].revents)
			call_go_on(&calls[i], &fds[i], i);
}

/* Who has got a connection is waited for even behind the end mark, the last of them. */
static bool is_waited_for(const struct call *c, bool end)
{
	if (c->state == ASKED && c->transport->type == SOCK_STREAM)
		return true;
	return c->state < ANSWERED && !end;
}

static bool is_over(const struct call *calls, size_t n, bool all)
{
	bool end = !all && calls[n - 1].state >= ANSWERED;

	for (size_t i = 0; i < n; i++)
		if (is_waited_for(&calls[i], end))
			return false;
	return true;
}

/*
 * pkt call all|WORD WORD...: asks each, PROTO/ADDRESS[/PORT[/BYTES]]; prints those that answered.
 * The first word is the end mark: it is asked last, and what it overtakes does not answer. All:
 * each is waited for.
 */
int cmd_call(int argc, char **argv)
{
	bool all = !strcmp(argv[0], "all");
	size_t n = all ? argc - 1 : argc;
	struct pollfd fds[MOST];
	struct call calls[MOST];

	if (n > MOST)
		die("too many words", argv[MOST]);
	for (size_t i = 0; i < n; i++)
		call_place(&calls[i], &fds[i], argv[(i + 1) % argc], i);
	while (!is_over(calls, n, all)) {
		if (!wait_readable(fds, n))
			return EXIT_TIMEOUT;
		calls_go_on(calls, fds, n);
		/* What came before the end mark's answer, to a socket that poll() had gone by. */
		if (poll(fds, n, 0) > 0)
			calls_go_on(calls, fds, n);
	}
	for (size_t i = 0; i < n; i++) {
		if (fds[i].fd >= 0)
			hang_up(fds[i].fd);
		if (calls[i].state == ANSWERED && (all || i < n - 1))
			puts(calls[i].word);
	}
	return calls[n - 1].state == ANSWERED || all ? 0 : EXIT_TIMEOUT;
}
