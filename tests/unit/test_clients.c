// SPDX-License-Identifier: GPL-2.0-only
/* The agent's clients, over socket pairs: who is waited for, and for how long. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "clients.h"
#include "clock.h"

#define WHO 7

static bool later; /* the answer comes by another way */

static int serve(const struct wire_request *request, FILE *out, FILE *err, void *arg)
{
	(void)err;
	(void)arg;
	if (later)
		return SERVE_LATER;
	for (int i = 0; i < request->n; i++)
		fputs(request->words[i], out);
	return 0;
}

/* One client, whose end is returned. */
static int begin(struct clients *c, bool answers_later)
{
	int pair[2];

	later = answers_later;
	assert_int_equal(clients_open(c, serve, NULL), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	c->v[0].fd = pair[0];
	c->v[0].who = WHO;
	clients_handle(c, clock_ms());
	return pair[1];
}

static void request(int fd, const char *word, size_t without)
{
	char *words[] = { (char *)word };
	uint8_t *bytes;
	size_t len;

	assert_int_equal(wire_put_request(words, 1, &bytes, &len), 0);
	assert_int_equal(send(fd, bytes, len - without, 0), len - without);
	free(bytes);
}

static void expect_reply(int fd, const char *text)
{
	struct wire_reply reply;
	uint8_t bytes[256];
	ssize_t got = recv(fd, bytes, sizeof(bytes), 0);

	assert_true(got > 0);
	assert_int_equal(wire_get_reply(bytes, got, &reply), got);
	assert_int_equal(reply.out_len, strlen(text));
	assert_memory_equal(reply.out, text, reply.out_len);
}

/* Whether the agent's loop would wake up for its clients. */
static bool wakes(const struct clients *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static void who_asks_is_answered(void **state)
{
	struct clients c;
	int fd = begin(&c, false);

	(void)state;
	assert_false(wakes(&c));
	for (int i = 0; i < 3; i++) {
		request(fd, "hello", 0);
		assert_true(wakes(&c));
		clients_handle(&c, clock_ms());
		assert_false(wakes(&c));
		expect_reply(fd, "hello");
	}
	assert_int_equal(c.served, 3);
	close(fd);
	assert_true(wakes(&c));
	clients_handle(&c, clock_ms());
	assert_int_equal(clients_count(&c), 0);
	clients_close(&c);
}

/* Or the agent would turn round and round for as long as the answer takes. */
static void who_waits_and_goes_wakes_nobody(void **state)
{
	struct clients c;
	int fd = begin(&c, true);

	(void)state;
	request(fd, "long", 0);
	clients_handle(&c, clock_ms());
	close(fd);
	assert_false(wakes(&c));
	assert_int_equal(clients_wait(&c, clock_ms() + 60000), -1);
	clients_handle(&c, clock_ms() + 60000);
	assert_int_equal(clients_count(&c), 1);
	clients_reply(&c, WHO, &(struct wire_reply){ .out = "late", .out_len = 4 });
	assert_int_equal(clients_count(&c), 0);
	assert_false(wakes(&c));
	clients_close(&c);
}

static void who_waits_may_ask_on(void **state)
{
	struct clients c;
	int fd = begin(&c, true);

	(void)state;
	request(fd, "long", 0);
	clients_handle(&c, clock_ms());
	request(fd, "next", 0);
	assert_false(wakes(&c));
	later = false;
	clients_reply(&c, WHO + 1, &(struct wire_reply){ .out = "other", .out_len = 5 });
	assert_false(wakes(&c));
	clients_reply(&c, WHO, &(struct wire_reply){ .out = "late", .out_len = 4 });
	expect_reply(fd, "late");
	assert_true(wakes(&c));
	clients_handle(&c, clock_ms());
	expect_reply(fd, "next");
	close(fd);
	clients_close(&c);
}

static void who_says_half_is_not_waited_for(void **state)
{
	struct clients c;
	uint64_t now = clock_ms();
	int fd = begin(&c, false), left;

	(void)state;
	assert_int_equal(clients_wait(&c, now), -1); /* who says nothing may be there for ever */
	request(fd, "hello", 3);
	clients_handle(&c, now);
	left = clients_wait(&c, now + 500);
	assert_in_range(left, 1, 1500);
	clients_handle(&c, now + 1000);
	assert_int_equal(clients_count(&c), 1);
	assert_int_equal(clients_wait(&c, now + 10000), 0);
	clients_handle(&c, now + 10000);
	assert_int_equal(clients_count(&c), 0);
	assert_int_equal(c.dropped, 1);
	close(fd);
	clients_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_asks_is_answered),
		cmocka_unit_test(who_waits_and_goes_wakes_nobody),
		cmocka_unit_test(who_waits_may_ask_on),
		cmocka_unit_test(who_says_half_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
