/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BPFPOL_PRIVILEGES_H
#define BPFPOL_PRIVILEGES_H

/*
 * Keeps what it takes to change BPF maps, to load programs and to attach them (CAP_BPF,
 * CAP_NET_ADMIN, CAP_PERFMON), and gives up all else for good. -errno: as much of it as could be.
 */
int privileges_drop(void);

#endif
