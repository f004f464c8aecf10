/* SPDX-License-Identifier: Apache-2.0 */
#include "base/duration.h"
#include "unit.h"

static void check(const char *text, int64_t expected)
{
	struct error err;
	int64_t ns = -1;

	CU_ASSERT_EQUAL_FATAL(0, duration_parse(text, &ns, &err));
	CU_ASSERT_EQUAL(ns, expected);
}

static void check_bad(const char *text, const char *expected)
{
	struct error err;
	int64_t ns = 7;

	CU_ASSERT_EQUAL_FATAL(-1, duration_parse(text, &ns, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_USAGE);
	CU_ASSERT_STRING_EQUAL(err.text, expected);
	CU_ASSERT_EQUAL(ns, 7);
}

static void test_spans(void)
{
	check("0", 0);
	check("-0", 0);
	check("0s", 0);
	check("5s", INT64_C(5000000000));
	check("1h30m", INT64_C(5400000000000));
	check("1.5s", 1500000000);
	check(".5s", 500000000);
	check("1.s", 1000000000);
	check("-3ms", -3000000);
	check("+1us2ns", 1002);
	check("1\u00b5s1\u03bcs", 2000);
	check("0.0000000000000000000000001h", 0);
	check("1.9ns", 1);
	check("9223372036854775807ns", INT64_MAX);
}

static void test_nonsense(void)
{
	check_bad("", "time: invalid duration \"\"");
	check_bad("-", "time: invalid duration \"-\"");
	check_bad("s", "time: invalid duration \"s\"");
	check_bad(".s", "time: invalid duration \".s\"");
	check_bad("1s ", "time: unknown unit \"s \" in duration \"1s \"");
	check_bad("5", "time: missing unit in duration \"5\"");
	check_bad("1.5.5s", "time: missing unit in duration \"1.5.5s\"");
	check_bad("3d", "time: unknown unit \"d\" in duration \"3d\"");
	check_bad("9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\"");
	check_bad("2562048h", "time: invalid duration \"2562048h\"");
	check_bad("99999999999999999999999h",
		  "time: invalid duration \"99999999999999999999999h\"");
}

static void check_print(int64_t ns, const char *expected)
{
	auto_buf struct buf out = { 0 };

	duration_print(ns, &out);
	CU_ASSERT_STRING_EQUAL(out.data, expected);
}

static void test_print(void)
{
	check_print(0, "0s");
	check_print(1, "1ns");
	check_print(1100, "1.1\u00b5s");
	check_print(2200000, "2.2ms");
	check_print(3300000000, "3.3s");
	check_print(245000000000, "4m5s");
	check_print(245001000000, "4m5.001s");
	check_print(18367001000000, "5h6m7.001s");
	check_print(3600000000000, "1h0m0s");
	check_print(480000000001, "8m0.000000001s");
	check_print(-1500000000, "-1.5s");
	check_print(INT64_MAX, "2562047h47m16.854775807s");
	check_print(INT64_MIN, "-2562047h47m16.854775808s");
}

UNIT_SUITE(duration, { "spans are printed as Go prints them", test_print },
	   { "Go's spans of time become nanoseconds", test_spans },
	   { "nonsense is refused in Go's words", test_nonsense });
