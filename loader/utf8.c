// SPDX-License-Identifier: GPL-2.0-only
#include "utf8.h"

unsigned int utf8_len(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int len = s[0] < 0x80	 ? 1
			   : s[0] < 0xc0 ? 0
			   : s[0] < 0xe0 ? 2
			   : s[0] < 0xf0 ? 3
					 : 4;
	uint32_t c = s[0] & (0xff >> (len + 1));

	if (len < 2)
		return len;
	if (s[0] >= 0xf8)
		return 0;
	for (unsigned int i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	return c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : len;
}

uint32_t utf8_point(const char *s, unsigned int len)
{
	uint32_t c = (unsigned char)s[0] & (len > 1 ? 0xff >> (len + 1) : 0x7f);

	for (unsigned int i = 1; i < len; i++)
		c = c << 6 | (s[i] & 0x3f);
	return c;
}

int utf8_width(const char *s, int columns)
{
	for (; *s; s++)
		columns += ((unsigned char)*s & 0xc0) == 0x80;
	return columns;
}
