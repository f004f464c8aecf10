/* SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "unit.h"

static void test_units_are_binary(void)
{
	struct error err;
	uint64_t bytes;

	CU_ASSERT_EQUAL(0, size_parse("64K", &bytes, &err));
	CU_ASSERT_EQUAL(bytes, 65536);
	CU_ASSERT_EQUAL(0, size_parse("1.5GiB", &bytes, &err));
	CU_ASSERT_EQUAL(bytes, 3 * GIB / 2);
	CU_ASSERT_EQUAL(0, size_parse("100b", &bytes, &err));
	CU_ASSERT_EQUAL(bytes, 100);
	CU_ASSERT_EQUAL(0, size_parse("0", &bytes, &err));
	CU_ASSERT_EQUAL(bytes, 0);
}

static void test_everything_else_is_refused(void)
{
	static const char *const bad[] = { "",	  "G",	   "-1", "1e9", "0x10", "inf", "nan", "10Q",
					   "1GG", "1.2.3", ".5", "9E",	"+1",	"1 2", "10Gi" };
	struct error err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		uint64_t bytes = 7;

		CU_ASSERT_EQUAL(-1, size_parse(bad[i], &bytes, &err));
		CU_ASSERT_EQUAL(err.kind, ERR_USAGE);
		CU_ASSERT_EQUAL(bytes, 7);
	}
}

UNIT_SUITE(size, { "units are binary", test_units_are_binary },
	   { "everything else is refused", test_everything_else_is_refused });
