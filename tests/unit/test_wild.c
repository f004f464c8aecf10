/* SPDX-License-Identifier: Apache-2.0 */
#include "build/wild.h"

#include <string.h>

#include "base/buf.h"
#include "unit.h"

static void check(const char *pattern, const char *path, bool matches, bool below)
{
	auto_wild struct wild *wild = NULL;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, wild_new(pattern, &wild, &err));
	CU_ASSERT_EQUAL(wild_match(wild, path), matches);
	CU_ASSERT_EQUAL(wild_may_match_below(wild, path), below);
	if (wild_match(wild, path) != matches || wild_may_match_below(wild, path) != below)
		printf("\n  %s of %s\n", pattern, path);
}

static void test_patterns(void)
{
	check("a/b", "a", false, true);
	check("a/b", "a/b", true, false);
	check("a/b", "ab", false, false);
	check("*", "a", true, false);
	check("*/c", "a", false, true);
	check("*/c", "a/b", false, false);
	check("**/c", "a/b", false, true);
	check("a/**", "a", false, true);
	check("a/**", "a/b/c", true, true);
	check("a/**/b", "a/b", true, true);
	check("a/**/b", "a/x/y/b", true, true);
	check("a/**/b", "a/xb", false, true);
	check("a/**/b", "b", false, false);
	check("a**b**c", "ab/bc", true, true);
	check("a**", "abc", true, true);
	check("**c", "abc", true, true);
	check("**/c*", "x/abc", false, true);
	check("a[b-d]?", "ac\u00e9", true, false);
	check("a\\*", "a*", true, false);
	check("a\\*", "ab", false, false);
	check("a/*/c", "", false, true);
}

static void test_time(void)
{
	auto_buf struct buf pattern = { 0 }, path = { 0 };
	auto_wild struct wild *wild = NULL;
	struct error err;

	for (int i = 0; i < 800; i++)
		buf_puts(&pattern, "**a*");
	for (int i = 0; i < 4000; i++)
		buf_putc(&path, i % 3 ? 'a' : '/');
	buf_putc(&pattern, 'b');
	CU_ASSERT_EQUAL_FATAL(0, wild_new(pattern.data, &wild, &err));
	CU_ASSERT_FALSE(wild_match(wild, path.data));
	while (pattern.len <= 4096)
		buf_putc(&pattern, 'x');
	wild_free(wild);
	wild = NULL;
	CU_ASSERT_EQUAL(-1, wild_new(pattern.data, &wild, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
	CU_ASSERT_EQUAL(-1, wild_new("[", &wild, &err));
}

UNIT_SUITE(wild, { "two stars are any number of folders", test_patterns },
	   { "a hostile pattern takes bounded time", test_time });
