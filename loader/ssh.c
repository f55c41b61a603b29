// SPDX-License-Identifier: GPL-2.0-only
#include "ssh.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dirs.h"
#include "netlink_diag.h"
#include "netlink_route.h"
#include "ssh_socket.h"

#define PROC_ROOM 2048 /* more than what a file in /proc/PID is read for */

/* --- the connections of processes --- */

/* table: all of the namespace, for when the sockets themselves cannot be had. */
struct search {
	struct tcp_sockets *found, table;
	struct tcp_sockets own; /* on which these processes listen themselves */
	bool has_table;
	pid_t hidden; /* one of them does not let its sockets be seen; 0: none */
};

static void search_free(struct search *s)
{
	free(s->table.v);
	free(s->own.v);
}

static bool same_ends(const struct tcp_socket *a, const struct tcp_socket *b)
{
	return a->family == b->family && a->bound == b->bound && a->local_port == b->local_port &&
	       a->remote_port == b->remote_port && !memcmp(a->local, b->local, sizeof(a->local)) &&
	       !memcmp(a->remote, b->remote, sizeof(a->remote));
}

/*
 * More than one process holds a session's. One of this host with itself, as of `ssh -J host host`,
 * does not cross what is filtered: the one that it came over does.
 */
static int add_once(struct tcp_sockets *list, const struct tcp_socket *s, struct diag *diag)
{
	const struct nl_flow flow = { .family = s->family, .to = s->remote, .bound = s->bound };
	bool own;
	int rc;

	for (size_t i = 0; i < list->n; i++)
		if (same_ends(&list->v[i], s))
			return 0;
	rc = nl_is_own(&flow, &own);
	if (rc)
		return diag_errno(diag, -rc,
			"cannot ask the kernel whether an SSH connection is one of this host with "
			"itself");
	return own ? 0 : sockets_add(list, s);
}

static int add_table(const char *path, bool v6, struct tcp_sockets *list, struct diag *diag)
{
	char *text = NULL;
	size_t len;
	int rc = file_read(path, &text, &len, diag);

	if (!rc)
		rc = sockets_parse(text, v6, list);
	free(text);
	if (rc == -ENOENT && !v6)
		return diag_errno(diag, ENOENT,
			"cannot tell which connections are to be protected (--force goes ahead all "
			"the same): %s",
			path);
	return rc == -ENOENT ? 0 : rc; /* a kernel without IPv6 */
}

/* The kernel walks all its buckets for it: milliseconds. */
static int get_table(struct tcp_sockets *list, struct diag *diag)
{
	int rc = add_table("/proc/self/net/tcp", false, list, diag);

	return rc ? rc : add_table("/proc/self/net/tcp6", true, list, diag);
}

static int add_by_inode(struct search *s, uint64_t inode, struct diag *diag)
{
	int rc = s->has_table ? 0 : get_table(&s->table, diag);

	s->has_table = true;
	for (size_t i = 0; i < s->table.n && !rc; i++)
		if (s->table.v[i].inode == inode)
			rc = s->table.v[i].listens ? sockets_add(&s->own, &s->table.v[i])
						   : add_once(s->found, &s->table.v[i], diag);
	return rc;
}

/* A kernel or a container that does not let one process have another's sockets still names them. */
static int add_socket(struct search *s, int pidfd, int number, uint64_t inode, struct diag *diag)
{
	int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	struct tcp_socket socket;
	int rc;

	if (fd < 0)
		return errno == EBADF || errno == ESRCH ? 0 : add_by_inode(s, inode, diag);
	rc = ssh_socket_read(fd, &socket);
	if (rc < 0)
		diag_errno(diag, -rc, "cannot look at a socket of an sshd");
	else if (rc)
		rc = add_once(s->found, &socket, diag);
	else if (socket.listens)
		rc = sockets_add(&s->own, &socket);
	close(fd);
	return rc;
}

/* Processes come and go: of one that is gone nothing is known, nor of one that is hidden. */
static bool is_unseen(int rc)
{
	return rc == -ENOENT || rc == -ESRCH || rc == -EACCES;
}

