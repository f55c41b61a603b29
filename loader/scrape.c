// SPDX-License-Identifier: GPL-2.0-only
#include "scrape.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf_file.h"
#include "http.h"
#include "metrics_plain.h"
#include "stream.h"

#define PATIENCE 3000	 /* ms for a request that has begun, or for a part of a reply */
#define LINGER 1000	 /* ms in which the rest of a refused request is read away */
#define THROWN (1 << 20) /* bytes that who goes on sending meanwhile may send in vain */
#define FRESH 100	 /* ms for which a page is given to others, too */
#define BUSY 20		 /* ms until the lock is tried again */
#define AGAIN 5000	 /* ms until an address that cannot be had is tried again */
#define DEAF 100 /* ms until those are taken in for whom there was no descriptor or memory */
#define BACKLOG 16
#define ACCEPT_MOST 8 /* in a row */

#define TYPE_OPEN_METRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define TYPE_PLAIN "text/plain; version=0.0.4; charset=utf-8"
#define TYPE_ERROR "text/plain; charset=utf-8"

/* A body; several may be given it. */
struct page {
	unsigned int users;
	size_t len;
	char *text;
};

struct scraper {
	int fd; /* -1: nobody */
	char in[HTTP_HEAD];
	size_t n_in;
	char head[HTTP_RESPONSE];
	size_t n_head, sent, thrown;
	struct page *body;	     /* NULL with a head: HEAD asks for none */
	struct http_request request; /* that waits for the lock */
	bool waits, last, lingers, ended;
	uint64_t since; /* idle, or busy with this part; ms */
	uint64_t order;
};

static void page_put(struct page **page)
{
	if (*page && !--(*page)->users) {
		free((*page)->text);
		free(*page);
	}
	*page = NULL;
}

/* Takes the text over. */
static struct page *page_new(char *text, size_t len)
{
	struct page *page = text ? malloc(sizeof(*page)) : NULL;

	if (page)
		*page = (struct page){ .users = 1, .len = len, .text = text };
	else
		free(text);
	return page;
}

static struct page *page_make(int (*write)(FILE *, void *), void *arg, int *rc)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = stream_open(&text, &len);
	struct page *page;

	*rc = out ? write(out, arg) : -ENOMEM;
	if (out && stream_close(out) && !*rc)
		*rc = -ENOMEM;
	if (*rc) {
		free(text);
		return NULL;
	}
	page = page_new(text, len);
	if (!page)
		*rc = -ENOMEM;
	return page;
}

static int write_plain(FILE *out, void *arg)
{
	const struct page *page = arg;

	return metrics_plain(page->text, page->len, out);
}

/* Looks again, unless that was done just now. */
static int make_pages(struct scrape *s, uint64_t now)
{
	struct page *open_metrics, *plain;
	int rc;

	if (s->made_at && now - s->made_at < FRESH)
		return 0;
	open_metrics = page_make(s->fn, s->arg, &rc);
	if (rc)
		return rc;
	plain = page_make(write_plain, open_metrics, &rc);
	if (rc) {
		page_put(&open_metrics);
		return rc;
	}
	page_put(&s->pages[false]);
	page_put(&s->pages[true]);
	s->pages[false] = plain;
	s->pages[true] = open_metrics;
	s->made_at = now;
	return 0;
}

int scrape_open(struct scrape *s, scrape_fn *fn, void *arg)
{
	*s = (struct scrape){ .fn = fn, .arg = arg, .listen_fd = -1 };
	s->v = calloc(SCRAPERS, sizeof(*s->v));
	for (int i = 0; s->v && i < SCRAPERS; i++)
		s->v[i].fd = -1;
	return s->v ? 0 : -ENOMEM;
}

static void drop(struct scraper *v)
{
	close(v->fd);
	page_put(&v->body);
	memset(v, 0, sizeof(*v));
	v->fd = -1;
}

static void stop(struct scrape *s)
{
	for (int i = 0; i < SCRAPERS; i++)
		if (s->v[i].fd >= 0)
			drop(&s->v[i]);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	s->listen_fd = -1;
}

void scrape_close(struct scrape *s)
{
	if (s->v)
		stop(s);
	page_put(&s->pages[false]);
	page_put(&s->pages[true]);
	free(s->v);
	s->v = NULL;
}

/* Listening. */

static void say(struct scrape *s, const char *text)
{
	if (!strcmp(s->trouble, text))
		return;
	snprintf(s->trouble, sizeof(s->trouble), "%s", text);
	if (*text)
		fprintf(stderr, "%s\n", text);
}

