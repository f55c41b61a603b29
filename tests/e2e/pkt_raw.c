/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ways on which a program sends packets of its own making. Each takes an interface and frames in
 * hex, and sends the end mark last.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pkt_frame.h"
#include "pkt_more.h"

#define RING_FRAME 16384
#define RING_FRAMES 4
#define GSO_UDP_L4 5 /* VIRTIO_NET_HDR_GSO_UDP_L4: linux/virtio_net.h has it from 6.2 on */

static int end(const char *ifname)
{
	send_end(packet_socket(ifname, SOCK_RAW, 0));
	return 0;
}

/* The IP packet by a raw socket that is given its header, too; routed by its destination. */
static void raw_send(const char *hex)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct frame f;
	const uint8_t *ip = f.data + ETH_HLEN;
	bool v6;
	int fd;

	frame_from_hex(hex, &f);
	v6 = ip[0] >> 4 == 6;
	memcpy(&sin6.sin6_addr, ip + 24, 16);
	memcpy(&sin.sin_addr, ip + 16, 4);
	fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0)
		die("IPPROTO_RAW", strerror(errno));
	if (sendto(fd, ip, f.len - ETH_HLEN, 0,
		    v6 ? (struct sockaddr *)&sin6 : (struct sockaddr *)&sin,
		    v6 ? sizeof(sin6) : sizeof(sin)) < 0)
		fprintf(stderr, "pkt: sendto: %s\n", strerror(errno));
	close(fd);
}

/* pkt raw IFACE HEX...: by IPPROTO_RAW */
int cmd_raw(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		raw_send(argv[i]);
	return end(argv[0]);
}

/* pkt cooked IFACE HEX...: AF_PACKET where the kernel writes the Ethernet header */
int cmd_cooked(int argc, char **argv)
{
	int fd = packet_socket(argv[0], SOCK_DGRAM, 0);
	struct frame f;

	for (int i = 1; i < argc; i++) {
		struct sockaddr_ll to = {
			.sll_family = AF_PACKET,
			.sll_ifindex = if_nametoindex(argv[0]),
			.sll_halen = 6,
		};

		frame_from_hex(argv[i], &f);
		memcpy(to.sll_addr, f.data, 6);
		memcpy(&to.sll_protocol, f.data + 12, 2);
		if (sendto(fd, f.data + ETH_HLEN, f.len - ETH_HLEN, 0, (struct sockaddr *)&to,
			    sizeof(to)) < 0)
			fprintf(stderr, "pkt: sendto: %s\n", strerror(errno));
	}
	close(fd);
	return end(argv[0]);
}

/* pkt ring IFACE HEX...: AF_PACKET from memory that the kernel shares (PACKET_TX_RING) */
int cmd_ring(int argc, char **argv)
{
	struct tpacket_req req = {
		.tp_block_size = RING_FRAME,
		.tp_block_nr = RING_FRAMES,
		.tp_frame_size = RING_FRAME,
		.tp_frame_nr = RING_FRAMES,
	};
	int fd = packet_socket(argv[0], SOCK_RAW, 0), version = TPACKET_V2;
	struct tpacket2_hdr *head;
	struct frame f;
	uint8_t *ring;

	if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
		setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &req, sizeof(req)))
		die("PACKET_TX_RING", strerror(errno));
	ring = mmap(NULL, RING_FRAME * RING_FRAMES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED)
		die("mmap", strerror(errno));
	for (int i = 1; i < argc; i++) {
		frame_from_hex(argv[i], &f);
		head = (struct tpacket2_hdr *)(ring + (size_t)(i - 1) % RING_FRAMES * RING_FRAME);
		memcpy((uint8_t *)head + TPACKET2_HDRLEN - sizeof(struct sockaddr_ll), f.data,
			f.len);
		head->tp_len = f.len;
		head->tp_status = TP_STATUS_SEND_REQUEST;
		if (send(fd, NULL, 0, 0) < 0) /* returns when the frame is away */
			fprintf(stderr, "pkt: send: %s\n", strerror(errno));
	}
	close(fd);
	return end(argv[0]);
}

/* How the kernel is to cut the frame, UDP or TCP over IPv4 without tags and options. */
static struct virtio_net_hdr gso_head(const struct frame *f)
{
	bool tcp = f->data[ETH_HLEN + 9] == IPPROTO_TCP;

	return (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = tcp ? VIRTIO_NET_HDR_GSO_TCPV4 : GSO_UDP_L4,
		.hdr_len = ETH_HLEN + 20 + (tcp ? 20 : 8),
		.gso_size = 100,
		.csum_start = ETH_HLEN + 20,
		.csum_offset = tcp ? 16 : 6,
	};
}

/* pkt gso IFACE HEX...: AF_PACKET, each as an aggregate of packets with 100 bytes */
int cmd_gso(int argc, char **argv)
{
	int fd = packet_socket(argv[0], SOCK_RAW, 0), on = 1;
	struct frame f;

	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)))
		die("PACKET_VNET_HDR", strerror(errno));
	for (int i = 1; i < argc; i++) {
		struct virtio_net_hdr head;
		struct iovec iov[] = { { &head, sizeof(head) }, { f.data, 0 } };

		frame_from_hex(argv[i], &f);
		head = gso_head(&f);
		iov[1].iov_len = f.len;
		if (writev(fd, iov, 2) < 0)
			fprintf(stderr, "pkt: send: %s\n", strerror(errno));
	}
	close(fd);
	return end(argv[0]);
}
