/* SPDX-License-Identifier: Apache-2.0 */
#include "format/human.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "unit.h"

#define DAY (24 * 3600)

static void check_size(int64_t bytes, const char *list, const char *total)
{
	CU_ASSERT_STRING_EQUAL(human_size(bytes, HUMAN_LIST).text, list);
	CU_ASSERT_STRING_EQUAL(human_size(bytes, HUMAN_TOTAL).text, total);
}

static void test_sizes(void)
{
	check_size(0, "0B", "0B");
	check_size(999, "999B", "999B");
	check_size(1000, "1kB", "1kB");
	check_size(999499, "999kB", "999.5kB");
	check_size(999500, "1e+03kB", "999.5kB");
	check_size(999999, "1e+03kB", "1000kB");
	check_size(1048576, "1.05MB", "1.049MB");
	check_size(2000000, "2MB", "2MB");
	check_size(16430000, "16.4MB", "16.43MB");
	check_size(INT64_MAX, "9.22EB", "9.223EB");
	check_size(-5, "-5B", "-5B");
}

static void check_age(int64_t secs, const char *expected)
{
	struct timespec start = { 1600000000, 5 }, now = { 1600000000 + secs, 5 };

	CU_ASSERT_STRING_EQUAL(human_duration(&start, &now).text, expected);
}

static void test_ages(void)
{
	check_age(-100, "Less than a second");
	check_age(0, "Less than a second");
	check_age(1, "1 second");
	check_age(59, "59 seconds");
	check_age(60, "About a minute");
	check_age(119, "About a minute");
	check_age(120, "2 minutes");
	check_age(3599, "59 minutes");
	check_age(3600, "About an hour");
	check_age(5399, "About an hour");
	check_age(5400, "2 hours");
	check_age(91 * 60, "2 hours");
	check_age(2 * DAY - 1801, "47 hours");
	check_age(2 * DAY, "2 days");
	check_age(14 * DAY - 1801, "13 days");
	check_age(14 * DAY, "2 weeks");
	check_age(30 * DAY, "4 weeks");
	check_age(60 * DAY, "2 months");
	check_age(729 * DAY, "24 months");
	check_age(730 * DAY - 1800, "1 years");
	check_age(730 * DAY, "2 years");
}

static void test_age_extremes(void)
{
	struct timespec epoch = { 0, 0 }, now = { 1790000000, 0 }, year_1 = { -62135596800, 0 },
			half = { 1789999999, 500000000 };

	CU_ASSERT_STRING_EQUAL(human_since(&epoch, &now).text, "56 years ago");
	CU_ASSERT_STRING_EQUAL(human_since(&year_1, &now).text, "292 years ago");
	CU_ASSERT_STRING_EQUAL(human_since(&now, &year_1).text, "Less than a second ago");
	CU_ASSERT_STRING_EQUAL(human_since(&half, &now).text, "Less than a second ago");
	CU_ASSERT_TRUE(human_time_is_zero(&year_1));
	CU_ASSERT_FALSE(human_time_is_zero(&epoch));
}

static void check_round(const char *text, const char *expected)
{
	struct timespec time;
	struct error err;
	int offset;

	CU_ASSERT_EQUAL_FATAL(0, human_time_parse(text, &time, &offset, &err));
	CU_ASSERT_STRING_EQUAL(human_time_rfc3339_nano(&time, offset).text, expected);
}

static void test_times_keep_their_zone(void)
{
	check_round("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z");
	check_round("2024-02-29T23:59:59.120000000Z", "2024-02-29T23:59:59.12Z");
	check_round("2024-02-29T23:59:59.1234567899Z", "2024-02-29T23:59:59.123456789Z");
	check_round("2024-01-01T00:30:00+05:30", "2024-01-01T00:30:00+05:30");
	check_round("1969-12-31T23:59:59.5-08:00", "1969-12-31T23:59:59.5-08:00");
	check_round("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z");
	check_round("2024-01-01T00:00:00+00:00", "2024-01-01T00:00:00Z");
}

