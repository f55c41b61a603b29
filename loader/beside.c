// SPDX-License-Identifier: GPL-2.0-only
#include "beside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fds.h"
#include "priority.h"

int beside_open(struct beside *b, serve_fn serve, void *arg)
{
	*b = (struct beside){ .serve = serve, .arg = arg, .taken = true };
	pthread_mutex_init(&b->mutex, NULL);
	pthread_cond_init(&b->given, NULL);
	b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return b->fd < 0 ? -errno : 0;
}

/* It is done, or its turn never comes again. */
bool beside_close(struct beside *b)
{
	if (b->runs && !beside_is_done(b))
		return false;
	if (b->runs)
		beside_end(b);
	close(b->fd);
	return true;
}

void beside_give(struct beside *b)
{
	pthread_mutex_lock(&b->mutex);
	b->taken = false;
	pthread_cond_broadcast(&b->given);
	pthread_mutex_unlock(&b->mutex);
}

void beside_take(struct beside *b)
{
	pthread_mutex_lock(&b->mutex);
	while (b->taken || b->thread_waits)
		pthread_cond_wait(&b->given, &b->mutex);
	b->taken = true;
	pthread_mutex_unlock(&b->mutex);
}

void beside_thread_give(void *arg)
{
	beside_give(arg);
}

void beside_thread_take(void *arg)
{
	struct beside *b = arg;

	pthread_mutex_lock(&b->mutex);
	b->thread_waits = true;
	while (b->taken)
		pthread_cond_wait(&b->given, &b->mutex);
	b->taken = true;
	b->thread_waits = false;
	pthread_mutex_unlock(&b->mutex);
}

static void *run(void *arg)
{
	struct beside *b = arg;
	const uint64_t one = 1;

	priority_lower();
	beside_thread_take(b);
	if (b->work)
		b->work(b->arg);
	else
		b->rc = answer_make(&b->answer, b->serve, &b->request, b->arg);
	beside_thread_give(b);
	/* Of an eventfd that holds nothing this cannot fail. */
	return write(b->fd, &one, sizeof(one)) == sizeof(one) ? b : NULL;
}

static void forget(struct beside *b)
{
	struct wire_request *r = &b->request;

	for (int i = 0; r->words && i < r->n; i++)
		free(r->words[i]);
	free(r->words);
	while (r->n_fds)
		close(b->fds[--r->n_fds]);
	*r = (struct wire_request){};
}

/* What it points to is the client's, who may go. */
static int keep(struct beside *b, const struct wire_request *request)
{
	struct wire_request *r = &b->request;
	int rc = 0;

	*r = (struct wire_request){ .fds = b->fds };
	b->who = request->who;
	r->words = calloc(request->n + 1, sizeof(*r->words));
	if (!r->words)
		return -ENOMEM;
	for (; r->n < request->n && !rc; r->n++) {
		r->words[r->n] = strdup(request->words[r->n]);
		if (!r->words[r->n])
			rc = -ENOMEM;
	}
	for (; r->n_fds < request->n_fds && !rc; r->n_fds++) {
		b->fds[r->n_fds] = fd_copy(request->fds[r->n_fds]);
		if (b->fds[r->n_fds] < 0) {
			rc = -errno;
			break;
		}
	}
	if (rc)
		forget(b);
	return rc;
}

static int begin(struct beside *b)
{
	int rc = -pthread_create(&b->thread, NULL, run, b);

	if (rc)
		forget(b);
	b->runs = !rc;
	return rc;
}

int beside_begin(struct beside *b, const struct wire_request *request)
{
	int rc = b->runs ? -EBUSY : keep(b, request);

	if (rc)
		return rc;
	b->work = NULL;
	return begin(b);
}

int beside_do(struct beside *b, void (*work)(void *arg))
{
	if (b->runs)
		return -EBUSY;
	b->work = work;
	return begin(b);
}

bool beside_is_done(struct beside *b)
{
	uint64_t n;

	if (!b->runs || read(b->fd, &n, sizeof(n)) != sizeof(n))
		return false;
	pthread_join(b->thread, NULL);
	forget(b); /* also descriptors, before anybody hears that it is done */
	return true;
}

void beside_end(struct beside *b)
{
	if (!b->work && !b->rc)
		answer_free(&b->answer);
	b->runs = false;
}
