/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands of pkt that go another way than through AF_PACKET. Arguments: after the command. */
#ifndef BPFPOL_TESTS_PKT_MORE_H
#define BPFPOL_TESTS_PKT_MORE_H

#include <stdbool.h>
#include <stddef.h>

#define EXIT_TIMEOUT 3

struct pollfd;

/* These are pkt.c's. */
bool wait_readable(struct pollfd *fds, size_t n);
int listen_on(int type, int protocol, unsigned int port);
/* AF_PACKET; protocol 0: for sending only. */
int packet_socket(const char *ifname, int type, int protocol);
/* Sends the end mark and closes the socket. */
void send_end(int fd);

int cmd_serve(int argc, char **argv);
int cmd_tun(int argc, char **argv);
int cmd_tap(int argc, char **argv);
int cmd_link_type(int argc, char **argv);
int cmd_tcx(int argc, char **argv);
int cmd_nameless(int argc, char **argv);
int cmd_verified(int argc, char **argv);
int cmd_echo(int argc, char **argv);
int cmd_call(int argc, char **argv);
int cmd_say(int argc, char **argv);
int cmd_join(int argc, char **argv);
int cmd_raw(int argc, char **argv);
int cmd_cooked(int argc, char **argv);
int cmd_ring(int argc, char **argv);
int cmd_gso(int argc, char **argv);
int cmd_pcap(int argc, char **argv);
int cmd_unpcap(int argc, char **argv);

#endif
