/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"
#include "unit.h"

static void check(const char *name, const char *expected)
{
	auto_buf struct buf path = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, path_clean(name, &path, &err));
	CU_ASSERT_STRING_EQUAL(path.data, expected);
}

static void test_plain_form(void)
{
	check("/usr//bin/./env/", "usr/bin/env");
	check("./", "");
	check("", "");
	check("a/b/../c", "a/c");
	check("a/..", "");
	check("..a/.b./...", "..a/.b./...");
}

static void test_leaving_the_root_is_refused(void)
{
	static const char *const bad[] = { "..", "/..", "a/../..", "../etc/passwd", "./../x" };
	auto_buf struct buf path = { 0 };
	struct error err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CU_ASSERT_EQUAL(-1, path_clean(bad[i], &path, &err));
		CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	}
}

UNIT_SUITE(path, { "names are brought to a plain form", test_plain_form },
	   { "a name that leaves the root is refused", test_leaving_the_root_is_refused });