static void test_bad_times(void)
{
	static const char *const bad[] = { "",
					   "2024-02-30T00:00:00Z",
					   "2023-02-29T00:00:00Z",
					   "2024-13-01T00:00:00Z",
					   "2024-00-01T00:00:00Z",
					   "2024-01-01",
					   "2024-01-01T00:00Z",
					   "2024-01-01T24:00:00Z",
					   "2024-01-01T00:00:60Z",
					   "2024-01-01T00:00:00",
					   "2024-01-01T00:00:00.Z",
					   "2024-01-01T00:00:00z",
					   "2024-01-01T00:00:00+0530",
					   "2024-01-01T00:00:00Zx",
					   "24-01-01T00:00:00Z",
					   "-024-01-01T00:00:00Z",
					   "2024-01-01 00:00:00Z" };
	struct error err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct timespec time = { 7, 7 };

		CU_ASSERT_EQUAL(-1, human_time_parse(bad[i], &time, NULL, &err));
		CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
		CU_ASSERT_EQUAL(time.tv_sec, 7);
	}
}

static void test_nanoseconds(void)
{
	struct timespec time = human_time_from_ns(-1), late = { INT64_MAX, 0 };

	CU_ASSERT_EQUAL(time.tv_sec, -1);
	CU_ASSERT_EQUAL(time.tv_nsec, 999999999);
	CU_ASSERT_EQUAL(human_time_to_ns(&time), -1);
	time = human_time_from_ns(INT64_MIN);
	CU_ASSERT_EQUAL(human_time_to_ns(&time), INT64_MIN);
	CU_ASSERT_EQUAL(human_time_to_ns(&late), INT64_MAX);
	CU_ASSERT_STRING_EQUAL(human_time_local(&late).text, "");
}

static void set_zone(const char *zone)
{
	if (zone)
		setenv("TZ", zone, 1);
	else
		unsetenv("TZ");
	tzset();
}

static void test_local_zone(void)
{
	struct timespec time = { 1136239445, 999 };

	set_zone("MST7");
	CU_ASSERT_STRING_EQUAL(human_time_local(&time).text, "2006-01-02 15:04:05 -0700 MST");
	CU_ASSERT_STRING_EQUAL(human_time_rfc3339(&time).text, "2006-01-02T15:04:05-07:00");
	set_zone("UTC0");
	CU_ASSERT_STRING_EQUAL(human_time_local(&time).text, "2006-01-02 22:04:05 +0000 UTC");
	CU_ASSERT_STRING_EQUAL(human_time_rfc3339(&time).text, "2006-01-02T22:04:05Z");
	set_zone(NULL);
}

static void check_until(const char *text, int64_t secs, long ns)
{
	struct timespec now = { 1700000000, 500 }, ret;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, human_until_parse(text, &now, &ret, &err));
	CU_ASSERT_EQUAL(ret.tv_sec, secs);
	CU_ASSERT_EQUAL(ret.tv_nsec, ns);
}

static void test_until(void)
{
	set_zone("XST-2");
	check_until("24h", 1700000000 - DAY, 0);
	check_until("1h30m", 1700000000 - 5400, 0);
	check_until("1.5h", 1700000000 - 5400, 0);
	check_until("1us", 1699999999, 0);
	check_until("-1h", 1700003600, 0);
	check_until("0", 0, 0);
	check_until("1136073600", 1136073600, 0);
	check_until("1136073600.5", 1136073600, 500000000);
	check_until("1136073600.000000001", 1136073600, 1);
	check_until("2006-01-02", 1136160000 - 7200, 0);
	check_until("2006-01-02Z", 1136160000, 0);
	check_until("2006-01-02-01:00", 1136163600, 0);
	check_until("2006-01-02T15", 1136214000 - 7200, 0);
	check_until("2006-01-02T15:04", 1136214240 - 7200, 0);
	check_until("2006-01-02T15:04:05", 1136214245 - 7200, 0);
	check_until("2006-01-02T15:04:05.25", 1136214245 - 7200, 250000000);
	check_until("2006-01-02T15:04Z", 1136214240, 0);
	check_until("2006-01-02T15:04:05-07:00", 1136239445, 0);
	set_zone(NULL);
}

