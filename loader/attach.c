// SPDX-License-Identifier: GPL-2.0-only
#include "attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hooks.h"
#include "norules.h"

static int note_live(const struct pin *pin, void *arg, struct diag *diag)
{
	(void)diag;
	*(bool *)arg = pin_is_live(pin);
	return pin_is_live(pin);
}

int attached_look(struct diag *diag)
{
	bool any = false;
	int rc = pins_each(0, note_live, &any, NULL, diag);

	return any ? 1 : rc;
}

bool attached_any(void)
{
	struct diag ignored = {};
	int any = attached_look(&ignored);

	diag_free(&ignored);
	return any != 0;
}

static int add_hook(const struct pin *pin, void *arg, struct diag *diag)
{
	(void)diag;
	if (pin->on)
		*(unsigned int *)arg |= 1U << pin->hook;
	return 0;
}

unsigned int attached_hooks(void)
{
	struct diag ignored = {};
	unsigned int hooks = 0;
	int rc = pins_each(0, add_hook, &hooks, NULL, &ignored);

	diag_free(&ignored);
	return rc ? HOOKS_ALL : hooks;
}

void attach_tidy(struct kernel *k)
{
	if (k->added)
		kernel_unneed(k, attached_hooks());
}

/* The entry of that interface, made if there is none yet. NULL: no memory. */
static struct attached *attached_at(struct attached_list *list, int ifindex)
{
	struct attached *v;

	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].ifindex == ifindex)
			return &list->v[i];
	v = realloc(list->v, (list->n + 1) * sizeof(*v));
	if (!v)
		return NULL;
	list->v = v;
	v[list->n] = (struct attached){ .ifindex = ifindex, .how = ATTACH_NONE };
	return &v[list->n++];
}

struct gathering {
	struct attached_list *list, *strays;
};

static int gather_one(const struct pin *pin, void *arg, struct diag *diag)
{
	enum tc_way way = pin->kind == PIN_LINK ? TC_TCX : TC_CLSACT;
	struct gathering *to = arg;
	struct attached *is;

	(void)diag;
	if (!pin_is_live(pin))
		return !to->strays || attached_at(to->strays, pin->ifindex) ? 0 : -ENOMEM;
	is = attached_at(to->list, pin->ifindex);
	if (!is)
		return -ENOMEM;
	if (pin_is_out(pin)) {
		is->out = way;
	} else if (bp_hook_is_xdp(pin->hook)) {
		is->how = pin->hook == BP_XDP ? ATTACH_NATIVE : ATTACH_GENERIC;
	} else {
		is->how = ATTACH_TC;
		is->in = way;
	}
	is->hurried |= pin->hurried;
	is->behind[pin_is_out(pin) ? BP_OUT : BP_IN] |= pin->behind;
	return 0;
}

int attached_get(struct attached_list *list, struct diag *diag)
{
	struct gathering to = { .list = list };

	*list = (struct attached_list){};
	return pins_each(0, gather_one, &to, NULL, diag);
}

int attached_see(struct attached_list *list, struct attached_list *strays, struct diag *diag)
{
	struct gathering to = { .list = list, .strays = strays };

	*list = *strays = (struct attached_list){};
	return pins_each(0, gather_one, &to, NULL, diag);
}

/* The rules must be there before the first packet is. */
static int need(struct kernel *k, enum bp_hook hook, struct diag *diag)
{
	int rc = norules_open(k, hook, diag);

	return rc ? rc : kernel_need(k, hook, diag);
}

struct adoption {
	struct kernel *k;
	size_t renewed;
};

/* Where rules come, those of hooks in use come with them. */
static int adopt_one(const struct pin *pin, void *arg, struct diag *diag)
{
	struct adoption *to = arg;
	struct kernel *k = to->k;
	int rc = pin_is_live(pin) && !k->ctl->generation ? need(k, pin->hook, diag) : 0;

	if (!rc)
		rc = hook_renew(pin, k->root[pin->hook], diag);
	if (rc <= 0)
		return rc;
	to->renewed++;
	return 0;
}

int attach_adopt(struct kernel *k, size_t *renewed, struct diag *diag)
{
	struct adoption to = { .k = k };
	int rc = pins_each(0, adopt_one, &to, NULL, diag);

	if (renewed)
		*renewed = to.renewed;
	return rc;
}

const struct attached *attached_find(const struct attached_list *list, int ifindex)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].ifindex == ifindex)
			return &list->v[i];
	return NULL;
}

