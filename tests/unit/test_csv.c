/* SPDX-License-Identifier: Apache-2.0 */
#include "base/csv.h"

#include "unit.h"

static void check(const char *text, const char *a, const char *b)
{
	auto_strlist struct strlist fields = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(csv_split(text, &fields, &err), 0);
	CU_ASSERT_EQUAL_FATAL(fields.nr, b ? 2 : 1);
	CU_ASSERT_STRING_EQUAL(fields.items[0], a);
	if (b)
		CU_ASSERT_STRING_EQUAL(fields.items[1], b);
}

static void refuse(const char *text, const char *expected)
{
	auto_strlist struct strlist fields = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(csv_split(text, &fields, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_USAGE);
	CU_ASSERT_STRING_EQUAL(err.text, expected);
}

static void test_fields_are_told_apart(void)
{
	check("a", "a", NULL);
	check("a,b=c", "a", "b=c");
	check("a,", "a", "");
	check(" a,b ", " a", "b ");
	check("\"a,b\",\"say \"\"c\"\"\"", "a,b", "say \"c\"");
	check("\"\",x", "", "x");
}

static void test_misplaced_quotes_are_refused(void)
{
	refuse("", "EOF");
	refuse("a\"b", "bare \" in non-quoted field");
	refuse("\"a", "extraneous or missing \" in quoted-field");
	refuse("\"a\"b", "extraneous or missing \" in quoted-field");
}

UNIT_SUITE(csv, { "fields are told apart", test_fields_are_told_apart },
	   { "misplaced quotes are refused", test_misplaced_quotes_are_refused });
