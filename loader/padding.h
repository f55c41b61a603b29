/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames of which a capture holds only the beginning. Pure. */
#ifndef BPFPOL_PADDING_H
#define BPFPOL_PADDING_H

#include "frame.h"

/*
 * Fills bytes have..len of the frame, which the capture has cut off, with 0. True: what is read in
 * the frame is the same whatever stood there, so that the padded one can be judged in its place.
 * *read: what that is.
 */
bool padding_fits(uint8_t *data, size_t have, size_t len, bool l3, struct frame *read);

#endif
