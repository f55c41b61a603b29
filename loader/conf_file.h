/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BPFPOL_CONF_FILE_H
#define BPFPOL_CONF_FILE_H

#include "conf.h"

/* bpfpol.conf as it is now; an empty one if there is none. Errors as of conf_parse(). */
int conf_load(struct conf *conf, struct diag *diag);

#endif
