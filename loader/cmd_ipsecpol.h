/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of the command ipsecpol alone. */
#ifndef BPFPOL_CMD_IPSECPOL_H
#define BPFPOL_CMD_IPSECPOL_H

#include "command.h"
#include "ipsecpol.h"
#include "names.h"

/* ipsecpol -w REG: takes the rules over. */
int ipsecpol_store(
	const struct args *args, struct ipsecpol *ipsecpol, struct names *names, struct diag *diag);

#endif
