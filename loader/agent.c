// SPDX-License-Identifier: GPL-2.0-only
#include "agent.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "agent_metrics.h"
#include "beside.h"
#include "clients.h"
#include "clock.h"
#include "dropin.h"
#include "held_serve.h"
#include "hotplug.h"
#include "json.h"
#include "notify.h"
#include "priority.h"
#include "privileges.h"
#include "scrape.h"
#include "seat.h"

enum { FD_SIGNAL, FD_LISTEN, FD_LINKS, FD_BESIDE, FD_CLIENTS, FD_SCRAPE };

struct agent {
	struct seat seat;
	struct hotplug hotplug;
	struct held held;
	struct dropins dropins;
	struct clients clients;
	struct beside beside;
	struct scrape scrape;
	uint64_t looks; /* the hotplug's, when the rules that are held were looked after */
	int signal_fd;
	uint64_t begun;	   /* ms */
	uint64_t seat_at;  /* when it is looked whether we still sit there */
	uint64_t files_at; /* when it is tried again to put their rules in force */
	uint64_t again;	   /* ms until then; 0: nothing was refused */
	bool read_files;   /* drop-ins are to be read */
	bool rules_behind; /* a look at those that are held has left what takes long */
	bool holds, ready, ending;
	int rc; /* it could not begin */
	struct diag diag;
};

static long memory_kib(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) ? 0 : usage.ru_maxrss;
}

static size_t held_count(const struct agent *a)
{
	return a->ready ? a->held.rules->n : 0;
}

static void status_json(const struct agent *a, FILE *out)
{
	const struct hotplug *hp = &a->hotplug;
	struct jw j;

	jw_begin(&j, out);
	jw_object(&j, NULL);
	jw_u64(&j, "pid", getpid());
	jw_str(&j, "version", VERSION);
	jw_u64(&j, "uptime", (clock_ms() - a->begun) / 1000);
	jw_object(&j, "interfaces");
	jw_u64(&j, "filtered", hp->filtered);
	jw_u64(&j, "failing", hp->failing);
	jw_u64(&j, "attached", hp->attached);
	jw_u64(&j, "detached", hp->detached);
	jw_u64(&j, "put_back", hp->put_back);
	jw_u64(&j, "looks", hp->looks);
	jw_u64(&j, "lost_events", hp->lost_events);
	jw_object_end(&j);
	jw_u64(&j, "rebuilt", hp->rebuilt);
	jw_u64(&j, "dynamic_rules", held_count(a));
	jw_u64(&j, "dynamic_loads", a->held.loads);
	jw_object(&j, "clients");
	jw_u64(&j, "connected", clients_count(&a->clients));
	jw_u64(&j, "served", a->clients.served);
	jw_u64(&j, "refused", a->clients.refused);
	jw_u64(&j, "dropped", a->clients.dropped);
	jw_object_end(&j);
	jw_u64(&j, "memory_kib", memory_kib());
	jw_object_end(&j);
}

static void status_text(const struct agent *a, FILE *out)
{
	const struct hotplug *hp = &a->hotplug;
	const struct clients *c = &a->clients;

	fprintf(out, "bpfpol %s, process %d, for %" PRIu64 " s, %ld KiB at most\n", VERSION,
		getpid(), (clock_ms() - a->begun) / 1000, memory_kib());
	fprintf(out,
		"interfaces  %u filtered, %u that cannot be; since the start %" PRIu64
		" attached, %" PRIu64 " taken off, %" PRIu64 " put back\n",
		hp->filtered, hp->failing, hp->attached, hp->detached, hp->put_back);
	fprintf(out, "looks       %" PRIu64 ", %" PRIu64 " of them after lost events\n", hp->looks,
		hp->lost_events);
	fprintf(out,
		"rules       put in force anew %" PRIu64
		" times; %zu dynamic ones are held, loaded %" PRIu64 " times\n",
		hp->rebuilt, held_count(a), a->held.loads);
	fprintf(out,
		"clients     %u connected, %" PRIu64 " requests served, %" PRIu64
		" refused, %" PRIu64 " dropped\n",
		clients_count(c), c->served, c->refused, c->dropped);
}

static int serve_status(const struct agent *a, const struct wire_request *request, FILE *out)
{
	bool json = request->n == 2 && !strcmp(request->words[1], "--json");

	if (!request->n || strcmp(request->words[0], "status") || request->n > 1 + json)
		return -ENOENT;
	if (json)
		status_json(a, out);
	else
		status_text(a, out);
	return 0;
}

