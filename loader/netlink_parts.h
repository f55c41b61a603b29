/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of netlink*.c alone. */
#ifndef BPFPOL_NETLINK_PARTS_H
#define BPFPOL_NETLINK_PARTS_H

#include <libmnl/libmnl.h>

#include "netlink.h"
#include "policy.h"

struct nl_attrs {
	const struct nlattr **tb;
	int max;
	int newest; /* highest type seen, also beyond max */
};

/* A callback for mnl_attr_parse() and its like; data: a struct nl_attrs. */
int nl_attr_keep(const struct nlattr *attr, void *data);
/* Without the attribute, or if it is none such: 0, or buf as it was. */
uint32_t nl_attr_u32(const struct nlattr *attr);
void nl_attr_str(const struct nlattr *attr, char *buf, size_t size);

/* Makes room for one more: doubles whenever n is a power of two. NULL, errno ENOMEM: v is kept. */
void *nl_grow(void *v, size_t n, size_t size);

/* The address of a prefix; without the attribute, or if it is none such, as it was. */
void nl_attr_address(const struct nlattr *attr, struct prefix *p);
/* Adds the prefix whose address that attribute is. 0 or -ENOMEM. */
int nl_add_prefix(struct prefixes *list, int family, unsigned int len, const struct nlattr *attr);

/*
 * Asks over a socket of its own, until the kernel says that it is done; the flags are the caller's.
 * -EINTR: a dump was inconsistent.
 */
int nl_talk(int bus, struct nlmsghdr *request, mnl_cb_t cb, void *data);
/* What was collected by a dump that has to be asked again is forgotten by reset(data). */
int nl_dump(struct nlmsghdr *request, mnl_cb_t cb, void (*reset)(void *), void *data);
/* Of one thing alone; what the kernel says against it is the error. */
int nl_ask(struct nlmsghdr *request, mnl_cb_t cb, void *data);

#endif
