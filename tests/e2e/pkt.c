/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames for the end-to-end tests: makes them, sends them, sees what arrives.
 *
 * Nobody waits for a time. Senders send the end mark last, and sniff and recv stop at it; the
 * timeout is there for the day when it gets lost, and ends them with EXIT_TIMEOUT. The end mark of
 * frames is not IP, because such frames pass whatever the rules say. Both print `ready` as soon
 * as nothing can be missed any more.
 *
 * AF_PACKET does not see what XDP dropped: what sniff prints has passed. TC comes after AF_PACKET:
 * there ask sockets (recv) or counters.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pkt_frame.h"
#include "pkt_more.h"

#define TIMEOUT_MS 20000
#define BATCH 64

/* pkt build end | KEY=VALUE...: the frame in hex */
static int cmd_build(int argc, char **argv)
{
	struct frame f;
	struct spec s;

	if (argc == 1 && !strcmp(argv[0], "end")) {
		frame_end_mark(&f);
	} else {
		spec_read(&s, argc, argv);
		frame_build(&s, &f);
	}
	for (size_t i = 0; i < f.len; i++)
		printf("%02x", f.data[i]);
	putchar('\n');
	return 0;
}

static void print_hex(const char *hex)
{
	struct frame f;

	frame_from_hex(hex, &f);
	frame_print(&f);
}

/* pkt line HEX...|-: how sniff would print it; `-` reads frames from stdin, one a line */
static int cmd_line(int argc, char **argv)
{
	char *line = NULL;
	size_t size = 0;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-"))
			print_hex(argv[i]);
		while (!strcmp(argv[i], "-") && getline(&line, &size, stdin) > 0)
			print_hex(line);
	}
	free(line);
	return 0;
}

int packet_socket(const char *ifname, int type, int protocol)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = if_nametoindex(ifname),
	};
	int fd = socket(AF_PACKET, type | SOCK_CLOEXEC, 0);

	if (!ll.sll_ifindex)
		die("no such interface", ifname);
	if (fd < 0 || bind(fd, (struct sockaddr *)&ll, sizeof(ll)))
		die("AF_PACKET", strerror(errno));
	return fd;
}

void send_end(int fd)
{
	struct frame end;

	frame_end_mark(&end);
	if (send(fd, end.data, end.len, 0) != (ssize_t)end.len)
		die("send", strerror(errno));
	close(fd);
}

/* Whether it went; not, when a filter on the way out took it. */
static bool send_hex(int fd, const char *hex)
{
	struct frame f;

	frame_from_hex(hex, &f);
	if (send(fd, f.data, f.len, 0) == (ssize_t)f.len)
		return true;
	if (errno != ENOBUFS)
		die("send", strerror(errno));
	fprintf(stderr, "pkt: send: %s\n", strerror(errno));
	return false;
}

/*
 * pkt send IFACE HEX...|-: `-` reads frames from stdin, one a line; the end mark follows. Exit 1:
 * some were dropped on the way out
 */
static int send_all(int fd, int argc, char **argv)
{
	bool all = true;
	char *line = NULL;
	size_t size = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-"))
			all = send_hex(fd, argv[i]) && all;
		while (!strcmp(argv[i], "-") && getline(&line, &size, stdin) > 0)
			all = send_hex(fd, line) && all;
	}
	free(line);
	send_end(fd);
	return !all;
}

static int cmd_send(int argc, char **argv)
{
	return send_all(packet_socket(argv[0], SOCK_RAW, 0), argc, argv);
}

/* pkt bypass IFACE HEX...|-: sends as `send` does, but round qdisc and TC */
static int cmd_bypass(int argc, char **argv)
{
	int fd = packet_socket(argv[0], SOCK_RAW, 0), on = 1;

	if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)))
		die("PACKET_QDISC_BYPASS", strerror(errno));
	return send_all(fd, argc, argv);
}

bool wait_readable(struct pollfd *fds, size_t n)
{
	int rc;

	fflush(stdout);
	do
		rc = poll(fds, n, TIMEOUT_MS);
	while (rc < 0 && errno == EINTR);
	return rc > 0;
}

/*
 * pkt sniff IFACE [routed]: a line per IP frame that arrives, until the end mark; no router
 * forwards that: routed, until a datagram of IPv4 to port 9
 */
