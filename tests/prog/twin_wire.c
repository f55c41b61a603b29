/* SPDX-License-Identifier: GPL-2.0-only */
#include "twin_wire.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "twin_send.h"

#define TCX_INGRESS 46 /* of 6.6; libbpf 1.1 has no name for them */
#define TCX_EGRESS 47
#define LINKS_MOST 24

const struct lane lanes[LANES] = {
	{ "xdp", BP_XDP, BY_SOCKET, XDP_HERE, XDP_THERE, false },
	{ "xdp-ring", BP_XDP, BY_RING, XDP_HERE, XDP_THERE, false },
	{ "generic", BP_GENERIC, BY_SOCKET, GENERIC_HERE, GENERIC_THERE, false },
	{ "generic-ring", BP_GENERIC, BY_RING, GENERIC_HERE, GENERIC_THERE, false },
	{ "in", BP_TC_IN, BY_SOCKET, IN_HERE, IN_THERE, false },
	{ "in-ring", BP_TC_IN, BY_RING, IN_HERE, IN_THERE, false },
	{ "out", BP_TC_OUT, BY_SOCKET, OUT_HERE, OUT_HERE, false },
	{ "out-ring", BP_TC_OUT, BY_RING, OUT_HERE, OUT_HERE, false },
	{ "forward", BP_TC_OUT, BY_SOCKET, OUT_HERE, FORWARD_THERE, true },
	{ "forward-ring", BP_TC_OUT, BY_RING, OUT_HERE, FORWARD_THERE, true },
	{ "tun-in", BP_L3_IN, BY_TUN, TUN_HERE, TUN_HERE, false },
	{ "tun-out", BP_L3_OUT, BY_SOCKET, TUN_HERE, TUN_HERE, false },
	{ "tun-out-ring", BP_L3_OUT, BY_RING, TUN_HERE, TUN_HERE, false },
	{ "tun-forward", BP_L3_OUT, BY_TUN, TUN_HERE, TUN_FORWARD, true },
};

static const char *const dev_names[WIRE_DEVS] = {
	[XDP_HERE] = "wx0",
	[XDP_THERE] = "wx1",
	[GENERIC_HERE] = "wg0",
	[GENERIC_THERE] = "wg1",
	[IN_HERE] = "wi0",
	[IN_THERE] = "wi1",
	[OUT_HERE] = "wo0",
	[OUT_THERE] = "wo1",
	[FORWARD_HERE] = "wf0",
	[FORWARD_THERE] = "wf1",
	[TUN_HERE] = "wt0",
	[TUN_FORWARD] = "wt1",
};

struct wire {
	uint32_t ifindex[WIRE_DEVS];
	struct sender *sender[LANES];
	int tun[WIRE_DEVS];
	int links[LINKS_MOST];
	size_t n_links;
};

uint32_t wire_ifindex(const struct world *w, enum wire_dev dev)
{
	return w->wire->ifindex[dev];
}

/* --- devices --- */

static int make_veth(enum wire_dev here)
{
	char line[80];

	snprintf(line, sizeof(line), "ip link add %s type veth peer name %s", dev_names[here],
		dev_names[here + 1]);
	return world_step(line);
}

static int make_tun(struct wire *wire, enum wire_dev dev)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN };

	wire->tun[dev] = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (wire->tun[dev] < 0)
		return -errno;
	strcpy(ifr.ifr_name, dev_names[dev]);
	return ioctl(wire->tun[dev], TUNSETIFF, &ifr) ? -errno : 0;
}

static int bring_up(struct wire *wire, enum wire_dev dev)
{
	char line[80];

	snprintf(line, sizeof(line), "ip link set %s up mtu %d", dev_names[dev], WIRE_MTU);
	wire->ifindex[dev] = if_nametoindex(dev_names[dev]);
	return world_step(line);
}

static int make_devices(struct wire *wire)
{
	int rc = world_step("sysctl ipv6/conf/default/addr_gen_mode 1"), dev;

	for (dev = 0; dev < VETHS && !rc; dev += 2)
		rc = make_veth(dev);
	for (dev = TUN_HERE; dev < WIRE_DEVS && !rc; dev++)
		rc = make_tun(wire, dev);
	for (dev = 0; dev < WIRE_DEVS && !rc; dev++)
		rc = bring_up(wire, dev);
	return rc;
}

