// SPDX-License-Identifier: GPL-2.0-only
#include "confirm.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define SECOND 1000000000ULL /* ns */

void confirm_begin(struct confirm *c, uint64_t seconds, const struct moment *now)
{
	c->seconds = seconds;
	c->by = *now;
	c->by.real += seconds * SECOND;
	c->by.boot += seconds * SECOND;
}

static uint64_t until(uint64_t by, uint64_t now)
{
	return by > now ? by - now : 0;
}

uint64_t confirm_left(const struct confirm *c, const struct moment *now)
{
	uint64_t left;

	if (*now->boot_id && !strcmp(c->by.boot_id, now->boot_id))
		return until(c->by.boot, now->boot);
	left = until(c->by.real, now->real);
	return left > c->seconds * SECOND ? 0 : left;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t confirm_over(const struct confirm *c, const struct moment *now)
{
	uint64_t ago = until(now->boot, c->by.boot);

	if (!*now->boot_id || strcmp(c->by.boot_id, now->boot_id))
		return least(c->by.real, now->real) / SECOND;
	return (now->real - least(ago, now->real - SECOND)) / SECOND;
}

void confirm_print(FILE *out, const struct confirm *c)
{
	fprintf(out, "confirm %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n", c->seconds, c->by.real,
		c->by.boot, *c->by.boot_id ? c->by.boot_id : "-");
}

int confirm_parse(const char *text, struct confirm *out)
{
	struct confirm c = {};
	int end = 0;

	if (sscanf(text, "confirm %" SCNu64 " %" SCNu64 " %" SCNu64 " %36s%n", &c.seconds,
		    &c.by.real, &c.by.boot, c.by.boot_id, &end) != 4 ||
		text[end] || !c.seconds || c.seconds > CONFIRM_MOST)
		return -EBADMSG;
	if (!strcmp(c.by.boot_id, "-"))
		c.by.boot_id[0] = '\0';
	*out = c;
	return 0;
}
