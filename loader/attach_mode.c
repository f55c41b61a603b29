// SPDX-License-Identifier: GPL-2.0-only
#include "attach_mode.h"

#include <errno.h>
#include <string.h>

static const char *const mode_names[] = {
	[ATTACH_AUTO] = "auto",
	[ATTACH_NATIVE] = "native",
	[ATTACH_GENERIC] = "generic",
	[ATTACH_TC] = "tc",
	[ATTACH_NONE] = "none",
};
_Static_assert(sizeof(mode_names) / sizeof(mode_names[0]) == ATTACH_NONE + 1, "a name each");

const char *attach_mode_name(enum attach_mode mode)
{
	return mode_names[mode];
}

const char *attach_mode_text(enum attach_mode mode)
{
	static const char *const texts[] = {
		[ATTACH_AUTO] = "automatic",
		[ATTACH_NATIVE] = "native XDP",
		[ATTACH_GENERIC] = "generic XDP",
		[ATTACH_TC] = "TC",
		[ATTACH_NONE] = "nothing",
	};

	return texts[mode];
}

int attach_mode_parse(const char *text, enum attach_mode *mode)
{
	for (int m = ATTACH_AUTO; m < ATTACH_NONE; m++) {
		if (!strcmp(text, mode_names[m])) {
			*mode = m;
			return 0;
		}
	}
	return -EINVAL;
}