static socklen_t address_of(const struct conf_address *at, struct sockaddr_storage *to)
{
	struct sockaddr_in *v4 = (void *)to;
	struct sockaddr_in6 *v6 = (void *)to;

	memset(to, 0, sizeof(*to));
	to->ss_family = at->family == 4 ? AF_INET : AF_INET6;
	if (at->family == 4) {
		memcpy(&v4->sin_addr, at->address, 4);
		v4->sin_port = htons(at->port);
		return sizeof(*v4);
	}
	memcpy(&v6->sin6_addr, at->address, 16);
	v6->sin6_port = htons(at->port);
	return sizeof(*v6);
}

static int listen_at(const struct conf_address *at)
{
	struct sockaddr_storage address;
	socklen_t len = address_of(at, &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;
	int rc;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!bind(fd, (struct sockaddr *)&address, len) && !listen(fd, BACKLOG))
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static void try_to_listen(struct scrape *s, uint64_t now)
{
	char text[sizeof(s->trouble)];
	int fd;

	if (!s->at.port || s->listen_fd >= 0 || now < s->again_at)
		return;
	fd = listen_at(&s->at);
	s->again_at = now + AGAIN;
	if (fd < 0) {
		snprintf(text, sizeof(text),
			"bpfpol: warning: metrics cannot be offered at %s: %s; this is tried again",
			s->at.text, strerror(-fd));
	} else {
		s->listen_fd = fd;
		snprintf(text, sizeof(text), "Metrics are offered at http://%s/metrics%s",
			s->at.text, s->at.loopback ? "." : ", to whoever can reach that address.");
	}
	say(s, text);
}

/* A file that is wrong is said by whoever else reads it; then all stays as it is. */
void scrape_configure(struct scrape *s)
{
	struct conf conf = {};
	struct diag diag = {};
	int rc = conf_load(&conf, &diag);

	if (!rc && memcmp(&conf.metrics, &s->at, sizeof(s->at))) {
		stop(s);
		if (!conf.metrics.port)
			say(s, "Metrics are not offered any more.");
		s->at = conf.metrics;
	}
	if (rc) {
		diag_place_in_message(&diag);
		fprintf(stderr, "bpfpol: warning: bpfpol.conf is not read again: %s\n",
			diag.kind ? diag.message : strerror(-rc));
	}
	s->again_at = 0;
	conf_free(&conf);
	diag_free(&diag);
}

/* Clients. */

static bool is_idle(const struct scraper *v)
{
	return !v->n_in && !v->n_head && !v->waits && !v->lingers;
}

/* A free place, or that of the one who was idle longest; if all are busy, who was longest so. */
static struct scraper *make_place(struct scrape *s)
{
	struct scraper *worst = NULL;

	for (int i = 0; i < SCRAPERS; i++) {
		struct scraper *v = &s->v[i];

		if (v->fd < 0)
			return v;
		if (!worst || is_idle(v) > is_idle(worst) ||
			(is_idle(v) == is_idle(worst) && v->order < worst->order))
			worst = v;
	}
	s->dropped++;
	drop(worst);
	return worst;
}

static void accept_some(struct scrape *s, uint64_t now)
{
	for (int i = 0; i < ACCEPT_MOST; i++) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct scraper *v;

		if (fd < 0 && errno != EAGAIN)
			s->deaf_until = now + DEAF;
		if (fd < 0)
			return;
		v = make_place(s);
		v->fd = fd;
		v->since = now;
		v->order = ++s->order;
	}
}

static void reply(struct scraper *v, const struct http_request *r, const char *type,
	struct page *body, uint64_t now)
{
	v->n_head = http_put_head(r, type, body ? body->len : 0, v->head, sizeof(v->head));
	v->body = r->head ? NULL : body;
	if (v->body)
		v->body->users++;
	v->sent = 0;
	v->last = !r->keep;
	v->since = now;
}

static void refuse(struct scrape *s, struct scraper *v, uint64_t now)
{
	struct http_request *r = &v->request;
	struct page *body;
	char *text = NULL;
	int len = asprintf(&text, "%s\n%s", http_status_text(r->status),
		r->status == HTTP_NOT_FOUND ? "There is /metrics.\n" : "");

	body = page_new(len < 0 ? NULL : text, len);
	s->refused++;
	reply(v, r, TYPE_ERROR, body, now);
	page_put(&body);
}

static void answer(struct scrape *s, struct scraper *v, uint64_t now)
{
	struct http_request *r = &v->request;
	int rc = 0;

	if (r->status == HTTP_OK && strcmp(r->path, "/metrics"))
		r->status = HTTP_NOT_FOUND;
	if (r->status == HTTP_OK)
		rc = make_pages(s, now);
	v->waits = rc == -EAGAIN && now - v->since < PATIENCE;
	if (v->waits)
		return;
	if (rc)
		r->status = rc == -EAGAIN ? HTTP_BUSY : HTTP_FAILED;
	if (r->status != HTTP_OK) {
		refuse(s, v, now);
		return;
	}
	s->served++;
	reply(v, r, r->open_metrics ? TYPE_OPEN_METRICS : TYPE_PLAIN, s->pages[r->open_metrics],
		now);
}

