/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/words.h"

#include <string.h>

#include "base/cleanup.h"
#include "unit.h"

static const char *const env[] = { "a=1",	    "blank=", "two=x y", "a=second",
				   "long_name9=ok", "@=at",   NULL };

static struct words_scope new_scope(void)
{
	return (struct words_scope){ .env = (char *const *)env,
				     .left = WORDS_EXPANDED_MAX,
				     .escape = '\\' };
}

static void check_expand(const char *text, const char *expected)
{
	struct words_scope scope = new_scope();
	auto_buf struct buf out = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, words_expand(text, &scope, &out, &err));
	CU_ASSERT_STRING_EQUAL(out.data, expected);
}

static void check_bad(const char *text, enum err_kind kind, const char *expected)
{
	struct words_scope scope = new_scope();
	auto_buf struct buf out = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(-1, words_expand(text, &scope, &out, &err));
	CU_ASSERT_EQUAL(err.kind, kind);
	CU_ASSERT_STRING_EQUAL(err.text, expected);
}

/* The words joined by '|', so that a case is one line. */
static void check_list(const struct strlist *list, const char *expected)
{
	auto_buf struct buf out = { 0 };

	buf_puts(&out, "");
	for (size_t i = 0; i < list->nr; i++)
		buf_printf(&out, "%s%s", i ? "|" : "", list->items[i]);
	CU_ASSERT_STRING_EQUAL(out.data, expected);
}

static void test_variables(void)
{
	check_expand("", "");
	check_expand("$a", "1");
	check_expand("x${a}y", "x1y");
	check_expand("$none.${none}", ".");
	check_expand("$ab", "");
	check_expand("$long_name9-", "ok-");
	check_expand("$1x$@$$", "xat");
	check_expand("$ $. $", "$ $. $");
	check_expand("\u00fc$a\u20ac", "\u00fc1\u20ac");
}

static void test_modifiers(void)
{
	check_expand("${a:-w}${a-w}${a:+w}${a+w}", "11ww");
	check_expand("${no:-w}${no-w}${no:+w}${no+w}", "ww");
	check_expand("${blank:-w}|${blank-w}|${blank:+w}|${blank+w}", "w|||w");
	check_expand("${a:?m}${blank?m}", "1");
	check_expand("${no:-}", "");
	check_expand("${no:-${blank:-${a}}}${a:+<${no:-in $two}>}", "1<in x y>");
	check_expand("${no:-'}'}${no:-\"}\"}${no:-\\}}", "}}}");
	check_expand("\"${no:-\"a b\"}\"", "a b");
	check_expand("keep ${a:-dropped}", "keep 1");
}

static void test_quotes(void)
{
	check_expand("'$a \"\\'", "$a \"\\");
	check_expand("\"$a \\$a \\\" \\\\ \\n '\"", "1 $a \" \\ \\n '");
	check_expand("\\$a\\b\\\\\\\"", "$ab\\\"");
	check_expand("end\\", "end");
	check_expand("a'b'\"c\"d", "abcd");
}

static void test_backtick(void)
{
	struct words_scope scope = new_scope();
	auto_buf struct buf out = { 0 };
	struct error err;

	scope.escape = '`';
	CU_ASSERT_EQUAL_FATAL(0, words_expand("c:\\$a`$a\"`$\"", &scope, &out, &err));
	CU_ASSERT_STRING_EQUAL(out.data, "c:\\1$a$");
}

