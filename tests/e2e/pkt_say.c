/* SPDX-License-Identifier: GPL-2.0-only */
/* Datagrams to everybody, and members of groups that get them. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pkt_frame.h"
#include "pkt_more.h"

/* A datagram socket at that interface, for broadcast and multicast, too. */
static int socket_on(int family, const char *ifname, unsigned int port)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1, rc;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifname, strlen(ifname)) ||
		setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
		die(ifname, strerror(errno));
	rc = family == AF_INET ? bind(fd, (struct sockaddr *)&sin, sizeof(sin))
			       : bind(fd, (struct sockaddr *)&sin6, sizeof(sin6));
	if (rc)
		die("bind", strerror(errno));
	return fd;
}

static void say(const char *ifname, unsigned int sport, char *word)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	char *port = strchr(word, '/');
	bool v6 = strchr(word, ':');
	int fd;

	if (!port)
		die("not ADDRESS/PORT", word);
	*port++ = 0;
	sin.sin_port = sin6.sin6_port = htons(to_number(port, 65535));
	sin6.sin6_scope_id = if_nametoindex(ifname);
	if (inet_pton(v6 ? AF_INET6 : AF_INET, word,
		    v6 ? (void *)&sin6.sin6_addr : &sin.sin_addr) != 1)
		die("bad address", word);
	fd = socket_on(v6 ? AF_INET6 : AF_INET, ifname, sport);
	if (sendto(fd, "x", 1, 0, v6 ? (struct sockaddr *)&sin6 : (struct sockaddr *)&sin,
		    v6 ? sizeof(sin6) : sizeof(sin)) != 1)
		fprintf(stderr, "pkt: %s: %s\n", word, strerror(errno));
	close(fd);
}

/* pkt say IFACE PORT ADDRESS/PORT...: a datagram from that interface and port to each */
int cmd_say(int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		say(argv[0], to_number(argv[1], 65535), argv[i]);
	return 0;
}

/* pkt join IFACE GROUP...: is a member until the process that began it is gone */
int cmd_join(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct group_req req = { .gr_interface = if_nametoindex(argv[0]) };
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&req.gr_group;
		struct sockaddr_in *sin = (struct sockaddr_in *)&req.gr_group;
		bool v6 = strchr(argv[i], ':');
		int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		req.gr_group.ss_family = v6 ? AF_INET6 : AF_INET;
		if (inet_pton(v6 ? AF_INET6 : AF_INET, argv[i],
			    v6 ? (void *)&sin6->sin6_addr : &sin->sin_addr) != 1)
			die("bad address", argv[i]);
		if (fd < 0 || setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, MCAST_JOIN_GROUP, &req,
				      sizeof(req)))
			die(argv[i], strerror(errno));
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
