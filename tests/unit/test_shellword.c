/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/shellword.h"
#include "cli.h"
#include "unit.h"

static void is(const char *text, const char *expected)
{
	auto_free char *word = shellword(text);

	CU_ASSERT_STRING_EQUAL(word, expected);
}

static void test_words(void)
{
	is("/mnt/disk-1:2", "/mnt/disk-1:2");
	is("", "''");
	is("/mnt/a b", "'/mnt/a b'");
	is("/x;reboot", "'/x;reboot'");
	is("it's $(x)", "'it'\\''s $(x)'");
}

static void test_lines(void)
{
	auto_free char *line = cli_one_line("a\nb\033[1m\177\xff \xc3\xa9");

	CU_ASSERT_STRING_EQUAL(line, "a?b?[1m?\xef\xbf\xbd \xc3\xa9");
}

UNIT_SUITE(shellword, { "a word is quoted where a shell would take it apart", test_words },
	   { "a text from outside is one line", test_lines });