static void test_bad_text(void)
{
	check_bad("${", ERR_USAGE, "syntax error: missing '}'");
	check_bad("${a", ERR_USAGE, "syntax error: missing '}'");
	check_bad("${a:", ERR_USAGE, "syntax error: missing '}'");
	check_bad("${a:-\"x", ERR_USAGE, "syntax error: missing '}'");
	check_bad("\"${a:-x", ERR_USAGE, "syntax error: missing '}'");
	check_bad("${}", ERR_USAGE, "syntax error: bad substitution");
	check_bad("${{a}}", ERR_USAGE, "syntax error: bad substitution");
	check_bad("${:x}", ERR_USAGE, "syntax error: bad substitution");
	check_bad("${a:=w}", ERR_USAGE, "unsupported modifier (:=) in substitution");
	check_bad("${a:}", ERR_USAGE, "unsupported modifier (:}) in substitution");
	check_bad("${a\u20ac}", ERR_USAGE, "unsupported modifier (\u20ac) in substitution");
	check_bad("${a#w}", ERR_UNSUPPORTED, "unsupported modifier (#) in substitution");
	check_bad("${no?why $a}", ERR_USAGE, "no: why 1");
	check_bad("${no:?}", ERR_USAGE, "no: is not allowed to be unset");
	check_bad("${blank:?}", ERR_USAGE, "blank: is not allowed to be empty");
	check_bad("a'b", ERR_USAGE,
		  "unexpected end of statement while looking for matching single-quote");
	check_bad("a\"b$a\\\"", ERR_USAGE,
		  "unexpected end of statement while looking for matching double-quote");
}

static void test_bounds(void)
{
	struct words_scope scope = new_scope();
	auto_buf struct buf text = { 0 }, out = { 0 };
	struct error err;

	scope.left = 6;
	CU_ASSERT_EQUAL(0, words_expand("$two${two:+}", &scope, &out, &err));
	CU_ASSERT_EQUAL(scope.left, 3);
	CU_ASSERT_EQUAL(-1, words_expand("${a:+$two}$a", &scope, &out, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);

	for (int i = 0; i < WORDS_DEPTH_MAX; i++)
		buf_puts(&text, "${a:+");
	for (int i = 0; i < WORDS_DEPTH_MAX; i++)
		buf_putc(&text, '}');
	check_expand(text.data, "");
	buf_reset(&text);
	for (int i = 0; i <= WORDS_DEPTH_MAX; i++)
		buf_puts(&text, "${a:+");
	check_bad(text.data, ERR_LIMIT, "substitutions are nested deeper than 64 levels");
}

static void check_split(const char *text, const char *expected)
{
	struct words_scope scope = new_scope();
	auto_strlist struct strlist list = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, words_expand_split(text, &scope, &list, &err));
	check_list(&list, expected);
}

static void test_splitting_values(void)
{
	check_split("$two", "x|y");
	check_split("\"$two\"", "x y");
	check_split("'a b'c\\ d", "a bc d");
	check_split("1$two-2", "1x|y-2");
	check_split("${no:-'p q'}", "p|q");
	check_split("\"${no:-p q}\"", "p q");
	check_split("${a:+gone${no:-}}$blank\"\"", "gone");
	check_split(" $none ", "");
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
	const char *text = "  a b\r\n\n# no\nc \\  \n # no\n\n  d\ne\\\\\n\tf#g\n\\\nh\\";
	auto_buf struct buf line = { 0 };

	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		CU_ASSERT_TRUE_FATAL(words_logical_line(&text, '\\', &line));
		CU_ASSERT_STRING_EQUAL(line.data, expected[i]);
	}
	CU_ASSERT_FALSE(words_logical_line(&text, '\\', &line));
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

UNIT_SUITE(words, { "a variable gives its value", test_variables },
	   { "a modifier chooses the value or its word", test_modifiers },
	   { "quotes and escapes are taken away", test_quotes },
	   { "the escape character may be a backtick", test_backtick },
	   { "bad text is refused in docker's words", test_bad_text },
	   { "length and depth are bounded", test_bounds },
	   { "a value may become several words", test_splitting_values },
	   { "text is cut at its blanks", test_words },
	   { "flags end at the first other word", test_flags },
	   { "continuation lines are joined", test_lines },
	   { "the exec form is JSON or it is not", test_json },
	   { "pairs have two forms", test_pairs });
