/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames put onto a device. */
#ifndef BPFPOL_TWIN_SEND_H
#define BPFPOL_TWIN_SEND_H

#include "twin_wire.h"

#define SENDER_MARK 0x7717 /* of every skb that a socket or a ring makes */

struct sender;
/* tun: the descriptor to write to; drain: that of a device whose queue fills up; or -1. -errno. */
int sender_open(struct sender **sender, enum wire_way way, uint32_t ifindex, int tun, int drain);
/* At most 64. What a program drops on its way out counts as sent. -errno. */
int sender_send(struct sender *sender, const struct sample *v, size_t n);
void sender_close(struct sender **sender);

#endif
