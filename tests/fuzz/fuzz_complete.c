// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the last word of a rule or packet may become. The first byte is the kind of text, each line
 * a word. What is offered can be written: it has no blanks, and the words before it still read on.
 */
#include "fuzz.h"

#include "spec.h"

#define MOST_WORDS 32

struct asked {
	int n;
	char **words;
	enum spec_text_kind kind;
	unsigned int offers;
};

static void note_again(const char *word, const char *what, void *arg)
{
	(void)word;
	(void)what;
	++*(unsigned int *)arg;
}

static void offered(const char *word, const char *what, void *arg)
{
	struct asked *a = arg;

	(void)what;
	REQUIRE(*word && !strpbrk(word, " \t\n"), "'%s'", word);
	a->offers++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *words[MOST_WORDS];
	struct asked asked = { .words = words };
	unsigned int again = 0;
	char *text;

	if (!size)
		return 0;
	text = fuzz_text(data + 1, size - 1);
	asked.kind = data[0] % 4;
	asked.n = fuzz_split(text, '\n', words, MOST_WORDS) - 1;
	spec_complete(asked.kind, asked.n, words, words[asked.n], offered, &asked);
	/* Asked again, it is the same. */
	spec_complete(asked.kind, asked.n, words, words[asked.n], note_again, &again);
	REQUIRE(again == asked.offers, "%u, then %u", asked.offers, again);
	free(text);
	return 0;
}
