/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much a search does: tuples probed, elements looked at, counted by an instrumented
 * build of the classifier (work.h) and by the twin below, which walks the same tables. For each set
 * one packet drawn from each filter, and as many at random, which are clean where the set leaves
 *any.
 *
 *	work [--only WORD] [--largest N] DATA-DIRECTORY
 *
 * Prints a line of JSON for each: the means and the most, and for how many packets the two differ.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frame.h"
#include "generation.h"
#include "kernel.h"
#include "measure.h"
#include "sets.h"
#include "work.h"

#define MOST_PACKETS 100000 /* of a set */

static const char *only;
static size_t largest = 1000000; /* rules of the sets that are made */
static struct kernel *kernel;

static int no_interface(const char *name, void *arg)
{
	(void)name;
	(void)arg;
	return 0;
}

/* --- the twin: inbound, on whole packets --- */

struct seen {
	int family;
	uint32_t remote[4], local[4];
	uint8_t proto, lacks;
	uint16_t rport, lport;
};

static void look(const uint8_t *data, struct seen *s)
{
	struct frame f;

	frame_read(data, FRAME, false, &f);
	memset(s, 0, sizeof(*s));
	s->family = f.family == 4 ? BP_V4 : BP_V6;
	memcpy(s->remote, f.src, 16);
	memcpy(s->local, f.dst, 16);
	s->proto = f.proto;
	s->rport = f.has_type ? f.code : f.sport;
	s->lport = f.has_type ? f.type : f.dport;
	s->lacks = f.has_ports ? 0 : f.has_type ? BPT_PORTS : BPT_L4;
}

static uint64_t candidates(const struct table *t, const struct seen *s)
{
	const struct bp_layout *l = &t->layout;
	const uint32_t mask = l->index_mask[BP_IN][s->family];
	const uint32_t *fine = l->fine_mask[BP_IN][s->family];
	const uint32_t remote[2] = { ntohl(s->remote[0]), ntohl(s->remote[1]) };
	const uint32_t local[2] = { ntohl(s->local[0]), ntohl(s->local[1]) };
	const uint32_t at[BP_INDICES] = {
		[BP_BY_REMOTE] = bp_index_address(mask, s->family, remote[0]),
		[BP_BY_LOCAL] = bp_index_address(mask, s->family, local[0]),
		[BP_BY_PORT] = bp_index_port(mask, s->proto, s->lport),
		[BP_BY_LRANGE] = s->lport / 64,
		[BP_BY_RRANGE] = s->rport / 64,
		[BP_BY_PROTO] = s->proto,
		[BP_BY_REMOTE_COARSE] = s->family == BP_V6 ? bp_index_coarse(mask, remote[0]) : 0,
		[BP_BY_REMOTE_MIDDLE] = bp_index_middle(fine[0], s->family, remote[0], remote[1]),
		[BP_BY_REMOTE_FINE] = bp_index_fine(fine[1], s->family, remote[0], remote[1]),
		[BP_BY_LOCAL_FINE] = bp_index_fine(fine[2], s->family, local[0], local[1]),
	};
	static const int order[BP_INDICES] = { BP_BY_REMOTE_COARSE, BP_BY_REMOTE, BP_BY_PORT,
		BP_BY_LOCAL, BP_BY_REMOTE_MIDDLE, BP_BY_REMOTE_FINE, BP_BY_LOCAL_FINE, BP_BY_PROTO,
		BP_BY_LRANGE, BP_BY_RRANGE };
	uint64_t set = t->tables->live[BP_IN][s->family][BP_DECIDE] |
		       t->tables->live[BP_IN][s->family][BP_TALLY];

	for (int n = 0; n < BP_INDICES; n++) {
		const int i = order[n];
		const uint64_t *sets =
			i < BP_BY_REMOTE_MIDDLE
				? t->sets + l->sets[BP_IN][s->family][i]
				: t->fine + l->fine[BP_IN][s->family][i - BP_BY_REMOTE_MIDDLE];

		set &= sets[at[i]] | ~t->tables->indexed[BP_IN][s->family][i];
		if (i == BP_BY_REMOTE && !(set & (set - 1)) &&
			!(set & t->tables->asked[BP_IN][s->family]))
			break;
	}
	return set;
}

static void key_of(const struct seen *s, const struct bp_tuple *t, int number, uint64_t *key)
{
	int words = s->family == BP_V4 ? 1 : 4;

	key[0] = bp_key_head(bp_key_tuple(BP_IN, BP_SPACE_ALL, number), s->proto & t->proto_mask,
		s->rport & t->rport_mask, s->lport & t->lport_mask);
	if (words == 1) {
		key[1] = bp_key_word(s->remote[0] & t->rmask[0], s->local[0] & t->lmask[0]);
		return;
	}
	for (int i = 0; i < 4; i += 2) {
		key[1 + i / 2] =
			bp_key_word(s->remote[i] & t->rmask[i], s->remote[i + 1] & t->rmask[i + 1]);
		key[3 + i / 2] =
			bp_key_word(s->local[i] & t->lmask[i], s->local[i + 1] & t->lmask[i + 1]);
	}
}

