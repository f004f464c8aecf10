/* SPDX-License-Identifier: Apache-2.0 */
#include "format/utf8.h"

#include <string.h>

#include "unit.h"

static void test_every_character(void)
{
	auto_buf struct buf text = { 0 };

	for (uint32_t rune = 0; rune < 0x110000; rune++) {
		const char *at;
		bool valid;

		if (rune >= 0xd800 && rune < 0xe000)
			continue;
		buf_reset(&text);
		utf8_put(&text, rune);
		at = text.data;
		if (utf8_next(&at, text.data + text.len, &valid) != rune || !valid ||
		    at != text.data + text.len) {
			CU_FAIL("a character does not round-trip");
			return;
		}
	}
}

static void test_wrong_bytes(void)
{
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc3",
		"\xc3(",
		"\xe0\x9f\xbf",
		"\xe2\x82",
		"\xed\xa0\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *at = bad[i];
		bool valid = true;

		CU_ASSERT_EQUAL(utf8_next(&at, bad[i] + strlen(bad[i]), &valid), UTF8_BAD);
		CU_ASSERT_FALSE(valid);
		CU_ASSERT_PTR_EQUAL(at, bad[i] + 1);
	}
	CU_ASSERT_EQUAL(utf8_count("a\xe2\x82z", 4), 4);
}

static void test_no_character(void)
{
	auto_buf struct buf text = { 0 };

	utf8_put(&text, 0xd800);
	utf8_put(&text, 0x110000);
	CU_ASSERT_STRING_EQUAL(text.data, "\ufffd\ufffd");
}

static void test_cells(void)
{
	CU_ASSERT_EQUAL(utf8_cells("abc", 3), 3);
	CU_ASSERT_EQUAL(utf8_cells("\u65e5\u672c", 6), 4);
	CU_ASSERT_EQUAL(utf8_cells("\uff21\uffe6", 6), 4);
	CU_ASSERT_EQUAL(utf8_cells("e\u0301", 3), 1);
	CU_ASSERT_EQUAL(utf8_cells("\U0001f600", 4), 2);
	CU_ASSERT_EQUAL(utf8_cells("\u2026\u2500", 6), 2);
}

static void check_cut(const char *text, size_t cells, const char *expected, size_t used)
{
	auto_buf struct buf ret = { 0 };

	buf_puts(&ret, "");
	CU_ASSERT_EQUAL(utf8_put_cells(&ret, text, strlen(text), cells), used);
	CU_ASSERT_STRING_EQUAL(ret.data, expected);
}

static void test_cut(void)
{
	check_cut("abc", 3, "abc", 3);
	check_cut("abc", 2, "ab", 2);
	check_cut("\u65e5\u672c", 3, "\u65e5", 2);
	check_cut("e\u0301x", 1, "e\u0301", 1);
	check_cut("a\033[2J\xc2\x85\xff", 9, "a?[2J?\ufffd", 7);
	check_cut("abc", 0, "", 0);
}

UNIT_SUITE(utf8, { "every character is read as it was written", test_every_character },
	   { "a wrong byte counts as one bad character", test_wrong_bytes },
	   { "what is no character is not written", test_no_character },
	   { "wide, combining and plain characters have their cells", test_cells },
	   { "a text is cut to its cells", test_cut });
