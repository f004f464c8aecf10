/* SPDX-License-Identifier: Apache-2.0 */
#include "format/utf8.h"

struct range {
	uint32_t first;
	uint32_t last;
};

/* Unicode TR 11, classes W and F. The C library's table depends on the locale. */
static const struct range wide[] = {
	{ 0x1100, 0x115f },   { 0x231a, 0x231b },   { 0x2329, 0x232a },	  { 0x23e9, 0x23ec },
	{ 0x23f0, 0x23f0 },   { 0x23f3, 0x23f3 },   { 0x25fd, 0x25fe },	  { 0x2614, 0x2615 },
	{ 0x2648, 0x2653 },   { 0x267f, 0x267f },   { 0x2693, 0x2693 },	  { 0x26a1, 0x26a1 },
	{ 0x26aa, 0x26ab },   { 0x26bd, 0x26be },   { 0x26c4, 0x26c5 },	  { 0x26ce, 0x26ce },
	{ 0x26d4, 0x26d4 },   { 0x26ea, 0x26ea },   { 0x26f2, 0x26f3 },	  { 0x26f5, 0x26f5 },
	{ 0x26fa, 0x26fa },   { 0x26fd, 0x26fd },   { 0x2705, 0x2705 },	  { 0x270a, 0x270b },
	{ 0x2728, 0x2728 },   { 0x274c, 0x274c },   { 0x274e, 0x274e },	  { 0x2753, 0x2755 },
	{ 0x2757, 0x2757 },   { 0x2795, 0x2797 },   { 0x27b0, 0x27b0 },	  { 0x27bf, 0x27bf },
	{ 0x2b1b, 0x2b1c },   { 0x2b50, 0x2b50 },   { 0x2b55, 0x2b55 },	  { 0x2e80, 0x303e },
	{ 0x3041, 0x3247 },   { 0x3250, 0x4dbf },   { 0x4e00, 0xa4cf },	  { 0xa960, 0xa97f },
	{ 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe10, 0xfe19 },	  { 0xfe30, 0xfe6f },
	{ 0xff01, 0xff60 },   { 0xffe0, 0xffe6 },   { 0x16fe0, 0x18aff }, { 0x1aff0, 0x1b2fb },
	{ 0x1f004, 0x1f004 }, { 0x1f0cf, 0x1f0cf }, { 0x1f18e, 0x1f18e }, { 0x1f191, 0x1f19a },
	{ 0x1f200, 0x1f320 }, { 0x1f32d, 0x1f335 }, { 0x1f337, 0x1f37c }, { 0x1f37e, 0x1f393 },
	{ 0x1f3a0, 0x1f3ca }, { 0x1f3cf, 0x1f3d3 }, { 0x1f3e0, 0x1f3f0 }, { 0x1f3f4, 0x1f3f4 },
	{ 0x1f3f8, 0x1f43e }, { 0x1f440, 0x1f440 }, { 0x1f442, 0x1f4fc }, { 0x1f4ff, 0x1f53d },
	{ 0x1f54b, 0x1f54e }, { 0x1f550, 0x1f567 }, { 0x1f57a, 0x1f57a }, { 0x1f595, 0x1f596 },
	{ 0x1f5a4, 0x1f5a4 }, { 0x1f5fb, 0x1f64f }, { 0x1f680, 0x1f6c5 }, { 0x1f6cc, 0x1f6cc },
	{ 0x1f6d0, 0x1f6d2 }, { 0x1f6d5, 0x1f6d7 }, { 0x1f6dc, 0x1f6df }, { 0x1f6eb, 0x1f6ec },
	{ 0x1f6f4, 0x1f6fc }, { 0x1f7e0, 0x1f7f0 }, { 0x1f90c, 0x1f93a }, { 0x1f93c, 0x1f945 },
	{ 0x1f947, 0x1f9ff }, { 0x1fa70, 0x1faff }, { 0x20000, 0x2fffd }, { 0x30000, 0x3fffd },
};

static const struct range combining[] = {
	{ 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd },   { 0x0610, 0x061a },
	{ 0x064b, 0x065f }, { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff },   { 0x200b, 0x200f },
	{ 0x20d0, 0x20f0 }, { 0x302a, 0x302d }, { 0x3099, 0x309a },   { 0xfe00, 0xfe0f },
	{ 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff }, { 0xe0100, 0xe01ef },
};

static bool is_in(uint32_t rune, const struct range *ranges, size_t nr)
{
	size_t low = 0, high = nr;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (rune > ranges[mid].last)
			low = mid + 1;
		else if (rune < ranges[mid].first)
			high = mid;
		else
			return true;
	}
	return false;
}

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

size_t utf8_count(const char *text, size_t len)
{
	const char *end = text + len;
	size_t nr = 0;

	for (; text < end; nr++)
		utf8_next(&text, end, NULL);
	return nr;
}

int utf8_rune_cells(uint32_t rune)
{
	if (rune < 0x300)
		return 1;
	if (is_in(rune, combining, sizeof(combining) / sizeof(*combining)))
		return 0;
	return is_in(rune, wide, sizeof(wide) / sizeof(*wide)) ? 2 : 1;
}

size_t utf8_cells(const char *text, size_t len)
{
	const char *end = text + len;
	size_t cells = 0;

	while (text < end)
		cells += (size_t)utf8_rune_cells(utf8_next(&text, end, NULL));
	return cells;
}
