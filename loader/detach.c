// SPDX-License-Identifier: GPL-2.0-only
/* attach.h: taking the root programs off again. */
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "attach.h"
#include "hooks.h"

static void put_again(const struct pin *pin, struct diag *diag)
{
	struct hook_site site;

	if (!hook_look(pin->fd, pin->hook, pin->ifindex, &site, diag))
		hook_filter(pin->fd, pin->hook, pin->ifindex, &site, diag);
}

/* Puts the filters among the first n back. */
static void give_back(const struct pins *pins, size_t n, struct diag *diag)
{
	for (size_t i = 0; i < n; i++)
		if (pins->v[i].kind != PIN_LINK && pin_is_live(&pins->v[i]))
			put_again(&pins->v[i], diag);
}

/* Many have more pins than a process usually may have open. */
static void want_descriptors(void)
{
	struct rlimit most;

	if (getrlimit(RLIMIT_NOFILE, &most))
		return;
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
}

/*
 * A link that does not let itself be detached goes with its last reference, some time later. How
 * many stay, which are told of.
 */
static int take_links(const struct pins *pins, struct diag *diag)
{
	int stay = 0;

	for (size_t i = 0; i < pins->n; i++) {
		struct diag one = {};

		if (pins->v[i].kind == PIN_LINK && hook_take(&pins->v[i], &one) &&
			unlink(pins->v[i].path) && errno != ENOENT && !stay++)
			diag_set(diag, DIAG_SYSTEM, EIO, "%s", one.message);
		diag_free(&one);
	}
	return stay;
}

/* All that can fail comes first. */
int detach_links(const int *ifindexes, size_t n, struct diag *diag)
{
	struct diag ignored = {};
	struct pins pins = {};
	int rc = 0;

	if (n > 1)
		want_descriptors();
	for (size_t i = 0; i < n && !rc; i++)
		rc = pins_open(ifindexes[i], &pins, diag);
	for (size_t i = 0; i < pins.n && !rc; i++) {
		rc = pins.v[i].kind == PIN_LINK ? 0 : hook_take(&pins.v[i], diag);
		if (rc)
			give_back(&pins, i, &ignored);
	}
	if (!rc)
		rc = take_links(&pins, diag);
	pins_close(&pins);
	diag_free(&ignored);
	return rc;
}

int detach_link(int ifindex, struct diag *diag)
{
	int rc = detach_links(&ifindex, 1, diag);

	return rc > 0 ? -EIO : rc;
}

static int take_off(const struct pin *pin, void *arg, struct diag *diag)
{
	(void)arg;
	return hook_take(pin, diag);
}

int detach_all(size_t *left, struct diag *diag)
{
	*left = 0;
	return pins_each(0, take_off, NULL, left, diag);
}