/* The name of a program, which may be "". False: it is gone. */
static bool name_of(__u32 id, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);
	bool gone = fd == -ENOENT;

	if (fd >= 0) {
		bpf_obj_get_info_by_fd(fd, &info, &len);
		close(fd);
	}
	memcpy(name, info.name, BPF_OBJ_NAME_LEN);
	return !gone;
}

bool attach_is_foreign(__u32 id)
{
	char name[BPF_OBJ_NAME_LEN];

	return name_of(id, name) && !kernel_is_xdp_name(name);
}

/* Whose the XDP program on the interface is: "'name' (id N)", or "id N". */
static const char *foreign_name(__u32 id, char *buf, size_t size)
{
	char name[BPF_OBJ_NAME_LEN];

	name_of(id, name);
	if (name[0])
		snprintf(buf, size, "'%s' (id %u)", name, id);
	else
		snprintf(buf, size, "id %u", id);
	return buf;
}

/*
 * The XDP program in place; 0: none. Where somebody took our pin away the kernel takes the program
 * off a moment later, unless somebody else holds the link: that moment is waited for. After `rm -r`
 * of all pins only its name says whose it was, so that another bpfpol's is waited for in vain.
 */
static __u32 xdp_in_place(const struct nl_link *link)
{
	const struct timespec moment = { .tv_nsec = 5000000 };
	__u32 id = link->xdp_prog;

	for (int i = 0; i < 100 && id; i++) {
		if (bpf_xdp_query_id(link->ifindex, 0, &id))
			return 0; /* the interface has just gone */
		if (!id || attach_is_foreign(id))
			break;
		nanosleep(&moment, NULL);
	}
	return id;
}

static int foreign(const struct nl_link *link, __u32 id, struct diag *diag)
{
	char name[64];

	return diag_set(diag, DIAG_SYSTEM, EBUSY,
		"%s carries a foreign XDP program, %s, which bpfpol never removes; leave --mode "
		"out to "
		"filter by TC behind it, or take it off with the tool that put it there ('bpftool "
		"net' "
		"and 'ip link show dev %s' tell more)",
		link->name, foreign_name(id, name, sizeof(name)), link->name);
}

static bool is_xdp(enum attach_mode mode)
{
	return mode == ATTACH_NATIVE || mode == ATTACH_GENERIC;
}

/* in_place: the XDP program there, if it matters. */
static int check(
	const struct nl_link *link, enum attach_mode mode, __u32 in_place, struct diag *diag)
{

	if (link->loopback) {
		diag_place_word(diag, link->name);
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"%s is the loopback, which is never filtered", link->name);
	}
	if (link->unreadable)
		return diag_set(diag, DIAG_SYSTEM, EOPNOTSUPP,
			"%s cannot be filtered: its frames begin neither with an Ethernet nor with "
			"an IP header",
			link->name);
	if (is_xdp(mode) && link->l3)
		return diag_set(diag, DIAG_SYSTEM, EOPNOTSUPP,
			"%s has no Ethernet header, which XDP needs; leave --mode out to filter by "
			"TC",
			link->name);
	return is_xdp(mode) && in_place ? foreign(link, in_place, diag) : 0;
}

int attach_check(const struct nl_link *link, enum attach_mode mode, struct diag *diag)
{
	return check(link, mode, is_xdp(mode) ? xdp_in_place(link) : 0, diag);
}

/* What came to be said of TC, added to the reasons. */
static __attribute__((format(printf, 3, 4))) void add_why(
	char *why, size_t size, const char *fmt, ...)
{
	size_t used = strlen(why);
	va_list args;

	va_start(args, fmt);
	vsnprintf(why + used, size - used, fmt, args);
	va_end(args);
}

static int attach_xdp(struct kernel *k, const struct nl_link *link, enum bp_hook hook, int *refused,
	struct diag *diag)
{
	int rc = need(k, hook, diag);

	*refused = rc ? 0 : hook_link(k->root[hook], hook, link->ifindex);
	return rc;
}

/* By TCX. -EINVAL, -EOPNOTSUPP without a diag: the kernel does not know it. */
static int attach_link(struct kernel *k, const struct nl_link *link, enum bp_hook hook,
	enum tc_way *way, struct diag *diag)
{
	int rc = hook_link(k->root[hook], hook, link->ifindex);