/* Where the key's chain begins; 0: `present` rules it out. */
static uint32_t chain_of(const struct table *t, int family, const uint64_t *key)
{
	const uint64_t hash = bp_hash((const __u64 *)key, family == BP_V4 ? BP_KEY4 : BP_KEY6);
	uint32_t word = bp_present_word(hash, t->layout.present_mask[family]);

	if (t->layout.ask_present[family] &&
		~t->present[t->layout.present[family] + word] & bp_present_bits(hash))
		return 0;
	return bp_home(hash, t->layout.homes[family]);
}

static bool prefix_has(const void *prefix, unsigned int len, const void *address)
{
	const uint8_t *a = prefix, *b = address;

	for (unsigned int i = 0; i < len; i++)
		if ((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

/* Whether the filter matches, asked field by field of what the element says it is. */
static bool matches(const struct seen *s, const struct bp_tuple *tuple, const union filter_elem *e)
{
	struct filter f;

	filter_from_elem(e, tuple, s->family, &f);
	if (f.shape.flags & s->lacks || !prefix_has(f.remote, f.shape.rlen, s->remote) ||
		!prefix_has(f.local, f.shape.llen, s->local))
		return false;
	if (f.shape.flags & BPT_PROTO && f.proto != s->proto)
		return false;
	if (f.shape.flags & (BPT_RPORT | BPT_RRANGE) &&
		(s->rport < f.rport.lo || s->rport > f.rport.hi))
		return false;
	return !(f.shape.flags & (BPT_LPORT | BPT_LRANGE)) ||
	       (s->lport >= f.lport.lo && s->lport <= f.lport.hi);
}

static bool has_key(const union filter_elem *e, const struct bp_tuple *tuple, int family,
	int number, const uint64_t *key)
{
	struct filter_key own;
	struct filter f;

	if (e->e.tuple != bp_key_tuple(BP_IN, BP_SPACE_ALL, number))
		return false;
	filter_from_elem(e, tuple, family, &f);
	filter_key(&f, tuple, number, &own);
	return !memcmp(own.words, key, filter_key_words(family) * sizeof(*key));
}

/* The chain of one tuple; *best: the highest rank of what matches, so far. */
static void walk(
	const struct table *t, const struct seen *s, int number, struct work *w, uint64_t *best)
{
	const struct bp_tuple *tuple = &t->tables->tuple[BP_IN][s->family][BP_SPACE_ALL][number];
	const union filter_elem *e;
	uint64_t key[BP_KEY6];
	uint32_t next;

	key_of(s, tuple, number, key);
	w->tuples++;
	for (uint32_t at = chain_of(t, s->family, key); at; at = next) {
		e = table_elem(t, s->family, at);
		w->elems++;
		next = e->e.next & ~BP_MORE;
		if (!e->e.rule || !has_key(e, tuple, s->family, number, key))
			continue;
		if (e->e.rank > *best && matches(s, tuple, e))
			*best = e->e.rank;
		if (!(e->e.next & BP_MORE))
			return;
	}
}

static void twin(const struct table *t, const struct seen *s, struct work *w)
{
	uint64_t best = 0;

	memset(w, 0, sizeof(*w));
	for (uint64_t todo = candidates(t, s); todo; todo &= todo - 1) {
		int number = __builtin_ctzll(todo);
		const struct bp_tuple *tuple =
			&t->tables->tuple[BP_IN][s->family][BP_SPACE_ALL][number];

		if (tuple->flags & s->lacks || (tuple->kind == BP_DECIDE && tuple->bound < best))
			continue;
		walk(t, s, number, w, &best);
	}
}

/* --- the kernel's own count --- */

static struct work *counted_by(int prog)
{
	struct bpf_map_info map;
	__u32 ids[64], n = sizeof(ids) / sizeof(ids[0]);
	struct bpf_prog_info info = { .nr_map_ids = n, .map_ids = (__u64)(unsigned long)ids };
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog, &info, &size))
		die("the program's maps");
	for (__u32 i = 0; i < info.nr_map_ids && i < n; i++) {
		int fd = bpf_map_get_fd_by_id(ids[i]);
		void *at = MAP_FAILED;

		size = sizeof(map);
		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &map, &size) &&
			!strcmp(map.name, "work"))
			at = mmap(NULL, sizeof(struct work), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				0);
		close(fd);
		if (at != MAP_FAILED)
			return at;
	}
	fprintf(stderr, "work: the classifier is no instrumented one\n");
	exit(1);
}

