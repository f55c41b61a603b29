/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The traffic of `make bench`, between namespaces that it is given.
 *
 *	traffic attach NETNS DEV drop|pass
 *	traffic send --rounds N --ms N --matching FILE --clean FILE TARGET...
 *	traffic flows TX-NETNS RX-NETNS BLOCKED CLEAN DESTINATION STOP-FILE
 *
 * send: a TARGET is NAME;TX-NETNS;TX-DEV;RX-NETNS;RX-MAC;RX-ADDRESS. All of them in turn, round by
 * round, so that what else the machine does meets them alike. Sender, veth, filter and receiver
 * share the CPU that this process is pinned to: a packet's time is the sum of theirs. A FILE holds
 * source addresses, 4 bytes each. Prints a line of JSON for each target and kind of traffic.
 *
 * flows: one datagram at a time from BLOCKED to port 9999 and from CLEAN to port 9998, until
 * STOP-FILE is there. Prints how many were sent, and how many arrived of each.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "traffic.h"
#include "traffic.skel.h"

#define PORT 9999
#define MOST_ROUNDS 64
#define MOST_TARGETS 16
#define WARM 16384   /* packets before the first round, which also say how long one takes */
#define LEAST 2048   /* packets of a round */
#define MOST 4194304 /* likewise */
#define LONGEST 30   /* seconds of flows */

struct target {
	char *name, *tx, *dev, *rx;
	uint8_t frame[60];
	unsigned int ifindex, sum;
	int socket;
	struct kind {
		double ns[MOST_ROUNDS];
		unsigned int chunk;
		unsigned long long sent, arrived;
	} kind[2];
};

static struct traffic_bpf *bpf;
static unsigned int n_sources[2];
static int rounds = 5, round_ms = 250;

static void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void enter(const char *netns)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

static unsigned int index_of(const char *dev)
{
	unsigned int ifindex = if_nametoindex(dev);

	if (!ifindex)
		die(dev);
	return ifindex;
}

/* A socket in that namespace which counts what comes to the port. */
static int application(const char *netns, int port, const struct bpf_program *filter)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	int s, prog = bpf_program__fd(filter);

	enter(netns);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_ATTACH_BPF, &prog, sizeof(prog)) ||
		bind(s, (struct sockaddr *)&any, sizeof(any)))
		die("the application's socket");
	return s;
}

/* --- send --- */

static void make_frame(struct target *t, const uint8_t *mac, const char *address)
{
	struct ethhdr *eth = (struct ethhdr *)t->frame;
	struct iphdr *ip = (struct iphdr *)(t->frame + sizeof(*eth));
	struct udphdr *udp = (struct udphdr *)(t->frame + sizeof(*eth) + sizeof(*ip));
	uint16_t half[sizeof(*ip) / 2];

	memcpy(eth->h_dest, mac, 6);
	eth->h_source[0] = 2;
	eth->h_proto = htons(ETH_P_IP);
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->protocol = IPPROTO_UDP;
	ip->tot_len = htons(sizeof(t->frame) - sizeof(*eth));
	if (inet_pton(AF_INET, address, &ip->daddr) != 1)
		die(address);
	udp->source = htons(4000);
	udp->dest = htons(PORT);
	udp->len = htons(sizeof(t->frame) - sizeof(*eth) - sizeof(*ip));
	memcpy(half, ip, sizeof(half));
	for (size_t i = 0; i < sizeof(half) / 2; i++)
		t->sum += half[i];
}

static void parse_target(char *word, struct target *t)
{
	char *field[6];
	uint8_t mac[6];

	for (int i = 0; i < 6; i++)
		field[i] = strsep(&word, ";");
	errno = EINVAL;
	if (!field[5] || word ||
		sscanf(field[4], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2],
			&mac[3], &mac[4], &mac[5]) != 6)
		die("a target");
	t->name = field[0];
	t->tx = field[1];
	t->dev = field[2];
	t->rx = field[3];
	make_frame(t, mac, field[5]);
	enter(t->tx);
	t->ifindex = index_of(t->dev);
	t->socket = application(t->rx, PORT, bpf->progs.count);
}

static void read_sources(const char *path, int kind)
{
	size_t size = sizeof(__u64) * 2 * TRAFFIC_SOURCES;
	__u64 *map = mmap(
		NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(bpf->maps.sources), 0);
	FILE *in = fopen(path, "rb");
	uint32_t source;

	if (!in || map == MAP_FAILED)
		die(path);
	while (n_sources[kind] < TRAFFIC_SOURCES && fread(&source, sizeof(source), 1, in) == 1)
		map[kind * TRAFFIC_SOURCES + n_sources[kind]++] = source;
	fclose(in);
	munmap(map, size);
	errno = ENODATA;
	if (!n_sources[kind])
		die(path);
}

