// SPDX-License-Identifier: GPL-2.0-only
#include "netlink_diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include "netlink_parts.h"

#define ESTABLISHED 1 /* TCP_ESTABLISHED and so on of the kernel */
#define CLOSE_WAIT 8  /* the other end has no more to say */
#define LISTEN 10

struct request {
	struct nlmsghdr nlh;
	struct inet_diag_req_v2 req;
};

static int ask(struct request *r, int flags, mnl_cb_t cb, void *data)
{
	r->nlh = (struct nlmsghdr){
		.nlmsg_len = sizeof(*r),
		.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.nlmsg_flags = NLM_F_REQUEST | flags,
	};
	return nl_talk(NETLINK_SOCK_DIAG, &r->nlh, cb, data);
}

static int listening_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
	const struct tcp_socket s = {
		.family = m->idiag_family == AF_INET ? 4 : 6,
		.local_port = ntohs(m->id.idiag_sport),
		.inode = m->idiag_inode,
		.listens = true,
	};

	if (sockets_add(data, &s)) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

int nl_listening(struct tcp_sockets *list)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int rc = 0;

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && !rc; i++) {
		struct request r = {
			.req = {
				.sdiag_family = families[i],
				.sdiag_protocol = IPPROTO_TCP,
				.idiag_states = 1 << LISTEN,
			},
		};

		rc = ask(&r, NLM_F_DUMP, listening_cb, list);
		if (i && rc == -ENOENT)
			rc = 0; /* a kernel without IPv6 */
	}
	return rc;
}

static int connected_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
	bool *yes = data;

	*yes = m->idiag_state == ESTABLISHED || m->idiag_state == CLOSE_WAIT;
	return MNL_CB_OK;
}

int nl_is_connected(const struct tcp_socket *ends, bool *yes)
{
	struct request r = {
		.req = {
			.sdiag_family = ends->family == 4 ? AF_INET : AF_INET6,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = 1 << ESTABLISHED | 1 << CLOSE_WAIT,
			.id = {
				.idiag_sport = htons(ends->local_port),
				.idiag_dport = htons(ends->remote_port),
				.idiag_if = ends->bound,
				.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE },
			},
		},
	};
	bool found = false;
	int rc;

	memcpy(r.req.id.idiag_src, ends->local, sizeof(r.req.id.idiag_src));
	memcpy(r.req.id.idiag_dst, ends->remote, sizeof(r.req.id.idiag_dst));
	rc = ask(&r, NLM_F_ACK, connected_cb, &found);
	if (rc == -ENOENT)
		rc = 0;
	if (!rc)
		*yes = found;
	return rc;
}
