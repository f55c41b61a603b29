/* SPDX-License-Identifier: GPL-2.0-only */
#include "twin.h"
#include "twin_wire.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

const char *const twin_names[TWIN_NAMES] = { "tw0", "tw1", "tw9" };

/* Of those that rules and frames draw from (gen.c), so that me and prefixes meet. */
static const uint8_t local4[][4] = { { 203, 0, 113, 1 }, { 10, 1, 2, 3 } };
static const uint8_t local6[][16] = {
	{ 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3 },
	{ 0x20, 0x01, 0x0d, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 },
};
static const uint8_t broadcast4[4] = { 203, 0, 113, 255 };
/* The subnet-router anycast address (RFC 4291), which a router listens to. */
static const uint8_t anycast6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2 };
static const uint8_t loopback6[16] = { [15] = 1 };
/*
 * addr_gen_mode 1: no address of the kernel's choice. The default routes are there because
 * bpf_fib_lookup() says the same of what has no route as of what is ours.
 */
static const char *const setup[] = {
	"ip link set lo up",
	"ip link add tw0 type veth peer name tw1",
	"sysctl ipv6/conf/tw0/addr_gen_mode 1",
	"sysctl ipv6/conf/tw1/addr_gen_mode 1",
	"ip link set tw0 up",
	"ip link set tw1 up",
	"ip addr add 203.0.113.1/24 dev tw0",
	"ip addr add 10.1.2.3/32 dev tw0",
	"ip addr add 2001:db8:1:2::3/64 dev tw0 nodad",
	"ip addr add 2001:db8:2::1/128 dev tw0 nodad",
	"ip route add default dev tw1",
	"ip -6 route add default dev tw1",
};

static int spawn(char *const *argv)
{
	int status, rc;
	pid_t pid;

	rc = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (rc)
		return -rc;
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

static int set_sysctl(const char *name, const char *value)
{
	char path[128];
	FILE *f;
	int rc;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	f = fopen(path, "w");
	if (!f)
		return -errno;
	rc = fputs(value, f) < 0 ? -EIO : 0;
	return fclose(f) ? -errno : rc;
}

int world_step(const char *line)
{
	char *argv[16], *save, *copy = must(strdup(line));
	size_t n = 0;
	int rc;

	for (argv[n] = strtok_r(copy, " ", &save); argv[n] && n < 15;)
		argv[++n] = strtok_r(NULL, " ", &save);
	rc = !strcmp(argv[0], "sysctl") ? set_sysctl(argv[1], argv[2]) : spawn(argv);
	if (rc)
		printf("# '%s' failed: %s\n", line, strerror(-rc));
	free(copy);
	return rc;
}

int world_forwarding(struct world *w, bool on)
{
	int rc;

	if (on == w->forwarding)
		return 0;
	rc = set_sysctl("ipv4/conf/all/forwarding", on ? "1" : "0");

	if (!rc)
		rc = set_sysctl("ipv6/conf/all/forwarding", on ? "1" : "0");
	if (rc)
		printf("# cannot set forwarding: %s\n", strerror(-rc));
	w->forwarding = on;
	return rc;
}

static int load(struct world *w)
{
	struct diag diag = { 0 };
	int rc = kernel_load(&w->k, &diag);

	if (rc)
		printf("# %s\n", diag.message);
	diag_free(&diag);
	if (!rc)
		rc = layer_open(&w->k->shared, &w->layer);
	if (!rc)
		hook_probe(w);
	return rc;
}

void world_tick(struct world *w)
{
	struct timespec t;

	w->now = time(NULL);
	clock_gettime(CLOCK_BOOTTIME, &t);
	w->boot_now = t.tv_sec * 1000000000ULL + t.tv_nsec;
}

int world_open(struct world *w)
{
	size_t i;
	int rc;

	memset(w, 0, sizeof(*w));
	memset(w->layer.fd, -1, sizeof(w->layer.fd));
	world_tick(w);
	if (unshare(CLONE_NEWNET)) {
		printf("# no network namespace: %s\n", strerror(errno));
		return -errno;
	}
	for (i = 0; i < sizeof(setup) / sizeof(setup[0]); i++) {
		rc = world_step(setup[i]);
		if (rc)
			return rc;
	}
	for (i = 0; i < TWIN_NAMES; i++)
		w->ifindex[i] = if_nametoindex(twin_names[i]);
	w->forwarding = true;
	rc = world_forwarding(w, false);
	return rc ? rc : load(w);
}

void world_close(struct world *w)
{
	wire_close(w);
	load_free(w);
	layer_close(&w->layer);
	kernel_free(&w->k);
}

void world_tell(const struct world *w, struct gen *g)
{
	g->now = w->now;
	g->ifnames = twin_names;
	g->n_ifnames = TWIN_NAMES;
	g->local4 = local4;
	g->n_local4 = sizeof(local4) / sizeof(local4[0]);
	g->local6 = local6;
	g->n_local6 = sizeof(local6) / sizeof(local6[0]);
}

static bool is_me4(const uint8_t *to)
{
	size_t i;

	for (i = 0; i < sizeof(local4) / sizeof(local4[0]); i++) {
		if (!memcmp(to, local4[i], 4))
			return true;
	}
	return to[0] >> 4 == 14 || to[0] == 127 || !memcmp(to, broadcast4, 4) ||
	       !memcmp(to, "\xff\xff\xff\xff", 4);
}

/* What never leaves its link. */
static bool is_scoped(const uint8_t *address)
{
	return address[0] == 0xff || (address[0] == 0xfe && address[1] >> 6 == 2) ||
	       !memcmp(address, loopback6, 16);
}

/*
 * Where the kernel cannot tell: bpf_fib_lookup() says of every packet to a scoped address that it
 * is not forwarded. That is true; whether it is ours it does not say.
 */
static bool is_me6(const uint8_t *to)
{
	size_t i;

	for (i = 0; i < sizeof(local6) / sizeof(local6[0]); i++) {
		if (!memcmp(to, local6[i], 16))
			return true;
	}
	return !memcmp(to, anycast6, 16) || is_scoped(to);
}

/* Nor without forwarding: what arrives counts as ours; see "not exact" in the contract. */
bool world_me(const struct world *w, const struct frame *frame)
{
	if (!frame->family)
		return false;
	if (!w->forwarding)
		return true;
	return frame->family == 4 ? is_me4(frame->dst) : is_me6(frame->dst);
}