/* --- a set --- */

struct sum {
	struct work all, most;
	size_t packets, differ;
};

static void keep_most(__u64 *most, __u64 value)
{
	if (value > *most)
		*most = value;
}

static void add(struct sum *sum, const struct work *w)
{
	sum->packets++;
	sum->all.tuples += w->tuples;
	sum->all.elems += w->elems;
	keep_most(&sum->most.tuples, w->tuples);
	keep_most(&sum->most.elems, w->elems);
}

static void ask(const struct generation *gen, volatile struct work *counted,
	const struct driver_packet *p, int family, struct sum *sum)
{
	uint8_t frame[FRAME];
	struct seen seen;
	struct work kernels, twins;

	make_frame(p, family, frame);
	look(frame, &seen);
	twin(&gen->table, &seen, &twins);
	memset((void *)counted, 0, sizeof(*counted));
	verdict_of(gen->classify[BP_XDP], frame);
	kernels = *counted;
	sum->differ += memcmp(&kernels, &twins, sizeof(twins)) != 0;
	add(sum, &kernels);
}

static void print(const char *name, const char *traffic, const struct sum *s)
{
	double n = s->packets ? s->packets : 1;

	printf("{ \"set\": \"%s\", \"traffic\": \"%s\", \"packets\": %zu, \"differ\": %zu, "
	       "\"tuples\": %.2f, \"elems\": %.2f, "
	       "\"most_tuples\": %llu, \"most_elems\": %llu }\n",
		name, traffic, s->packets, s->differ, s->all.tuples / n, s->all.elems / n,
		s->most.tuples, s->most.elems);
	fflush(stdout);
}

/* What the twin reads without asking for it. */
static void reach_all(const struct table *t)
{
	for (int part = PART_SETS; part <= PART_PRESENT; part++)
		if (table_reach(t, part, 0, table_part_size(&t->tables->sizes, part)))
			die("the tables");
}

static void count(const char *name, struct policy *policy, int family)
{
	struct compile_env env = { .ifindex = no_interface };
	struct sum drawn = { 0 }, random = { 0 };
	struct driver_packet p;
	struct generation *gen = NULL;
	struct plan *plan = NULL;
	struct diag diag = { 0 };
	struct work *counted;

	if (!policy) {
		fprintf(stderr, "work: %s: not there, left out\n", name);
		return;
	}
	if (plan_new(policy, &env, &plan, &diag) ||
		generation_load(plan, &kernel->shared, &gen, &diag)) {
		fprintf(stderr, "work: %s: %s\n", name, diag.message);
		exit(1);
	}
	reach_all(&gen->table);
	counted = counted_by(gen->classify[BP_XDP]);
	for (size_t i = 0; i < gen->table.tables->filters && i < MOST_PACKETS; i++) {
		packet_of(policy, &p);
		ask(gen, counted, &p, family, &drawn);
		packet_random(family, &p);
		ask(gen, counted, &p, family, &random);
	}
	print(name, "drawn", &drawn);
	print(name, "random", &random);
	munmap(counted, sizeof(*counted));
	plan_free(&plan);
	generation_free(&gen);
	policy_free(&policy);
}

static void count_all(const char *data)
{
	static const char *const sets[] = { "acl1", "acl5", "fw1", "ipc1" };
	static const size_t sizes[] = { 1000, 100000, 1000000 };
	char path[512], name[64];

	for (size_t i = 0; i < 2 * sizeof(sets) / sizeof(sets[0]); i++) {
		snprintf(name, sizeof(name), "%s_%dk", sets[i / 2], i % 2 ? 10 : 1);
		snprintf(path, sizeof(path), "%s/classbench/%s", data, name);
		if (!only || strstr(name, only))
			count(name, set_classbench(path, SIZE_MAX), 4);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && sizes[i] <= largest; i++) {
		snprintf(name, sizeof(name), "%zu rules, 64 shapes", sizes[i]);
		if (!only || strstr(name, only))
			count(name, set_shapes(sizes[i], 64), 4);
	}
	snprintf(path, sizeof(path), "%s/lists/country-v6.txt", data);
	if (!only || strstr("country-v6.txt", only))
		count("country-v6.txt", set_list(path), 6);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "only", 1, NULL, 'o' },
		{ "largest", 1, NULL, 'l' }, { 0 } };
	struct diag diag = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'o')
			only = optarg;
		else if (c == 'l')
			largest = strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (optind + 1 != argc)
		return 2;
	if (kernel_load(&kernel, &diag)) {
		fprintf(stderr, "work: %s\n", diag.message);
		return 1;
	}
	set_seed(1);
	measure_open();
	count_all(argv[optind]);
	measure_close();
	kernel_free(&kernel);
	return 0;
}
