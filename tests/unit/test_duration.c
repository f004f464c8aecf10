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

UNIT_SUITE(duration, { "Go's spans of time become nanoseconds", test_spans },
	   { "nonsense is refused in Go's words", test_nonsense });
