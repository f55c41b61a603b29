// SPDX-License-Identifier: GPL-2.0-only
#include "clients.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

#define PATIENCE 2000 /* ms for a request that has begun, or for a part of a reply */
#define ROOM (WIRE_REQUEST_HEAD + WIRE_MOST)
#define ACCEPT_MOST 16 /* in a row: others wait, too */
#define ANSWER_MOST 16
#define DEAF 100 /* ms until those are taken in for whom there was no descriptor or memory */

int clients_open(struct clients *c, serve_fn serve, void *arg)
{
	*c = (struct clients){ .serve = serve, .arg = arg };
	for (int i = 0; i < CLIENTS; i++)
		c->v[i].fd = -1;
	c->fd = epoll_create1(EPOLL_CLOEXEC);
	return c->fd >= 0 ? 0 : -errno;
}

static void close_fds(struct client *client)
{
	while (client->n_fds)
		close(client->fds[--client->n_fds]);
}

static void drop(struct client *client)
{
	close_fds(client);
	close(client->fd);
	free(client->in);
	free(client->out);
	*client = (struct client){ .fd = -1 };
}

static bool is_idle(const struct client *client)
{
	return !client->n_in && !client->out && !client->waits;
}

/*
 * What is to be waited for. Who waits for an answer is not looked at: that he is gone would be told
 * again and again.
 */
static void watch(struct clients *c, struct client *client)
{
	struct epoll_event event = {
		.events = client->out	  ? EPOLLOUT
			  : client->ended ? 0
					  : EPOLLIN,
		.data.u32 = client - c->v,
	};
	bool watched = !client->waits;
	int op = !watched ? EPOLL_CTL_DEL : client->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (client->fd < 0 ||
		(client->watched == watched && (!watched || client->events == event.events)))
		return;
	if (epoll_ctl(c->fd, op, client->fd, &event)) {
		c->dropped++;
		drop(client);
		return;
	}
	client->watched = watched;
	client->events = event.events;
}

/* A free place, or that of the one who was idle longest; if all are busy, who was longest so. */
static struct client *make_place(struct clients *c)
{
	struct client *worst = NULL;

	for (int i = 0; i < CLIENTS; i++) {
		struct client *v = &c->v[i];

		if (v->fd < 0)
			return v;
		if (!worst || is_idle(v) > is_idle(worst) ||
			(is_idle(v) == is_idle(worst) && v->order < worst->order))
			worst = v;
	}
	c->dropped++;
	drop(worst);
	return worst;
}

/* The socket's mode keeps others out; whoever was handed a descriptor is asked, too. */
static bool is_root(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) && !peer.uid;
}

void clients_accept(struct clients *c, int listen_fd, uint64_t now)
{
	for (int i = 0; i < ACCEPT_MOST; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct client *client;

		if (fd < 0 && errno != EAGAIN)
			c->deaf_until = now + DEAF;
		if (fd < 0)
			return;
		if (!is_root(fd)) {
			c->refused++;
			close(fd);
			continue;
		}
		client = make_place(c);
		client->fd = fd;
		client->since = now;
		client->who = client->order = ++c->order;
		watch(c, client);
	}
}

bool clients_is_deaf(const struct clients *c, uint64_t now)
{
	return now < c->deaf_until;
}

int clients_wait(const struct clients *c, uint64_t now)
{
	int64_t wait = clients_is_deaf(c, now) ? (int64_t)(c->deaf_until - now) : -1;

	for (int i = 0; i < CLIENTS; i++) {
		const struct client *v = &c->v[i];
		int64_t left = (int64_t)(v->since + PATIENCE) - (int64_t)now;

		if (v->fd < 0 || v->waits || is_idle(v))
			continue;
		left = left > 0 && !v->more ? left : 0;
		if (wait < 0 || left < wait)
			wait = left;
	}
	return wait;
}

static void put_reply(struct client *client, const struct wire_reply *reply)
{
	if (wire_put_reply(reply, &client->out, &client->n_out))
		drop(client);
	else
		client->sent = 0;
}

static void refuse(struct client *client, const char *why)
{
	put_reply(client, &(struct wire_reply){ .exit = 1, .err = why, .err_len = strlen(why) });
	client->last = true;
}

static void take_answer(struct client *client, const struct wire_reply *reply)
{
	if (reply)
		put_reply(client, reply);
	else
		refuse(client, "the agent has too little memory");
}

static void answer(struct clients *c, struct client *client, const struct wire_request *request)
{
	struct answer answer;
	int rc = answer_make(&answer, c->serve, request, c->arg);

	c->served++;
	client->waits = rc == SERVE_LATER;
	if (client->waits)
		return;
	take_answer(client, rc ? NULL : &answer.reply);
	if (!rc)
		answer_free(&answer);
}

static void say_bad(struct clients *c, struct client *client, int rc)
{
	c->refused++;
	if (rc == -E2BIG)
		refuse(client, "the request is larger than the agent takes");
	else if (rc == -EPROTONOSUPPORT)
		refuse(client, "the agent that runs is of another version; 'systemctl "
			       "restart bpfpol-agent' starts this one");
	else
		drop(client);
}