/* --- programs --- */

#define INSN(c, d, s, o, i) \
	((struct bpf_insn){ .code = c, .dst_reg = d, .src_reg = s, .off = o, .imm = i })
#define MOV(reg, value) INSN(BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, value)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define MARK_AT offsetof(struct __sk_buff, mark)

/* What leaves without the mark is the kernel's own, which nobody expects: stopped at the gate. */
static const struct bpf_insn gate[] = {
	INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_0, BPF_REG_1, MARK_AT, 0),
	INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 2, SENDER_MARK),
	MOV(BPF_REG_0, TC_ACT_SHOT),
	EXIT,
	MOV(BPF_REG_0, TC_ACT_UNSPEC),
	EXIT,
};

/* Where a frame has met its hook it has done its duty: nothing is to answer or forward it. */
static const struct bpf_insn sink[] = {
	MOV(BPF_REG_0, TC_ACT_SHOT),
	EXIT,
};

static int attach_as(
	struct wire *wire, enum wire_dev dev, int program, int where, unsigned int flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
	int link = bpf_link_create(program, wire->ifindex[dev], where, &opts);

	if (link < 0)
		return -errno;
	wire->links[wire->n_links++] = link;
	return 0;
}

static int attach(struct wire *wire, enum wire_dev dev, int program, int where)
{
	return attach_as(wire, dev, program, where, 0);
}

static int attach_insns(
	struct wire *wire, enum wire_dev dev, int where, const struct bpf_insn *insns, size_t n)
{
	int program = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "twin_wire", "GPL", insns, n, NULL);
	int rc = program < 0 ? -errno : attach(wire, dev, program, where);

	if (program >= 0)
		close(program);
	return rc;
}

static int attach_gate(struct wire *wire, enum wire_dev dev)
{
	return attach_insns(wire, dev, TCX_EGRESS, gate, sizeof(gate) / sizeof(gate[0]));
}

static int attach_sink(struct wire *wire, enum wire_dev dev)
{
	return attach_insns(wire, dev, TCX_INGRESS, sink, sizeof(sink) / sizeof(sink[0]));
}

/* What arrives leaves by the other device, marked, and with the number of the first one. */
static int attach_forward(struct wire *wire, enum wire_dev from, enum wire_dev to)
{
	const struct bpf_insn insns[] = {
		MOV(BPF_REG_2, SENDER_MARK),
		INSN(BPF_STX | BPF_MEM | BPF_W, BPF_REG_1, BPF_REG_2, MARK_AT, 0),
		MOV(BPF_REG_1, wire->ifindex[to]),
		MOV(BPF_REG_2, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect),
		EXIT,
	};

	return attach_insns(wire, from, TCX_INGRESS, insns, sizeof(insns) / sizeof(insns[0]));
}

static int attach_all(struct world *w, struct wire *wire)
{
	static const enum wire_dev gates[] = { XDP_THERE, GENERIC_THERE, IN_THERE, FORWARD_THERE,
		OUT_HERE, TUN_HERE };
	static const enum wire_dev sinks[] = { XDP_HERE, GENERIC_HERE, IN_HERE, OUT_THERE,
		TUN_HERE };
	const int *root = w->k->root;
	int rc = attach(wire, IN_HERE, root[BP_TC_IN], TCX_INGRESS);
	size_t i;

	if (!rc)
		rc = attach_as(wire, XDP_HERE, root[BP_XDP], BPF_XDP, XDP_FLAGS_DRV_MODE);
	if (!rc)
		rc = attach_as(wire, GENERIC_HERE, root[BP_GENERIC], BPF_XDP, XDP_FLAGS_SKB_MODE);
	if (!rc)
		rc = attach(wire, TUN_HERE, root[BP_L3_IN], TCX_INGRESS);
	for (i = 0; i < sizeof(gates) / sizeof(gates[0]) && !rc; i++)
		rc = attach_gate(wire, gates[i]);
	for (i = 0; i < sizeof(sinks) / sizeof(sinks[0]) && !rc; i++)
		rc = attach_sink(wire, sinks[i]);
	if (!rc)
		rc = attach(wire, OUT_HERE, root[BP_TC_OUT], TCX_EGRESS);
	if (!rc)
		rc = attach(wire, TUN_HERE, root[BP_L3_OUT], TCX_EGRESS);
	if (!rc)
		rc = attach_forward(wire, FORWARD_HERE, OUT_HERE);
	return rc ? rc : attach_forward(wire, TUN_FORWARD, TUN_HERE);
}