static void test_bad_until(void)
{
	static const char *const bad[] = { "",
					   "x",
					   "1x",
					   "1.5",
					   "1e3",
					   "-5",
					   "2006-13-01",
					   "2006-01-02T",
					   "2006-01-02T15:04:05.",
					   "99999999999999999999",
					   "9999999999h",
					   "1.h.",
					   ".h",
					   "1..5h",
					   "1.5.",
					   "\xff" };
	struct timespec now = { 1700000000, 0 };
	struct error err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct timespec ret = { 0 };

		if (strcmp(bad[i], "1.5") == 0) {
			CU_ASSERT_EQUAL(0, human_until_parse(bad[i], &now, &ret, &err));
			continue;
		}
		CU_ASSERT_EQUAL(-1, human_until_parse(bad[i], &now, &ret, &err));
		CU_ASSERT_EQUAL(err.kind, ERR_USAGE);
		CU_ASSERT_EQUAL(0, strncmp(err.text, "invalid value for 'until' filter: ", 34));
	}
}

static void check_ellipsis(const char *text, size_t width, const char *expected)
{
	auto_free char *cut = human_ellipsis(text, width);

	CU_ASSERT_STRING_EQUAL(cut, expected);
}

static void test_ellipsis(void)
{
	check_ellipsis("12345", 5, "12345");
	check_ellipsis("123456", 5, "1234\u2026");
	check_ellipsis("\u00e4\u00f6\u00fc", 3, "\u00e4\u00f6\u00fc");
	check_ellipsis("\u00e4\u00f6\u00fc!", 3, "\u00e4\u00f6\u2026");
	check_ellipsis("\u65e5\u672c\u8a9e", 6, "\u65e5\u672c\u8a9e");
	check_ellipsis("\u65e5\u672c\u8a9e", 5, "\u65e5\u672c\u2026");
	check_ellipsis("\u65e5\u672c\u8a9e", 4, "\u65e5\u2026");
	check_ellipsis("", 5, "");
	check_ellipsis("abc", 0, "");
}

static void test_short_ids(void)
{
	static const char hex[] =
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	char full[96];

	snprintf(full, sizeof(full), "sha256:%s", hex);
	CU_ASSERT_STRING_EQUAL(human_short_id(full).text, "0123456789ab");
	CU_ASSERT_STRING_EQUAL(human_short_id(hex).text, "0123456789ab");
	CU_ASSERT_STRING_EQUAL(human_short_id("abc").text, "abc");
}

static void test_durations_as_go_prints_them(void)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ 1, "1ns" },
		{ 1100, "1.1µs" },
		{ 2200000, "2.2ms" },
		{ 3300000000, "3.3s" },
		{ 30000000000, "30s" },
		{ 60000000000, "1m0s" },
		{ 300005000000000, "83h20m5s" },
		{ 61001000000, "1m1.001s" },
		{ -1500000000, "-1.5s" },
		{ INT64_MIN, "-2562047h47m16.854775808s" },
		{ INT64_MAX, "2562047h47m16.854775807s" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		CU_ASSERT_STRING_EQUAL(human_go_duration(cases[i].ns).text, cases[i].text);
}

static void check_created_by(const char *text, bool whole, const char *expected)
{
	auto_free char *got = human_created_by(text, whole);

	CU_ASSERT_STRING_EQUAL(got, expected);
}

static void test_commands_as_cells(void)
{
	static const char longer[] = "RUN 678901234567890123456789012345678901234567";

	check_created_by("ADD a\tb", false, "ADD a b");
	check_created_by(longer, false, "RUN 6789012345678901234567890123456789012345…");
	check_created_by(longer, true, longer);
	check_created_by("", false, "");
}

UNIT_SUITE(human, { "sizes have 3 or 4 digits in decimal units", test_sizes },
	   { "ages follow Docker's table", test_ages },
	   { "ages saturate and never go negative", test_age_extremes },
	   { "a parsed time prints in its own zone", test_times_keep_their_zone },
	   { "anything but RFC 3339 is refused", test_bad_times },
	   { "nanoseconds round-trip and saturate", test_nanoseconds },
	   { "absolute times are in the local zone", test_local_zone },
	   { "until takes durations, seconds and dates", test_until },
	   { "until refuses everything else", test_bad_until },
	   { "an ellipsis cuts by display cells", test_ellipsis },
	   { "durations are those of Go", test_durations_as_go_prints_them },
	   { "commands are cells of a table", test_commands_as_cells },
	   { "a short ID has 12 digits", test_short_ids });
