/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by capture.c and capture_copy.c alone. */
#ifndef BPFPOL_CAPTURE_PARTS_H
#define BPFPOL_CAPTURE_PARTS_H

#include <stdio.h>

#include "capture.h"

/* What a copy must know of its capture. */
struct capture_head {
	dev_t device;
	ino_t inode;
	uint32_t link; /* LINKTYPE_*, as files have it */
	bool micro;    /* times in microseconds, not nanoseconds */
};

int capture_describe(const struct capture *capture, struct capture_head *head);

#endif
