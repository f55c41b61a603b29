/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The BPF objects that hold the classifiers: loaded for a generation to judge packets, or once
 * more over the same maps to be asked what they would do with one.
 */
#ifndef BPFPOL_CLASSIFIER_H
#define BPFPOL_CLASSIFIER_H

#include "generation.h"

/* Makes the generation's maps, all 0 and of those sizes, and the hooks' programs. -errno. */
int classifiers_load(struct generation *gen, const struct bp_sizes *sizes,
	const struct shared *shared, unsigned int hooks);
/* Makes some more over the maps that are there: of XDP or of TC hooks. -errno. */
int classifiers_add(struct generation *gen, const struct bp_sizes *sizes,
	const struct shared *shared, unsigned int hooks);

/* Fingerprint of the objects that this program would load; never 0. */
uint64_t classifiers_print(void);

/*
 * One hook's classifier as it is asked: a second instance of the same program on the generation's
 * own maps, which counts nothing. -EPROTO with a diag: the generation's program is another
 * version's than this loader's, so that what this one says would not be true of it.
 */
struct asker;
int asker_open(const struct generation *gen, const struct shared *shared, enum bp_hook hook,
	struct asker **asker, struct diag *diag);
void asker_free(struct asker **asker);

/*
 * frame: from the Ethernet header on (also of a BP_L3_* asker: BPF_PROG_TEST_RUN knows no other).
 * ifindex: whose hook sees it. ingress_ifindex: by which it came in; 0: this host sends it. moment:
 * when it comes, by CLOCK_BOOTTIME in ns; 0: now.
 * -EINVAL: BPF_PROG_TEST_RUN takes no such frame (XDP: under 14 bytes; TC: less than an IP header;
 * too long, which with XDP is -ENOMEM).
 */
struct asker_frame {
	const void *data;
	size_t len;
	uint32_t ifindex, ingress_ifindex;
	uint64_t moment;
};
int asker_ask(struct asker *asker, const struct asker_frame *frame, struct bp_answer *answer);

#endif