/* Closed, that is: who has only said all that he has to say waits. */
static bool is_gone(int fd)
{
	struct pollfd peer = { .fd = fd };

	return poll(&peer, 1, 0) > 0 && peer.revents & (POLLHUP | POLLERR);
}

/* The requests that are whole, one by one: the next is not looked at before its reply is gone. */
static void take_request(struct clients *c, struct client *client)
{
	struct wire_request request;
	ssize_t took = wire_get_request(client->in, client->n_in, &request);

	if (!took)
		return;
	if (took < 0) {
		say_bad(c, client, took);
		return;
	}
	request.fds = client->fds;
	request.n_fds = client->n_fds;
	request.who = client->who;
	request.gone = is_gone(client->fd);
	client->order = ++c->order;
	answer(c, client, &request);
	client->since = clock_ms(); /* it may have taken a while */
	free(request.words);
	if (client->fd < 0)
		return;
	close_fds(client);
	client->n_in -= took;
	memmove(client->in, client->in + took, client->n_in);
}

/* What goes into the socket at once need not wait for the next round. */
static void send_reply(struct client *client)
{
	ssize_t sent = send(client->fd, client->out + client->sent, client->n_out - client->sent,
		MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		drop(client);
		return;
	}
	if (sent <= 0)
		return;
	client->sent += sent;
	client->since = clock_ms();
	if (client->sent < client->n_out)
		return;
	if (client->last) {
		drop(client);
		return;
	}
	free(client->out);
	client->out = NULL;
	if (!client->n_in) {
		free(client->in);
		client->in = NULL;
	}
}

/* Those that there is no place for are let go at once. */
static void take_fds(struct client *client, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (client->n_fds < WIRE_FDS)
				client->fds[client->n_fds++] = fd;
			else
				close(fd);
		}
	}
}

static ssize_t receive(struct client *client)
{
	union {
		char bytes[CMSG_SPACE(WIRE_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = { client->in + client->n_in, ROOM - client->n_in };
	struct msghdr msg = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t got = recvmsg(client->fd, &msg, MSG_CMSG_CLOEXEC);

	if (got >= 0)
		take_fds(client, &msg);
	return got;
}

static void read_more(struct client *client, uint64_t now)
{
	ssize_t got;

	if (!client->in)
		client->in = malloc(ROOM);
	got = client->in ? receive(client) : 0;
	if (!client->in || (got < 0 && errno != EAGAIN && errno != EINTR)) {
		drop(client);
		return;
	}
	client->ended = !got;
	if (got > 0 && !client->n_in)
		client->since = now;
	if (got > 0)
		client->n_in += got;
}

/* What is whole, as far as the socket takes the replies. */
static void answer_all(struct clients *c, struct client *client)
{
	client->more = false;
	for (int i = 0; client->n_in && !client->out && !client->waits; i++) {
		client->more = i == ANSWER_MOST;
		if (client->more)
			return;
		take_request(c, client);
		if (client->fd < 0 || !client->out)
			return;
		send_reply(client);
	}
}

static void handle(struct clients *c, struct client *client, uint32_t events, uint64_t now)
{
	if (client->out)
		send_reply(client);
	else if (events && !client->ended && client->n_in < ROOM)
		read_more(client, now);
	if (client->fd >= 0)
		answer_all(c, client);
	if (client->ended && !client->out && !client->more && !client->waits)
		drop(client);
}

void clients_handle(struct clients *c, uint64_t now)
{
	struct epoll_event told[CLIENTS];
	uint32_t events[CLIENTS] = {};
	int n = epoll_wait(c->fd, told, CLIENTS, 0);

	for (int i = 0; i < n; i++)
		events[told[i].data.u32] = told[i].events;
	for (int i = 0; i < CLIENTS; i++) {
		struct client *client = &c->v[i];

		if (client->fd < 0)
			continue;
		if (events[i] || client->more)
			handle(c, client, events[i], now);
		if (client->fd >= 0 && !client->waits && !is_idle(client) &&
			now > client->since + PATIENCE) {
			c->dropped++;
			drop(client);
		}
		watch(c, client);
	}
}

void clients_reply(struct clients *c, uint64_t who, const struct wire_reply *reply)
{
	for (int i = 0; i < CLIENTS; i++) {
		struct client *client = &c->v[i];

		if (client->fd < 0 || !client->waits || client->who != who)
			continue;
		client->waits = false;
		client->since = clock_ms();
		take_answer(client, reply);
		if (client->fd >= 0)
			send_reply(client);
		client->more = client->fd >= 0 && !client->out && client->n_in;
		if (client->fd >= 0 && client->ended && !client->out && !client->more)
			drop(client);
		watch(c, client);
	}
}

unsigned int clients_count(const struct clients *c)
{
	unsigned int n = 0;

	for (int i = 0; i < CLIENTS; i++)
		n += c->v[i].fd >= 0;
	return n;
}

void clients_close(struct clients *c)
{
	for (int i = 0; i < CLIENTS; i++)
		if (c->v[i].fd >= 0)
			drop(&c->v[i]);
	close(c->fd);
}
