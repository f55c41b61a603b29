// SPDX-License-Identifier: GPL-2.0-only
/* watch: packets as they are blocked. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clocks.h"
#include "command.h"
#include "dirs.h"
#include "env.h"
#include "host.h"
#include "netlink.h"
#include "pcapng.h"
#include "rulebook.h"
#include "seat.h"
#include "wanted.h"
#include "watcher.h"

#define RATE 500    /* packets a second on each CPU, unless --rate says another */
#define LOOK_MS 100 /* between two looks into the ring */
#define FOLLOW 10   /* of them between two looks at the rest */
#define NAMES 64    /* of interfaces that are remembered in between */
#define RATE_MOST 1000000

struct watching {
	FILE *out;
	const struct report *report; /* NULL: a capture is written */
	struct pcapng pcap;
	struct watcher *watcher;
	struct rulebook rules;
	uint64_t most, shown; /* packets; most 0: no end */
	int64_t offset;	      /* CLOCK_REALTIME over CLOCK_MONOTONIC; ns */
	struct {
		uint32_t ifindex;
		char name[IF_NAMESIZE];
	} names[NAMES];
	size_t n_names;
	const char *ifname; /* on which packets are asked for; NULL: any */
	uint32_t ifindex;   /* its number now; 0: there is none */
	int links_fd;	    /* readable when that may have changed; -1 */
	bool last;	    /* what has come is shown, and that is all */
	bool done;	    /* no more is to be shown, or can be */
	bool waiting;	    /* there is nothing to watch yet, and that was said */
};

static volatile sig_atomic_t ending;

static void on_signal(int number)
{
	(void)number;
	ending = 1;
}