	*way = TC_TCX;
	if (!rc || rc == -EINVAL || rc == -EOPNOTSUPP)
		return rc;
	if (rc == -EEXIST)
		return diag_set(diag, DIAG_SYSTEM, EEXIST,
			"bpfpol's own program is on TC of %s by a link whose pin was taken away, "
			"and which somebody else holds ('bpftool link show' lists it; 'bpftool "
			"link detach' takes it off)",
			link->name);
	return diag_errno(diag, -rc, "%s does not take a TC program", link->name);
}

/* Whether a filter is as good as a link, which takes longer: nobody is asked before it. */
static bool serves(const struct nl_link *link, enum bp_hook hook, const struct hook_site *site)
{
	bool out = hook == BP_TC_OUT || hook == BP_L3_OUT;
	__u32 first;

	return hook_is_free(site) && tcx_first(link->ifindex, out, &first) > 0 && !first;
}

/*
 * A filter of ours that is there although no pin says so is made ours again: a link beside it would
 * count twice. -EOPNOTSUPP: neither a link nor a filter can be.
 */
static int attach_tc(struct kernel *k, const struct nl_link *link, enum bp_hook hook,
	struct attached *is, enum tc_way *way, struct diag *diag)
{
	struct hook_site site;
	int prog = k->root[hook], rc = need(k, hook, diag);

	if (!rc)
		rc = hook_look(prog, hook, link->ifindex, &site, diag);
	if (rc)
		return rc;
	if (!site.ours && is->crowd && serves(link, hook, &site)) {
		struct diag ignored = {};

		*way = TC_CLSACT;
		rc = hook_filter(prog, hook, link->ifindex, &site, &ignored);
		diag_free(&ignored);
		is->hurried |= !rc;
		if (!rc)
			return 0;
	}
	rc = site.ours ? -EOPNOTSUPP : attach_link(k, link, hook, way, diag);
	if (rc != -EINVAL && rc != -EOPNOTSUPP)
		return rc;
	*way = TC_CLSACT;
	return hook_filter(prog, hook, link->ifindex, &site, diag);
}

/* By TC. The reason was found by the caller. */
static int attach_tc_in(
	struct kernel *k, const struct nl_link *link, struct attached *is, struct diag *diag)
{
	is->how = ATTACH_TC;
	return attach_tc(k, link, link->l3 ? BP_L3_IN : BP_TC_IN, is, &is->in, diag);
}

/*
 * A filter of ours for what arrives whose pin was taken away filters on: XDP beside it would count
 * twice. It gets its pin again, by which `detach` finds it.
 */
static int attach_again(struct kernel *k, const struct nl_link *link, enum attach_mode mode,
	struct attached *is, bool *found, struct diag *diag)
{
	enum bp_hook hook = link->l3 ? BP_L3_IN : BP_TC_IN;
	struct hook_site site;
	int rc;

	*found = false;
	if (is->crowd) /* so many are new, and each question waits for a lock of all */
		return 0;
	rc = hook_look(k->root[hook], hook, link->ifindex, &site, diag);
	*found = !rc && site.ours;
	if (!*found)
		return rc;
	rc = attach_tc_in(k, link, is, diag);
	if (rc || mode == ATTACH_AUTO || mode == ATTACH_TC)
		return rc;
	return diag_set(diag, DIAG_SYSTEM, EBUSY,
		"%s is attached in tc mode; 'bpfpol detach %s' first, to change that", link->name,
		link->name);
}

static int attach_in(struct kernel *k, const struct nl_link *link, enum attach_mode mode,
	struct attached *is, char *why, size_t size, struct diag *diag)
{
	char name[64];
	int native = 0, generic, rc;
	bool found;

