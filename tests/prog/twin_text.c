/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A round as text, by lines:
 *	forwarding on|off
 *	compiled early|late			before or after rules expired
 *	layered					dynamic rules have a layer of their own
 *	tables N...				sizes of its tables; again, those of the dynamic
 *layer patch N					rules whose ids N divides are put in place wire LANE
 *they go over real devices; else BPF_PROG_TEST_RUN list NAME PREFIX...			what @NAME
 *holds rule ID [dynamic|domain] [timed|expired] RULE
 *	on IFACE				where the frames below are met
 *	hook NAME [forwarded] [gso SEGS SIZE] [beyond N]	which meets them, and as what
 *	frame HEX
 * and # comments. Blanks in front of a line are not part of it.
 */
#include "twin_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

static void print_list(const struct end *end, FILE *out)
{
	char text[64];
	size_t i;

	if (end->kind != END_FILE)
		return;
	fprintf(out, "list %s", end->file);
	for (i = 0; i < end->list.n; i++) {
		spec_prefix_text(&end->list.v[i], text, sizeof(text));
		fprintf(out, " %s", text);
	}
	fputc('\n', out);
}

static void print_rule(const struct world *w, const struct rule *rule, FILE *out)
{
	char *text = must(spec_text(rule, SPEC_ACTION | SPEC_MATCH));

	print_list(&rule->from, out);
	print_list(&rule->to, out);
	fprintf(out, "rule %u ", rule->id);
	if (rule->layer != LAYER_STATIC)
		fprintf(out, "%s ", layer_name(rule->layer));
	if (rule->deadline)
		fputs(rule->deadline > w->now ? "timed " : "expired ", out);
	fprintf(out, "%s\n", text);
	free(text);
}

static void print_sample(const struct sample *s, FILE *out)
{
	size_t b;

	fprintf(out, "on %s\nhook %s%s", twin_names[s->iface], hook_names[s->hook],
		s->forwarded ? " forwarded" : "");
	if (s->gso_size)
		fprintf(out, " gso %u %u", s->gso_segs, s->gso_size);
	if (s->beyond)
		fprintf(out, " beyond %zu", s->beyond);
	fprintf(out, "\nframe ");
	for (b = 0; b < s->len; b++)
		fprintf(out, "%02x", s->data[b]);
	fputc('\n', out);
}

/* struct bp_sizes is nothing but numbers. */
#define SIZES (sizeof(struct bp_sizes) / sizeof(__u32))

static void print_sizes(const struct bp_sizes *sizes, FILE *out)
{
	const __u32 *v = (const __u32 *)sizes;
	size_t i;

	fputs("tables", out);
	for (i = 0; i < SIZES; i++)
		fprintf(out, " %u", v[i]);
	fputc('\n', out);
}

void round_print(const struct world *w, const struct round *round, FILE *out)
{
	size_t i;

	fprintf(out, "forwarding %s\n", w->forwarding ? "on" : "off");
	fprintf(out, "compiled %s\n", round->early ? "early" : "late");
	if (round->layered)
		fputs("layered\n", out);
	for (i = 0; round->sizes && i < TWIN_LAYERS; i++)
		print_sizes(&round->sizes[i], out);
	if (round->patch)
		fprintf(out, "patch %u\n", round->patch);
	if (round->lane)
		fprintf(out, "wire %s\n", round->lane->name);
	for (i = 0; i < round->policy->n; i++)
		print_rule(w, round->policy->rules[i], out);
	for (i = 0; i < round->n; i++)
		print_sample(&round->v[i], out);
}

/* --- and back --- */

#define LISTS 8192

struct lists {
	char *name[LISTS];
	struct prefixes list[LISTS];
	size_t n;
};

struct reading {
	struct world *w;
	struct policy *policy;
	struct lists *lists;
	struct sample *v;
	size_t n;
	struct sample next; /* what is said of the frames to come */
	const struct lane *lane;
	unsigned int patch;
	struct bp_sizes sizes[TWIN_LAYERS];
	size_t sized;
	bool layered;
	bool early;
};

static bool word(char **line, const char *w)
{
	size_t n = strlen(w);

	if (strncmp(*line, w, n) || (*line)[n] != ' ')
		return false;
	*line += n + 1;
	return true;
}

static int read_list(struct reading *r, char *line)
{
	struct lists *l = r->lists;
	char *save, *at = strtok_r(line, " ", &save);
	struct prefixes *list = &l->list[l->n];
	const char *why;

	if (l->n == LISTS || !at)
		return -EINVAL;
	l->name[l->n] = must(strdup(at));
	while ((at = strtok_r(NULL, " ", &save))) {
		list->v = must(realloc(list->v, (list->n + 1) * sizeof(*list->v)));
		if (spec_parse_prefix(at, strlen(at), &list->v[list->n++], &why))
			return -EINVAL;
	}
	l->n++;
	return 0;
}

static int fill_list(const struct reading *r, struct end *end)
{
	size_t i;

	if (end->kind != END_FILE)
		return 0;
	for (i = r->lists->n; i--;) { /* the latest of that name */
		const struct prefixes *list = &r->lists->list[i];

		if (strcmp(r->lists->name[i], end->file))
			continue;
		end->list.v = must(calloc(list->n + 1, sizeof(*list->v)));
		memcpy(end->list.v, list->v, list->n * sizeof(*list->v));
		end->list.n = list->n;
		prefixes_sort(&end->list);
		return 0;
	}
	return -EINVAL;
}

