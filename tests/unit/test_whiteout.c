/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/whiteout.h"

#include "unit.h"

static void check_kind(const char *path, enum whiteout expected)
{
	enum whiteout kind;
	const char *hidden;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, whiteout_parse(path, &kind, &hidden, &err));
	CU_ASSERT_EQUAL(kind, expected);
}

static void check_hidden(const char *path, const char *expected)
{
	enum whiteout kind;
	const char *hidden = "";
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, whiteout_parse(path, &kind, &hidden, &err));
	CU_ASSERT_EQUAL(kind, WHITEOUT_NAME);
	CU_ASSERT_STRING_EQUAL(hidden, expected);
}

static void check_refused(const char *path)
{
	enum whiteout kind;
	const char *hidden;
	struct error err;

	CU_ASSERT_EQUAL(-1, whiteout_parse(path, &kind, &hidden, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
}

static void test_names(void)
{
	check_kind("a", WHITEOUT_NONE);
	check_kind("a/b.wh.c", WHITEOUT_NONE);
	check_kind(".wh", WHITEOUT_NONE);
	check_kind(".whiteout", WHITEOUT_NONE);
	check_hidden(".wh.a", "a");
	check_hidden("x/y/.wh.a b", "a b");
	check_hidden("x/.wh....", "...");
	check_kind(".wh..wh..opq", WHITEOUT_HIDES);
	check_kind("x/.wh..wh..opq", WHITEOUT_HIDES);
}

static void test_aufs(void)
{
	check_kind(".wh..wh.aufs", WHITEOUT_SKIP);
	check_kind(".wh..wh.plnk", WHITEOUT_SKIP);
	check_kind("x/.wh..wh.orph", WHITEOUT_SKIP);
	check_kind(".wh..wh.orph/a/b", WHITEOUT_SKIP);
	check_kind(".wh..wh.plnk/12.34", WHITEOUT_LINKED);
	check_kind(".wh..wh.plnk/a/b", WHITEOUT_SKIP);
	check_kind("x/.wh..wh.plnk/12.34", WHITEOUT_SKIP);
	check_kind(".wh..wh..opq/x", WHITEOUT_SKIP);
}

static void test_hostile(void)
{
	check_refused(".wh.");
	check_refused("a/.wh.");
	check_refused(".wh..");
	check_refused(".wh...");
	check_refused(".wh.a/b");
	check_refused("x/.wh./b");
	check_refused("x/.wh.../b");
}

UNIT_SUITE(whiteout, { "a prefix hides a name, a marker hides a folder", test_names },
	   { "AUFS's own files are no entries", test_aufs },
	   { "names that would hide a folder itself are refused", test_hostile });