static int64_t real_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Without SA_RESTART: a write to a terminal that stands still must not keep us. */
static void catch_signals(void)
{
	const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	const struct sigaction act = { .sa_handler = on_signal };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &act, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static const char *interface_name(struct watching *w, uint32_t ifindex)
{
	size_t i = 0;

	while (i < w->n_names && w->names[i].ifindex != ifindex)
		i++;
	if (i == w->n_names) {
		if (i == NAMES)
			w->n_names = i = 0;
		w->names[i].ifindex = ifindex;
		if (!if_indextoname(ifindex, w->names[i].name))
			w->names[i].name[0] = '\0';
		w->n_names++;
	}
	return w->names[i].name[0] ? w->names[i].name : NULL;
}

static int show(const struct bp_event *e, void *arg)
{
	struct watching *w = arg;
	int64_t at = e->at + w->offset;
	struct watched packet = {
		.event = e,
		.time = { .tv_sec = at / 1000000000, .tv_nsec = at % 1000000000 },
		.interface = interface_name(w, e->ifindex),
	};
	int rc;

	if (w->most && w->shown == w->most)
		return -ECANCELED;
	rulebook_know(&w->rules, e->rule);
	for (unsigned int i = 0; i < watched_logged(e); i++)
		rulebook_know(&w->rules, e->log_rule[i]);
	packet.rule = rulebook_find(&w->rules, e->rule);
	for (unsigned int i = 0; i < watched_logged(e); i++)
		packet.logged[i] = rulebook_find(&w->rules, e->log_rule[i]);
	rc = w->report ? w->report->watched(w->out, &packet) : pcapng_put(&w->pcap, &packet);
	w->shown++;
	if (!rc && (ferror(w->out) || (ending && !w->last)))
		rc = -EIO;
	return rc;
}

/* A terminal whose window was closed says EIO, as does a disk that is broken. */
static bool is_reader_gone(const struct watching *w, int err)
{
	return err == EPIPE || err == EINTR || (err == EIO && isatty(fileno(w->out)));
}

/* Whoever read it is gone, or will not be told the rest: that is no error. */
static int write_out(struct watching *w, struct diag *diag)
{
	int rc = 0, err;

	if (!fflush(w->out) && !ferror(w->out))
		return 0;
	err = errno;
	if (!is_reader_gone(w, err))
		rc = diag_errno(diag, err, "cannot write the %s", w->report ? "output" : "capture");
	__fpurge(w->out);
	clearerr(w->out);
	w->done = true;
	return rc;
}

static int read_packets(struct watching *w, struct diag *diag)
{
	int rc;

	w->offset = real_ns() - kernel_clock_monotonic();
	rc = watcher_read(w->watcher);
	if (w->most && w->shown == w->most)
		w->done = true;
	if (rc == -ENOMEM)
		return rc;
	return write_out(w, diag);
}

/* One that comes again, or another of that name, is the one from then on. */
static void follow_interface(struct watching *w)
{
	int ifindex = w->ifname ? env_ifindex(w->ifname, NULL) : 0;

	if (ifindex < 0 || (uint32_t)ifindex == w->ifindex)
		return; /* what cannot be asked is asked again */
	if (!ifindex)
		fprintf(stderr, "%s is gone: this waits until there is one of that name.\n",
			w->ifname);
	else if (!w->ifindex)
		fprintf(stderr, "%s is there again.\n", w->ifname);
	w->ifindex = ifindex;
	watcher_on(w->watcher, ifindex);
}

static int follow(struct watching *w, struct diag *diag)
{
	int rc = watcher_follow(w->watcher, diag);

	w->n_names = 0;
	follow_interface(w);
	if (rc == 1 && !w->waiting)
		fputs("Nothing is in force yet: this waits.\n", stderr);
	w->waiting = rc == 1;
	if (rc < 0)
		return rc;
	return rulebook_look(&w->rules, diag);
}

/* Output that nobody reads any more is noticed while no packet comes, too. */
static void wait_for_more(struct watching *w)
{
	struct pollfd fds[] = {
		{ .fd = watcher_fd(w->watcher), .events = POLLIN },
		{ .fd = fileno(w->out) },
		{ .fd = w->links_fd, .events = POLLIN },
	};

	if (poll(fds, 3, LOOK_MS) <= 0)
		return;
	if (fds[1].revents & (POLLERR | POLLHUP))
		w->done = true;
	if (fds[2].revents) {
		nl_watch_read(w->links_fd);
		follow_interface(w);
	}
}

static int watch(struct watching *w, struct diag *diag)
{
	int rc = 0;

	for (unsigned int n = 0; !rc && !ending && !w->done; n++) {
		if (n % FOLLOW == 0)
			rc = follow(w, diag);
		if (!rc)
			wait_for_more(w);
		if (!rc)
			rc = read_packets(w, diag);
	}
	watcher_stop(w->watcher);
	w->last = true;
	if (!rc && !w->done)
		rc = read_packets(w, diag);
	return rc;
}

/* What has come and was not read any more as this ended is lost as well. */
static void say_end(const struct watching *w)
{
	struct bp_watch_tally t = watcher_tally(w->watcher);
	uint64_t lost = t.lost + (t.told > w->shown && !w->most ? t.told - w->shown : 0);

	fprintf(stderr, "%" PRIu64 " packets shown", w->shown);
	if (t.left_out)
		fprintf(stderr, ", %" PRIu64 " more left out by sampling", (uint64_t)t.left_out);
	if (lost)
		fprintf(stderr, ", %" PRIu64 " lost, as they came faster than they were read",
			lost);
	fputc('\n', stderr);
}

static int parse_number(const char *option, const char *text, uint64_t least, uint64_t most,
	uint64_t *number, struct diag *diag)
{
	char *end;
	uint64_t n;

	if (!text)
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && !errno && n >= least && n <= most) {
		*number = n;
		return 0;
	}
	diag_place_word(diag, text);
	return diag_set(diag, DIAG_USAGE, EINVAL, "%s takes a number from %" PRIu64 " to %" PRIu64,
		option, least, most);
}

/* Dynamic rules are the agent's to know. */
static int check_rule(struct watching *w, uint32_t id, struct diag *diag)
{
	char typed[12];
	int pid;

	if (!id || rulebook_find(&w->rules, id) || seat_is_taken(&pid))
		return 0;
	snprintf(typed, sizeof(typed), "%" PRIu32, id);
	diag_place_word(diag, typed);
	return diag_set(diag, DIAG_UNKNOWN, ENOENT,
		"there is no rule %" PRIu32 "; 'bpfpol list' shows those in force", id);
}

