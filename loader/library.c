// SPDX-License-Identifier: GPL-2.0-only
#include "library.h"

#include <dlfcn.h>
#include <string.h>

bool library_load(
	const char *const *names, const struct library_function *functions, size_t n, bool *old)
{
	void *handle = NULL;

	while (*names && !handle)
		handle = dlopen(*names++, RTLD_NOW);
	*old = handle;
	for (size_t i = 0; handle && i < n; i++) {
		void *found = dlsym(handle, functions[i].name);

		if (!found)
			return false;
		memcpy(functions[i].at, &found, sizeof(found));
	}
	return handle;
}
