// SPDX-License-Identifier: GPL-2.0-only
#include "windows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A few pages cost less than the call. */
#define WINDOW 32768
#define AHEAD 32 /* windows: of what is filled in a row */

struct piece {
	int fd;
	uint8_t *memory; /* of all of it, whether mapped or not */
	size_t size;	 /* whole pages */
	uint8_t *mapped; /* a byte for each window */
};

struct windows {
	struct table_windows base;
	struct piece piece[TABLE_PARTS];
	size_t ahead; /* windows that come with one that was not there */
};

static size_t windows_of(size_t size)
{
	return (size + WINDOW - 1) / WINDOW;
}

/* The windows from `first` to before `end`, none of which is mapped. */
static int map_run(struct piece *p, size_t first, size_t end)
{
	size_t at = first * WINDOW, size = end * WINDOW;

	size = (size < p->size ? size : p->size) - at;
	if (mmap(p->memory + at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, p->fd, at) ==
		MAP_FAILED)
		return -errno;
	while (first < end)
		p->mapped[first++] = 1;
	return 0;
}

/* How far it is mapped from its beginning on, if that much is. */
static size_t whole_to(const struct piece *p, size_t size)
{
	while (size < p->size && p->mapped[size / WINDOW])
		size = (size / WINDOW + 1) * WINDOW;
	return size < p->size ? size : p->size;
}

static int reach(struct table_windows *windows, enum table_part part, size_t at, size_t size)
{
	struct windows *w = (struct windows *)windows;
	struct piece *p = &w->piece[part];
	size_t i = at / WINDOW, end = windows_of(at + size), most = windows_of(p->size);
	int rc = 0;

	if (at + size > p->size)
		return -ERANGE;
	while (i < end && !rc) {
		size_t first = i;

		while (i < end && !p->mapped[i])
			i++;
		if (i == first) {
			i++;
			continue;
		}
		while (i == end && end < most && end < first + w->ahead && !p->mapped[end])
			i = ++end;
		rc = map_run(p, first, i);
	}
	windows->there[part] = whole_to(p, windows->there[part]);
	return rc;
}

/* Nothing is mapped there any more. What the kernel does not take away stays, and is known to. */
static void unmap_run(struct piece *p, size_t first, size_t end)
{
	size_t at = first * WINDOW, size = end * WINDOW;

	size = (size < p->size ? size : p->size) - at;
	if (mmap(p->memory + at, size, PROT_READ,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED)
		memset(p->mapped + first, 0, end - first);
}

/* The last window may hold what comes next. */
static void leave(struct table_windows *windows, enum table_part part, size_t at, size_t size)
{
	struct piece *p = &((struct windows *)windows)->piece[part];
	size_t first = at / WINDOW, end = (at + size) / WINDOW;

	if (first >= end)
		return;
	unmap_run(p, first, end);
	if (!p->mapped[first] && windows->there[part] > first * WINDOW)
		windows->there[part] = first * WINDOW;
}

/* Room for the part, in which nothing is mapped yet: it reads as 0. */
static int reserve(struct piece *p, int fd, size_t size)
{
	long page = sysconf(_SC_PAGESIZE);
	void *memory;

	p->fd = fd;
	p->size = (size + page - 1) / page * page;
	p->mapped = calloc(windows_of(p->size), 1);
	if (!p->mapped)
		return -ENOMEM;
	memory = mmap(NULL, p->size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	p->memory = memory;
	return 0;
}

static int open_part(
	struct table *table, const int *fds, const struct bp_sizes *sizes, enum table_part part)
{
	struct windows *w = (struct windows *)table->windows;
	int rc = reserve(&w->piece[part], fds[part], table_part_size(sizes, part));

	*table_part(table, part) = w->piece[part].memory;
	return rc;
}

static int open_rest(struct table *table, const int *fds)
{
	const struct bp_sizes *sizes = &table->tables->sizes;
	int rc = 0;

	bp_layout_of(sizes, &table->layout);
	for (int part = PART_TABLES + 1; part < TABLE_PARTS && !rc; part++)
		rc = open_part(table, fds, sizes, part);
	return rc;
}

int windows_open(struct table *table, const int fds[TABLE_PARTS], const struct bp_sizes *sizes)
{
	static const struct bp_sizes none;
	struct windows *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return -ENOMEM;
	w->base.reach = reach;
	w->base.leave = leave;
	table->windows = &w->base;
	rc = open_part(table, fds, &none, PART_TABLES);
	if (!rc)
		rc = reach(&w->base, PART_TABLES, 0, sizeof(*table->tables));
	if (!rc && sizes)
		table->tables->sizes = *sizes;
	if (!rc)
		rc = open_rest(table, fds);
	if (rc)
		windows_close(table);
	return rc;
}

int windows_fill(struct table *table)
{
	struct windows *w = (struct windows *)table->windows;
	const struct bp_sizes *sizes = &table->tables->sizes;
	int rc = 0;

	for (int part = 0; part < PART_ELEMS4 && !rc; part++)
		rc = reach(&w->base, part, 0, table_part_size(sizes, part));
	for (int family = 0; family < BP_FAMILIES && !rc; family++)
		rc = reach(&w->base, PART_ELEMS4 + family, 0,
			(sizes->homes[family] + 1ULL) * filter_elem_size(family));
	w->ahead = AHEAD;
	return rc;
}

void windows_leave(struct table *table)
{
	struct windows *w = (struct windows *)table->windows;

	w->ahead = 0;
	for (int part = PART_TABLES + 1; part < TABLE_PARTS; part++) {
		unmap_run(&w->piece[part], 0, windows_of(w->piece[part].size));
		w->base.there[part] = whole_to(&w->piece[part], 0);
	}
}

void windows_close(struct table *table)
{
	struct windows *w = (struct windows *)table->windows;

	for (int part = 0; w && part < TABLE_PARTS; part++) {
		if (w->piece[part].memory)
			munmap(w->piece[part].memory, w->piece[part].size);
		free(w->piece[part].mapped);
		*table_part(table, part) = NULL;
	}
	free(w);
	table->windows = NULL;
}
