/* SPDX-License-Identifier: GPL-2.0-only */
/* Interfaces and default routes of this network namespace, asked of the kernel by rtnetlink. */
#ifndef BPFPOL_NETLINK_H
#define BPFPOL_NETLINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nl_link {
	int ifindex;
	char name[IF_NAMESIZE];
	char kind[32]; /* IFLA_INFO_KIND: veth, bond, vlan, tun...; "" for none */
	int lower;     /* IFLA_LINK in this namespace: a VLAN's parent; 0: none */
	int master;    /* IFLA_MASTER: a bond's or bridge's ifindex; 0: none */
	bool hardware; /* a device stands behind it (IFLA_PARENT_DEV_NAME, else sysfs) */
	bool loopback;
	bool l3;	 /* frames begin with the IP header */
	bool unreadable; /* frames begin neither so nor with an Ethernet header: CAN, InfiniBand */
	bool up;
	bool ipv6;	    /* it may have addresses of it */
	bool default_route; /* an IPv4 or IPv6 default route leaves by it */
	uint32_t mtu;
	uint32_t xdp_prog; /* id of the XDP program on it (native or generic); 0: none */
	bool bridge_port;
	bool promiscuous;	   /* frames for other machines arrive, too */
	bool forwards4, forwards6; /* nl_forwarding_get() */
};

struct nl_links {
	struct nl_link *v; /* by ifindex */
	size_t n;
};

/* 0 or -errno. */
int nl_links_get(struct nl_links *links);
/* The same without default_route: where there are a million routes that takes a second. */
int nl_links_list(struct nl_links *links);
/* Asks, for each of them, whether it forwards what arrives, by family. */
int nl_forwarding_get(struct nl_links *links);
void nl_links_free(struct nl_links *links);
/* Neither the loopback nor unreadable. */
bool nl_can_filter(const struct nl_link *link);
/* Fingerprint of their names and numbers; never 0. */
uint64_t nl_links_print(const struct nl_links *links);
const struct nl_link *nl_by_name(const struct nl_links *links, const char *name);
const struct nl_link *nl_by_index(const struct nl_links *links, int ifindex);

/*
 * Where filtering starts when nothing is attached yet: every interface with hardware behind it,
 * and every default-route interface that has none such below it. *out: array of pointers into
 * links, caller frees. -ENOMEM.
 */
int nl_default_links(const struct nl_links *links, const struct nl_link ***out, size_t *n);

/*
 * A descriptor that is readable when interfaces came, went or changed. What has happened is not to
 * be read from it: look at all of them again. -1 and errno.
 */
int nl_watch_open(void);
/* Takes what is there. -ENOBUFS: some was lost, which makes no difference to who looks again. */
int nl_watch_read(int fd);

struct prefixes;
/* Every unicast address of this host, as full-length prefixes; caller frees v. */
int nl_addresses_get(struct prefixes *list);
/* Those of one interface. */
int nl_addresses_of(int ifindex, struct prefixes *list);

#endif