const char *wire_lacks(void)
{
	int program = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "twin_wire", "GPL", gate,
		sizeof(gate) / sizeof(gate[0]), NULL);
	int link = program < 0 ? -1 : bpf_link_create(program, 1, TCX_EGRESS, NULL);
	const char *why = NULL;

	if (program < 0)
		why = "no program can be loaded";
	else if (link < 0)
		why = "no TCX, which is in Linux 6.6";
	else if (access("/dev/net/tun", R_OK | W_OK))
		why = "no /dev/net/tun";
	if (link >= 0)
		close(link);
	if (program >= 0)
		close(program);
	return why;
}

static int open_senders(struct wire *wire)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < LANES && !rc; i++)
		rc = sender_open(&wire->sender[i], lanes[i].way, wire->ifindex[lanes[i].entry],
			wire->tun[lanes[i].entry], wire->tun[lanes[i].seen]);
	return rc;
}

int wire_open(struct world *w)
{
	struct wire *wire;
	int dev, rc;

	if (w->wire)
		return 0;
	wire = must(calloc(1, sizeof(*wire)));
	for (dev = 0; dev < WIRE_DEVS; dev++)
		wire->tun[dev] = -1;
	rc = make_devices(wire);
	if (!rc)
		rc = attach_all(w, wire);
	if (!rc)
		rc = open_senders(wire);
	if (rc)
		printf("# no devices with the programs on them: %s\n", strerror(-rc));
	w->wire = wire;
	return rc;
}

void wire_close(struct world *w)
{
	struct wire *wire = w->wire;
	size_t i;

	if (!wire)
		return;
	for (i = 0; i < wire->n_links; i++)
		close(wire->links[i]);
	for (i = 0; i < LANES; i++)
		sender_close(&wire->sender[i]);
	for (i = 0; i < WIRE_DEVS; i++) {
		if (wire->tun[i] >= 0)
			close(wire->tun[i]);
	}
	free(wire);
	w->wire = NULL;
}

/* --- frames --- */

size_t wire_least(const struct lane *lane)
{
	return hook_is_l3(lane->hook) ? 1 : 14;
}

static bool is_tagged(const struct sample *s)
{
	return (s->data[12] == 0x81 && !s->data[13]) ||
	       (s->data[12] == 0x88 && s->data[13] == 0xa8);
}

/*
 * What arrives loses its outermost tag before TC sees it, and is dropped when the type behind the
 * tag is not there. A frame of nothing but its Ethernet header is not redirected.
 */
bool wire_carries(const struct lane *lane, const struct sample *s)
{
	if (s->len < wire_least(lane) || s->len > WIRE_MTU)
		return false;
	if (lane->hook == BP_TC_IN || (lane->hook == BP_TC_OUT && lane->forwarded)) {
		if (is_tagged(s) && s->len < 14 + 6)
			return false;
	}
	return lane->hook != BP_TC_OUT || !lane->forwarded || s->len > 14;
}

/* What the program has counted so far. */
static uint64_t counted(const struct world *w, enum bp_dir dir)
{
	struct bp_totals totals[BP_DIRS];
	struct diag diag = { 0 };

	kernel_totals(w->k, totals, &diag);
	diag_free(&diag);
	return totals[dir].passed + totals[dir].blocked;
}

#define AT_ONCE 64 /* less than the queues on the way hold */

int wire_send(struct world *w, const struct lane *lane, const struct sample *v, size_t n)
{
	struct sender *sender = w->wire->sender[lane - lanes];
	enum bp_dir dir = hook_dir(lane->hook);
	uint64_t due = counted(w, dir);
	size_t at, now;
	int rc = 0, i;

	for (at = 0; at < n && !rc; at += now) {
		now = n - at < AT_ONCE ? n - at : AT_ONCE;
		rc = sender_send(sender, v + at, now);
		due += now;
		for (i = 0; i < 1000 && !rc && counted(w, dir) < due; i++)
			usleep(i < 10 ? 0 : 1000);
	}
	if (rc)
		printf("# could not send by lane %s: %s\n", lane->name, strerror(-rc));
	return rc;
}
