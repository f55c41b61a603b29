// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hotplug_parts.h"

void hotplug_say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

void hotplug_complain(struct hotplug *hp, const char *so, int rc, const struct diag *diag)
{
	const char *why = diag->kind != DIAG_NONE ? diag->message : strerror(-rc);

	if (!strcmp(hp->trouble, why))
		return;
	snprintf(hp->trouble, sizeof(hp->trouble), "%s", why);
	hotplug_say("bpfpol: warning: %s: %s", so, why);
}

void hotplug_pass_on(struct hotplug *hp, struct diag *diag)
{
	if (!strcmp(hp->warned, diag->warnings))
		return;
	snprintf(hp->warned, sizeof(hp->warned), "%s", diag->warnings);
	for (char *line = strtok(diag->warnings, "\n"); line; line = strtok(NULL, "\n"))
		hotplug_say("bpfpol: warning: %s", line);
}