static int cmd_sniff(int argc, char **argv)
{
	int fd = packet_socket(argv[0], SOCK_RAW, ETH_P_ALL), size = 64 << 20;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct sockaddr_ll from;
	unsigned int type;
	struct frame f;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	puts("ready");
	while (wait_readable(&pfd, 1)) {
		socklen_t len = sizeof(from);
		ssize_t got =
			recvfrom(fd, f.data, sizeof(f.data), 0, (struct sockaddr *)&from, &len);

		if (got < ETH_HLEN || from.sll_pkttype == PACKET_OUTGOING)
			continue;
		f.len = got;
		frame_l3(&f, &type);
		if (type == END_TYPE || (argc > 1 && frame_is_end_datagram(&f)))
			return 0;
		frame_print(&f);
	}
	return EXIT_TIMEOUT;
}

int listen_on(int type, int protocol, unsigned int port)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, protocol);
	int off = 0, on = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
		setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &on, sizeof(on)) ||
		bind(fd, (struct sockaddr *)&sin6, sizeof(sin6)) ||
		(type == SOCK_STREAM && listen(fd, 16)))
		die("listen", strerror(errno));
	return fd;
}

/* Prints what arrived at a socket; returns its port. */
static unsigned int print_arrival(int fd, bool tcp)
{
	struct sockaddr_in6 from = { 0 }, to = { 0 };
	socklen_t len = sizeof(from), tolen = sizeof(to);
	char buf[65536], text[INET6_ADDRSTRLEN];
	const char *src = text;
	ssize_t got = 0;
	int conn;

	getsockname(fd, (struct sockaddr *)&to, &tolen);
	if (tcp) {
		conn = accept(fd, (struct sockaddr *)&from, &len);
		if (conn >= 0)
			close(conn);
	} else {
		got = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);
	}
	inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof(text));
	if (!strncmp(src, "::ffff:", 7))
		src += 7;
	if (tcp || ntohs(to.sin6_port) != END_PORT)
		printf("%s %u %s %u %zd\n", tcp ? "tcp" : "udp", ntohs(to.sin6_port), src,
			ntohs(from.sin6_port), got);
	return ntohs(to.sin6_port);
}

/* pkt recv PROTO/PORT...: a line per datagram or connection, until a datagram to port 9 */
static int cmd_recv(int argc, char **argv)
{
	struct pollfd *fds = calloc(argc + 1, sizeof(*fds));

	if (!fds)
		die("calloc", strerror(errno));
	fds[0] = (struct pollfd){ .fd = listen_on(SOCK_DGRAM, 0, END_PORT), .events = POLLIN };
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "udp/", 4) && strncmp(argv[i], "tcp/", 4))
			die("not udp/PORT or tcp/PORT", argv[i]);
		fds[i + 1].fd = listen_on(*argv[i] == 't' ? SOCK_STREAM : SOCK_DGRAM, 0,
			to_number(argv[i] + 4, 65535));
		fds[i + 1].events = POLLIN;
	}
	puts("ready");
	while (wait_readable(fds, argc + 1)) {
		bool more = false;

		/* The end mark counts when the others are empty: what was sent before it is here.
		 */
		for (int i = argc; i > 0; i--) {
			if (fds[i].revents)
				print_arrival(fds[i].fd, *argv[i - 1] == 't');
			more = more || fds[i].revents;
		}
		if (!more && fds[0].revents && print_arrival(fds[0].fd, false) == END_PORT)
			return 0;
	}
	return EXIT_TIMEOUT;
}

struct addresses {
	uint32_t *v; /* host order, sorted */
	size_t n;
};

static int address_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void addresses_read(const char *path, struct addresses *list)
{
	FILE *file = fopen(path, "re");
	size_t size = 0, room = 0;
	struct in_addr address;
	char *line = NULL;

	if (!file)
		die(path, strerror(errno));
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "# \t\r\n")] = 0;
		if (inet_pton(AF_INET, line, &address) != 1)
			continue;
		if (list->n == room) {
			room = room ? 2 * room : 1024;
			list->v = reallocarray(list->v, room, sizeof(*list->v));
			if (!list->v)
				die(path, strerror(errno));
		}
		list->v[list->n++] = ntohl(address.s_addr);
	}
	free(line);
	fclose(file);
	if (list->n)
		qsort(list->v, list->n, sizeof(*list->v), address_cmp);
}

/* Whether a frame is to be sent for address i, and from which: `shift` above it, if not listed. */
static bool flood_source(const struct addresses *list, size_t i, uint32_t shift, uint32_t *source)
{
	*source = list->v[i] + shift;
	return !shift || !bsearch(source, list->v, list->n, sizeof(*source), address_cmp);
}

