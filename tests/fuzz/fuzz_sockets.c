// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's table of TCP sockets, as text. The first byte: 4 or 6. */
#include "fuzz.h"

#include "sockets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tcp_sockets list = {};
	char *text;

	if (!size)
		return 0;
	text = fuzz_text(data + 1, size - 1);
	REQUIRE(!sockets_parse(text, data[0] == '6', &list), "no memory");
	for (size_t i = 0; i < list.n; i++) {
		const struct tcp_socket *s = &list.v[i];

		REQUIRE(s->family == 4 || s->family == 6, "%d", s->family);
		REQUIRE(s->listens || !sockets_is_loopback(s), "%s", text);
		REQUIRE(!s->listens || sockets_listen(&list, s->local_port), "%s", text);
	}
	free(list.v);
	free(text);
	return 0;
}
