/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

uint32_t utf8_next(const char **at, const char *end, bool *ret_valid)
{
	const unsigned char *p = (const unsigned char *)*at;
	size_t left = (size_t)(end - *at);
	size_t more = p[0] < 0x80 ? 0 : p[0] < 0xc2 ? 4 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
	uint32_t rune = more ? p[0] & (0x3fu >> more) : p[0];
	bool valid = p[0] < 0xf5 && more < 4 && more < left;

	for (size_t i = 1; valid && i <= more; i++) {
		valid = (p[i] & 0xc0) == 0x80;
		rune = rune << 6 | (p[i] & 0x3f);
	}
	if (valid && ((more == 2 && (rune < 0x800 || (rune >= 0xd800 && rune < 0xe000))) ||
		      (more == 3 && (rune < 0x10000 || rune > 0x10ffff))))
		valid = false;
	*at += valid ? more + 1 : 1;
	if (ret_valid)
		*ret_valid = valid;
	return valid ? rune : UTF8_BAD;
}

void utf8_put(struct buf *buf, uint32_t rune)
{
	char bytes[4];
	size_t len;

	if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000))
		rune = UTF8_BAD;
	if (rune < 0x80) {
		buf_putc(buf, (char)rune);
		return;
	}
	len = rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
	for (size_t i = len - 1; i > 0; i--, rune >>= 6)
		bytes[i] = (char)(0x80 | (rune & 0x3f));
	bytes[0] = (char)((0xf00u >> len & 0xf0) | rune);
	buf_append(buf, bytes, len);
}

bool utf8_is_valid(const char *text, size_t len)
{
	const char *end = text + len;
	bool valid = true;

	while (valid && text < end)
		utf8_next(&text, end, &valid);
	return valid;
}

size_t utf8_count(const char *text, size_t len)
{
	const char *end = text + len;
	size_t nr = 0;

	for (; text < end; nr++)
		utf8_next(&text, end, NULL);
	return nr;
}