static int read_rule(struct reading *r, char *line)
{
	struct spec_opts opts = { .action = -1 };
	uint32_t id = strtoul(line, &line, 10);
	bool dynamic, domain, timed, expired;
	struct diag diag = { 0 };
	struct rule *rule = NULL;
	int rc;

	if (!id || *line++ != ' ')
		return -EINVAL;
	dynamic = word(&line, "dynamic");
	domain = word(&line, "domain");
	timed = word(&line, "timed");
	expired = word(&line, "expired");
	rc = spec_parse_line(line, &opts, &rule, &diag);
	if (rc)
		printf("# %s\n", diag.message);
	diag_free(&diag);
	if (rc)
		return rc;
	rule->id = id;
	rule->layer = dynamic ? LAYER_DYNAMIC : domain ? LAYER_DOMAIN : LAYER_STATIC;
	if (timed || expired)
		rule->deadline = r->w->now + (timed ? 1000 : 0);
	rc = fill_list(r, &rule->from);
	if (!rc)
		rc = fill_list(r, &rule->to);
	return rc ? rc : policy_add(r->policy, &rule);
}

static unsigned long next_number(char **save)
{
	const char *text = strtok_r(NULL, " ", save);

	return text ? strtoul(text, NULL, 10) : 0;
}

static int read_hook(struct reading *r, char *line)
{
	struct sample *s = &r->next;
	char *save, *at = strtok_r(line, " ", &save);
	int hook = 0;

	while (at && hook < BP_HOOKS && strcmp(at, hook_names[hook]))
		hook++;
	if (!at || hook == BP_HOOKS)
		return -EINVAL;
	*s = (struct sample){ .iface = s->iface, .hook = hook };
	while ((at = strtok_r(NULL, " ", &save))) {
		if (!strcmp(at, "forwarded"))
			s->forwarded = true;
		else if (!strcmp(at, "gso"))
			s->gso_segs = next_number(&save), s->gso_size = next_number(&save);
		else if (!strcmp(at, "beyond"))
			s->beyond = next_number(&save);
		else
			return -EINVAL;
	}
	return 0;
}

static int read_frame(struct reading *r, const char *hex)
{
	size_t i, len = strlen(hex) / 2;
	uint8_t *data = must(malloc(len + 1));

	for (i = 0; i < len; i++) {
		if (sscanf(hex + 2 * i, "%2hhx", &data[i]) != 1) {
			free(data);
			return -EINVAL;
		}
	}
	r->v = must(realloc(r->v, (r->n + 1) * sizeof(*r->v)));
	r->v[r->n] = r->next;
	r->v[r->n].data = data;
	r->v[r->n++].len = len;
	return 0;
}

static int read_sizes(struct reading *r, char *line)
{
	__u32 *v = (__u32 *)&r->sizes[r->sized];
	size_t i;

	if (r->sized == TWIN_LAYERS)
		return -EINVAL;
	for (i = 0; i < SIZES; i++)
		v[i] = strtoul(line, &line, 10);
	r->sized++;
	return *line ? -EINVAL : 0;
}

static int read_lane(struct reading *r, const char *name)
{
	size_t i;

	for (i = 0; i < LANES; i++) {
		if (!strcmp(name, lanes[i].name))
			r->lane = &lanes[i];
	}
	return r->lane ? 0 : -EINVAL;
}

static int read_line(struct reading *r, char *line)
{
	line[strcspn(line, "\r\n")] = 0;
	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return 0;
	if (word(&line, "forwarding"))
		return world_forwarding(r->w, !strcmp(line, "on"));
	if (word(&line, "compiled")) {
		r->early = !strcmp(line, "early");
		return 0;
	}
	if (!strcmp(line, "layered")) {
		r->layered = true;
		return 0;
	}
	if (word(&line, "tables"))
		return read_sizes(r, line);
	if (word(&line, "patch")) {
		r->patch = strtoul(line, NULL, 10);
		return 0;
	}
	if (word(&line, "wire"))
		return read_lane(r, line);
	if (word(&line, "list"))
		return read_list(r, line);
	if (word(&line, "on")) {
		r->next.iface = !strcmp(line, twin_names[1]);
		return 0;
	}
	if (word(&line, "hook"))
		return read_hook(r, line);
	if (word(&line, "frame"))
		return read_frame(r, line);
	return word(&line, "rule") ? read_rule(r, line) : -EINVAL;
}

static int read_round(struct reading *r, const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	int rc = f ? 0 : -errno;

	while (!rc && getline(&line, &room, f) > 0)
		rc = read_line(r, line);
	if (rc)
		printf("# %s: %s: %s\n", path, line ? line : "", strerror(-rc));
	free(line);
	if (f)
		fclose(f);
	return rc;
}

static void reading_free(struct reading *r)
{
	size_t i;

	for (i = 0; i < r->lists->n; i++) {
		free(r->lists->name[i]);
		free(r->lists->list[i].v);
	}
	for (i = 0; i < r->n; i++)
		free((void *)r->v[i].data);
	free(r->v);
	free(r->lists);
	policy_free(&r->policy);
}

int round_replay(struct world *w, const char *path)
{
	struct reading r = {
		.w = w,
		.policy = must(policy_new("replay")),
		.lists = must(calloc(1, sizeof(*r.lists))),
	};
	struct round round = { 0 };
	size_t bad;
	int rc = read_round(&r, path);

	if (!rc) {
		round = (struct round){
			.policy = r.policy,
			.v = r.v,
			.n = r.n,
			.early = r.early,
			.lane = r.lane,
			.patch = r.patch,
			.layered = r.layered,
			.sizes = r.sized ? r.sizes : NULL,
		};
		rc = round_run(w, &round, NULL, stdout, &bad);
		if (rc == -E2BIG)
			printf("# too many tuples, or too long a chain\n");
		printf("%sok - the round agrees\n1..1\n", rc ? "not " : "");
	}
	reading_free(&r);
	return rc ? 1 : 0;
}
