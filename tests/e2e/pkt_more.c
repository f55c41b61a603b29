/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pkt_frame.h"
#include "pkt_more.h"

/* linux/bpf.h has these names from 6.6 on. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
#define TCX_BEFORE (1U << 3)

static void send_zeros(int fd, size_t left)
{
	static const char zeros[65536];

	while (left) {
		size_t part = left < sizeof(zeros) ? left : sizeof(zeros);
		ssize_t n = send(fd, zeros, part, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return;
		left -= n > 0 ? n : 0;
	}
}

/* Bytes read until the other side closes. */
static size_t drain(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	static char buf[1 << 20];
	size_t sum = 0;
	ssize_t n;

	while (wait_readable(&pfd, 1)) {
		n = recv(fd, buf, sizeof(buf), 0);
		if (n <= 0)
			break;
		sum += n;
	}
	return sum;
}

/* pkt serve PORT BYTES: to one TCP connection; prints how many it got from there */
int cmd_serve(int argc, char **argv)
{
	struct pollfd pfd = { .fd = listen_on(SOCK_STREAM, 0, to_number(argv[0], 65535)),
		.events = POLLIN };
	unsigned int bytes = to_number(argv[1], UINT32_MAX);
	int conn;

	puts("ready");
	if (!wait_readable(&pfd, 1))
		return EXIT_TIMEOUT;
	conn = accept(pfd.fd, NULL, NULL);
	if (conn < 0)
		die("accept", strerror(errno));
	send_zeros(conn, bytes);
	shutdown(conn, SHUT_WR);
	printf("%zu\n", drain(conn));
	close(conn);
	return 0;
}

/* kind: IFF_TUN or IFF_TAP */
static int tun_open(const char *name, int kind)
{
	struct ifreq ifr = { .ifr_flags = kind | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		die("/dev/net/tun", strerror(errno));
	return fd;
}

/* The frame's packet, without its Ethernet header. */
static void tun_write(int fd, const char *hex)
{
	struct frame f;

	frame_from_hex(hex, &f);
	if (write(fd, f.data + ETH_HLEN, f.len - ETH_HLEN) != (ssize_t)f.len - ETH_HLEN)
		die("write", strerror(errno));
}

/*
 * pkt tun NAME HEX...: after a line of stdin the frames arrive by that device, without their
 * Ethernet headers; then a line for each packet that leaves by it, until a datagram of IPv4 to
 * port 9
 */
int cmd_tun(int argc, char **argv)
{
	struct pollfd pfd = { .fd = tun_open(argv[0], IFF_TUN), .events = POLLIN };
	struct frame f;
	char line[16];

	puts("ready");
	fflush(stdout);
	if (argc > 1 && !fgets(line, sizeof(line), stdin))
		die("stdin", "no line");
	for (int i = 1; i < argc; i++)
		tun_write(pfd.fd, argv[i]);
	while (wait_readable(&pfd, 1)) {
		ssize_t got;

		memset(&f, 0, sizeof(f));
		got = read(pfd.fd, f.data + ETH_HLEN, sizeof(f.data) - ETH_HLEN);
		if (got < 0)
			die("read", strerror(errno));
		f.len = got + ETH_HLEN;
		f.data[12] = f.data[ETH_HLEN] >> 4 == 4 ? ETH_P_IP >> 8 : ETH_P_IPV6 >> 8;
		f.data[13] = f.data[ETH_HLEN] >> 4 == 4 ? ETH_P_IP & 255 : ETH_P_IPV6 & 255;
		if (frame_is_end_datagram(&f))
			return 0;
		frame_print(&f);
	}
	return EXIT_TIMEOUT;
}

/* pkt tap NAME HEX...: the frames arrive by that device, and then the end mark */
int cmd_tap(int argc, char **argv)
{
	int fd = tun_open(argv[0], IFF_TAP);
	struct frame f;

	for (int i = 1; i <= argc; i++) {
		if (i < argc)
			frame_from_hex(argv[i], &f);
		else
			frame_end_mark(&f);
		if (write(fd, f.data, f.len) != (ssize_t)f.len)
			die("write", strerror(errno));
	}
	return 0;
}

/* pkt link-type NAME TYPE: a new device that says it is of that type (ARPHRD_*), and stays */
int cmd_link_type(int argc, char **argv)
{
	int fd = tun_open(argv[0], IFF_TUN);

	(void)argc;
	if (ioctl(fd, TUNSETLINK, (unsigned long)to_number(argv[1], UINT16_MAX)) ||
		ioctl(fd, TUNSETPERSIST, 1UL))
		die("/dev/net/tun", strerror(errno));
	return 0;
}

static int bpf(int cmd, union bpf_attr *attr, const char *what)
{
	int rc = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	if (rc < 0)
		die(what, strerror(errno));
	return rc;
}

/* pkt tcx IFACE in|out PROGRAM LINK [first]: the pinned program, by a link that is pinned there */
int cmd_tcx(int argc, char **argv)
{
	union bpf_attr get = { .pathname = (uintptr_t)argv[2] };
	union bpf_attr link = { .link_create = {
					.target_ifindex = if_nametoindex(argv[0]),
					.attach_type =
						strcmp(argv[1], "in") ? TCX_EGRESS : TCX_INGRESS,
					.flags = argc > 4 ? TCX_BEFORE : 0,
				} };
	union bpf_attr pin = { .pathname = (uintptr_t)argv[3] };

	link.link_create.prog_fd = bpf(BPF_OBJ_GET, &get, argv[2]);
	pin.bpf_fd = bpf(BPF_LINK_CREATE, &link, argv[0]);
	bpf(BPF_OBJ_PIN, &pin, argv[3]);
	return 0;
}

/* pkt nameless PROGRAM: an XDP program without a name, which lets everything pass, pinned there */
int cmd_nameless(int argc, char **argv)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (uintptr_t)insns,
		.insn_cnt = sizeof(insns) / sizeof(insns[0]),
		.license = (uintptr_t) "GPL",
	};
	union bpf_attr pin = { .pathname = (uintptr_t)argv[0] };

	pin.bpf_fd = bpf(BPF_PROG_LOAD, &load, "XDP_PASS");
	bpf(BPF_OBJ_PIN, &pin, argv[0]);
	return 0;
}

/* pkt verified PROGRAM...: how many instructions the verifier went through for each pinned one */
int cmd_verified(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		union bpf_attr get = { .pathname = (uintptr_t)argv[i] };
		struct bpf_prog_info info = { 0 };
		union bpf_attr ask = { .info = { .info_len = sizeof(info),
					       .info = (uintptr_t)&info } };

		ask.info.bpf_fd = bpf(BPF_OBJ_GET, &get, argv[i]);
		bpf(BPF_OBJ_GET_INFO_BY_FD, &ask, argv[i]);
		close(ask.info.bpf_fd);
		printf("%u\n", info.verified_insns);
	}
	return 0;
}