/* ns a packet, by the kernel's own timer, which stands still while others have the CPU. */
static double send_some(struct target *t, int kind, unsigned int n)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = t->frame, .data_size_in = sizeof(t->frame),
		.repeat = n, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
	unsigned long long before = bpf->bss->arrived[0];

	enter(t->tx);
	bpf->bss->out = t->ifindex;
	bpf->bss->sum = t->sum;
	bpf->bss->first = kind * TRAFFIC_SOURCES;
	bpf->data->n_sources = n_sources[kind];
	if (bpf->bss->at >= n_sources[kind])
		bpf->bss->at = 0;
	if (bpf_prog_test_run_opts(bpf_program__fd(bpf->progs.send), &opts))
		die("BPF_PROG_TEST_RUN");
	t->kind[kind].sent += n;
	t->kind[kind].arrived += bpf->bss->arrived[0] - before;
	return opts.duration;
}

static void warm_up(struct target *t, int kind)
{
	double n = round_ms * 1e6 / (send_some(t, kind, WARM) + 1);

	t->kind[kind].chunk = n < LEAST ? LEAST : n > MOST ? MOST : n;
}

static void print_target(const struct target *t, int kind)
{
	const struct kind *k = &t->kind[kind];

	printf("{ \"filter\": \"%s\", \"traffic\": \"%s\", \"sent\": %llu, \"arrived\": %llu, "
	       "\"ns\": [",
		t->name, kind ? "clean" : "matching", k->sent, k->arrived);
	for (int i = 0; i < rounds; i++)
		printf("%s%.1f", i ? ", " : "", k->ns[i]);
	printf("] }\n");
}

static int do_send(int argc, char **argv)
{
	static const struct option options[] = { { "rounds", 1, NULL, 'r' }, { "ms", 1, NULL, 't' },
		{ "matching", 1, NULL, 'm' }, { "clean", 1, NULL, 'c' }, { 0 } };
	static struct target targets[MOST_TARGETS];
	int c, n = 0;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'r')
			rounds = atoi(optarg);
		else if (c == 't')
			round_ms = atoi(optarg);
		else if (c == 'm' || c == 'c')
			read_sources(optarg, c == 'c');
		else
			return 2;
	}
	if (rounds < 1 || rounds > MOST_ROUNDS || argc - optind > MOST_TARGETS || !n_sources[0] ||
		!n_sources[1])
		return 2;
	for (; optind < argc; optind++)
		parse_target(argv[optind], &targets[n++]);
	for (int i = 0; i < 2 * n; i++)
		warm_up(&targets[i / 2], i % 2);
	for (int r = 0; r < rounds; r++)
		for (int i = 0; i < 2 * n; i++) {
			struct target *t = &targets[i / 2];

			t->kind[i % 2].ns[r] = send_some(t, i % 2, t->kind[i % 2].chunk);
		}
	for (int i = 0; i < 2 * n; i++)
		print_target(&targets[i / 2], i % 2);
	return 0;
}

/* --- flows --- */

static int flow(const char *from, const char *to, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET }, b = { .sin_family = AF_INET };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	b.sin_port = htons(port);
	if (inet_pton(AF_INET, from, &a.sin_addr) != 1 ||
		inet_pton(AF_INET, to, &b.sin_addr) != 1 || s < 0 ||
		bind(s, (struct sockaddr *)&a, sizeof(a)) ||
		connect(s, (struct sockaddr *)&b, sizeof(b)))
		die(from);
	return s;
}

static int do_flows(char **v)
{
	unsigned long long sent = 0;
	time_t begin = time(NULL);
	int blocked, clean;

	application(v[1], PORT, bpf->progs.count);
	application(v[1], PORT - 1, bpf->progs.count_second);
	enter(v[0]);
	blocked = flow(v[2], v[4], PORT);
	clean = flow(v[3], v[4], PORT - 1);
	while (access(v[5], F_OK) && time(NULL) < begin + LONGEST)
		for (int i = 0; i < 64; i++, sent++)
			if (send(blocked, "x", 1, 0) != 1 || send(clean, "x", 1, 0) != 1)
				die("send");
	/* What is still on its way comes within a tick of the kernel's helper threads. */
	usleep(200000);
	printf("{ \"sent\": %llu, \"blocked_arrived\": %llu, \"clean_arrived\": %llu }\n", sent,
		(unsigned long long)bpf->bss->arrived[0], (unsigned long long)bpf->bss->arrived[1]);
	return 0;
}

static int do_attach(char **v)
{
	const struct bpf_program *prog = strcmp(v[2], "drop") ? bpf->progs.pass : bpf->progs.drop;

	enter(v[0]);
	if (bpf_xdp_attach(index_of(v[1]), bpf_program__fd(prog), XDP_FLAGS_DRV_MODE, NULL))
		die("attach");
	return 0;
}

int main(int argc, char **argv)
{
	int status = 2;

	bpf = traffic_bpf__open_and_load();
	if (!bpf)
		die("the programs do not load");
	if (argc == 5 && !strcmp(argv[1], "attach"))
		status = do_attach(argv + 2);
	else if (argc == 8 && !strcmp(argv[1], "flows"))
		status = do_flows(argv + 2);
	else if (argc > 2 && !strcmp(argv[1], "send"))
		status = do_send(argc - 1, argv + 1);
	if (status == 2)
		fprintf(stderr, "usage: traffic attach|send|flows ...; see traffic.c\n");
	traffic_bpf__destroy(bpf);
	return status;
}
