/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a packet is seen that is asked about: which interface's hook, and what stands there. */
#ifndef BPFPOL_VANTAGE_H
#define BPFPOL_VANTAGE_H

#include "attach.h"
#include "spec.h"

struct vantage {
	struct nl_link link;
	enum bp_dir dir;
	enum bp_hook hook;	  /* whose classifier judges there, now or once it is attached */
	bool chosen;		  /* the interface was not named */
	bool attached;		  /* the interface is, at least one way */
	bool filtered;		  /* packets of that direction are */
	enum attach_mode ingress; /* if it is attached */
};

/*
 * The interface of `on IFACE`, else the first that is filtered that way, else the first that could
 * be. -ENODEV with DIAG_UNKNOWN and its place.
 */
int vantage_find(const struct spec_packet *packet, struct vantage *vantage, struct diag *diag);

/*
 * Puts an address of the interface in the place of `me`. -EADDRNOTAVAIL with DIAG_USAGE and its
 * place: it has none of the other end's family.
 */
int vantage_name_me(const struct vantage *vantage, struct spec_packet *packet, struct diag *diag);

/* The packet in words, canonical, with its interface; caller frees; NULL: no memory. */
char *vantage_text(const struct vantage *vantage, const struct spec_packet *packet);

/* Whether the interface is one that is never filtered, whatever the rules. */
bool vantage_never(const struct nl_link *link);

/*
 * Whose classifier judges what goes that way; attached: NULL if nothing is there yet, and by_tc: it
 * is to be TC then.
 */
enum bp_hook vantage_hook(
	const struct nl_link *link, const struct attached *attached, bool by_tc, enum bp_dir dir);

/* "native XDP", "TC", for what judges packets there. */
const char *vantage_hook_text(const struct vantage *vantage);

#endif
