/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/expand.h"

#include <string.h>

#include "base/cleanup.h"
#include "unit.h"

static const char *const env[] = { "a=1",
				   "blank=",
				   "two=x y",
				   "a=second",
				   "long_name9=ok",
				   "@=at",
				   "path=/usr/lib/libx.so.1.2",
				   "star=a*b?c",
				   "u=\u00e9t\u00e9",
				   NULL };

static struct expand_scope new_scope(void)
{
	return expand_scope((char *const *)env, '\\');
}

static void check_expand(const char *text, const char *expected)
{
	struct expand_scope scope = new_scope();
	auto_buf struct buf out = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, expand_word(text, &scope, &out, &err));
	CU_ASSERT_STRING_EQUAL(out.data, expected);
}

static void check_bad(const char *text, enum err_kind kind, const char *expected)
{
	struct expand_scope scope = new_scope();
	auto_buf struct buf out = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(-1, expand_word(text, &scope, &out, &err));
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

static void test_trimming(void)
{
	check_expand("${path#*/}|${path##*/}", "usr/lib/libx.so.1.2|libx.so.1.2");
	check_expand("${path%.*}|${path%%.*}", "/usr/lib/libx.so.1|/usr/lib/libx");
	check_expand("${path#/?s?/}|${path#usr}", "lib/libx.so.1.2|/usr/lib/libx.so.1.2");
	check_expand("${path##*lib}|${path#*lib}", "x.so.1.2|/libx.so.1.2");
	check_expand("${path%lib*}|${path%%lib*}", "/usr/lib/|/usr/");
	check_expand("${path##*}|${path#*}|${path%%*}|${path%}", "|/usr/lib/libx.so.1.2||"
								 "/usr/lib/libx.so.1.2");
	check_expand("${path#*/*/}|${path##*/*.}", "lib/libx.so.1.2|2");
	check_expand("${star#*\\*}|${star%\\?c}|${star#a?b}", "b?c|a*b|?c");
	check_expand("${u#?}|${u%?}|${u#\u00e9}", "t\u00e9|\u00e9t|t\u00e9");
	check_expand("${no#x}${blank##*}|${long_name9#$no}", "|ok");
	check_expand("${path#${no:-/usr}}|${path#\"/usr\"}", "/lib/libx.so.1.2|/lib/libx.so.1.2");
}

static void test_replacing(void)
{
	check_expand("${path/lib/LIB}|${path//lib/LIB}",
		     "/usr/LIB/libx.so.1.2|/usr/LIB/LIBx.so.1.2");
	check_expand("${path//\\//-}|${path/\\/usr/}", "-usr-lib-libx.so.1.2|/lib/libx.so.1.2");
	check_expand("${path/l*b/X}|${path//l?b/X}", "/usr/Xx.so.1.2|/usr/X/Xx.so.1.2");
	check_expand("${star//\\*/x}|${star//\\?/x}|${star//?/x}", "axb?c|a*bxc|xxxxx");
	check_expand("${star//*/x}|${star/none/x}|${no/a/b}", "x|a*b?c|");
	check_expand("${long_name9///-}|${long_name9/k/$a}|${long_name9/$no/<}", "-o-k-|o1|<ok");
	check_expand("${u//\u00e9/e}|${u//t/\u00fc}", "ete|\u00e9\u00fc\u00e9");
	check_expand("${path/${no:-usr}/${a:+x}}", "/x/lib/libx.so.1.2");
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
	struct expand_scope scope = new_scope();
	auto_buf struct buf out = { 0 };
	struct error err;

	scope.escape = '`';
	CU_ASSERT_EQUAL_FATAL(0, expand_word("c:\\$a`$a\"`$\"", &scope, &out, &err));
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
	check_bad("${a:#w}", ERR_USAGE, "unsupported modifier (:#) in substitution");
	check_bad("${a:/x/y}", ERR_USAGE, "unsupported modifier (:/) in substitution");
	check_bad("${a/x}", ERR_USAGE, "syntax error: missing '/' in ${}");
	check_bad("${a/x/y", ERR_USAGE, "syntax error: missing '}'");
	check_bad("${a#x", ERR_USAGE, "syntax error: missing '}'");
	check_bad("${a:-'x", ERR_USAGE, "syntax error: missing '}'");
	check_bad("${a/${b", ERR_USAGE, "syntax error: missing '/' in ${}");
	check_bad("${a#\\x}", ERR_USAGE,
		  "invalid pattern (\\x) in substitution: invalid escape '\\x'");
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
	struct expand_scope scope = new_scope();
	auto_buf struct buf text = { 0 }, out = { 0 };
	struct error err;

	scope.left = 6;
	CU_ASSERT_EQUAL(0, expand_word("$two${two:+}", &scope, &out, &err));
	CU_ASSERT_EQUAL(scope.left, 3);
	CU_ASSERT_EQUAL(-1, expand_word("${a:+$two}$a", &scope, &out, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);

	scope = new_scope();
	scope.work_left = 10;
	CU_ASSERT_EQUAL(-1, expand_word("${path##*x*y*z}", &scope, &out, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);

	for (int i = 0; i < EXPAND_DEPTH_MAX; i++)
		buf_puts(&text, "${a:+");
	for (int i = 0; i < EXPAND_DEPTH_MAX; i++)
		buf_putc(&text, '}');
	check_expand(text.data, "");
	buf_reset(&text);
	for (int i = 0; i <= EXPAND_DEPTH_MAX; i++)
		buf_puts(&text, "${a:+");
	check_bad(text.data, ERR_LIMIT, "substitutions are nested deeper than 64 levels");
}

static void check_split(const char *text, const char *expected)
{
	struct expand_scope scope = new_scope();
	auto_strlist struct strlist list = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, expand_words(text, &scope, &list, &err));
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

UNIT_SUITE(expand, { "a variable gives its value", test_variables },
	   { "a modifier chooses the value or its word", test_modifiers },
	   { "a pattern cuts one end of the value", test_trimming },
	   { "a pattern is replaced", test_replacing },
	   { "quotes and escapes are taken away", test_quotes },
	   { "the escape character may be a backtick", test_backtick },
	   { "bad text is refused in docker's words", test_bad_text },
	   { "length and depth are bounded", test_bounds },
	   { "a value may become several words", test_splitting_values });