/* What takes long is done beside the loop. */
static int serve_rules(struct agent *a, const struct wire_request *request, FILE *out, FILE *err)
{
	int code = held_serve(&a->held, request, true, out, err), rc;

	if (code != -EINPROGRESS)
		return code;
	rc = beside_begin(&a->beside, request);
	if (!rc)
		return SERVE_LATER;
	if (rc == -EBUSY)
		return WIRE_BUSY;
	fprintf(err, "the agent could not begin it: %s", strerror(-rc));
	return DIAG_SYSTEM;
}

static int serve(const struct wire_request *request, FILE *out, FILE *err, void *arg)
{
	struct agent *a = arg;
	int code = serve_status(a, request, out);

	if (code == -ENOENT)
		code = serve_rules(a, request, out, err);
	if (code != -ENOENT)
		return code;
	fprintf(err, "the agent knows no such request");
	return DIAG_USAGE;
}

static int serve_beside(const struct wire_request *request, FILE *out, FILE *err, void *arg)
{
	struct agent *a = arg;

	return held_serve(&a->held, request, false, out, err);
}

/* Whoever asked for it may be gone. */
static void end_beside(struct agent *a)
{
	struct beside *b = &a->beside;

	if (!beside_is_done(b))
		return;
	if (!b->work)
		clients_reply(&a->clients, b->who, b->rc ? NULL : &b->answer.reply);
	beside_end(b);
	a->looks = UINT64_MAX; /* what had to wait for it */
	a->hotplug.pace.at = 0;
}

/* Of the agent itself, behind what every 'bpfpol metrics' shows. */
static int metrics(FILE *out, void *arg)
{
	const struct agent *a = arg;
	const struct hotplug *hp = &a->hotplug;
	const struct metric own[] = {
		{ "bpfpol_agent_uptime_seconds", "gauge", (clock_ms() - a->begun) / 1000,
			"For how long the agent has run." },
		{ "bpfpol_agent_memory_bytes", "gauge", memory_kib() * 1024,
			"The most memory that it ever had." },
		{ "bpfpol_agent_requests", "counter", a->clients.served,
			"Requests of commands that it has answered." },
		{ "bpfpol_agent_scrapes", "counter", a->scrape.served,
			"Times that metrics were read from it." },
		{ "bpfpol_agent_attached", "counter", hp->attached,
			"Interfaces that it has attached." },
		{ "bpfpol_agent_put_back", "counter", hp->put_back,
			"Of these, those that somebody else had taken off." },
		{ "bpfpol_agent_interfaces_failing", "gauge", hp->failing,
			"Interfaces that are to be filtered, and cannot be." },
		{ "bpfpol_agent_lost_events", "counter", hp->lost_events,
			"Looks at the interfaces after events that were lost." },
	};

	return agent_metrics(out, a->ready ? &a->held : NULL, own, sizeof(own) / sizeof(own[0]));
}

static int open_signals(struct agent *a, struct diag *diag)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	a->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return a->signal_fd >= 0 ? 0 : diag_errno(diag, errno, "cannot wait for signals");
}

static void read_again(struct agent *a)
{
	a->hotplug.pace.at = 0; /* look now */
	scrape_configure(&a->scrape);
	a->read_files |= a->holds;
	a->files_at = a->again = 0;
}