/* What it holds is for those who may see packets. */
static int open_capture(struct watching *w, const char *path, struct diag *diag)
{
	bool untrusted;
	int fd, rc;

	if (strcmp(path, "-")) {
		rc = output_check(path, &untrusted, diag);
		if (rc)
			return rc;
		fd = open(path,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | (untrusted ? O_NOFOLLOW : 0),
			0600);
		w->out = fd < 0 ? NULL : fdopen(fd, "w");
	}
	if (!w->out)
		return diag_errno(diag, errno, "cannot write %s", path);
	if (isatty(fileno(w->out)))
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"a capture is nothing for a terminal: write it to a file, or to a pipe as "
			"in: bpfpol watch --pcap - | tshark -r -");
	w->report = NULL;
	pcapng_begin(&w->pcap, w->out);
	return 0;
}

static int run(struct watching *w, const char *pcap, struct watch_want *want, struct diag *diag)
{
	int rc;

	if (geteuid())
		return diag_set(
			diag, DIAG_DENIED, EPERM, "this needs root: run it again with sudo");
	if (pcap)
		want->bytes = BP_SNAP;
	w->out = pcap && strcmp(pcap, "-") ? NULL : stdout;
	rc = watcher_open(want, show, w, &w->watcher, diag);
	if (!rc)
		watcher_on(w->watcher, w->ifindex);
	if (!rc)
		rc = rulebook_look(&w->rules, diag);
	if (!rc)
		rc = check_rule(w, want->rule, diag);
	if (!rc && pcap)
		rc = open_capture(w, pcap, diag);
	if (!rc) {
		catch_signals();
		rc = watch(w, diag);
		say_end(w);
	}
	watcher_close(&w->watcher);
	pcapng_end(&w->pcap);
	if (w->out && w->out != stdout && fclose(w->out) && !rc)
		rc = diag_errno(diag, errno, "cannot write %s", pcap);
	rulebook_free(&w->rules);
	return rc;
}

/* At first it has to be there: a name that is no interface's is a slip. */
static int find_interface(struct watching *w, const char *name, struct diag *diag)
{
	int ifindex;

	w->links_fd = -1;
	if (!name)
		return 0;
	ifindex = env_ifindex(name, diag);
	if (ifindex < 0)
		return ifindex;
	if (!ifindex) {
		diag_place_word(diag, name);
		return diag_set(diag, DIAG_UNKNOWN, ENOENT,
			"there is no interface of that name; 'bpfpol interfaces' shows those "
			"that are");
	}
	w->ifindex = ifindex;
	w->ifname = name;
	w->links_fd = nl_watch_open();
	return w->links_fd < 0 ? diag_errno(diag, errno, "cannot watch the interfaces") : 0;
}

int cmd_watch(const struct args *args, struct diag *diag)
{
	struct watching *w = calloc(1, sizeof(*w));
	struct watch_want want = {};
	uint64_t id = 0, rate = RATE;
	struct wanted wanted = {};
	int rc = w ? wanted_parse(args->n, args->words, &wanted, diag) : -ENOMEM;

	if (!rc)
		rc = find_interface(w, wanted.ifname, diag);
	if (!rc)
		rc = parse_number("--id", args->id, 1, UINT32_MAX, &id, diag);
	if (!rc)
		rc = parse_number("--rate", args->rate, 0, RATE_MOST, &rate, diag);
	if (!rc)
		rc = parse_number("--count", args->count, 1, UINT64_MAX, &w->most, diag);
	if (!rc && args->pcap && args->given & OPT_JSON) {
		diag_place_word(diag, "--json");
		rc = diag_set(diag, DIAG_USAGE, EINVAL,
			"--json and --pcap are two ways to show the same: give one of them");
	}
	if (!rc) {
		want = (struct watch_want){
			.rule = id,
			.rate = rate,
			.verdict = wanted.verdict,
			.wanted = wanted.v,
			.n_wanted = wanted.n,
			.on = wanted.ifname,
		};
		w->report = args_report(args);
		rc = run(w, args->pcap, &want, diag);
	}
	if (w && w->ifname && w->links_fd >= 0)
		close(w->links_fd);
	wanted_free(&wanted);
	free(w);
	return rc;
}
