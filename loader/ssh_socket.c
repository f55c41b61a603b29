// SPDX-License-Identifier: GPL-2.0-only
#include "ssh_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/netfilter_ipv4.h>
#include <linux/sockios.h>

/* Where it is not known it counts as of this one. */
static bool is_of_this_namespace(int fd)
{
	struct stat its, ours;
	int ns = ioctl(fd, SIOCGSKNS);
	bool other = ns >= 0 && !fstat(ns, &its) && !stat("/proc/self/ns/net", &ours) &&
		     its.st_ino != ours.st_ino;

	if (ns >= 0)
		close(ns);
	return !other;
}

static bool read_end(
	const struct sockaddr_storage *from, int *family, uint8_t address[16], uint16_t *port)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;

	if (from->ss_family == AF_INET) {
		memcpy(address, &v4->sin_addr, 4);
		*port = ntohs(v4->sin_port);
		*family = 4;
		return true;
	}
	if (from->ss_family != AF_INET6)
		return false;
	memcpy(address, &v6->sin6_addr, 16);
	*port = ntohs(v6->sin6_port);
	*family = sockets_unmap(address) ? 4 : 6;
	return true;
}

/*
 * What the other end sends to, if a rule of NAT has it come here: that is what is on the wire. IPv6
 * has an option of that number (IP6T_SO_ORIGINAL_DST) and that meaning, too.
 */
static void read_wire(int fd, struct tcp_socket *s)
{
	struct sockaddr_storage to = {};
	socklen_t len = s->family == 4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	int family;

	if (getsockopt(fd, s->family == 4 ? SOL_IP : SOL_IPV6, SO_ORIGINAL_DST, &to, &len) ||
		!read_end(&to, &family, s->wire_local, &s->wire_port) || family != s->family)
		s->wire_port = 0;
}

/*
 * IPv4 keeps what the first packet came by for IP_PKTOPTIONS, and tells it where the socket asks
 * for that; to have asked makes no difference to a stream.
 */
static int arrival_v4(int fd)
{
	int was = 0, on = 1, ifindex = 0;
	union {
		char bytes[256];
		struct cmsghdr align;
	} control;
	struct msghdr msg = { .msg_control = control.bytes };
	socklen_t len = sizeof(was);

	if (getsockopt(fd, SOL_IP, IP_PKTINFO, &was, &len) ||
		(!was && setsockopt(fd, SOL_IP, IP_PKTINFO, &on, sizeof(on))))
		return 0;
	len = sizeof(control.bytes);
	if (!getsockopt(fd, SOL_IP, IP_PKTOPTIONS, control.bytes, &len))
		msg.msg_controllen = len;
	if (!was)
		setsockopt(fd, SOL_IP, IP_PKTINFO, &was, sizeof(was));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_PKTINFO)
			memcpy(&ifindex, CMSG_DATA(c) + offsetof(struct in_pktinfo, ipi_ifindex),
				sizeof(ifindex));
	return ifindex;
}

/* IPv6 has it as where its own multicast would go, whatever the packets are of. */
static int arrival_v6(int fd)
{
	int ifindex = 0;
	socklen_t len = sizeof(ifindex);

	return getsockopt(fd, SOL_IPV6, IPV6_MULTICAST_IF, &ifindex, &len) ? 0 : ifindex;
}

/* What is not known is 0. */
static void read_interfaces(int fd, const struct sockaddr_storage *local, struct tcp_socket *s)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)local;
	bool is_v6 = local->ss_family == AF_INET6;
	socklen_t len = sizeof(s->bound);

	s->arrived = is_v6 ? arrival_v6(fd) : arrival_v4(fd);
	if (getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &s->bound, &len))
		s->bound = 0;
	if (!s->bound && is_v6)
		s->bound = v6->sin6_scope_id;
}

static bool is_listening(int fd)
{
	int yes = 0;
	socklen_t len = sizeof(yes);

	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) && yes;
}

int ssh_socket_read(int fd, struct tcp_socket *s)
{
	struct sockaddr_storage local, remote;
	socklen_t local_len = sizeof(local), remote_len = sizeof(remote), len = sizeof(int);
	int type, family;

	*s = (struct tcp_socket){};
	if (getsockname(fd, (struct sockaddr *)&local, &local_len))
		return errno == EOPNOTSUPP ? 0 : -errno;
	if (!read_end(&local, &family, s->local, &s->local_port))
		return 0;
	if (getpeername(fd, (struct sockaddr *)&remote, &remote_len)) {
		s->listens = errno == ENOTCONN && is_listening(fd);
		return errno == ENOTCONN ? 0 : -errno;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len))
		return -errno;
	if (!read_end(&remote, &s->family, s->remote, &s->remote_port) || type != SOCK_STREAM ||
		family != s->family || sockets_is_loopback(s) || !is_of_this_namespace(fd))
		return 0;
	read_wire(fd, s);
	read_interfaces(fd, &local, s);
	return 1;
}
