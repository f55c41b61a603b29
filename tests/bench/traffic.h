/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BPFPOL_BENCH_TRAFFIC_H
#define BPFPOL_BENCH_TRAFFIC_H

#define TRAFFIC_SOURCES (1 << 20) /* of one kind: matching or clean */

#endif