	snprintf(why, size, "it was there, without its pin");
	rc = attach_again(k, link, mode, is, &found, diag);
	if (rc || found)
		return rc;
	snprintf(why, size, "asked for");
	if (mode == ATTACH_TC)
		return attach_tc_in(k, link, is, diag);
	if (link->l3) {
		snprintf(why, size, "it has no Ethernet header, which XDP needs");
		return attach_tc_in(k, link, is, diag);
	}
	if (link->xdp_prog) {
		snprintf(why, size, "XDP is taken by a foreign program, %s, which stays",
			foreign_name(link->xdp_prog, name, sizeof(name)));
		return attach_tc_in(k, link, is, diag);
	}
	is->how = ATTACH_NATIVE;
	if (mode != ATTACH_GENERIC) {
		snprintf(why, size, "the driver runs XDP");
		rc = attach_xdp(k, link, BP_XDP, &native, diag);
		if (rc || !native)
			return rc;
	}
	if (mode == ATTACH_NATIVE)
		return diag_errno(diag, -native,
			"%s does not take native XDP (its driver, or its MTU of %u); without "
			"--mode "
			"bpfpol falls back to generic XDP",
			link->name, link->mtu);
	if (native)
		snprintf(why, size, "the driver does not take native XDP at an MTU of %u: %s",
			link->mtu, strerror(-native));
	is->how = ATTACH_GENERIC;
	rc = attach_xdp(k, link, BP_GENERIC, &generic, diag);
	if (rc || !generic)
		return rc;
	if (mode == ATTACH_GENERIC)
		return diag_errno(diag, -generic, "%s does not take generic XDP", link->name);
	snprintf(why, size, "it takes no XDP: %s", strerror(-generic));
	return attach_tc_in(k, link, is, diag);
}

/* Where it cannot be, the interface is filtered one way, and says so. */
static int attach_out(struct kernel *k, const struct nl_link *link, struct attached *is, char *why,
	size_t size, struct diag *diag)
{
	struct diag one = {};
	enum tc_way way;
	int rc = attach_tc(k, link, link->l3 ? BP_L3_OUT : BP_TC_OUT, is, &way, &one);

	is->out = rc ? TC_NONE : way;
	if (rc == -EOPNOTSUPP) {
		add_why(why, size, "; what leaves is not filtered: %s", one.message);
		rc = 0;
	} else if (rc) {
		diag_set(diag, one.kind, -rc, "%s", one.message);
	}
	diag_free(&one);
	return rc;
}

static void why_clsact(const struct attached *is, char *why, size_t size)
{
	const char *what = is->in != TC_CLSACT	  ? "what leaves "
			   : is->out != TC_CLSACT ? "what arrives "
						  : "";

	if (is->in == TC_CLSACT || is->out == TC_CLSACT)
		add_why(why, size, "; %sby clsact, as %s", what,
			is->hurried ? "many came at once" : "this kernel has no TCX (6.6)");
}

/* Classifiers that were loaded for a hook where nothing came to be, on the way, are let go. */
static void tidy_after(struct kernel *k, unsigned int added)
{
	if (k->added != added)
		attach_tidy(k);
}

static bool is_root(const struct kernel *k, __u32 id)
{
	for (int hook = 0; hook < BP_HOOKS; hook++) {
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);

		if (bp_hook_is_xdp(hook) && !bpf_obj_get_info_by_fd(k->root[hook], &info, &len) &&
			info.id == id)
			return true;
	}
	return false;
}

/* A program of our own that stays, where no pin says so: to filter by TC beside it would count
 * twice. */
static int own_stays(const struct nl_link *link, struct diag *diag)
{
	return diag_set(diag, DIAG_SYSTEM, EBUSY,
		"%s carries bpfpol's own XDP program by a link whose pin was taken away, and which "
		"somebody else holds ('bpftool link show' lists it; 'bpftool link detach' takes it "
		"off)",
		link->name);
}

int attach_arriving(struct kernel *k, const struct nl_link *link, enum attach_mode mode,
	struct attached *is, char *why, size_t size, struct diag *diag)
{
	const struct attached was = *is;
	struct nl_link now = *link;
	unsigned int added = k->added;
	int rc;

	/* Where half of it is there, the program that is in place is our own. */
	snprintf(why, size, "what leaves is filtered again");
	if (was.how != ATTACH_NONE)
		return 0;
	now.xdp_prog = xdp_in_place(link);
	rc = now.xdp_prog && is_root(k, now.xdp_prog) ? own_stays(link, diag)
						      : check(&now, mode, now.xdp_prog, diag);
	if (!rc)
		rc = pins_make_dir(diag);
	if (!rc)
		rc = attach_in(k, &now, mode, is, why, size, diag);
	tidy_after(k, added);
	if (rc)
		*is = was;
	return rc;
}

int attach_leaving(struct kernel *k, const struct nl_link *link, struct attached *is, char *why,
	size_t size, struct diag *diag)
{
	unsigned int added = k->added;
	int rc = 0;

	if (is->out == TC_NONE) {
		rc = attach_out(k, link, is, why, size, diag);
		tidy_after(k, added);
	}
	if (!rc)
		why_clsact(is, why, size);
	return rc;
}
