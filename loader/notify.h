/* SPDX-License-Identifier: GPL-2.0-only */
/* What systemd is to know of a service of Type=notify. */
#ifndef BPFPOL_NOTIFY_H
#define BPFPOL_NOTIFY_H

/* "READY=1" and the like, see sd_notify(3). Nothing happens where nobody asked for it. */
void notify(const char *state);

#endif
