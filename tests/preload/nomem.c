/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Preloaded, it lets allocations fail. NOMEM_AT=N: the Nth of the process alone. NOMEM_FILE=PATH:
 * each one of so many as the file says, as long as there is such a file. NOMEM_COUNT=PATH: at its
 * end the process writes there how many there were.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static unsigned long seen, at;
static const char *file, *count;
static bool ready;

__attribute__((constructor)) static void begin(void)
{
	const char *number = getenv("NOMEM_AT");

	at = number ? strtoul(number, NULL, 10) : 0;
	file = getenv("NOMEM_FILE");
	count = getenv("NOMEM_COUNT");
	ready = true;
}

__attribute__((destructor)) static void end(void)
{
	char text[32];
	int fd = count ? open(count, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
	int len = snprintf(text, sizeof(text), "%lu\n", seen);

	if (fd >= 0 && write(fd, text, len) != len)
		abort();
	if (fd >= 0)
		close(fd);
}

static unsigned long every(void)
{
	char text[16] = "";
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return got > 0 ? strtoul(text, NULL, 10) : 0;
}

static bool fails(void)
{
	int was = errno;
	unsigned long n;
	bool fail;

	if (!ready)
		return false;
	n = ++seen;
	fail = n == at;
	if (file) {
		unsigned long each = every();

		fail = each && n % each == 0;
	}
	errno = fail ? ENOMEM : was;
	return fail;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, all);
}
