// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpfpol.conf. A flaw lies in its line; what is read, written as plain lines, is read again as the
 * same.
 */
#include "fuzz.h"

#include "conf.h"

static char *printed(const struct conf *conf)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	REQUIRE(out, "no memory");
	for (size_t i = 0; i < conf->n_interfaces; i++)
		fprintf(out, "interfaces = %s\n", conf->interfaces[i]);
	for (size_t i = 0; i < conf->n_protects; i++)
		fprintf(out, "protect = %s\n", conf->protects[i].text);
	fclose(out);
	return text;
}

static void rules_can_be_read(const struct conf *conf, const char *text)
{
	unsigned int lines = 1, before = 0;

	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	for (size_t i = 0; i < conf->n_protects; i++) {
		const struct protect *p = &conf->protects[i];

		REQUIRE(p->line > before && p->line <= lines, "%s: line %u", p->text, p->line);
		before = p->line;
		free(fuzz_reads_back(p->rule));
	}
}

static void reads_back(const struct conf *conf)
{
	char *text = printed(conf), *twice;
	struct conf again = {};
	struct diag diag = {};

	REQUIRE(!conf_parse("again", text, &again, &diag), "%s: %s", text, diag.message);
	twice = printed(&again);
	REQUIRE(!strcmp(text, twice), "%s---\n%s", text, twice);
	free(twice);
	free(text);
	conf_free(&again);
	diag_free(&diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct conf conf = {};
	struct diag diag = {};
	int rc = conf_parse("bpfpol.conf", text, &conf, &diag);

	if (rc) {
		REQUIRE(diag.line && diag.text, "%s", diag.message);
		fuzz_told(rc, &diag);
		REQUIRE(!conf.n_interfaces && !conf.n_protects,
			"a failure leaves its output alone");
	} else {
		rules_can_be_read(&conf, text);
		reads_back(&conf);
	}
	conf_free(&conf);
	diag_free(&diag);
	free(text);
	return 0;
}
