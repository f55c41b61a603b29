/* SPDX-License-Identifier: GPL-2.0-only */
#include "twin_send.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define SLOT 16384
#define SLOTS 64
#define BLOCK 65536
#define HEADER TPACKET_ALIGN(sizeof(struct tpacket2_hdr))
_Static_assert(HEADER + sizeof(struct virtio_net_hdr) + WIRE_MTU <= SLOT, "a frame in a slot");

struct sender {
	enum wire_way way;
	int fd, drain;
	uint8_t *ring;
	unsigned int at; /* the slot whose turn it is */
};

/* --- one frame at a time --- */

/* ENOBUFS is what the sender is told when a program drops it on its way out. */
static int send_one(struct sender *s, const struct sample *sample)
{
	return send(s->fd, sample->data, sample->len, 0) < 0 && errno != ENOBUFS ? -errno : 0;
}

static int write_one(struct sender *s, const struct sample *sample)
{
	unsigned int version = sample->data[0] >> 4;
	/* Neither IP: a number that nobody listens to. */
	struct tun_pi pi = { .proto = htons(version == 4   ? ETH_P_IP
					    : version == 6 ? ETH_P_IPV6
							   : 0x88b5) };
	struct iovec v[] = {
		{ &pi, sizeof(pi) },
		{ (void *)sample->data, sample->len },
	};

	return writev(s->fd, v, 2) < 0 ? -errno : 0;
}

/* --- a ring --- */

/* The first bytes are copied into the linear part; the others stay in the ring's pages. */
static void fill(struct tpacket2_hdr *head, const struct sample *sample)
{
	struct virtio_net_hdr vnet = { .hdr_len = sample->len - sample->beyond };
	uint8_t *data = (uint8_t *)head + HEADER;

	memcpy(data, &vnet, sizeof(vnet));
	memcpy(data + sizeof(vnet), sample->data, sample->len);
	head->tp_len = sizeof(vnet) + sample->len;
}

static uint32_t status_of(const struct tpacket2_hdr *head)
{
	return __atomic_load_n(&head->tp_status, __ATOMIC_ACQUIRE);
}

static void set_status(struct tpacket2_hdr *head, uint32_t status)
{
	__atomic_store_n(&head->tp_status, status, __ATOMIC_RELEASE);
}

static int wait_for(const struct tpacket2_hdr *head)
{
	int tries;

	for (tries = 0; tries < 1000; tries++) {
		if (!(status_of(head) & (TP_STATUS_SEND_REQUEST | TP_STATUS_SENDING)))
			return 0;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

/* What a program drops on its way out the kernel would send again: it stays in its slot. */
static int ring_one(struct sender *s, const struct sample *sample)
{
	struct tpacket2_hdr *head = (struct tpacket2_hdr *)(s->ring + s->at * SLOT);
	int rc = wait_for(head);

	if (rc)
		return rc;
	fill(head, sample);
	set_status(head, TP_STATUS_SEND_REQUEST);
	if (send(s->fd, NULL, 0, MSG_DONTWAIT) >= 0) {
		s->at = (s->at + 1) % SLOTS;
		return status_of(head) & TP_STATUS_WRONG_FORMAT ? -EMSGSIZE : 0;
	}
	rc = errno == ENOBUFS ? 0 : -errno;
	set_status(head, TP_STATUS_AVAILABLE);
	return rc;
}

/* --- all of them --- */

/* What has passed lies in the device's queue, which is short. */
static void drain(const struct sender *s)
{
	static uint8_t data[WIRE_MTU + 64];

	while (s->drain >= 0 && read(s->drain, data, sizeof(data)) > 0)
		continue;
}

int sender_send(struct sender *s, const struct sample *v, size_t n)
{
	static int (*const one[])(struct sender *, const struct sample *) = {
		[BY_SOCKET] = send_one,
		[BY_RING] = ring_one,
		[BY_TUN] = write_one,
	};
	size_t i;
	int rc = 0;

	for (i = 0; i < n && !rc; i++)
		rc = one[s->way](s, &v[i]);
	drain(s);
	return rc;
}

static int make_ring(struct sender *s)
{
	struct tpacket_req request = {
		.tp_block_size = BLOCK,
		.tp_block_nr = SLOTS / (BLOCK / SLOT),
		.tp_frame_size = SLOT,
		.tp_frame_nr = SLOTS,
	};
	int version = TPACKET_V2, one = 1;

	if (setsockopt(s->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
		setsockopt(s->fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
		setsockopt(s->fd, SOL_PACKET, PACKET_TX_RING, &request, sizeof(request)))
		return -errno;
	s->ring = mmap(NULL, SLOT * SLOTS, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	if (s->ring != MAP_FAILED)
		return 0;
	s->ring = NULL;
	return -errno;
}

static int open_socket(struct sender *s, uint32_t ifindex)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = ifindex };
	int mark = SENDER_MARK, room = 1 << 24;

	s->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || setsockopt(s->fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) ||
		setsockopt(s->fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) ||
		bind(s->fd, (struct sockaddr *)&to, sizeof(to)))
		return -errno;
	return s->way == BY_RING ? make_ring(s) : 0;
}

int sender_open(struct sender **out, enum wire_way way, uint32_t ifindex, int tun, int drain)
{
	struct sender *s = must(calloc(1, sizeof(*s)));

	*out = s;
	s->way = way;
	s->drain = drain;
	s->fd = tun;
	return way == BY_TUN ? 0 : open_socket(s, ifindex);
}

void sender_close(struct sender **sender)
{
	struct sender *s = *sender;

	if (!s)
		return;
	if (s->ring)
		munmap(s->ring, SLOT * SLOTS);
	if (s->way != BY_TUN && s->fd >= 0)
		close(s->fd);
	free(s);
	*sender = NULL;
}
