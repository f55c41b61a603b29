/* SPDX-License-Identifier: GPL-2.0-only */
#include "measure.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "driver.skel.h"
#include "sets.h"

#define HOT_REPEAT 100000
#define HOT_PACKETS 25
#define MOST_ROUNDS 64

int rounds = 5;
struct driver_packet *packets;
static struct driver_bpf *driver;

void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

void measure_open(void)
{
	if (rounds < 1 || rounds > MOST_ROUNDS) {
		errno = EINVAL;
		die("rounds");
	}
	driver = driver_bpf__open_and_load();
	if (!driver)
		die("the driver does not load");
	packets = mmap(NULL, sizeof(*packets) * DRIVER_PACKETS, PROT_READ | PROT_WRITE, MAP_SHARED,
		bpf_map__fd(driver->maps.packets), 0);
	if (packets == MAP_FAILED)
		die("mmap");
}

void measure_close(void)
{
	munmap(packets, sizeof(*packets) * DRIVER_PACKETS);
	driver_bpf__destroy(driver);
}

void make_frame(const struct driver_packet *p, int family, uint8_t *f)
{
	memset(f, 0, FRAME);
	f[0] = 2;
	if (family == 4) {
		f[12] = 0x08;
		f[14] = 0x45;
		f[17] = FRAME - 14;
		f[23] = p->proto;
		memcpy(f + 26, p->remote, 4);
		memcpy(f + 30, p->local, 4);
		memcpy(f + 34, &p->ports, 4);
		return;
	}
	f[12] = 0x86;
	f[13] = 0xdd;
	f[14] = 0x60;
	f[19] = FRAME - 54;
	f[20] = p->proto;
	memcpy(f + 22, p->remote, 16);
	memcpy(f + 38, p->local, 16);
	memcpy(f + 54, &p->ports, 4);
}

/* ns a run; *verdict: of the last. */
static double run(int prog, const uint8_t *frame, int repeat, __u32 *verdict)
{
	LIBBPF_OPTS(
		bpf_test_run_opts, opts, .data_in = frame, .data_size_in = FRAME, .repeat = repeat);

	if (bpf_prog_test_run_opts(prog, &opts))
		die("BPF_PROG_TEST_RUN");
	*verdict = opts.retval;
	return opts.duration;
}

__u32 verdict_of(int prog, const uint8_t *frame)
{
	__u32 verdict;

	run(prog, frame, 1, &verdict);
	return verdict;
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int by_cost(const void *a, const void *b)
{
	return by_size(&((const struct cost *)a)->ns, &((const struct cost *)b)->ns);
}

static struct cost over(double *with, double *without)
{
	qsort(with, rounds, sizeof(*with), by_size);
	qsort(without, rounds, sizeof(*without), by_size);
	return (struct cost){ with[rounds / 2] - without[rounds / 2],
		with[rounds - 1 - rounds / 4] - with[rounds / 4] };
}

/* The program and what it is measured against take turns. */
struct cost hot_frame(int prog, const uint8_t *frame)
{
	int empty = bpf_program__fd(driver->progs.empty);
	double with[MOST_ROUNDS], without[MOST_ROUNDS];
	__u32 verdict;

	for (int i = 0; i < rounds; i++) {
		without[i] = run(empty, frame, HOT_REPEAT, &verdict);
		with[i] = run(prog, frame, HOT_REPEAT, &verdict);
	}
	return over(with, without);
}

/* A packet's own path weighs a lot when it is run a hundred thousand times. */
struct cost hot_cost(int prog, int family)
{
	struct cost each[HOT_PACKETS];
	uint8_t frame[FRAME];

	for (int n = 0; n < HOT_PACKETS; n++) {
		make_frame(&packets[(size_t)n * (DRIVER_PACKETS / HOT_PACKETS)], family, frame);
		each[n] = hot_frame(prog, frame);
	}
	qsort(each, HOT_PACKETS, sizeof(*each), by_cost);
	return each[HOT_PACKETS / 2];
}

/* The driver goes on to one program and to the other in turn. */
struct cost cold_cost(int prog, int family)
{
	int drive = bpf_program__fd(driver->progs.drive), next = bpf_map__fd(driver->maps.next);
	int empty = bpf_program__fd(driver->progs.empty);
	double with[MOST_ROUNDS], without[MOST_ROUNDS];
	uint8_t frame[FRAME];
	__u32 zero = 0, verdict;

	make_frame(&packets[0], family, frame);
	for (int i = 0; i < rounds; i++) {
		bpf_map_update_elem(next, &zero, &empty, BPF_ANY);
		without[i] = run(drive, frame, DRIVER_PACKETS, &verdict);
		bpf_map_update_elem(next, &zero, &prog, BPF_ANY);
		with[i] = run(drive, frame, DRIVER_PACKETS, &verdict);
	}
	return over(with, without);
}

struct cost miss_cost(unsigned int keys)
{
	int map = bpf_map__fd(driver->maps.missed);
	__u32 one = 1;

	for (unsigned int i = 0; i < keys && i < DRIVER_MISSED; i++) {
		__u64 key[2] = { set_random(), set_random() };

		if (bpf_map_update_elem(map, key, &one, BPF_ANY))
			die("the map of what is missed");
	}
	for (size_t i = 0; i < DRIVER_PACKETS; i++)
		packet_random(4, &packets[i]);
	return cold_cost(bpf_program__fd(driver->progs.miss), 4);
}