static int add_held(struct search *s, pid_t pid, struct diag *diag)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), err = 0, rc = 0;
	struct dirent *entry;
	char path[64];
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	if (!d && errno == EACCES)
		s->hidden = pid;
	else if (!d && !is_unseen(-errno))
		err = -errno;
	while (d && !rc && (entry = dir_next(d, &err))) {
		char to[64];
		ssize_t len = readlinkat(dirfd(d), entry->d_name, to, sizeof(to) - 1);
		uint64_t inode;

		if (len < 0 && errno != EINVAL && !is_unseen(-errno)) { /* no link: . and .. */
			err = -errno;
			break;
		}
		if (len < 0 && errno == EACCES)
			s->hidden = pid;
		to[len > 0 ? len : 0] = '\0';
		if (sscanf(to, "socket:[%" SCNu64 "]", &inode) == 1)
			rc = add_socket(s, pidfd, atoi(entry->d_name), inode, diag);
	}
	if (err)
		rc = diag_errno(diag, -err, "cannot read %s", path);
	if (d)
		closedir(d);
	if (pidfd >= 0)
		close(pidfd);
	return rc;
}

/* --- which processes --- */

/* What is not to be seen is empty. */
static int read_proc(pid_t pid, const char *name, char text[PROC_ROOM], struct diag *diag)
{
	ssize_t len = -1;
	char path[64];
	int fd, rc;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		len = read(fd, text, PROC_ROOM - 1);
	rc = len < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	text[len > 0 ? len : 0] = '\0';
	return rc && !is_unseen(rc) ? diag_errno(diag, -rc, "cannot read %s", path) : 0;
}

/* sshd, sshd-session, sshd-auth */
static bool is_sshd(const char *name)
{
	return !strncmp(name, "sshd", 4) || !strcmp(name, "dropbear");
}

struct process {
	pid_t parent;
	bool sshd;
};

/* One that is not to be seen is the topmost. */
static int process_get(pid_t pid, struct process *p, struct diag *diag)
{
	char text[PROC_ROOM], *name, *end;
	int parent, rc = read_proc(pid, "stat", text, diag);

	*p = (struct process){};
	if (rc)
		return rc;
	name = strchr(text, '(');
	end = strrchr(text, ')'); /* the name may hold any character */
	if (!name || !end || sscanf(end + 1, " %*c %d", &parent) != 1)
		return 0;
	*end = '\0';
	*p = (struct process){ .parent = parent, .sshd = is_sshd(name + 1) };
	return 0;
}

/*
 * Of all processes only root's are believed to be an sshd: an ordinary user's of that name must not
 * keep a rule out that cron wants in. A session's connection is held by a process of root's as
 * well.
 */
static int is_roots_sshd(pid_t pid, bool *yes, struct diag *diag)
{
	char text[PROC_ROOM], *uid;
	unsigned int real, effective;
	int rc = read_proc(pid, "comm", text, diag);

	*yes = false;
	if (rc || !is_sshd(text))
		return rc;
	rc = read_proc(pid, "status", text, diag);
	uid = rc ? NULL : strstr(text, "\nUid:");
	*yes = uid && sscanf(uid, "\nUid: %u %u", &real, &effective) == 2 && !real && !effective;
	return rc;
}

/* Those on ports that are among the listening ones, or that are not. */
static void keep(struct tcp_sockets *list, const struct tcp_sockets *listening, bool among)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->n; i++)
		if (sockets_listen(listening, list->v[i].local_port) == among)
			list->v[kept++] = list->v[i];
	list->n = kept;
}

/* What an sshd forwards for a session goes from ports that nobody listens on here. */
static void keep_accepted(struct tcp_sockets *list, const struct tcp_sockets *listening)
{
	keep(list, listening, true);
}

bool ssh_translated(void)
{
	int fd = open("/proc/sys/net/netfilter/nf_conntrack_count", O_RDONLY | O_CLOEXEC);
	char first = '0';
	/* Or nobody knows. */
	bool any = fd < 0 ? errno != ENOENT : read(fd, &first, 1) != 1 || first != '0';

	if (fd >= 0)
		close(fd);
	return any;
}

int ssh_listening(struct tcp_sockets *list, struct diag *diag)
{
	list->n = 0;
	if (!nl_listening(list))
		return 0;
	list->n = 0;
	return get_table(list, diag); /* a kernel without sock_diag */
}

/*
 * What comes to a port that the session's own process listens on is forwarded for it (ssh -R);
 * where that is all, it is its own server.
 */
static void drop_own(struct tcp_sockets *list, const struct tcp_sockets *own)
{
	bool others = false;

	for (size_t i = 0; i < list->n; i++)
		others |= !sockets_listen(own, list->v[i].local_port);
	if (others)
		keep(list, own, false);
}

/* Beside the session's own there may be some that it forwards; where none was accepted, who knows.
 */
