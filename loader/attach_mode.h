/* SPDX-License-Identifier: GPL-2.0-only */
/* The ways in which what arrives by an interface is filtered, by name. Pure. */
#ifndef BPFPOL_ATTACH_MODE_H
#define BPFPOL_ATTACH_MODE_H

enum attach_mode { ATTACH_AUTO, ATTACH_NATIVE, ATTACH_GENERIC, ATTACH_TC, ATTACH_NONE };

const char *attach_mode_name(enum attach_mode mode); /* as in --mode; auto: "auto" */
/* For people: "native XDP", "TC". */
const char *attach_mode_text(enum attach_mode mode);
/* -EINVAL: it is none that one can ask for. */
int attach_mode_parse(const char *text, enum attach_mode *mode);

#endif
