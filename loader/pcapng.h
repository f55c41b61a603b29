/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets that `watch` was told of, as a capture (pcapng): their first bytes, each with its
 * interface, its direction, and as a comment why it was blocked. Pure.
 */
#ifndef BPFPOL_PCAPNG_H
#define BPFPOL_PCAPNG_H

#include <net/if.h>
#include <stdio.h>

#include "watched.h"

/* Write errors stay in the FILE. */
struct pcapng {
	FILE *out;
	struct pcapng_interface {
		uint32_t ifindex;
		bool l3; /* frames begin with the IP header */
		char name[IF_NAMESIZE];
	} * v; /* in the order of their numbers in the capture */
	size_t n;
};

/* The head of a capture. */
void pcapng_begin(struct pcapng *p, FILE *out);
/* -ENOMEM. */
int pcapng_put(struct pcapng *p, const struct watched *packet);
/* The FILE stays open. */
void pcapng_end(struct pcapng *p);

#endif