static void flood_send(int fd, struct mmsghdr *msgs, unsigned int n)
{
	for (unsigned int done = 0; done < n;) {
		int rc = sendmmsg(fd, msgs + done, n - done, 0);

		if (rc < 0 && errno != ENOBUFS && errno != EINTR)
			die("sendmmsg", strerror(errno));
		done += rc > 0 ? rc : 0;
	}
}

static size_t flood(int fd, struct spec *s, const struct addresses *list, uint32_t shift)
{
	static struct frame frames[BATCH];
	struct mmsghdr msgs[BATCH] = { 0 };
	struct iovec iov[BATCH];
	unsigned int n = 0;
	uint32_t source;
	size_t sent = 0;

	for (size_t i = 0; i < list->n; i++) {
		if (!flood_source(list, i, shift, &source))
			continue;
		source = htonl(source);
		memcpy(s->src, &source, 4);
		frame_build(s, &frames[n]);
		iov[n] = (struct iovec){ frames[n].data, frames[n].len };
		msgs[n].msg_hdr = (struct msghdr){ .msg_iov = &iov[n], .msg_iovlen = 1 };
		sent++;
		if (++n == BATCH) {
			flood_send(fd, msgs, n);
			n = 0;
		}
	}
	flood_send(fd, msgs, n);
	return sent;
}

/* pkt flood IFACE FILE [shift=N] KEY=VALUE...: a frame from each address of FILE; the end mark */
static int cmd_flood(int argc, char **argv)
{
	int fd = packet_socket(argv[0], SOCK_RAW, 0);
	struct addresses list = { 0 };
	uint32_t shift = 0;
	struct spec s;

	addresses_read(argv[1], &list);
	argv += 2;
	argc -= 2;
	if (argc && !strncmp(*argv, "shift=", 6)) {
		shift = to_number(*argv++ + 6, UINT32_MAX);
		argc--;
	}
	spec_read(&s, argc, argv);
	printf("%zu\n", flood(fd, &s, &list, shift));
	send_end(fd);
	free(list.v);
	return 0;
}

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	int least; /* arguments */
	const char *usage;
} commands[] = {
	{ "build", cmd_build, 1, "end | KEY=VALUE..." },
	{ "line", cmd_line, 1, "HEX...|-" },
	{ "send", cmd_send, 2, "IFACE HEX...|-" },
	{ "bypass", cmd_bypass, 2, "IFACE HEX...|-" },
	{ "sniff", cmd_sniff, 1, "IFACE [routed]" },
	{ "recv", cmd_recv, 1, "udp/PORT|tcp/PORT..." },
	{ "flood", cmd_flood, 3, "IFACE FILE [shift=N] KEY=VALUE..." },
	{ "serve", cmd_serve, 2, "PORT BYTES" },
	{ "tun", cmd_tun, 1, "NAME HEX..." },
	{ "tap", cmd_tap, 2, "NAME HEX..." },
	{ "link-type", cmd_link_type, 2, "NAME TYPE" },
	{ "tcx", cmd_tcx, 4, "IFACE in|out PROGRAM LINK [first]" },
	{ "nameless", cmd_nameless, 1, "PROGRAM" },
	{ "verified", cmd_verified, 1, "PROGRAM..." },
	{ "echo", cmd_echo, 1, "PROTO/PORT..." },
	{ "say", cmd_say, 3, "IFACE PORT ADDRESS/PORT..." },
	{ "join", cmd_join, 2, "IFACE GROUP..." },
	{ "raw", cmd_raw, 2, "IFACE HEX..." },
	{ "cooked", cmd_cooked, 2, "IFACE HEX..." },
	{ "ring", cmd_ring, 2, "IFACE HEX..." },
	{ "gso", cmd_gso, 2, "IFACE HEX..." },
	{ "pcap", cmd_pcap, 2, "micro|nano|big|ng LINK HEX[/BYTES-ON-THE-WIRE]..." },
	{ "unpcap", cmd_unpcap, 0, "<CAPTURE" },
	{ "call", cmd_call, 2, "all|WORD PROTO/ADDRESS[/PORT[/BYTES]]..." },
};
#define COMMANDS (sizeof(commands) / sizeof(*commands))

int main(int argc, char **argv)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (argc > 1 && !strcmp(argv[1], commands[i].name) && argc - 2 >= commands[i].least)
			return commands[i].run(argc - 2, argv + 2);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(stderr, "pkt %s %s\n", commands[i].name, commands[i].usage);
	return 2;
}
