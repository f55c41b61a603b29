/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "library.h"

/* The functions of libpcap that are used here. */
static struct {
	__typeof__(&pcap_fopen_offline_with_tstamp_precision) fopen_offline;
	__typeof__(&pcap_next_ex) next_ex;
	__typeof__(&pcap_datalink) datalink;
	__typeof__(&pcap_datalink_val_to_name) datalink_name;
	__typeof__(&pcap_geterr) geterr;
	__typeof__(&pcap_close) close;
} lib;

struct capture {
	pcap_t *pcap;
	FILE *file;
	const char *path;
	int link;      /* DLT_* */
	off_t size;    /* 0: it is not known */
	uint64_t read; /* packets */
	bool micro;    /* its times have no nanoseconds */
};

static int load_library(struct diag *diag)
{
	/* Debian's name, and that of all others. */
	static const char *const names[] = { "libpcap.so.0.8", "libpcap.so.1", NULL };
	static const struct library_function functions[] = {
		{ "pcap_fopen_offline_with_tstamp_precision", &lib.fopen_offline },
		{ "pcap_next_ex", &lib.next_ex },
		{ "pcap_datalink", &lib.datalink },
		{ "pcap_datalink_val_to_name", &lib.datalink_name },
		{ "pcap_geterr", &lib.geterr },
		{ "pcap_close", &lib.close },
	};
	bool old;

	if (lib.close ||
		library_load(names, functions, sizeof(functions) / sizeof(functions[0]), &old))
		return 0;
	return diag_set(diag, DIAG_SYSTEM, ELIBACC,
		"captures are read by libpcap, which is %s here: 'apt install libpcap0.8' or "
		"'dnf install libpcap'",
		old ? "too old" : "not installed");
}

/* Linux's cooked headers: their length, and where the EtherType stands in them. */
static const struct cooked {
	int link;
	uint32_t len, ethertype;
} cooked[] = { { DLT_LINUX_SLL, 16, 14 }, { DLT_LINUX_SLL2, 20, 0 } };

static const struct cooked *cooked_as(int link)
{
	for (size_t i = 0; i < sizeof(cooked) / sizeof(cooked[0]); i++)
		if (cooked[i].link == link)
			return &cooked[i];
	return NULL;
}

bool capture_l3(const struct capture *c)
{
	return c->link != DLT_EN10MB && !cooked_as(c->link);
}

static int check_link(struct capture *c, struct diag *diag)
{
	const char *name;
	char number[16];

	c->link = lib.datalink(c->pcap);
	switch (c->link) {
	case DLT_EN10MB:
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
	case DLT_LINUX_SLL:
	case DLT_LINUX_SLL2:
		return 0;
	}
	name = lib.datalink_name(c->link);
	snprintf(number, sizeof(number), "%d", c->link);
	return diag_set(diag, DIAG_USAGE, EINVAL,
		"%s holds frames of the link type %s; Ethernet, raw IP and Linux's cooked frames "
		"can be judged, as captured by tcpdump -i eth0 or -i any",
		c->path, name ? name : number);
}

/* What the file's first word says of its times; back at its beginning then. */
static bool times_are_micro(FILE *file)
{
	static const uint32_t magic[] = { 0xa1b2c3d4, 0xd4c3b2a1 };
	uint32_t word = 0;
	bool micro =
		fread(&word, sizeof(word), 1, file) == 1 && (word == magic[0] || word == magic[1]);

	rewind(file);
	return micro;
}

static int open_file(struct capture *c, struct diag *diag)
{
	struct stat st;

	if (!strcmp(c->path, "-")) {
		c->path = "stdin";
		c->file = stdin;
	} else {
		c->file = fopen(c->path, "re");
	}
	if (!c->file || fstat(fileno(c->file), &st))
		return diag_set(diag, DIAG_USAGE, errno, "cannot read the capture %s: %s", c->path,
			strerror(errno));
	if (S_ISDIR(st.st_mode))
		return diag_set(diag, DIAG_USAGE, EISDIR, "%s is a directory: name a capture in it",
			c->path);
	if (S_ISREG(st.st_mode) && !ftello(c->file)) {
		c->size = st.st_size;
		c->micro = times_are_micro(c->file);
	}
	return 0;
}

static int open_pcap(struct capture *c, struct diag *diag)
{
	char why[PCAP_ERRBUF_SIZE] = "";

	c->pcap = lib.fopen_offline(c->file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!c->pcap)
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"%s is no capture that can be read (pcap or pcapng): %s", c->path, why);
	return check_link(c, diag);
}

int capture_open(const char *path, struct capture **out, struct diag *diag)
{
	struct capture *c;
	int rc = load_library(diag);

	if (rc)
		return rc;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->path = path;
	rc = open_file(c, diag);
	if (!rc)
		rc = open_pcap(c, diag);
	if (rc)
		capture_free(&c);
	else
		*out = c;
	return rc;
}

/* libpcap closes the file, unless it is stdin. */
void capture_free(struct capture **out)
{
	struct capture *c = *out;

	if (!c)
		return;
	if (c->pcap)
		lib.close(c->pcap);
	else if (c->file && c->file != stdin)
		fclose(c->file);
	free(c);
	*out = NULL;
}

static void take_cooked(const struct cooked *as, struct capture_record *record)
{
	record->cooked = as->len;
	if (record->caplen >= as->len)
		memcpy(record->ethertype, record->data + as->ethertype, sizeof(record->ethertype));
}

int capture_next(struct capture *c, struct capture_record *record, struct diag *diag)
{
	const struct cooked *as = cooked_as(c->link);
	struct pcap_pkthdr *head;
	const u_char *data;
	int rc = lib.next_ex(c->pcap, &head, &data);

	if (rc == PCAP_ERROR_BREAK)
		return 0;
	if (rc != 1)
		return diag_set(diag, DIAG_USAGE, EINVAL,
			"%s cannot be read beyond its packet %" PRIu64 ": %s", c->path, c->read,
			lib.geterr(c->pcap));
	*record = (struct capture_record){
		.data = data,
		.caplen = head->caplen,
		.len = head->len > head->caplen ? head->len : head->caplen,
		.seconds = head->ts.tv_sec,
		.nanoseconds = head->ts.tv_usec, /* by the precision that was asked for */
	};
	if (as)
		take_cooked(as, record);
	c->read++;
	return 1;
}

double capture_read(const struct capture *c)
{
	return c->size ? (double)ftello(c->file) / c->size : -1;
}

int capture_describe(const struct capture *c, struct capture_head *head)
{
	struct stat st;

	if (fstat(fileno(c->file), &st))
		return -errno;
	*head = (struct capture_head){
		.device = st.st_dev,
		.inode = st.st_ino,
		/* DLT_RAW has another number in files. */
		.link = c->link == DLT_RAW ? 101 : c->link,
		.micro = c->micro,
	};
	return 0;
}
