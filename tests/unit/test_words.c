/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/words.h"

#include <string.h>

#include "base/cleanup.h"
#include "unit.h"

/* The words joined by '|', so that a case is one line. */
static void check_list(const struct strlist *list, const char *expected)
{
	auto_buf struct buf out = { 0 };

	buf_puts(&out, "");
	for (size_t i = 0; i < list->nr; i++)
		buf_printf(&out, "%s%s", i ? "|" : "", list->items[i]);
	CU_ASSERT_STRING_EQUAL(out.data, expected);
}

static void test_words(void)
{
	auto_strlist struct strlist plain = { 0 }, quoted = { 0 };

	words_split(" a  'b c'\td ", &plain);
	check_list(&plain, "a|'b|c'|d");
	words_split_quoted(" a  'b c'\"d \\\" e\" f\\ g '\\' \"\" h\\", '\\', &quoted);
	check_list(&quoted, "a|'b c'\"d \\\" e\"|f\\ g|'\\'|\"\"|h");
}

static void test_flags(void)
{
	auto_strlist struct strlist list = { 0 }, none = { 0 };

	CU_ASSERT_STRING_EQUAL(words_flags(" --a=1 --b=\"x y\"\\ z --c  -- --d e", '\\', &list),
			       "--d e");
	check_list(&list, "--a=1|--b=x y z|--c");
	CU_ASSERT_STRING_EQUAL(words_flags("-a --b", '\\', &none), "-a --b");
	CU_ASSERT_STRING_EQUAL(words_flags("--", '\\', &none), "");
	CU_ASSERT_EQUAL(none.nr, 0);
	CU_ASSERT_STRING_EQUAL(words_flags("--a\\", '\\', &none), "");
	check_list(&none, "--a");
}

static void test_lines(void)
{
	static const char *const expected[] = { "a b", "c   d", "e\\\\", "f#g", "h" };
	static const unsigned int first[] = { 1, 4, 8, 9, 10 };
	struct words_source source = { .escape = '\\' };
	const char *text = "  a b\r\n\n# no\nc \\  \n # no\n\n  d\ne\\\\\n\tf#g\n\\\nh\\";
	auto_buf struct buf line = { 0 };

	source.at = text;
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		CU_ASSERT_TRUE_FATAL(words_logical_line(&source, &line));
		CU_ASSERT_STRING_EQUAL(line.data, expected[i]);
		CU_ASSERT_EQUAL(source.first, first[i]);
		CU_ASSERT_EQUAL(source.has_gap, i == 1);
	}
	CU_ASSERT_FALSE(words_logical_line(&source, &line));
}

static void check_json(const char *text, bool expect_json, const char *expected)
{
	auto_strlist struct strlist list = { 0 };
	struct error err;
	bool is_json;

	CU_ASSERT_EQUAL_FATAL(0, words_json(text, &list, &is_json, &err));
	CU_ASSERT_EQUAL(is_json, expect_json);
	check_list(&list, expected);
}

static void test_json(void)
{
	auto_strlist struct strlist list = { 0 };
	auto_buf struct buf deep = { 0 };
	struct error err;
	bool is_json;

	check_json(" [\"a\", \"b c\\n\"] ", true, "a|b c\n");
	check_json("[]", true, "");
	check_json("['a']", false, "");
	check_json("[\"a\"] x", false, "");
	check_json("{\"a\":1}", false, "");
	check_json("", false, "");
	CU_ASSERT_EQUAL(-1, words_json("[\"a\", 1]", &list, &is_json, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_USAGE);
	for (int i = 0; i < 1000; i++)
		buf_putc(&deep, '[');
	CU_ASSERT_EQUAL(-1, words_json(deep.data, &list, &is_json, &err));
	CU_ASSERT_EQUAL(list.nr, 0);
}

static void check_pairs(const char *text, const char *expected)
{
	auto_strlist struct strlist list = { 0 };
	struct error err;

	if (words_pairs(text, '\\', "ENV", &list, &err) < 0)
		CU_ASSERT_STRING_EQUAL(err.text, expected)
	else
		check_list(&list, expected);
}

static void test_pairs(void)
{
	check_pairs("a=b c='d e' f=", "a|b|c|'d e'|f|");
	check_pairs("a=b=c \"k k\"=v", "a|b=c|\"k k\"|v");
	check_pairs("a  b=c  \"d\"", "a|b=c  \"d\"");
	check_pairs("", "ENV requires at least one argument");
	check_pairs("a", "ENV must have two arguments");
	check_pairs("=b", "ENV names can not be blank");
	check_pairs("a=b c",
		    "Syntax error - can't find = in \"c\". Must be of the form: name=value");
}

UNIT_SUITE(words, { "text is cut at its blanks", test_words },
	   { "flags end at the first other word", test_flags },
	   { "continuation lines are joined", test_lines },
	   { "the exec form is JSON or it is not", test_json },
	   { "pairs have two forms", test_pairs });