static bool take_request(struct scrape *s, struct scraper *v, uint64_t now)
{
	size_t took = http_get_request(v->in, v->n_in, &v->request);

	if (!took)
		return false;
	v->n_in -= took;
	memmove(v->in, v->in + took, v->n_in);
	v->since = now;
	v->order = ++s->order;
	answer(s, v, now);
	return true;
}

/*
 * The reply is out. Whoever sends on would have it taken from under his hands by a reset, so what
 * he sends is read away for a while.
 */
static void finish(struct scraper *v, uint64_t now)
{
	page_put(&v->body);
	v->n_head = 0;
	v->since = now;
	if (!v->last)
		return;
	shutdown(v->fd, SHUT_WR);
	v->lingers = true;
	v->n_in = v->thrown = 0;
}

/* False: it is not out yet, or the client is gone. */
static bool send_reply(struct scraper *v, uint64_t now)
{
	size_t body = v->body ? v->body->len : 0, done = v->sent - v->n_head;
	struct iovec parts[2] = {
		{ v->head + v->sent, v->n_head - v->sent },
		{ v->body ? v->body->text : NULL, body },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t sent;

	if (v->sent >= v->n_head) {
		parts[1].iov_base = v->body->text + done;
		parts[1].iov_len -= done;
		message.msg_iov = parts + 1;
		message.msg_iovlen = 1;
	}
	sent = sendmsg(v->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		drop(v);
	if (sent <= 0)
		return false;
	v->sent += sent;
	v->since = now;
	if (v->sent < v->n_head + body)
		return false;
	finish(v, now);
	return true;
}

static void read_more(struct scraper *v, uint64_t now)
{
	char away[4096];
	ssize_t got = v->lingers ? recv(v->fd, away, sizeof(away), 0)
				 : recv(v->fd, v->in + v->n_in, sizeof(v->in) - v->n_in, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	v->thrown += got > 0 && v->lingers ? got : 0;
	if (got < 0 || (!got && (v->lingers || !v->n_in)) || v->thrown > THROWN) {
		drop(v);
		return;
	}
	v->ended = !got;
	if (v->lingers)
		return;
	if (!v->n_in)
		v->since = now;
	v->n_in += got;
}

static void handle(struct scrape *s, struct scraper *v, short events, uint64_t now)
{
	if (v->waits)
		answer(s, v, now);
	else if (events && !v->n_head)
		read_more(v, now);
	/* Requests that are there already, as far as the socket takes the replies. */
	while (v->fd >= 0 && !v->lingers && !v->waits) {
		if (v->n_head && !send_reply(v, now))
			return;
		if (!v->lingers && (!v->n_in || !take_request(s, v, now)))
			break;
	}
	if (v->fd >= 0 && v->ended && !v->n_head && !v->waits)
		drop(v);
}

static uint64_t patience_of(const struct scraper *v)
{
	return v->lingers ? LINGER : PATIENCE;
}

int scrape_poll(const struct scrape *s, struct pollfd *fds, uint64_t now)
{
	bool deaf = now < s->deaf_until;
	int64_t wait = deaf ? (int64_t)(s->deaf_until - now) : -1;

	fds[0] = (struct pollfd){ .fd = deaf ? -1 : s->listen_fd, .events = POLLIN };
	if (s->at.port && s->listen_fd < 0)
		wait = s->again_at > now ? s->again_at - now : 0;
	for (int i = 0; i < SCRAPERS; i++) {
		const struct scraper *v = &s->v[i];
		int64_t left = (int64_t)(v->since + patience_of(v)) - (int64_t)now;

		fds[1 + i] = (struct pollfd){ .fd = v->fd,
			.events = v->n_head  ? POLLOUT
				  : v->waits ? 0
					     : POLLIN };
		if (v->fd < 0 || is_idle(v))
			continue;
		left = v->waits ? BUSY : left > 0 ? left : 0;
		if (wait < 0 || left < wait)
			wait = left;
	}
	return wait;
}

void scrape_handle(struct scrape *s, const struct pollfd *fds, uint64_t now)
{
	for (int i = 0; i < SCRAPERS; i++) {
		struct scraper *v = &s->v[i];

		if (v->fd < 0 || v->fd != fds[1 + i].fd)
			continue;
		if (fds[1 + i].revents || v->waits)
			handle(s, v, fds[1 + i].revents, now);
		if (v->fd >= 0 && !is_idle(v) && !v->waits && now - v->since > patience_of(v)) {
			s->dropped += !v->lingers;
			drop(v);
		}
	}
	if (fds[0].revents)
		accept_some(s, now);
	try_to_listen(s, now);
}