static void take_signals(struct agent *a)
{
	struct signalfd_siginfo info;

	while (read(a->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			read_again(a);
		else
			a->ending = true;
	}
}

static int open_all(struct agent *a, struct diag *diag)
{
	int rc;

	if (geteuid())
		return diag_set(
			diag, DIAG_DENIED, EPERM, "this needs root: run it again with sudo");
	setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
	a->begun = clock_ms();
	rc = seat_take(&a->seat, diag);
	if (rc)
		return rc;
	rc = clients_open(&a->clients, serve, a);
	if (rc) {
		seat_leave(&a->seat);
		return diag_errno(diag, -rc, "cannot wait for clients");
	}
	priority_raise();
	mallopt(M_ARENA_MAX, 1); /* what one thread lets go the other can use */
	rc = scrape_open(&a->scrape, metrics, a);
	if (!rc)
		rc = open_signals(a, diag);
	if (!rc && beside_open(&a->beside, serve_beside, a))
		rc = diag_errno(diag, errno, "cannot make a thread");
	if (rc) {
		clients_close(&a->clients);
		scrape_close(&a->scrape);
		seat_leave(&a->seat);
		return rc;
	}
	scrape_configure(&a->scrape);
	rc = hotplug_open(&a->hotplug, diag);
	if (rc) {
		close(a->signal_fd);
		clients_close(&a->clients);
		scrape_close(&a->scrape);
		seat_leave(&a->seat);
	}
	return rc;
}

#define BUSY 20		 /* ms until the lock is tried again */
#define AGAIN 1000	 /* ms until files whose rules could not be put in force are read again */
#define AGAIN_MOST 60000 /* ...of which each time takes twice as long */

/* A kernel without memory for the moment: nobody else will ask for them. */
static void read_later(struct agent *a)
{
	a->again = !a->again ? AGAIN : a->again < AGAIN_MOST / 2 ? 2 * a->again : AGAIN_MOST;
	a->files_at = clock_ms() + a->again;
	a->read_files = true;
}

/* What was read is put in force, or it is waited for the lock. */
static void put_dropins(struct agent *a)
{
	struct diag diag = {};
	int rc = a->dropins.read ? dropins_put(&a->dropins, &a->held, &diag) : 0;
	char *text;

	if (rc && (rc != -EAGAIN || diag.kind != DIAG_NONE)) {
		if (diag.kind == DIAG_NONE)
			diag_errno(&diag, -rc, "rules of files are not in force");
		text = diag_text(&diag);
		fputs(text ? text : "bpfpol: there is too little memory\n", stderr);
		free(text);
		policy_free(&a->dropins.read);
		read_later(a);
	} else if (!rc) {
		a->again = 0;
	}
	diag_free(&diag);
}

/* What the agent does by itself beside the loop, with the turn. */

/* Also with no rules yet: so the first one finds programs that are verified. */
static void begin_rules(void *arg)
{
	const struct timespec moment = { .tv_nsec = BUSY * 1000000L };
	struct agent *a = arg;

	if (!a->dropins.read || !a->dropins.read->n)
		a->rc = held_begin(&a->held, &a->diag);
	for (int i = 0; i < 50 && a->dropins.read; i++) {
		beside_thread_give(&a->beside);
		if (i)
			nanosleep(&moment, NULL);
		beside_thread_take(&a->beside);
		put_dropins(a);
	}
	if (a->rc)
		return;
	fprintf(stderr, "The agent follows the interfaces: %u filtered.\n", a->hotplug.filtered);
	notify("READY=1\nSTATUS=Follows the interfaces.\n");
	a->ready = true;
}

static void put_files(void *arg)
{
	struct agent *a = arg;

	if (a->read_files) {
		struct policy *read;
		bool whole;

		a->read_files = false;
		beside_thread_give(&a->beside);
		read = dropins_load(&whole);
		beside_thread_take(&a->beside);
		dropins_take(&a->dropins, read, whole);
		if (!read)
			return read_later(a);
	}
	a->files_at = clock_ms() + BUSY;
	put_dropins(a);
}

static void rebuild_policy(void *arg)
{
	struct agent *a = arg;

	hotplug_rebuild(&a->hotplug);
}

static void rebuild_dynamic(void *arg)
{
	struct agent *a = arg;

	a->rules_behind = false;
	held_look(&a->held, false);
}

/* One at a time, as all that is done there. */
static void work_beside(struct agent *a)
{
	if (a->hotplug.behind)
		beside_do(&a->beside, rebuild_policy);
	else if ((a->read_files || a->dropins.read) && clock_ms() >= a->files_at)
		beside_do(&a->beside, put_files);
	else if (a->rules_behind)
		beside_do(&a->beside, rebuild_dynamic);
}

/*
 * The first look may have to mount a bpffs, and to take hold of the dynamic layer takes
 * CAP_SYS_ADMIN, so that privileges go after both. The agent is ready when its rules are in force,
 * and answers before.
 */
static int get_ready(struct agent *a, struct diag *diag)
{
	int rc = held_open(&a->held, diag);
	struct policy *read;
	bool whole;

	for (char *line = strtok(diag->warnings, "\n"); line; line = strtok(NULL, "\n"))
		fprintf(stderr, "bpfpol: warning: %s\n", line);
	diag->warnings[0] = '\0';
	if (rc)
		return rc;
	a->held.turn = (struct held_turn){ beside_thread_give, beside_thread_take, &a->beside };
	a->hotplug.held = &a->held;
	a->hotplug.apart = true;
	read = dropins_load(&whole);
	dropins_take(&a->dropins, read, whole);
	if (!read)
		read_later(a);
	rc = privileges_drop();
	if (rc)
		fprintf(stderr, "bpfpol: warning: privileges could not be given up: %s\n",
			strerror(-rc));
	a->holds = true;
	rc = beside_do(&a->beside, begin_rules);
	return rc ? diag_errno(diag, -rc, "cannot make a thread") : 0;
}

/* Rules that are held are looked after behind each look at the host. */
static void look_after_rules(struct agent *a)
{
	if (!a->ready || a->held.busy)
		return;
	if (a->looks == a->hotplug.looks && !a->held.look && held_wait(&a->held, clock_ms()))
		return;
	a->looks = a->hotplug.looks;
	a->rules_behind = !held_look(&a->held, true);
}

static int sooner(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/*
 * A kernel that does not wait for them, without memory for the moment or by a limit of descriptors
 * that was lowered, is no end of the rules that are held. Signals and what is done beside are
 * looked for all the same.
 */
static void wait_for_any(struct pollfd *fds, int wait)
{
	const struct timespec moment = { .tv_nsec = BUSY * 1000000L };

	if (poll(fds, FD_SCRAPE + SCRAPE_FDS, wait) >= 0 || errno == EINTR)
		return;
	nanosleep(&moment, NULL);
	fds[FD_SIGNAL].revents = fds[FD_BESIDE].revents = POLLIN;
}

static void wait_for_more(struct agent *a, struct pollfd *fds)
{
	uint64_t now = clock_ms();
	int wait = clients_wait(&a->clients, now);

	fds[FD_SIGNAL] = (struct pollfd){ .fd = a->signal_fd, .events = POLLIN };
	fds[FD_LISTEN] = (struct pollfd){
		.fd = clients_is_deaf(&a->clients, now) ? -1 : a->seat.listen_fd,
		.events = POLLIN,
	};
	fds[FD_BESIDE] = (struct pollfd){ .fd = a->beside.fd, .events = POLLIN };
	fds[FD_LINKS] = (struct pollfd){ .fd = a->hotplug.fd, .events = POLLIN };
	fds[FD_CLIENTS] = (struct pollfd){ .fd = a->clients.fd, .events = POLLIN };
	wait = sooner(wait, hotplug_wait(&a->hotplug, now));
	wait = sooner(wait, scrape_poll(&a->scrape, fds + FD_SCRAPE, now));
	if (!a->held.busy)
		wait = sooner(wait, held_wait(&a->held, now));
	if (a->dropins.read && !a->beside.runs) /* the lock was not free */
		wait = sooner(wait, BUSY);
	beside_give(&a->beside);
	wait_for_any(fds, wait);
	beside_take(&a->beside);
}

static int check_seat(struct agent *a, uint64_t now, struct diag *diag)
{
	if (now < a->seat_at)
		return 0;
	a->seat_at = now + 1000;
	return !seat_is_lost(&a->seat) ? 0
				       : diag_set(diag, DIAG_SYSTEM, ESTALE,
						 "somebody took the agent's lock away, so that "
						 "there may be another "
						 "agent: this one ends");
}

static int loop(struct agent *a, struct diag *diag)
{
	struct pollfd fds[FD_SCRAPE + SCRAPE_FDS];
	int rc = 0;

	while (!rc && !a->ending) {
		uint64_t now;

		hotplug_run(&a->hotplug, clock_ms());
		if (a->hotplug.foreign)
			return diag_set(diag, DIAG_SYSTEM, EPROTO,
				"another version of bpfpol has put rules in force, or a pin was "
				"taken away: this agent ends");
		if (a->hotplug.settled && !a->holds)
			rc = get_ready(a, diag);
		if (rc)
			return rc;
		look_after_rules(a);
		work_beside(a);
		wait_for_more(a, fds);
		now = clock_ms();
		if (fds[FD_SIGNAL].revents)
			take_signals(a);
		if (fds[FD_LINKS].revents)
			hotplug_event(&a->hotplug);
		if (fds[FD_BESIDE].revents)
			end_beside(a);
		clients_handle(&a->clients, now);
		if (fds[FD_LISTEN].revents)
			clients_accept(&a->clients, a->seat.listen_fd, now);
		scrape_handle(&a->scrape, fds + FD_SCRAPE, now);
		rc = check_seat(a, now, diag);
		if (a->rc) {
			*diag = a->diag;
			return a->rc;
		}
	}
	return rc;
}

static void close_all(struct agent *a)
{
	clients_close(&a->clients);
	scrape_close(&a->scrape);
	dropins_free(&a->dropins);
	held_close(&a->held);
	hotplug_close(&a->hotplug);
	close(a->signal_fd);
}

int agent_run(struct diag *diag)
{
	struct agent *a = calloc(1, sizeof(*a));
	int rc = a ? open_all(a, diag) : -ENOMEM;

	if (!rc) {
		rc = loop(a, diag);
		notify("STOPPING=1\n");
		seat_leave(&a->seat);
		/* What is in the middle of something goes with the process, as dynamic rules do. */
		if (beside_close(&a->beside))
			close_all(a);
		else
			a = NULL;
		if (!rc)
			fprintf(stderr, "The agent ends; what is filtered stays so.\n");
	}
	free(a);
	return rc;
}
