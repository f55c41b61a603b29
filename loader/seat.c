// SPDX-License-Identifier: GPL-2.0-only
#include "seat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "dirs.h"
#include "solo.h"

#define LOCK "agent.lock"
#define BACKLOG 128
#define PATIENCE 5 /* seconds for an answer */

static int address_of(const char *path, struct sockaddr_un *address, struct diag *diag)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(address->sun_path))
		return diag_set(diag, DIAG_SYSTEM, ENAMETOOLONG,
			"the path of the agent's socket is too long: %s", path);
	strcpy(address->sun_path, path);
	return 0;
}

static int open_lock(struct seat *seat, struct diag *diag)
{
	char number[32] = "";
	int pid = 0, rc = solo_take(LOCK, &seat->lock_fd, &pid, diag);

	if (rc != -EBUSY)
		return rc;
	if (pid)
		snprintf(number, sizeof(number), " (process %d)", pid);
	return diag_set(diag, DIAG_SYSTEM, EBUSY,
		"there is an agent already%s; 'bpfpol agent status' asks it how it is", number);
}

/* Who holds the lock may replace the socket: nobody listens there. */
static int listen_at(struct seat *seat, struct diag *diag)
{
	struct sockaddr_un address;
	mode_t umask_was;
	int rc = address_of(seat->socket, &address, diag);

	if (rc)
		return rc;
	seat->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (seat->listen_fd < 0 || (unlink(seat->socket) && errno != ENOENT))
		return diag_errno(diag, errno, "cannot make the socket %s", seat->socket);
	umask_was = umask(0177);
	rc = bind(seat->listen_fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	umask(umask_was);
	if (!rc && listen(seat->listen_fd, BACKLOG))
		rc = -errno;
	return rc ? diag_errno(diag, -rc, "cannot listen on %s", seat->socket) : 0;
}

int seat_take(struct seat *seat, struct diag *diag)
{
	int rc;

	*seat = (struct seat){ .lock_fd = -1, .listen_fd = -1 };
	rc = open_lock(seat, diag);
	if (!rc) {
		seat->socket = path_join(dirs_get()->run, "agent.sock");
		rc = seat->socket ? listen_at(seat, diag) : -ENOMEM;
	}
	if (rc)
		seat_leave(seat);
	return rc;
}

void seat_leave(struct seat *seat)
{
	/* The socket goes while the lock is held, or it would be the next agent's. */
	if (seat->listen_fd >= 0) {
		unlink(seat->socket);
		close(seat->listen_fd);
	}
	if (seat->lock_fd >= 0)
		close(seat->lock_fd);
	free(seat->socket);
	*seat = (struct seat){ .lock_fd = -1, .listen_fd = -1 };
}

bool seat_is_lost(const struct seat *seat)
{
	struct stat st;

	return !fstat(seat->lock_fd, &st) && !st.st_nlink;
}

/* What somebody else put there is no agent. */
static int run_is_ours(void)
{
	struct diag ignored = {};
	int rc = dir_check(dirs_get()->run, &ignored);

	diag_free(&ignored);
	return !rc ? 1 : rc == -ENOENT || rc == -ENOTDIR || rc == -EPERM ? 0 : rc;
}

int seat_is_taken(int *pid)
{
	int ours = run_is_ours();

	return ours > 0 ? solo_is_taken(LOCK, pid) : ours;
}

static int none(struct diag *diag)
{
	return diag_set(diag, DIAG_SYSTEM, ECONNREFUSED,
		"there is no agent; 'systemctl start bpfpol-agent' starts it, or 'bpfpol agent' "
		"in a terminal of its own");
}

int seat_need(struct diag *diag)
{
	int pid, is = seat_is_taken(&pid);

	if (is < 0)
		return diag_errno(diag, -is, "cannot tell whether there is an agent");
	return is ? 0 : none(diag);
}

static unsigned int patience_of(const struct seat_question *q)
{
	return q->patience ? q->patience : PATIENCE;
}

static int connect_to(int *fd, unsigned int seconds, struct diag *diag)
{
	const struct timeval patience = { .tv_sec = seconds };
	char *path = path_join(dirs_get()->run, "agent.sock");
	struct sockaddr_un address;
	int rc = path ? dir_check(dirs_get()->run, diag) : -ENOMEM;

	if (!rc)
		rc = address_of(path, &address, diag);
	free(path);
	if (rc)
		return rc == -ENOENT ? none(diag) : rc;
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return diag_errno(diag, errno, "cannot make a socket");
	setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (!connect(*fd, (struct sockaddr *)&address, sizeof(address)))
		return 0;
	rc = errno == ENOENT || errno == ECONNREFUSED
		     ? none(diag)
		     : diag_errno(diag, errno, "cannot reach the agent");
	close(*fd);
	return rc;
}

static int no_answer(ssize_t got, unsigned int patience, struct diag *diag)
{
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return diag_set(diag, DIAG_SYSTEM, ETIMEDOUT,
			"the agent has not answered in %u seconds; 'systemctl restart "
			"bpfpol-agent' starts it anew",
			patience);
	if (got < 0)
		return diag_errno(diag, errno,
			"no answer came from the agent; 'bpfpol list' shows what it has done");
	return diag_set(diag, DIAG_SYSTEM, EPIPE,
		"the agent went away without an answer; 'bpfpol list' shows what it has done");
}

static int receive(
	int fd, unsigned int patience, uint8_t **bytes, struct wire_reply *reply, struct diag *diag)
{
	size_t len = 0, room = 0;
	ssize_t took = 0, got;

	while (!took) {
		uint8_t *v = *bytes;

		if (len == room) {
			room = room ? 2 * room : 4096;
			v = realloc(v, room);
			if (!v)
				return -ENOMEM;
			*bytes = v;
		}
		got = recv(fd, v + len, room - len, 0);
		if (got <= 0)
			return no_answer(got, patience, diag);
		len += got;
		took = wire_get_reply(v, len, reply);
	}
	return took > 0 ? 0
			: diag_set(diag, DIAG_SYSTEM, -took,
				  "the agent that runs is of another version; 'systemctl restart "
				  "bpfpol-agent' starts this one");
}

static ssize_t send_first(int fd, const struct seat_question *q, const uint8_t *bytes, size_t len)
{
	union {
		char bytes[CMSG_SPACE(WIRE_FDS * sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec part = { (void *)bytes, len };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (q->n_fds) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(q->n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(q->n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), q->fds, q->n_fds * sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

/* What came along goes with the first bytes. */
static int send_all(
	int fd, const struct seat_question *q, const uint8_t *bytes, size_t len, struct diag *diag)
{
	ssize_t part = send_first(fd, q, bytes, len);

	for (size_t sent = 0; part >= 0; part = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL)) {
		sent += part;
		if (sent == len)
			return 0;
	}
	return no_answer(part, patience_of(q), diag);
}

/* Sends the question; the answer is to come by *fd. */
static int put_question(const struct seat_question *q, int *fd, struct diag *diag)
{
	uint8_t *request = NULL;
	size_t len;
	int rc = wire_put_request(q->words, q->n, &request, &len);

	if (rc == -E2BIG)
		diag_set(diag, DIAG_USAGE, E2BIG,
			"that is more than the agent takes: %d words of "
			"%d bytes in all",
			WIRE_WORDS, WIRE_MOST);
	if (!rc)
		rc = connect_to(fd, patience_of(q), diag);
	if (!rc) {
		rc = send_all(*fd, q, request, len, diag);
		if (rc)
			close(*fd);
	}
	free(request);
	return rc;
}

int seat_ask_with(
	const struct seat_question *q, uint8_t **bytes, struct wire_reply *reply, struct diag *diag)
{
	int fd, rc = put_question(q, &fd, diag);

	*bytes = NULL;
	if (rc)
		return rc;
	rc = receive(fd, patience_of(q), bytes, reply, diag);
	close(fd);
	if (rc) {
		free(*bytes);
		*bytes = NULL;
	}
	return rc;
}

int seat_ask(
	char *const *words, int n, uint8_t **bytes, struct wire_reply *reply, struct diag *diag)
{
	return seat_ask_with(&(struct seat_question){ .words = words, .n = n }, bytes, reply, diag);
}

int seat_ask_within(unsigned int seconds, char *const *words, int n, uint8_t **bytes,
	struct wire_reply *reply, struct diag *diag)
{
	return seat_ask_with(&(struct seat_question){ .words = words, .n = n, .patience = seconds },
		bytes, reply, diag);
}

int seat_tell(const struct seat_question *q, struct diag *diag)
{
	int fd, rc = put_question(q, &fd, diag);

	if (!rc)
		close(fd);
	return rc;
}