static int drop_forwarded(struct search *s, struct diag *diag)
{
	struct tcp_sockets listening = {}, *list = s->found;
	bool any = false;
	int rc;

	drop_own(list, &s->own);
	rc = list->n > 1 ? ssh_listening(&listening, diag) : 0;
	for (size_t i = 0; i < list->n && !rc; i++)
		any |= sockets_listen(&listening, list->v[i].local_port);
	if (any)
		keep_accepted(list, &listening);
	sockets_untranslate(list);
	free(listening.v);
	return rc;
}

/* fe80::1%eth0: with the interface, whose name goes. */
static int take_scope(char *address)
{
	char *name = strchr(address, '%');

	if (!name)
		return 0;
	*name = '\0';
	return if_nametoindex(name + 1);
}

/* "10.0.0.1 40000 10.0.0.2 22": remote and local, as sshd says. */
static bool parse_named(const char *text, struct tcp_socket *s)
{
	char remote[64], local[64];
	int family;

	*s = (struct tcp_socket){};
	if (!text || sscanf(text, "%63s %" SCNu16 " %63s %" SCNu16, remote, &s->remote_port, local,
			     &s->local_port) != 4)
		return false;
	s->bound = take_scope(remote);
	take_scope(local);
	s->family = strchr(remote, ':') ? 6 : 4;
	family = s->family == 6 ? AF_INET6 : AF_INET;
	return inet_pton(family, remote, s->remote) == 1 && inet_pton(family, local, s->local) == 1;
}

/* Nobody vouches for the environment; but such a connection there is, or it does not count. */
static int add_named(struct tcp_sockets *list, struct diag *diag)
{
	struct tcp_socket s;
	bool yes = false;

	if (!parse_named(getenv("SSH_CONNECTION"), &s) || sockets_is_loopback(&s))
		return 0;
	if (nl_is_connected(&s, &yes))
		yes = true; /* a kernel without sock_diag */
	return yes ? add_once(list, &s, diag) : 0;
}

/*
 * For want of all else. hidden: an sshd that does not let its sockets be seen, where root lacks a
 * capability: then it is the environment's word or nobody's.
 */
static int hear_named(struct tcp_sockets *list, pid_t hidden, struct diag *diag)
{
	int rc = add_named(list, diag);

	return rc || list->n || !hidden
		       ? rc
		       : diag_set(diag, DIAG_SYSTEM, EACCES,
				 "cannot see which connections an sshd (process %d) has, so nobody "
				 "knows what this would cut; run it with the capability "
				 "CAP_SYS_PTRACE (--force goes ahead all the same)",
				 (int)hidden);
}

int ssh_above(struct tcp_sockets *list, struct diag *diag)
{
	struct search s = { .found = list };
	struct process p = { .parent = getppid() };
	int rc = 0;

	for (pid_t pid = p.parent; pid > 0 && !rc && !list->n && !s.hidden; pid = p.parent) {
		rc = process_get(pid, &p, diag);
		if (!rc && p.sshd)
			rc = add_held(&s, pid, diag);
	}
	if (!rc)
		rc = drop_forwarded(&s, diag);
	search_free(&s);
	return rc || list->n || !s.hidden ? rc : hear_named(list, s.hidden, diag);
}

int ssh_is_above(bool *yes, struct diag *diag)
{
	struct process p = { .parent = getppid() };
	int rc = 0;

	*yes = false;
	for (pid_t pid = p.parent; pid > 0 && !rc && !*yes; pid = p.parent) {
		rc = process_get(pid, &p, diag);
		*yes = p.sshd;
	}
	return rc;
}

int ssh_all(const struct tcp_sockets *listening, struct tcp_sockets *list, struct diag *diag)
{
	struct search s = { .found = list };
	DIR *d = opendir("/proc");
	struct dirent *entry;
	int err = 0, rc = 0;

	if (!d)
		return diag_errno(diag, errno, "cannot read /proc");
	while (!rc && (entry = dir_next(d, &err))) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
		bool yes = false;

		if (pid)
			rc = is_roots_sshd(pid, &yes, diag);
		if (yes)
			rc = add_held(&s, pid, diag);
	}
	if (err)
		rc = diag_errno(diag, -err, "cannot read /proc");
	closedir(d);
	search_free(&s);
	keep_accepted(list, listening);
	sockets_untranslate(list);
	return rc || list->n ? rc : hear_named(list, s.hidden, diag);
}

int ssh_connections(struct tcp_sockets *list, struct diag *diag)
{
	struct tcp_sockets listening = {};
	int rc = ssh_above(list, diag);

	if (rc || list->n)
		return rc;
	rc = ssh_listening(&listening, diag);
	if (!rc)
		rc = ssh_all(&listening, list, diag);
	free(listening.v);
	return rc;
}
