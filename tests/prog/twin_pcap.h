/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BPFPOL_TWIN_PCAP_H
#define BPFPOL_TWIN_PCAP_H

#include "twin.h"

/* A frame as it was captured. ip: where its IP header stands; NOWHERE: there is none. */
struct capture {
	uint8_t *data;
	size_t len, ip;
	size_t headers; /* no header reaches further */
	bool l3;	/* captured without Ethernet header */
};

#define NOWHERE ((size_t)-1)

struct captures {
	struct capture *v;
	size_t n, files;
};

/* Reads them, the first time. NULL: there are none. */
const struct captures *captures_find(void);

#endif
