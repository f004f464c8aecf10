/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/rfc3339.h"

#include "unit.h"

#define SECOND INT64_C(1000000000)

static void test_times_are_read(void)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01T00:00:00.000000001Z", 1 },
		{ "1970-01-01T00:00:00.0000000019Z", 1 },
		{ "1970-01-01T00:00:00,5Z", SECOND / 2 },
		{ "1969-12-31T23:59:59.5Z", -SECOND / 2 },
		{ "1970-01-01T01:00:00+01:00", 0 },
		{ "1969-12-31T16:00:00-08:00", 0 },
		{ "1970-01-01T05:45:00+05:45", 0 },
		{ "1970-01-01t00:00:00z", 0 },
		{ "2000-02-29T00:00:00Z", 951782400 * SECOND },
		{ "2024-02-29T12:00:00.123456789Z", 1709208000 * SECOND + 123456789 },
		{ "2016-12-31T23:59:60Z", 1483228800 * SECOND },
		{ "2262-04-11T23:47:16.854775807Z", INT64_MAX },
		{ "2262-04-11T23:47:16.854775808Z", INT64_MAX },
		{ "9999-12-31T23:59:59Z", INT64_MAX },
		{ "1677-09-21T00:12:43Z", INT64_MIN },
		{ "0001-01-01T00:00:00Z", INT64_MIN },
		{ "0000-01-01T00:00:00+23:59", INT64_MIN },
		{ "1900-03-01T00:00:00Z", -2203891200 * SECOND },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err;
		int64_t ns = -7;

		CU_ASSERT_EQUAL_FATAL(0, rfc3339_parse(cases[i].text, &ns, &err));
		CU_ASSERT_EQUAL(ns, cases[i].ns);
	}
}

static void test_what_is_no_time_is_refused(void)
{
	static const char *const bad[] = {
		"",
		"2024",
		"2024-02-29",
		"2024-02-29 12:00:00Z",
		"2024-02-29T12:00:00",
		"2024-02-29T12:00Z",
		"2023-02-29T12:00:00Z",
		"1900-02-29T00:00:00Z",
		"2024-13-01T00:00:00Z",
		"2024-00-01T00:00:00Z",
		"2024-04-31T00:00:00Z",
		"2024-01-00T00:00:00Z",
		"2024-01-01T24:00:00Z",
		"2024-01-01T00:60:00Z",
		"2024-01-01T00:00:61Z",
		"2024-01-01T00:00:00.Z",
		"2024-01-01T00:00:00+24:00",
		"2024-01-01T00:00:00+01:60",
		"2024-01-01T00:00:00+0100",
		"2024-01-01T00:00:00Zx",
		"+2024-01-01T00:00:00Z",
		"12024-01-01T00:00:00Z",
		"2024-1-1T00:00:00Z",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct error err;
		int64_t ns = -7;

		CU_ASSERT_EQUAL(-1, rfc3339_parse(bad[i], &ns, &err));
		CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
		CU_ASSERT_EQUAL(ns, -7);
	}
}

static void test_times_are_written(void)
{
	char text[RFC3339_SIZE];

	CU_ASSERT_STRING_EQUAL(rfc3339_format(0, text), "1970-01-01T00:00:00Z");
	CU_ASSERT_STRING_EQUAL(rfc3339_format(1709208000 * SECOND + 123400000, text),
			       "2024-02-29T12:00:00.1234Z");
	CU_ASSERT_STRING_EQUAL(rfc3339_format(-1, text), "1969-12-31T23:59:59.999999999Z");
	CU_ASSERT_STRING_EQUAL(rfc3339_format(INT64_MAX, text), "2262-04-11T23:47:16.854775807Z");
	CU_ASSERT_STRING_EQUAL(rfc3339_format(INT64_MIN, text), "1677-09-21T00:12:43.145224192Z");
}

static void test_written_times_are_read_again(void)
{
	static const int64_t times[] = { 0,
					 -1,
					 1,
					 INT64_MAX,
					 INT64_MIN + SECOND,
					 -SECOND,
					 1732180000123456789,
					 -62135596800,
					 4107542400 * SECOND };

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		char text[RFC3339_SIZE];
		struct error err;
		int64_t ns;

		CU_ASSERT_EQUAL_FATAL(0, rfc3339_parse(rfc3339_format(times[i], text), &ns, &err));
		CU_ASSERT_EQUAL(ns, times[i]);
	}
}

UNIT_SUITE(rfc3339, { "times are read to the nanosecond", test_times_are_read },
	   { "what is no time is refused", test_what_is_no_time_is_refused },
	   { "times are written in UTC", test_times_are_written },
	   { "written times are read again", test_written_times_are_read_again });
