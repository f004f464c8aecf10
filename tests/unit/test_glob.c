/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/glob.h"

#include <string.h>

#include "base/buf.h"
#include "unit.h"

/* What Go's path.Match() answers. */
static void test_patterns(void)
{
	static const struct {
		const char *pattern, *text;
		int matches;
	} cases[] = {
		{ "", "", 1 },
		{ "", "a", 0 },
		{ "abc", "abc", 1 },
		{ "*", "", 1 },
		{ "*", "abc", 1 },
		{ "*c", "abc", 1 },
		{ "a*", "a", 1 },
		{ "a*", "ab/c", 0 },
		{ "a*/b", "abc/b", 1 },
		{ "a*/b", "a/c/b", 0 },
		{ "a*b*c*d*e*/f", "axbxcxdxe/f", 1 },
		{ "a*b*c*d*e*/f", "axbxcxdxexxx/f", 1 },
		{ "a*b*c*d*e*/f", "axbxcxdxe/xxx/f", 0 },
		{ "a*b?c*x", "abxbbxdbxebxczzx", 1 },
		{ "a*b?c*x", "abxbbxdbxebxczzy", 0 },
		{ "**", "ab", 1 },
		{ "ab[c]", "abc", 1 },
		{ "ab[b-d]", "abc", 1 },
		{ "ab[e-g]", "abc", 0 },
		{ "ab[^c]", "abc", 0 },
		{ "ab[^e-g]", "abc", 1 },
		{ "ab[!c]", "abc", 1 },
		{ "[a-ce-g]", "f", 1 },
		{ "[a-ce-g]", "d", 0 },
		{ "a\\*b", "a*b", 1 },
		{ "a\\*b", "ab", 0 },
		{ "a?b", "a/b", 0 },
		{ "a*b", "a/b", 0 },
		{ "[a-ZA]*", "A", 1 },
		{ "[\\]a]", "]", 1 },
		{ "[\\-]", "-", 1 },
		{ "[x\\-]", "z", 0 },
		{ "[/]", "/", 1 },
		{ "a[^x]b", "a/b", 1 },
		{ "*x", "xxx", 1 },
		{ "*?", "", 0 },
		{ "\u00e9*", "\u00e9t\u00e9", 1 },
		{ "a?b", "a\u263ab", 1 },
		{ "a??b", "a\u263ab", 0 },
		{ "a[^a]b", "a\u263ab", 1 },
		{ "[a-\u00f6]", "\u00e9", 1 },
		{ "[a-\u00e8]", "\u00e9", 0 },
		{ "?", "\xe9", 1 },
		{ "\xe9", "\xe9", 1 },
		{ "\xe9", "\xe8", 0 },
		{ "\u00e9", "\xe9", 0 },
		{ "*\xa9", "\u00e9", 0 },
		{ "[]a]", "]", -1 },
		{ "[-]", "-", -1 },
		{ "[x-]", "x", -1 },
		{ "[-x]", "x", -1 },
		{ "[", "a", -1 },
		{ "[^", "a", -1 },
		{ "[^bc", "a", -1 },
		{ "a[", "a", -1 },
		{ "a[", "b", -1 },
		{ "a[]", "a", -1 },
		{ "[\\", "a", -1 },
		{ "[a-\\", "a", -1 },
		{ "\\", "a", -1 },
		{ "abc\\", "x", -1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = { 0 };

		CU_ASSERT_EQUAL(cases[i].matches,
				glob_match(cases[i].pattern, cases[i].text, &err));
		if (cases[i].matches < 0)
			CU_ASSERT_STRING_EQUAL(err.text, "syntax error in pattern");
	}
}

static void test_wildcards(void)
{
	CU_ASSERT_TRUE(glob_has_wildcard("a*"));
	CU_ASSERT_TRUE(glob_has_wildcard("a?b"));
	CU_ASSERT_TRUE(glob_has_wildcard("[a]"));
	CU_ASSERT_TRUE(glob_has_wildcard("a\\*"));
	CU_ASSERT_FALSE(glob_has_wildcard("a/b-c]"));
}

static void test_many_stars_take_no_time(void)
{
	auto_buf struct buf pattern = { 0 };
	auto_buf struct buf text = { 0 };
	struct error err;

	for (int i = 0; i < 1000; i++) {
		buf_puts(&pattern, "a*");
		buf_puts(&text, "aa");
	}
	buf_puts(&pattern, "b");
	CU_ASSERT_EQUAL(0, glob_match(pattern.data, text.data, &err));
}

UNIT_SUITE(glob, { "patterns match as in Go", test_patterns },
	   { "a pattern without wildcards is a name", test_wildcards },
	   { "many stars take no time", test_many_stars_take_no_time });
